//! The reserve: free bytes and files kept back, so that deletes, aborts and the catalog always have room.

use std::sync::Arc;

use crate::base::limits::{RESERVE_INODES, RESERVE_MAX_BYTES, RESERVE_MIN_BYTES, RESERVE_SHARE_PERCENT};
use crate::store::blob::{BlobError, Blobs, Free};
use crate::store::error::Error;

/// How much is kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reserve {
    /// 1 % of the filesystem, at least 256 MiB, at most 10 GiB.
    #[default]
    Standard,
    /// This many bytes.
    Bytes(u64),
    /// This share of the filesystem, 0 to 99.
    Percent(u64),
}

impl Reserve {
    /// The bytes to keep back of a filesystem of `total_bytes`.
    pub fn bytes(self, total_bytes: u64) -> u64 {
        let share = |percent: u64| (total_bytes / 100).saturating_mul(percent);
        match self {
            Self::Standard => share(RESERVE_SHARE_PERCENT).clamp(RESERVE_MIN_BYTES, RESERVE_MAX_BYTES),
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => share(percent),
        }
    }
}

/// Says whether more fits.
pub(super) struct Room {
    blobs: Arc<dyn Blobs>,
    reserve: Reserve,
}

impl Room {
    pub(super) fn new(blobs: Arc<dyn Blobs>, reserve: Reserve) -> Self {
        Self { blobs, reserve }
    }

    /// Whether `len` more bytes leave the reserve untouched.
    pub(super) fn check(&self, len: u64) -> Result<(), Error> {
        match self.blobs.free()? {
            Some(free) if !self.fits(free, len) => Err(Error::Full),
            _ => Ok(()),
        }
    }

    /// Whether the reserve is untouched.
    pub(super) fn above_reserve(&self) -> Result<bool, BlobError> {
        Ok(self.blobs.free()?.is_none_or(|free| self.fits(free, 0)))
    }

    fn fits(&self, free: Free, len: u64) -> bool {
        free.bytes >= self.reserve.bytes(free.total_bytes).saturating_add(len)
            && free.inodes.is_none_or(|inodes| inodes >= RESERVE_INODES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_reserve_has_a_floor_and_a_ceiling() {
        assert_eq!(Reserve::Standard.bytes(1 << 30), RESERVE_MIN_BYTES);
        assert_eq!(Reserve::Standard.bytes(100 << 30), 1 << 30);
        assert_eq!(Reserve::Standard.bytes(100 << 40), RESERVE_MAX_BYTES);
        assert_eq!(Reserve::Percent(5).bytes(1000), 50);
    }
}
