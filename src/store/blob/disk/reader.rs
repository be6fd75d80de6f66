//! A blob open for reading.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::buffers::BufferPool;
use crate::base::id::BlobId;
use crate::store::blob::blocks::{Blocks, within};
use crate::store::blob::{BlobError, ReadMode, Reader};
use crate::store::fsio::File;

/// What one read takes of the end of a file: the whole footer of a blob up to 62 MiB.
const TAIL_BYTES: usize = 4096;

pub(super) struct DiskReader {
    id: BlobId,
    file: Arc<dyn File>,
    blocks: Blocks,
    pool: BufferPool,
}

impl DiskReader {
    /// Reads and verifies the footer.
    pub(super) fn open(id: BlobId, file: Arc<dyn File>, pool: BufferPool) -> Result<Self, BlobError> {
        let file_len = file.len()?;
        let mut tail = [0; TAIL_BYTES];
        let tail_len = usize::try_from(file_len).unwrap_or(usize::MAX).min(TAIL_BYTES);
        let tail = tail.get_mut(..tail_len).unwrap_or_default();
        read_exactly(id, file.as_ref(), tail, file_len - tail_len as u64)?;
        let blocks = Blocks::open(id, tail, file_len, pool.size(), |range| {
            let mut footer = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
            read_exactly(id, file.as_ref(), &mut footer, range.start)?;
            Ok(footer)
        })?;
        Ok(Self { id, file, blocks, pool })
    }
}

impl Reader for DiskReader {
    fn len(&self) -> u64 {
        self.blocks.len()
    }

    fn read(&self, range: Range<u64>, mode: ReadMode) -> Result<Option<Bytes>, BlobError> {
        let blocks = self.blocks.around(&range)?;
        let mut buffer = self.pool.take();
        let len = usize::try_from(blocks.end - blocks.start).unwrap_or(usize::MAX);
        let bytes = buffer.bytes_mut().get_mut(..len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        match mode {
            ReadMode::Wait => read_exactly(self.id, self.file.as_ref(), bytes, blocks.start)?,
            ReadMode::CachedOnly if !self.file.read_cached_at(bytes, blocks.start)? => return Ok(None),
            ReadMode::CachedOnly => {}
        }
        self.blocks.verify(blocks.start, bytes)?;
        Ok(Some(buffer.freeze(within(&blocks, &range))))
    }
}

fn read_exactly(id: BlobId, file: &dyn File, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
    file.read_at(buffer, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BlobError::Damaged { id, what: "the file is cut off".to_owned() },
        _ => BlobError::Io(error),
    })
}
