//! The catalog as the store sees it: an ordered keyspace with snapshot reads, range scans and [`Batch`] commits.
//!
//! Invariants every engine keeps, and [`contract`] checks:
//! - a batch is all or nothing; its requirements are judged against the state its writes are applied to;
//! - a commit that answered `Ok` survives a crash; one that answered [`CommitError::Refused`] changed nothing; after
//!   [`CommitError::Unavailable`] either may be true, and nobody may treat the batch as done or as undone;
//! - a snapshot sees every commit answered before it was taken, whole batches only;
//! - scans visit keys in byte order.
//!
//! Absent on purpose: locks, transactions that outlive a call, reads that block writers.

pub mod commit;
pub mod contract;
pub mod local;
pub mod model;
pub mod schema;

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;

/// A table of the keyspace. The number is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Space {
    /// Facts about the store itself: the run number.
    System = 0,
    /// Runs that were opened and have not ended cleanly: run number.
    Runs = 1,
    /// Buckets: name.
    Buckets = 2,
    /// The latest version of each object, only while it is an object: bucket number, escaped key.
    Current = 3,
    /// Bodies up to 4 KiB: growing number.
    Inline = 4,
    /// Every blob file some record names: blob id.
    Blobs = 5,
    /// Bodies of several extents: growing number.
    Manifests = 6,
    /// Extents of manifests, 512 a record: manifest number, index of the record.
    Extents = 7,
    /// Open multipart uploads: bucket number, escaped key, upload number.
    Uploads = 8,
    /// Staged parts, insert-only: upload number, part number, growing number.
    Parts = 9,
    /// Completed uploads, kept so that a repeated complete gets the same answer: upload number.
    Completed = 10,
    /// What was buried and waits for gc: growing number.
    Grave = 11,
    /// Counters: name. Written by [`Write::Add`] alone.
    Counters = 12,
    /// What was put on buckets (tags, and whatever else has a document): bucket number, kind of document.
    BucketDocuments = 13,
    /// What the ranks above keep for themselves: kind, name.
    Records = 14,
    /// Sessions of the upload API: where an upload of one is, and which upload a name means.
    Sessions = 15,
}

impl Space {
    /// All tables.
    pub const ALL: [Self; 16] = [
        Self::System,
        Self::Runs,
        Self::Buckets,
        Self::Current,
        Self::Inline,
        Self::Blobs,
        Self::Manifests,
        Self::Extents,
        Self::Uploads,
        Self::Parts,
        Self::Completed,
        Self::Grave,
        Self::Counters,
        Self::BucketDocuments,
        Self::Records,
        Self::Sessions,
    ];

    /// The table's name in engines that name their tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Runs => "runs",
            Self::Buckets => "buckets",
            Self::Current => "current",
            Self::Inline => "inline",
            Self::Blobs => "blobs",
            Self::Manifests => "manifests",
            Self::Extents => "extents",
            Self::Uploads => "uploads",
            Self::Parts => "parts",
            Self::Completed => "completed",
            Self::Grave => "grave",
            Self::Counters => "counters",
            Self::BucketDocuments => "bucket-documents",
            Self::Records => "records",
            Self::Sessions => "sessions",
        }
    }

    /// The table with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|space| *space as u8 == number)
    }
}

/// Bytes `1..9` of every record are its revision, big-endian (byte 0 is the record's format).
pub fn revision_of(record: &[u8]) -> Option<u64> {
    record.get(1..9)?.try_into().ok().map(u64::from_be_bytes)
}

/// What must hold for a batch to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Require {
    /// Nothing stands at the key.
    Absent(Space, Vec<u8>),
    /// Something stands at the key.
    Present(Space, Vec<u8>),
    /// The record at the key has this revision.
    Revision(Space, Vec<u8>, u64),
    /// The counter, with what this batch itself adds to it and gives back, is at most this.
    CounterAtMost(Vec<u8>, i64),
    /// No key in `start..end` (an empty `end` is the end of the table).
    RangeEmpty(Space, Vec<u8>, Vec<u8>),
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the record at the key.
    Put(Space, Vec<u8>, Vec<u8>),
    /// Removes the record at the key, if there is one.
    Delete(Space, Vec<u8>),
    /// Adds to the counter of this name, which starts at zero (see [`Snapshot::counter`]).
    Add(Vec<u8>, i64),
    /// Moves whatever stands at the key to `Grave[number]`, as one byte with the table's number, then the record. Nothing
    /// happens when nothing stands there.
    Bury(Space, Vec<u8>, u64),
    /// As [`Write::Bury`], and what is buried leaves these counters. So who replaces a row need not know what it was.
    BuryCounted(Space, Vec<u8>, u64, Tally),
}

/// The counters of rows that are counted: what they hold ([`schema::size_of`]), and how many there are. Who puts a new row adds
/// to them, [`Write::BuryCounted`] gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Counter: bytes.
    pub bytes: Vec<u8>,
    /// Counter: rows.
    pub rows: Vec<u8>,
}

impl Tally {
    /// What the burial of `record` adds to the counter of this name.
    fn of_burial(&self, name: &[u8], record: &[u8]) -> i64 {
        let bytes = schema::size_of(record).and_then(|size| i64::try_from(size).ok()).unwrap_or_default();
        let (bytes, rows) = (if self.bytes == name { bytes } else { 0 }, i64::from(self.rows == name));
        0_i64.saturating_sub(bytes).saturating_sub(rows)
    }
}

/// A metadata change as a plain value: requirements, then writes in their order, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What must hold.
    pub requires: Vec<Require>,
    /// What changes.
    pub writes: Vec<Write>,
}

impl Batch {
    /// Adds a requirement.
    #[must_use]
    pub fn require(mut self, require: Require) -> Self {
        self.requires.push(require);
        self
    }

    /// Adds a change.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }
}

/// A commit did not happen, or nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The requirement at this index did not hold; nothing changed.
    #[error("requirement {0} does not hold")]
    Refused(usize),
    /// The engine failed: the outcome is unknown.
    #[error("the catalog is unavailable: {0}")]
    Unavailable(String),
}

/// A read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// The engine failed; it is being reopened.
    #[error("the catalog is unavailable: {0}")]
    Unavailable(String),
}

/// A commit under way. It is carried out whether or not this is polled.
pub type CommitFuture = Pin<Box<dyn Future<Output = Result<(), CommitError>> + Send>>;

/// What a scan does after a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Go on with the next key.
    Next,
    /// Go on with the first key at or after this one (which lies ahead).
    Seek(Vec<u8>),
}

/// A scan's visitor: key and record, in order.
pub type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<(), Visit> + 'a;

/// A view of the catalog at one moment. Short-lived: it pins every page it can see.
pub trait Snapshot: Send {
    /// The record at the key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError>;

    /// Visits `start..end` in order (an empty `end` is the end of the table).
    fn scan(&self, space: Space, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<(), MetaError>;

    /// The counter of this name; zero when it was never added to.
    fn counter(&self, name: &[u8]) -> Result<i64, MetaError>;
}

/// A catalog engine.
pub trait Meta: Send + Sync + 'static {
    /// A view of all that was committed so far.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, MetaError>;

    /// Applies a batch.
    fn commit(&self, batch: Batch) -> CommitFuture;
}

/// The first key after every key that starts with `prefix`; empty when there is none.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    end
}
