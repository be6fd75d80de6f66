//! Receiving a body: hashed and written in one pass, durable when it is handed to the call that names it.
//!
//! Bodies up to [`INLINE_MAX_BYTES`] stay in memory and go into the catalog with the commit that names them. Larger ones
//! become a blob: bytes gather to a [`WRITE_UNIT_BYTES`] and go to a blocking thread that hashes and writes them while the
//! next unit gathers, so one body holds at most two units.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::base::digest::{BodyHasher, Checksum, ChecksumAlgorithm, DigestRequest};
use crate::base::limits::{INLINE_MAX_BYTES, WRITE_UNIT_BYTES};
use crate::base::offload::{Offload, Running};
use crate::store::blob::{BlobError, Blobs, Writer};
use crate::store::error::Error;
use crate::store::orphans::{OrphanGuard, Orphans};
use crate::store::room::Room;
use crate::store::types::{StagedBody, StagedContent};

/// Pieces below this are copied together.
const SMALL_PIECE_BYTES: usize = 4 << 10;

/// A body on its way in. Dropping it leaves nothing behind.
pub struct BodyWriter {
    sink: Sink,
    offload: Offload,
    gathered: Gathered,
    size: u64,
    work: Work,
}

/// Hasher and blob, which travel to the blocking thread and back.
struct Progress {
    hasher: BodyHasher,
    blob: Option<Guarded>,
}

/// A blob being written and who looks after it: fields drop in this order, so an unsealed blob is gone before it is judged.
struct Guarded {
    writer: Box<dyn Writer>,
    guard: OrphanGuard,
}

enum Work {
    Here(Progress),
    Away(Running<Result<Progress, BlobError>>),
    Lost,
}

/// Where blobs are made.
#[derive(Clone)]
struct Sink {
    blobs: Arc<dyn Blobs>,
    room: Arc<Room>,
    orphans: Arc<Orphans>,
    expected_len: Option<u64>,
}

impl BodyWriter {
    pub(super) fn new(
        blobs: Arc<dyn Blobs>,
        room: Arc<Room>,
        offload: Offload,
        orphans: Arc<Orphans>,
        expected_len: Option<u64>,
        digests: DigestRequest,
    ) -> Self {
        Self {
            sink: Sink { blobs, room, orphans, expected_len },
            offload,
            gathered: Gathered::default(),
            size: 0,
            work: Work::Here(Progress { hasher: BodyHasher::new(digests), blob: None }),
        }
    }

    /// Bytes received so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes. Waits only while the unit before is still being written.
    pub async fn write(&mut self, data: Bytes) -> Result<(), Error> {
        self.size = self.size.saturating_add(data.len() as u64);
        self.gathered.push(data);
        if self.gathered.len >= WRITE_UNIT_BYTES {
            let progress = self.progress().await?;
            let pieces = std::mem::take(&mut self.gathered).pieces();
            let sink = self.sink.clone();
            self.work = Work::Away(self.offload.start(move || sink.write(progress, &pieces)));
        }
        Ok(())
    }

    /// Makes the body durable. Compare its digests with what the client declared, then hand it to the call that names it.
    pub async fn finish(mut self) -> Result<StagedBody, Error> {
        let progress = self.progress().await?;
        let gathered = std::mem::take(&mut self.gathered);
        if progress.blob.is_none() && gathered.len <= INLINE_MAX_BYTES {
            return Ok(inline(progress.hasher, &gathered.pieces()));
        }
        let sink = self.sink.clone();
        let pieces = gathered.pieces();
        let sealed = self.offload.run(move || {
            let Progress { hasher, blob } = sink.write(progress, &pieces)?;
            let Some(Guarded { writer, guard }) = blob else {
                return Ok(inline(hasher, &pieces));
            };
            let sealed = writer.seal()?;
            let digests = hasher.finish(&sealed.crc64nvme);
            Ok(StagedBody {
                size: sealed.len,
                digests,
                crc64nvme: sealed.crc64nvme.clone(),
                content: StagedContent::Blob(sealed, guard),
            })
        });
        sealed.await?.map_err(|error: BlobError| Error::from(error))
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        match std::mem::replace(&mut self.work, Work::Lost) {
            Work::Here(progress) => Ok(progress),
            Work::Away(running) => Ok(running.wait().await??),
            Work::Lost => Err(Error::Io("the body failed before".to_owned())),
        }
    }
}

impl Sink {
    fn write(&self, progress: Progress, pieces: &[Bytes]) -> Result<Progress, BlobError> {
        let Progress { mut hasher, blob } = progress;
        let mut blob = match blob {
            Some(blob) => blob,
            None => {
                let writer = self.blobs.create(self.expected_len)?;
                let guard = OrphanGuard::new(writer.id(), Arc::clone(&self.orphans));
                Guarded { writer, guard }
            }
        };
        // What was announced was checked before the body; this holds back bodies whose length nobody announced, and many
        // large ones that started together.
        if !self.room.above_reserve()? {
            return Err(BlobError::Full);
        }
        blob.writer.write(pieces)?;
        for piece in pieces {
            hasher.update(piece);
        }
        Ok(Progress { hasher, blob: Some(blob) })
    }
}

/// Bytes that wait to be written. Small pieces are copied together, because each piece keeps the whole buffer alive that it
/// was read into: a body of one-byte chunks would hold many times its size.
#[derive(Default)]
struct Gathered {
    whole: Vec<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Gathered {
    fn push(&mut self, data: Bytes) {
        self.len = self.len.saturating_add(data.len());
        if data.len() < SMALL_PIECE_BYTES {
            self.tail.extend_from_slice(&data);
            return;
        }
        self.close_tail();
        self.whole.push(data);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.whole.push(self.tail.split().freeze());
        }
    }

    fn pieces(mut self) -> Vec<Bytes> {
        self.close_tail();
        self.whole
    }
}

fn inline(mut hasher: BodyHasher, pieces: &[Bytes]) -> StagedBody {
    let body = match pieces {
        [] => Bytes::new(),
        [piece] => piece.clone(),
        several => several.concat().into(),
    };
    hasher.update(&body);
    let crc64nvme = Checksum::of(ChecksumAlgorithm::Crc64Nvme, &body);
    StagedBody {
        size: body.len() as u64,
        digests: hasher.finish(&crc64nvme),
        crc64nvme,
        content: StagedContent::Inline(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_pieces_are_copied_together_and_stay_in_order() {
        let mut gathered = Gathered::default();
        let large = Bytes::from(vec![7; SMALL_PIECE_BYTES]);
        let mut expected = Vec::new();
        for round in 0..3_u8 {
            for byte in 0..200_u8 {
                gathered.push(Bytes::copy_from_slice(&[byte ^ round]));
                expected.push(byte ^ round);
            }
            gathered.push(large.clone());
            expected.extend_from_slice(&large);
        }
        assert_eq!(gathered.len, expected.len());
        let pieces = gathered.pieces();
        assert_eq!(pieces.len(), 6);
        assert_eq!(pieces.concat(), expected);
    }
}
