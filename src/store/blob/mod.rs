//! Where bodies live: immutable blobs, each with a name that is never used twice.
//!
//! Invariants every implementation keeps, and [`contract`] checks:
//! - a sealed blob is durable, name included, when [`Writer::seal`] returns; before that nothing of it can be opened;
//! - a writer that is dropped unsealed leaves nothing behind;
//! - every read is verified against the checksums written with the bytes: wrong bytes are an error, never an answer;
//! - a reader of a removed blob gives the blob's bytes or [`BlobError::NotFound`], never others;
//! - [`Blobs::remove`] is durable when it returns and may be repeated.
//!
//! That open readers go on undisturbed is no promise: a local file outlives its name while it is open, an object behind a
//! network does not. Nobody relies on it, because gc removes nothing that is pinned.
//!
//! All calls may block, for as long as a network takes; callers run them on blocking threads (see [`crate::base::offload`]).
//! What never waits is reading in [`ReadMode::CachedOnly`], [`Blobs::free`], dropping a writer, and [`Blobs::open`] where
//! [`Blobs::opens_at_once`].
//!
//! Two kinds of store keep them, with the same names (`name`) and the same format (`footer`): files on a local disk
//! ([`disk`]) and objects in S3, Google Cloud Storage, Azure or what else the `object_store` crate speaks to ([`remote`]).

mod blocks;
pub mod contract;
pub mod disk;
mod footer;
mod name;
pub mod remote;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::digest::Checksum;
use crate::base::id::{BlobId, RunNumber};

/// A failed blob call.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No blob of this name.
    #[error("blob {0} does not exist")]
    NotFound(BlobId),
    /// The stored bytes are not the written ones.
    #[error("blob {id} is damaged: {what}")]
    Damaged {
        /// Which blob.
        id: BlobId,
        /// What does not match, in words for the log.
        what: String,
    },
    /// No room (ENOSPC, EDQUOT).
    #[error("no space left for blobs")]
    Full,
    /// The device failed.
    #[error("blob input/output failed: {0}")]
    Io(#[from] io::Error),
}

/// A blob that is durable under its name and not yet named by any record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its name.
    pub id: BlobId,
    /// Bytes of content.
    pub len: u64,
    /// CRC64NVME of the content, as its footer carries it.
    pub crc64nvme: Checksum,
}

/// Whether a read may wait for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Read from the device or over the network where memory has nothing.
    Wait,
    /// Only what is in memory: `None` instead of waiting.
    CachedOnly,
}

/// Free room where blobs live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// Bytes an unprivileged writer can still take.
    pub bytes: u64,
    /// Bytes of the whole filesystem.
    pub total_bytes: u64,
    /// Files that can still be made; none where the filesystem does not count them.
    pub inodes: Option<u64>,
}

/// A blob being written.
pub trait Writer: Send {
    /// The name the blob will have.
    fn id(&self) -> BlobId;

    /// Appends the pieces in order.
    fn write(&mut self, pieces: &[Bytes]) -> Result<(), BlobError>;

    /// Makes content and name durable. After an error the name may be there or not.
    fn seal(self: Box<Self>) -> Result<Sealed, BlobError>;
}

/// A blob open for reading. Once the blob is removed, a read gives its bytes or [`BlobError::NotFound`].
#[expect(clippy::len_without_is_empty, reason = "a length to answer with, not a collection")]
pub trait Reader: Send + Sync {
    /// Bytes of content.
    fn len(&self) -> u64;

    /// Verified bytes from the start of `range`: all of it or its first [`crate::base::limits::READ_UNIT_BYTES`], at least one
    /// (`range` lies inside the content and is not empty). `None` only with [`ReadMode::CachedOnly`].
    fn read(&self, range: Range<u64>, mode: ReadMode) -> Result<Option<Bytes>, BlobError>;
}

/// A store of blobs.
pub trait Blobs: Send + Sync + 'static {
    /// Starts a blob that will have about `expected_len` bytes, where that is known.
    fn create(&self, expected_len: Option<u64>) -> Result<Box<dyn Writer>, BlobError>;

    /// Opens a blob for reading.
    fn open(&self, id: BlobId) -> Result<Arc<dyn Reader>, BlobError>;

    /// Removes blobs; missing ones are fine. Durable when it returns.
    fn remove(&self, ids: &[BlobId]) -> Result<(), BlobError>;

    /// Blobs of `run` that sort after `after`, in order, at most `max`: what the orphan sweep walks.
    fn list(&self, run: RunNumber, after: Option<BlobId>, max: usize) -> Result<Vec<BlobId>, BlobError>;

    /// Runs that left blobs or directories.
    fn runs(&self) -> Result<Vec<RunNumber>, BlobError>;

    /// Whether [`Blobs::open`] takes no longer than a small read of a local disk, so that a thread with more to do may call
    /// it.
    fn opens_at_once(&self) -> bool;

    /// Free room; none where that has no meaning. Never waits for a network.
    fn free(&self) -> Result<Option<Free>, BlobError>;
}
