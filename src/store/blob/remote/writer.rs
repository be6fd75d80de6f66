//! A blob on its way to the object store.
//!
//! Content gathers in parts of one size: some stores (R2) take no other uploads. Less than a part is one put; the first full
//! part begins a multipart upload. An upload that is not completed, for whatever reason, is aborted in the background: the
//! writer may be dropped on a thread that must not wait.

use std::io;

use bytes::{Bytes, BytesMut};
use object_store::{
    Error, GetOptions, GetRange, MultipartUpload, PutMode, PutMultipartOptions, PutOptions, PutPayload,
};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::reader::collect;
use super::{Backend, failed, generic, in_time};
use crate::base::id::BlobId;
use crate::base::limits::{PARTS_MAX, PUT_SIZE_MAX_BYTES, REMOTE_PART_BYTES, REMOTE_PARTS_IN_FLIGHT_MAX};
use crate::store::blob::footer::{ContentChecksums, footer_len};
use crate::store::blob::{BlobError, Sealed, Writer};

const _: () =
    assert!(PUT_SIZE_MAX_BYTES / REMOTE_PART_BYTES as u64 + 1 < PARTS_MAX as u64, "a body needs too many parts");

pub(super) struct RemoteWriter {
    backend: Backend,
    id: BlobId,
    checksums: ContentChecksums,
    len: u64,
    /// The part that is not full yet.
    part: BytesMut,
    /// None while everything fits in one part.
    upload: Option<Upload>,
    /// A call failed: what the store holds is unknown and it can never be sealed.
    broken: bool,
}

impl RemoteWriter {
    pub(super) fn new(backend: Backend, id: BlobId, expected_len: Option<u64>) -> Self {
        let expected = expected_len.map_or(0, |len| len.saturating_add(footer_len(len)));
        let expected = usize::try_from(expected).unwrap_or(usize::MAX).min(REMOTE_PART_BYTES);
        Self {
            backend,
            id,
            checksums: ContentChecksums::new(expected_len),
            len: 0,
            part: BytesMut::with_capacity(expected),
            upload: None,
            broken: false,
        }
    }

    /// Copies the bytes into parts and sends those that are full. Copied, because each piece would keep the whole buffer
    /// alive that it was read into, for as long as its part waits.
    fn append(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        while !bytes.is_empty() {
            let room = REMOTE_PART_BYTES - self.part.len();
            let (now, rest) = bytes.split_at(bytes.len().min(room));
            self.part.extend_from_slice(now);
            if now.len() == room {
                let part = std::mem::replace(&mut self.part, BytesMut::with_capacity(REMOTE_PART_BYTES)).freeze();
                self.send(part)?;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Sends a part, once few enough others are under way.
    fn send(&mut self, part: Bytes) -> Result<(), BlobError> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let path = self.backend.path(self.id);
                let begun = self.backend.store.put_multipart_opts(&path, PutMultipartOptions::default());
                none.insert(Upload::new(self.backend.wait(begun)?, self.backend.runtime.clone()))
            }
        };
        self.backend.runtime.block_on(upload.send(part)).map_err(failed)
    }

    fn end(&mut self, footer: &[u8]) -> Result<(), BlobError> {
        self.append(footer)?;
        let rest = std::mem::take(&mut self.part).freeze();
        let Some(upload) = self.upload.take() else { return self.put(rest, footer) };
        self.backend.runtime.block_on(upload.complete(rest)).map_err(failed)
    }

    /// Stores the whole blob in one request.
    fn put(&self, whole: Bytes, footer: &[u8]) -> Result<(), BlobError> {
        let path = self.backend.path(self.id);
        let put = |mode: PutMode| {
            let options = PutOptions { mode, ..PutOptions::default() };
            in_time(self.backend.store.put_opts(&path, PutPayload::from_bytes(whole.clone()), options))
        };
        let outcome = self.backend.runtime.block_on(async {
            match put(PutMode::Create).await {
                Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                    put(PutMode::Overwrite).await.map(drop)
                }
                // When an answer is lost, the client's second attempt meets what the first has stored.
                Err(Error::AlreadyExists { .. }) if self.holds(footer, whole.len() as u64).await => Ok(()),
                outcome => outcome.map(drop),
            }
        });
        outcome.map_err(failed)
    }

    /// Whether the object of this name is this blob: it ends in the same footer, which carries the name, the lengths and the
    /// checksums of all blocks.
    async fn holds(&self, footer: &[u8], stored_len: u64) -> bool {
        let range = GetRange::Bounded(stored_len - footer.len() as u64..stored_len);
        let path = self.backend.path(self.id);
        let stored = in_time(async {
            let options = GetOptions::new().with_range(Some(range));
            collect(self.backend.store.get_opts(&path, options).await?, footer.len()).await
        });
        stored.await.is_ok_and(|(bytes, len)| len == stored_len && bytes == footer)
    }

    fn check(&self) -> Result<(), BlobError> {
        if self.broken { Err(BlobError::Io(io::Error::other("an earlier write of this blob failed"))) } else { Ok(()) }
    }
}

impl Writer for RemoteWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    fn write(&mut self, pieces: &[Bytes]) -> Result<(), BlobError> {
        self.check()?;
        for piece in pieces {
            self.checksums.update(piece);
            self.len += piece.len() as u64;
            self.append(piece).inspect_err(|_| self.broken = true)?;
        }
        Ok(())
    }

    fn seal(mut self: Box<Self>) -> Result<Sealed, BlobError> {
        self.check()?;
        let checksums = std::mem::replace(&mut self.checksums, ContentChecksums::new(None));
        let (footer, crc64nvme) = checksums.finish(self.id);
        self.end(&footer)?;
        Ok(Sealed { id: self.id, len: self.len, crc64nvme })
    }
}

/// A multipart upload under way; aborted when it is dropped before it was completed.
struct Upload {
    /// None once it was completed.
    upload: Option<Box<dyn MultipartUpload>>,
    in_flight: JoinSet<object_store::Result<()>>,
    runtime: Handle,
}

impl Upload {
    fn new(upload: Box<dyn MultipartUpload>, runtime: Handle) -> Self {
        Self { upload: Some(upload), in_flight: JoinSet::new(), runtime }
    }

    async fn send(&mut self, part: Bytes) -> object_store::Result<()> {
        self.until_fewer_than(REMOTE_PARTS_IN_FLIGHT_MAX).await?;
        if let Some(upload) = &mut self.upload {
            self.in_flight.spawn_on(in_time(upload.put_part(PutPayload::from_bytes(part))), &self.runtime);
        }
        Ok(())
    }

    /// Waits until fewer than `count` parts are in flight. Fails as soon as one of them has failed.
    async fn until_fewer_than(&mut self, count: usize) -> object_store::Result<()> {
        while self.in_flight.len() >= count {
            match self.in_flight.join_next().await {
                Some(Ok(sent)) => sent?,
                Some(Err(lost)) => return Err(generic(lost)),
                None => break,
            }
        }
        Ok(())
    }

    /// Sends the rest and makes the parts one object.
    async fn complete(mut self, rest: Bytes) -> object_store::Result<()> {
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        self.until_fewer_than(1).await?;
        if let Some(upload) = &mut self.upload {
            in_time(upload.complete()).await?;
        }
        self.upload = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        let mut in_flight = std::mem::take(&mut self.in_flight);
        self.runtime.spawn(async move {
            // Parts that arrive after the abort would stay.
            in_flight.shutdown().await;
            if let Err(error) = in_time(upload.abort()).await {
                tracing::warn!(%error, "parts of an aborted blob may be left in the object store");
            }
        });
    }
}
