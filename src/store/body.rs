//! Receiving a body: hashed and written in one pass, durable when it is handed to the call that names it.
//!
//! Bodies up to [`INLINE_MAX_BYTES`] stay in memory and go into the catalog with the commit that names them. Larger ones
//! become a blob: bytes gather to a [`WRITE_UNIT_BYTES`] and go to a blocking thread that hashes and writes them while the
//! next unit gathers, so one body holds at most two units.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::digest::{BodyHasher, Checksum, ChecksumAlgorithm, DigestRequest};
use crate::base::limits::{INLINE_MAX_BYTES, WRITE_UNIT_BYTES};
use crate::base::offload::{Offload, Running};
use crate::store::blob::{BlobError, Blobs, Writer};
use crate::store::error::Error;
use crate::store::orphans::{OrphanGuard, Orphans};
use crate::store::room::Room;
use crate::store::types::{StagedBody, StagedContent};

/// A body on its way in. Dropping it leaves nothing behind.
pub struct BodyWriter {
    sink: Sink,
    offload: Offload,
    orphans: Arc<Orphans>,
    gathered: Vec<Bytes>,
    gathered_len: usize,
    size: u64,
    work: Work,
}

/// Hasher and blob, which travel to the blocking thread and back.
struct Progress {
    hasher: BodyHasher,
    blob: Option<Box<dyn Writer>>,
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
            sink: Sink { blobs, room, expected_len },
            offload,
            orphans,
            gathered: Vec::new(),
            gathered_len: 0,
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
        self.gathered_len = self.gathered_len.saturating_add(data.len());
        self.gathered.push(data);
        if self.gathered_len >= WRITE_UNIT_BYTES {
            let progress = self.progress().await?;
            let pieces = std::mem::take(&mut self.gathered);
            self.gathered_len = 0;
            let sink = self.sink.clone();
            self.work = Work::Away(self.offload.start(move || sink.write(progress, &pieces)));
        }
        Ok(())
    }

    /// Makes the body durable. Compare its digests with what the client declared, then hand it to the call that names it.
    pub async fn finish(mut self) -> Result<StagedBody, Error> {
        let progress = self.progress().await?;
        let pieces = std::mem::take(&mut self.gathered);
        if progress.blob.is_none() && self.gathered_len <= INLINE_MAX_BYTES {
            return Ok(inline(progress.hasher, &pieces));
        }
        let sink = self.sink.clone();
        let orphans = Arc::clone(&self.orphans);
        // The guard is made on the blocking thread: a sealed blob is looked after even when nobody waits for it any more.
        let sealed = self.offload.run(move || {
            let Progress { hasher, blob } = sink.write(progress, &pieces)?;
            let Some(blob) = blob else {
                return Ok(inline(hasher, &pieces));
            };
            let sealed = blob.seal()?;
            let guard = OrphanGuard::new(sealed.id, orphans);
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
            None => self.blobs.create(self.expected_len)?,
        };
        // What was announced was checked before the body; this holds back bodies whose length nobody announced, and many
        // large ones that started together.
        if !self.room.above_reserve()? {
            return Err(BlobError::Full);
        }
        blob.write(pieces)?;
        for piece in pieces {
            hasher.update(piece);
        }
        Ok(Progress { hasher, blob: Some(blob) })
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
