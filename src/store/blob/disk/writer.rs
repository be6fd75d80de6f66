//! A blob on its way to the disk.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;

use super::directory::BlobDirectory;
use super::failed;
use crate::base::id::BlobId;
use crate::base::limits::WRITE_UNIT_BYTES;
use crate::store::blob::footer::{ContentChecksums, footer_len};
use crate::store::blob::name::file_name;
use crate::store::blob::{BlobError, Sealed, Writer};
use crate::store::fsio::{Durability, NewFile};

/// Pieces handed to the system in one call.
const PIECES_PER_CALL: usize = 64;
const PAGE_BYTES: u64 = 4096;

pub(super) struct DiskWriter {
    id: BlobId,
    directory: Arc<BlobDirectory>,
    durability: Durability,
    file: Box<dyn NewFile>,
    checksums: ContentChecksums,
    /// Bytes in the file.
    written: u64,
    /// Bytes whose way to the device was started.
    behind: u64,
    /// Bytes reserved.
    reserved: u64,
    /// A call failed: what the file holds is unknown and it can never be sealed.
    broken: bool,
}

impl DiskWriter {
    pub(super) fn start(
        id: BlobId,
        directory: Arc<BlobDirectory>,
        durability: Durability,
        expected_len: Option<u64>,
    ) -> io::Result<Self> {
        let file = directory.handle.create(&file_name(id))?;
        let reserved = expected_len.map_or(0, |len| len.saturating_add(footer_len(len)));
        file.file().allocate(reserved)?;
        let checksums = ContentChecksums::new(expected_len);
        Ok(Self { id, directory, durability, file, checksums, written: 0, behind: 0, reserved, broken: false })
    }

    fn append(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); PIECES_PER_CALL];
        for pieces in pieces.chunks(PIECES_PER_CALL) {
            let mut len = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(piece);
                len += piece.len() as u64;
            }
            if len > 0 {
                self.file.file().write_at(self.written, slices.get_mut(..pieces.len()).unwrap_or_default())?;
                self.written += len;
            }
        }
        Ok(())
    }

    /// Keeps dirty pages from piling up until the fdatasync: whole pages, each once.
    fn write_behind(&mut self) {
        let whole_pages = self.written - self.written % PAGE_BYTES;
        let len = whole_pages.saturating_sub(self.behind);
        if self.durability == Durability::Strict && len >= WRITE_UNIT_BYTES as u64 {
            self.file.file().write_behind(self.behind, len);
            self.behind = whole_pages;
        }
    }

    fn end(&mut self, footer: Vec<u8>) -> io::Result<()> {
        self.append(&[Bytes::from(footer)])?;
        if self.reserved > self.written {
            // The client sent less than it announced: give the rest back.
            self.file.file().set_len(self.written)?;
        }
        if self.durability == Durability::Relaxed {
            return self.file.link();
        }
        self.file.file().sync_data()?;
        self.file.link()?;
        self.directory.sync().inspect_err(|_| {
            // Nobody will learn this name. Whoever asked for the blob looks after what cannot be removed here.
            let _ = self.directory.handle.remove(&file_name(self.id));
        })
    }
}

impl Writer for DiskWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    fn write(&mut self, pieces: &[Bytes]) -> Result<(), BlobError> {
        self.check()?;
        pieces.iter().for_each(|piece| self.checksums.update(piece));
        self.append(pieces).inspect_err(|_| self.broken = true).map_err(failed)?;
        self.write_behind();
        Ok(())
    }

    fn seal(mut self: Box<Self>) -> Result<Sealed, BlobError> {
        self.check()?;
        let len = self.written;
        let checksums = std::mem::replace(&mut self.checksums, ContentChecksums::new(None));
        let (footer, crc64nvme) = checksums.finish(self.id);
        self.end(footer).map_err(failed)?;
        Ok(Sealed { id: self.id, len, crc64nvme })
    }
}

impl DiskWriter {
    fn check(&self) -> Result<(), BlobError> {
        if self.broken { Err(BlobError::Io(io::Error::other("an earlier write of this blob failed"))) } else { Ok(()) }
    }
}
