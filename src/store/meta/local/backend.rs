//! What stands between redb and the backend that was passed in.

use std::io;
use std::ops::Bound;

use redb::{BackendError, StorageBackend};

use crate::base::limits::READ_UNIT_BYTES;

/// A backend in a box: redb takes its backend by value and has no implementation for boxes.
#[derive(Debug)]
pub(crate) struct Boxed(pub(crate) Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}

/// Length of the magic number that redb's files begin with.
const MAGIC_BYTES: u64 = 9;
/// The sector with the header: all that redb writes before the magic number.
const HEADER_BYTES: u64 = 512;
/// A file larger than this is more than an unfinished creation leaves (about 1 MiB).
const UNFINISHED_MAX_BYTES: u64 = 16 << 20;

/// Empties a file whose creation was interrupted by a crash: redb writes its magic number last, and refuses for ever a
/// file that has a length and no magic number. Nothing but zeros behind the header means nothing to lose.
pub(crate) fn forget_unfinished_creation(backend: &dyn StorageBackend) -> io::Result<()> {
    let length = backend.len()?;
    let unfinished = (1..=UNFINISHED_MAX_BYTES).contains(&length)
        && is_zero(backend, 0, MAGIC_BYTES.min(length))?
        && is_zero(backend, HEADER_BYTES, length)?;
    if unfinished {
        tracing::warn!("the creation of the catalog was interrupted; it is created again");
        backend.set_len(0)?;
    }
    Ok(())
}

fn is_zero(backend: &dyn StorageBackend, from: u64, to: u64) -> io::Result<bool> {
    let mut buffer = vec![0; READ_UNIT_BYTES];
    let mut offset = from;
    while offset < to {
        let unread = usize::try_from(to - offset).unwrap_or(usize::MAX);
        buffer.truncate(unread);
        backend.read(offset, &mut buffer)?;
        if buffer.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        offset += buffer.len() as u64;
    }
    Ok(true)
}
