//! A blob open for reading.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::footer::{BlockChecksums, TRAILER_LEN, Trailer};
use crate::base::buffers::BufferPool;
use crate::base::id::BlobId;
use crate::base::limits::READ_UNIT_BYTES;
use crate::store::blob::{BlobError, ReadMode, Reader};
use crate::store::fsio::File;

/// What one read takes of the end of a file: the whole footer of a blob up to 62 MiB.
const TAIL_BYTES: usize = 4096;

pub(super) struct DiskReader {
    id: BlobId,
    file: Arc<dyn File>,
    len: u64,
    block_bytes: usize,
    checksums: BlockChecksums,
    pool: BufferPool,
}

impl DiskReader {
    /// Reads and verifies the footer.
    pub(super) fn open(id: BlobId, file: Arc<dyn File>, pool: BufferPool) -> Result<Self, BlobError> {
        let damaged = |what: &str| BlobError::Damaged { id, what: what.to_owned() };
        let file_len = file.len()?;
        let mut tail = [0; TAIL_BYTES];
        let tail_len = usize::try_from(file_len).unwrap_or(usize::MAX).min(TAIL_BYTES);
        let tail = tail.get_mut(..tail_len).unwrap_or_default();
        read_exactly(id, file.as_ref(), tail, file_len - tail_len as u64)?;
        let trailer = Trailer::parse(tail, file_len).map_err(damaged)?;
        if trailer.block_bytes > pool.size() {
            return Err(BlobError::Io(io::Error::other("the blob's blocks are larger than the read buffers")));
        }
        let verified = match tail_len.checked_sub(trailer.footer_len) {
            Some(start) => trailer.verify(id, tail.get(start..).unwrap_or_default()),
            None => {
                let mut footer = vec![0; trailer.footer_len.max(TRAILER_LEN)];
                read_exactly(id, file.as_ref(), &mut footer, trailer.content_len)?;
                trailer.verify(id, &footer)
            }
        };
        let checksums = verified.map_err(damaged)?;
        Ok(Self { id, file, len: trailer.content_len, block_bytes: trailer.block_bytes, checksums, pool })
    }

    /// The whole blocks that one read of `range` takes: start and end in the content.
    fn blocks_of(&self, range: &Range<u64>) -> Range<u64> {
        let block = self.block_bytes as u64;
        let unit = READ_UNIT_BYTES.min(self.pool.size()) as u64;
        let start = range.start - range.start % block;
        let wanted = range.end.div_ceil(block).saturating_mul(block).min(self.len);
        start..wanted.min(start.saturating_add(unit - unit % block))
    }
}

impl Reader for DiskReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, range: Range<u64>, mode: ReadMode) -> Result<Option<Bytes>, BlobError> {
        if range.start >= range.end || range.end > self.len {
            return Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, "a read beyond the blob's content")));
        }
        let blocks = self.blocks_of(&range);
        let mut buffer = self.pool.take();
        let len = usize::try_from(blocks.end - blocks.start).unwrap_or(usize::MAX);
        let bytes = buffer.bytes_mut().get_mut(..len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        match mode {
            ReadMode::Wait => read_exactly(self.id, self.file.as_ref(), bytes, blocks.start)?,
            ReadMode::CachedOnly if !self.file.read_cached_at(bytes, blocks.start)? => return Ok(None),
            ReadMode::CachedOnly => {}
        }
        let first = usize::try_from(blocks.start / self.block_bytes as u64).unwrap_or(usize::MAX);
        if let Some(block) = self.checksums.first_mismatch(first, bytes, self.block_bytes) {
            let what = format!("the checksum of block {block} does not match");
            return Err(BlobError::Damaged { id: self.id, what });
        }
        let within = |offset: u64| usize::try_from(offset.min(blocks.end) - blocks.start).unwrap_or(usize::MAX);
        Ok(Some(buffer.freeze(within(range.start)..within(range.end))))
    }
}

fn read_exactly(id: BlobId, file: &dyn File, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
    file.read_at(buffer, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BlobError::Damaged { id, what: "the file is cut off".to_owned() },
        _ => BlobError::Io(error),
    })
}
