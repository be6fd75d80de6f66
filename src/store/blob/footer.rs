//! The format of a stored blob, a file or an object. All numbers are big-endian.
//!
//! ```text
//! content              the stored bytes, from offset 0
//! footer
//!   arrays, any number of:
//!     0   2  tag: what each block has one of (1 = CRC32C of its stored bytes)
//!     2   2  bytes of one element
//!     4   4  bytes of the whole array: blocks times the element
//!     8   -  elements, in the order of the blocks
//!   trailer
//!     0  16  blob id: what stands under another blob's name is noticed, and content that imitates a footer
//!            cannot pass for one, since no client knows its blob's id
//!    16   8  content length
//!    24   8  CRC64NVME of the content
//!    32   4  block size; the last block may be shorter
//!    36   4  footer length: arrays and trailer
//!    40   2  version of this format: 1
//!    42   2  number of arrays
//!    44   4  CRC32C of the footer up to here
//!    48   8  magic: WHARFBLB
//! ```
//!
//! It ends with the magic, and content and footer together are all of it: a file of any other length is damaged.
//! A reader skips arrays whose tag it does not know, and refuses another version.

use crc_fast::{CrcAlgorithm, Digest};

use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumHasher};
use crate::base::id::BlobId;
use crate::base::limits::{BLOCK_BYTES, PUT_SIZE_MAX_BYTES, READ_UNIT_BYTES};

const MAGIC: [u8; 8] = *b"WHARFBLB";
const VERSION: u16 = 1;
const TAG_CRC32C: u16 = 1;
const CRC32C_LEN: usize = 4;
const ARRAY_HEADER_LEN: usize = 8;
const CHECKED_LEN: usize = 44;
const BLOCK_MIN_BYTES: u64 = 4 << 10;
/// Bytes of footer a block may take: what bounds the buffer for a footer whose own checksum is not verified yet.
const FOOTER_PER_BLOCK_MAX_BYTES: u64 = 64;
const FOOTER_BASE_MAX_BYTES: u64 = 4 << 10;

/// Length of the trailer, the part that says how long the rest is.
pub(super) const TRAILER_LEN: usize = 56;

/// Bytes of the footer that a blob of `content_len` bytes will get.
pub(super) fn footer_len(content_len: u64) -> u64 {
    content_len.div_ceil(BLOCK_BYTES as u64).saturating_mul(CRC32C_LEN as u64) + (ARRAY_HEADER_LEN + TRAILER_LEN) as u64
}

/// CRC32C of the bytes.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// Checksums of content as it streams by: of each block and of the whole, each byte looked at once while it is in cache.
pub(super) struct ContentChecksums {
    block: Digest,
    /// Bytes of the block that is not full yet.
    filled: usize,
    /// Elements of the array.
    blocks: Vec<u8>,
    whole: ChecksumHasher,
    len: u64,
}

impl ContentChecksums {
    pub(super) fn new(expected_len: Option<u64>) -> Self {
        // The expectation is a client's word: reserve no more for it than a real body can need.
        let expected = expected_len.unwrap_or_default().min(PUT_SIZE_MAX_BYTES);
        let elements = usize::try_from(footer_len(expected)).unwrap_or_default();
        Self {
            block: Digest::new(CrcAlgorithm::Crc32Iscsi),
            filled: 0,
            blocks: Vec::with_capacity(elements),
            whole: ChecksumHasher::new(ChecksumAlgorithm::Crc64Nvme),
            len: 0,
        }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
            self.block.update(now);
            self.whole.update(now);
            self.filled += now.len();
            if self.filled == BLOCK_BYTES {
                self.end_block();
            }
            bytes = rest;
        }
    }

    fn end_block(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "a CRC32C takes 32 bits of the digest's 64")]
        let crc = self.block.finalize_reset() as u32;
        self.blocks.extend_from_slice(&crc.to_be_bytes());
        self.filled = 0;
    }

    /// The footer of all that went by, and the checksum of the whole.
    pub(super) fn finish(mut self, id: BlobId) -> (Vec<u8>, Checksum) {
        if self.filled > 0 {
            self.end_block();
        }
        let whole = self.whole.finish();
        let mut footer = Vec::with_capacity(self.blocks.len() + ARRAY_HEADER_LEN + TRAILER_LEN);
        footer.extend_from_slice(&TAG_CRC32C.to_be_bytes());
        footer.extend_from_slice(&(CRC32C_LEN as u16).to_be_bytes());
        footer.extend_from_slice(&length_field(self.blocks.len()));
        footer.extend_from_slice(&self.blocks);
        let footer_len = footer.len() + TRAILER_LEN;
        footer.extend_from_slice(&id.to_bytes());
        footer.extend_from_slice(&self.len.to_be_bytes());
        footer.extend_from_slice(whole.bytes());
        footer.extend_from_slice(&length_field(BLOCK_BYTES));
        footer.extend_from_slice(&length_field(footer_len));
        footer.extend_from_slice(&VERSION.to_be_bytes());
        footer.extend_from_slice(&1u16.to_be_bytes());
        footer.extend_from_slice(&crc32c(&footer).to_be_bytes());
        footer.extend_from_slice(&MAGIC);
        (footer, whole)
    }
}

/// Four bytes of length. Longer arrays than they can say would belong to blobs of 64 TiB; the reader refuses what such a
/// footer says of itself.
fn length_field(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}

/// What a trailer says, before the footer's checksum was verified.
#[derive(Debug)]
pub(super) struct Trailer {
    id: BlobId,
    pub(super) content_len: u64,
    pub(super) block_bytes: usize,
    pub(super) footer_len: usize,
    arrays: u16,
    crc32c: u32,
}

impl Trailer {
    /// Parses the last [`TRAILER_LEN`] bytes of a file of `file_len` bytes. The error says what is wrong with them.
    pub(super) fn parse(tail: &[u8], file_len: u64) -> Result<Self, &'static str> {
        let start = tail.len().checked_sub(TRAILER_LEN).ok_or("the file is shorter than a footer")?;
        let trailer = tail.get(start..).unwrap_or_default();
        if field(trailer, 48) != Some(MAGIC) {
            return Err("the file does not end as a blob does");
        }
        let parsed = Self::fields(trailer).ok_or("the footer is cut off")?;
        if field(trailer, 40).map(u16::from_be_bytes) != Some(VERSION) {
            return Err("the footer's version is not known");
        }
        let (block_bytes, footer_len) = (parsed.block_bytes as u64, parsed.footer_len as u64);
        if !(BLOCK_MIN_BYTES..=READ_UNIT_BYTES as u64).contains(&block_bytes) {
            return Err("the footer's block size is out of range");
        }
        let blocks = parsed.content_len.div_ceil(block_bytes);
        let longest = blocks.saturating_mul(FOOTER_PER_BLOCK_MAX_BYTES).saturating_add(FOOTER_BASE_MAX_BYTES);
        if parsed.content_len.checked_add(footer_len) != Some(file_len) || footer_len > longest {
            return Err("the file's length is not the one its footer says");
        }
        if parsed.footer_len < TRAILER_LEN {
            return Err("the footer is shorter than its trailer");
        }
        Ok(parsed)
    }

    fn fields(trailer: &[u8]) -> Option<Self> {
        Some(Self {
            id: BlobId::from_bytes(field(trailer, 0)?),
            content_len: u64::from_be_bytes(field(trailer, 16)?),
            block_bytes: usize::try_from(u32::from_be_bytes(field(trailer, 32)?)).ok()?,
            footer_len: usize::try_from(u32::from_be_bytes(field(trailer, 36)?)).ok()?,
            arrays: u16::from_be_bytes(field(trailer, 42)?),
            crc32c: u32::from_be_bytes(field(trailer, CHECKED_LEN)?),
        })
    }

    /// Verifies the whole footer and gives the CRC32C of each block of blob `id`.
    pub(super) fn verify(&self, id: BlobId, footer: &[u8]) -> Result<BlockChecksums, &'static str> {
        let arrays_len = footer.len().checked_sub(TRAILER_LEN).ok_or("the footer is cut off")?;
        let checked = footer.get(..arrays_len + CHECKED_LEN).ok_or("the footer is cut off")?;
        if footer.len() != self.footer_len || crc32c(checked) != self.crc32c {
            return Err("the footer's checksum does not match");
        }
        if self.id != id {
            return Err("the file is another blob's");
        }
        let blocks = usize::try_from(self.content_len.div_ceil(self.block_bytes as u64)).unwrap_or(usize::MAX);
        let mut rest = footer.get(..arrays_len).unwrap_or_default();
        let mut found = None;
        for _ in 0..self.arrays {
            let (tag, element, elements);
            (tag, element, elements, rest) = next_array(rest).ok_or("an array of the footer is cut off")?;
            if tag == TAG_CRC32C && element == CRC32C_LEN && elements.len() == blocks.saturating_mul(CRC32C_LEN) {
                found = Some(BlockChecksums(elements.to_vec()));
            }
        }
        found.filter(|_| rest.is_empty()).ok_or("the footer has no checksums of the blocks")
    }
}

/// Tag, element length and elements of the first array, and what follows it.
fn next_array(bytes: &[u8]) -> Option<(u16, usize, &[u8], &[u8])> {
    let tag = u16::from_be_bytes(field(bytes, 0)?);
    let element = usize::from(u16::from_be_bytes(field(bytes, 2)?));
    let len = usize::try_from(u32::from_be_bytes(field(bytes, 4)?)).ok()?;
    let (elements, rest) = bytes.get(ARRAY_HEADER_LEN..)?.split_at_checked(len)?;
    Some((tag, element, elements, rest))
}

/// The CRC32C of each block.
#[derive(Debug)]
pub(super) struct BlockChecksums(Vec<u8>);

impl BlockChecksums {
    /// The first of `blocks` (block `first` and those behind it, each of `block_bytes`) whose bytes do not match.
    pub(super) fn first_mismatch(&self, first: usize, blocks: &[u8], block_bytes: usize) -> Option<usize> {
        let expected = self.0.chunks_exact(CRC32C_LEN).skip(first).map(Some).chain(std::iter::repeat(None));
        let differs = |(block, crc): (&[u8], Option<&[u8]>)| crc != Some(&crc32c(block).to_be_bytes());
        blocks.chunks(block_bytes).zip(expected).position(differs).map(|index| first + index)
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
