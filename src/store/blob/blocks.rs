//! Verified reading, wherever the stored bytes are: what a blob's footer says of its blocks, which whole blocks a read takes,
//! and whether their bytes are the written ones.

use std::io;
use std::ops::Range;

use super::BlobError;
use super::footer::{BlockChecksums, Trailer};
use crate::base::id::BlobId;
use crate::base::limits::READ_UNIT_BYTES;

/// The blocks of one blob, as its verified footer describes them.
#[derive(Debug)]
pub(super) struct Blocks {
    id: BlobId,
    len: u64,
    block_bytes: usize,
    /// Bytes one read takes at most: whole blocks.
    unit: u64,
    checksums: BlockChecksums,
}

impl Blocks {
    /// Verifies the footer of blob `id`, of whose `stored_len` bytes `tail` is the end. `read_footer` gives these bytes of
    /// the blob where the tail does not hold the whole footer. Reads will go into buffers of `buffer_bytes`.
    pub(super) fn open(
        id: BlobId,
        tail: &[u8],
        stored_len: u64,
        buffer_bytes: usize,
        read_footer: impl FnOnce(Range<u64>) -> Result<Vec<u8>, BlobError>,
    ) -> Result<Self, BlobError> {
        let damaged = |what: &str| BlobError::Damaged { id, what: what.to_owned() };
        let trailer = Trailer::parse(tail, stored_len).map_err(damaged)?;
        let block_bytes = trailer.block_bytes;
        if block_bytes > buffer_bytes {
            return Err(BlobError::Io(io::Error::other("the blob's blocks are larger than the read buffers")));
        }
        let verified = match tail.len().checked_sub(trailer.footer_len) {
            Some(start) => trailer.verify(id, tail.get(start..).unwrap_or_default()),
            None => trailer.verify(id, &read_footer(trailer.content_len..stored_len)?),
        };
        let checksums = verified.map_err(damaged)?;
        let unit = READ_UNIT_BYTES.min(buffer_bytes);
        let unit = (unit - unit % block_bytes) as u64;
        Ok(Self { id, len: trailer.content_len, block_bytes, unit, checksums })
    }

    /// Bytes of content.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The whole blocks that one read of `range` takes: start and end in the content. Fails when the range is empty or
    /// beyond the content.
    pub(super) fn around(&self, range: &Range<u64>) -> Result<Range<u64>, BlobError> {
        if range.start >= range.end || range.end > self.len {
            return Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, "a read beyond the blob's content")));
        }
        let block = self.block_bytes as u64;
        let start = range.start - range.start % block;
        let wanted = range.end.div_ceil(block).saturating_mul(block).min(self.len);
        Ok(start..wanted.min(start.saturating_add(self.unit)))
    }

    /// Verifies the stored bytes of whole blocks that begin at `start` of the content.
    pub(super) fn verify(&self, start: u64, bytes: &[u8]) -> Result<(), BlobError> {
        let first = usize::try_from(start / self.block_bytes as u64).unwrap_or(usize::MAX);
        match self.checksums.first_mismatch(first, bytes, self.block_bytes) {
            None => Ok(()),
            Some(block) => {
                let what = format!("the checksum of block {block} does not match");
                Err(BlobError::Damaged { id: self.id, what })
            }
        }
    }
}

/// Where the wanted `range` stands within the bytes of `blocks`, which were read for it.
pub(super) fn within(blocks: &Range<u64>, range: &Range<u64>) -> Range<usize> {
    let index = |offset: u64| usize::try_from(offset.min(blocks.end) - blocks.start).unwrap_or(usize::MAX);
    index(range.start)..index(range.end)
}
