//! What a store call can answer instead of its result. Each kind says who is wrong; ranks above map them to the wire in
//! exactly two places.

use crate::base::limits::{PARTS_MAX, RECORD_MAX_BYTES, RECORD_NAME_MAX_BYTES, SESSION_NOTE_MAX_BYTES};
use crate::store::blob::BlobError;
use crate::store::meta::{CommitError, MetaError};

/// A failed store call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named thing is not there.
    #[error("{0:?} not found")]
    NotFound(Missing),
    /// A bucket of this name, or a record, is there already.
    #[error("it exists")]
    Exists,
    /// There are as many buckets as there may be.
    #[error("there are too many buckets")]
    TooManyBuckets,
    /// There are as many records of this kind as there may be.
    #[error("there are too many records of this kind")]
    TooManyRecords,
    /// A condition of the request does not hold.
    #[error("a condition of the request does not hold")]
    Precondition,
    /// The bucket still holds objects.
    #[error("the bucket is not empty")]
    NotEmpty,
    /// Another request changed the same thing meanwhile; trying again may succeed.
    #[error("another request changed the same thing")]
    Conflict,
    /// The request contradicts what is stored.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The bucket's objects would take more than its quota.
    #[error("the bucket's quota is exceeded")]
    QuotaExceeded,
    /// No room is left, or what is left is the reserve.
    #[error("no space left")]
    Full,
    /// The store cannot answer now: it is recovering or closing.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// Stored bytes or records are not what was written.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The device failed.
    #[error("input/output failed: {0}")]
    Io(String),
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The bucket.
    Bucket,
    /// The object.
    Object,
    /// The object that was to be copied.
    Source,
    /// The upload: unknown, aborted or expired.
    Upload,
}

/// Why a request contradicts the staged parts, or the limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No part is listed, or more than [`PARTS_MAX`].
    #[error("a complete lists 1 to {PARTS_MAX} parts")]
    PartCount,
    /// Part numbers do not ascend.
    #[error("part numbers must ascend")]
    PartOrder,
    /// A listed part was never staged, or with another ETag or checksum.
    #[error("part {number} is not there with this ETag")]
    Part {
        /// The listed number.
        number: u32,
        /// The listed ETag, as hexadecimal.
        etag: String,
    },
    /// A part that is not the last is too small.
    #[error("part {number} has {size} bytes, fewer than {min}")]
    PartTooSmall {
        /// The part.
        number: u32,
        /// Its bytes.
        size: u64,
        /// The bytes it needs.
        min: u64,
        /// Its ETag, as hexadecimal.
        etag: String,
    },
    /// The object would be larger than S3 allows.
    #[error("the object would have {0} bytes")]
    ObjectTooLarge(u64),
    /// The client named another object size than the parts add up to.
    #[error("the parts have {actual} bytes, not {expected}")]
    ObjectSize {
        /// What the client said.
        expected: u64,
        /// What the parts add up to.
        actual: u64,
    },
    /// The upload needs each part to carry its checksum, in the part and in the complete.
    #[error("the upload was created with {algorithm}: the complete must carry the checksum of part {number}")]
    PartChecksumMissing {
        /// The listed number.
        number: u32,
        /// Of the upload.
        algorithm: &'static str,
    },
    /// A listed part carries another checksum than the one it needs.
    #[error("the {algorithm} of part {number} is not what was received")]
    PartChecksum {
        /// The listed number.
        number: u32,
        /// Of the request.
        algorithm: &'static str,
    },
    /// A part came with another algorithm than the upload was created with.
    #[error("the upload was created with {expected}, not {actual}")]
    ChecksumAlgorithm {
        /// Of the upload.
        expected: &'static str,
        /// Of the request.
        actual: &'static str,
    },
    /// The complete named another checksum type than the upload.
    #[error("the upload was created with checksum type {expected}")]
    ChecksumType {
        /// Of the upload.
        expected: &'static str,
    },
    /// The complete's checksum is not the object's.
    #[error("the object's {algorithm} is not the one given")]
    Checksum {
        /// Of the object.
        algorithm: &'static str,
    },
    /// The upload was completed with other parts.
    #[error("the upload was completed with other parts")]
    CompletedDifferently,
    /// What a protocol wants to keep with a session is too much.
    #[error("a session keeps at most {SESSION_NOTE_MAX_BYTES} bytes, not {0}")]
    SessionNote(usize),
    /// A record's name is empty or too long.
    #[error("a record's name has 1 to {RECORD_NAME_MAX_BYTES} bytes, not {0}")]
    RecordName(usize),
    /// A record is too large.
    #[error("a record has at most {RECORD_MAX_BYTES} bytes, not {0}")]
    RecordSize(usize),
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound(_) | BlobError::Damaged { .. } => Self::Corrupt(error.to_string()),
            BlobError::Full => Self::Full,
            // Out of files (ENFILE, EMFILE): a moment later there may be some.
            BlobError::Io(ref io) if matches!(io.raw_os_error(), Some(23 | 24)) => Self::Busy(error.to_string()),
            BlobError::Io(_) => Self::Io(error.to_string()),
        }
    }
}

impl From<MetaError> for Error {
    fn from(MetaError::Unavailable(why): MetaError) -> Self {
        Self::Busy(why)
    }
}

impl From<CommitError> for Error {
    /// For batches whose refusals are handled by the caller, a refusal that is left over is a lost race.
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Refused(_) => Self::Conflict,
            CommitError::Unavailable(why) => Self::Busy(why),
        }
    }
}

impl From<crate::base::offload::Lost> for Error {
    fn from(lost: crate::base::offload::Lost) -> Self {
        Self::Io(lost.to_string())
    }
}
