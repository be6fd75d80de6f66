//! The store: buckets, objects and multipart uploads over a catalog ([`meta`]) and blobs ([`blob`]). Knows no HTTP, no XML,
//! no identities.
//!
//! Its law: **bytes are durable before the metadata that names them; metadata is gone before its bytes are removed.** A crash
//! can leave orphaned bytes, never a name without bytes. Recovery and gc only sweep.
//!
//! - A body is received ([`body`]), then named by [`Store::put_object`] or [`Store::stage_part`].
//! - Copying an object ([`copy`]) adds a reference to its bytes.
//! - Completing an upload ([`multipart`], [`assemble`]) moves no bytes: one batch turns its parts into a manifest's extents.
//! - Uploads of the upload API ([`sessions`]) are complete by what is there, whatever order it came in.
//! - What each bucket's objects take is counted, and may be limited ([`usage`]).
//! - What the ranks above keep for themselves stands in small keyspaces of its own ([`records`]).
//! - What is overwritten, deleted, aborted or expired is buried: one row moves to the grave; [`maintain::gc`] frees it.
//! - Reads ([`read`]) stream across extents, every block verified; [`parts`] finds one part among them.
//!
//! Absent on purpose: locks over input or output, threads (whoever opens the store drives its workers), second copies of
//! bytes.

mod assemble;
mod attributes;
pub mod blob;
pub mod body;
mod bucket;
mod bucket_document;
mod copy;
pub mod error;
pub mod fsio;
mod generation;
mod list;
pub mod maintain;
mod manifest;
pub mod meta;
mod multipart;
mod object;
mod orphans;
mod parts;
mod pins;
pub mod read;
mod records;
pub mod room;
pub mod runs;
mod sessions;
mod tags;
pub mod types;
pub mod usage;

use std::sync::Arc;

use crate::base::clock::{Clock, Timestamp};
use crate::base::digest::DigestRequest;
use crate::base::id::{RunNumber, Sequence};
use crate::base::offload::Offload;
use crate::base::rng::Rng;
use crate::telemetry::metrics::Metrics;

use blob::{Blobs, Free};
use body::BodyWriter;
use error::Error;
use generation::Generation;
use meta::schema::{self, Content};
use meta::{Meta, Snapshot, Space, Write};
use orphans::Orphans;
use pins::Pins;
use room::{Reserve, Room};
use types::{StagedBody, StagedContent};
use usage::KnownQuotas;

/// What a store is made of.
pub struct Parts {
    /// The catalog.
    pub meta: Arc<dyn Meta>,
    /// The blobs, whose new ones belong to `run`.
    pub blobs: Arc<dyn Blobs>,
    /// This opening's number, from [`runs::begin`].
    pub run: RunNumber,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Arc<dyn Rng>,
    /// Where blocking work runs.
    pub offload: Offload,
    /// How much room is kept back.
    pub reserve: Reserve,
    /// Where damage is counted.
    pub metrics: Metrics,
}

/// The store.
pub struct Store {
    meta: Arc<dyn Meta>,
    blobs: Arc<dyn Blobs>,
    numbers: Sequence,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    offload: Offload,
    room: Arc<Room>,
    orphans: Arc<Orphans>,
    pins: Arc<Pins>,
    metrics: Metrics,
    /// Of buckets and their documents.
    documents: Generation,
    /// Of records.
    records: Generation,
    quotas: KnownQuotas,
}

/// What the store holds, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Open multipart uploads.
    pub open_uploads: i64,
    /// Bytes of their parts, and of parts that gc has not freed yet.
    pub staged_bytes: i64,
}

impl Store {
    /// A store over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            room: Arc::new(Room::new(Arc::clone(&parts.blobs), parts.reserve)),
            meta: parts.meta,
            blobs: parts.blobs,
            numbers: Sequence::new(parts.run),
            clock: parts.clock,
            rng: parts.rng,
            offload: parts.offload,
            orphans: Arc::default(),
            pins: Arc::default(),
            metrics: parts.metrics,
            documents: Generation::default(),
            records: Generation::default(),
            quotas: KnownQuotas::default(),
        })
    }

    /// The store's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// [`Error::Full`] when `len` more bytes would touch the reserve. Asked before a body is read.
    pub fn check_room(&self, len: u64) -> Result<(), Error> {
        self.room.check(len)
    }

    /// Begins to receive a body of about `expected_len` bytes.
    pub fn body_writer(&self, expected_len: Option<u64>, digests: DigestRequest) -> BodyWriter {
        BodyWriter::new(
            Arc::clone(&self.blobs),
            Arc::clone(&self.room),
            self.offload.clone(),
            Arc::clone(&self.orphans),
            expected_len,
            digests,
        )
    }

    /// What the store holds.
    pub fn usage(&self) -> Result<Usage, Error> {
        let snapshot = self.meta.snapshot()?;
        Ok(Usage {
            open_uploads: snapshot.counter(schema::UPLOADS_COUNTER)?,
            staged_bytes: snapshot.counter(schema::STAGED_COUNTER)?,
        })
    }

    /// Free room under the blobs, where that has a meaning.
    pub fn free(&self) -> Result<Option<Free>, Error> {
        Ok(self.blobs.free()?)
    }

    /// The writes that name a staged body, where it then is, and the guard to release when they are committed.
    fn place(&self, body: StagedBody) -> (Vec<Write>, Content, Option<orphans::OrphanGuard>) {
        match body.content {
            StagedContent::Inline(bytes) if bytes.is_empty() => (Vec::new(), Content::Empty, None),
            StagedContent::Inline(bytes) => {
                let number = self.numbers.next();
                let write = Write::Put(Space::Inline, schema::number_key(number), schema::encode_inline(&bytes));
                (vec![write], Content::Inline(number), None)
            }
            StagedContent::Blob(sealed, guard) => {
                let record = schema::BlobRecord { len: sealed.len, crc64nvme: (&sealed.crc64nvme).into() };
                let key = sealed.id.to_bytes().to_vec();
                let write = Write::Put(Space::Blobs, key, schema::encode(0, &record));
                (vec![write], Content::blob(sealed.id), Some(guard))
            }
        }
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        Ok(self.meta.snapshot()?)
    }
}

impl From<schema::BadRecord> for Error {
    fn from(bad: schema::BadRecord) -> Self {
        Self::Corrupt(bad.to_string())
    }
}
