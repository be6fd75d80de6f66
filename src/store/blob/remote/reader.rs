//! A blob in the object store, open for reading.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt as _};

use super::{Backend, failed, generic, in_time};
use crate::base::buffers::BufferPool;
use crate::base::id::BlobId;
use crate::base::limits::REMOTE_TAIL_BYTES;
use crate::store::blob::blocks::{Blocks, within};
use crate::store::blob::{BlobError, ReadMode, Reader};

pub(super) struct RemoteReader {
    object: Object,
    /// Bytes of the object: content and footer.
    stored_len: u64,
    blocks: Blocks,
    /// The whole object, where it came with its footer.
    whole: Option<Bytes>,
    pool: BufferPool,
}

/// One object of the store.
struct Object {
    backend: Backend,
    id: BlobId,
    path: Path,
}

impl RemoteReader {
    /// Fetches and verifies the footer.
    pub(super) fn open(backend: Backend, id: BlobId, pool: BufferPool) -> Result<Self, BlobError> {
        let object = Object { path: backend.path(id), backend, id };
        let (tail, stored_len) = object.tail()?;
        let blocks = Blocks::open(id, &tail, stored_len, pool.size(), |range| {
            let mut footer = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
            object.read(range.start, &mut footer, stored_len)?;
            Ok(footer)
        })?;
        let whole = (tail.len() as u64 == stored_len).then(|| Bytes::from(tail));
        Ok(Self { object, stored_len, blocks, whole, pool })
    }
}

impl Reader for RemoteReader {
    fn len(&self) -> u64 {
        self.blocks.len()
    }

    fn read(&self, range: Range<u64>, mode: ReadMode) -> Result<Option<Bytes>, BlobError> {
        let blocks = self.blocks.around(&range)?;
        if let Some(whole) = &self.whole {
            // Blocks lie inside the content, which is the beginning of the object.
            let bytes = whole.slice(within(&(0..self.stored_len), &blocks));
            self.blocks.verify(blocks.start, &bytes)?;
            return Ok(Some(bytes.slice(within(&blocks, &range))));
        }
        if mode == ReadMode::CachedOnly {
            return Ok(None);
        }
        let mut buffer = self.pool.take();
        let len = usize::try_from(blocks.end - blocks.start).unwrap_or(usize::MAX);
        let bytes = buffer.bytes_mut().get_mut(..len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.object.read(blocks.start, bytes, self.stored_len)?;
        self.blocks.verify(blocks.start, bytes)?;
        Ok(Some(buffer.freeze(within(&blocks, &range))))
    }
}

impl Object {
    /// The end of the object, at most [`REMOTE_TAIL_BYTES`], and the length of the whole.
    fn tail(&self) -> Result<(Vec<u8>, u64), BlobError> {
        let tail = self.backend.runtime.block_on(in_time(self.fetch_tail()));
        tail.map_err(|error| self.read_failed(error))
    }

    async fn fetch_tail(&self) -> object_store::Result<(Vec<u8>, u64)> {
        let store = &self.backend.store;
        let get = async |range: GetRange| {
            let options = GetOptions::new().with_range(Some(range));
            collect(store.get_opts(&self.path, options).await?, REMOTE_TAIL_BYTES).await
        };
        match get(GetRange::Suffix(REMOTE_TAIL_BYTES as u64)).await {
            // Azure knows no such range, and S3 finds none in an empty object: the length is asked for first.
            Err(Error::NotSupported { .. } | Error::Generic { .. }) => {
                let len = store.head(&self.path).await?.size;
                if len == 0 {
                    return Ok((Vec::new(), 0));
                }
                get(GetRange::Bounded(len.saturating_sub(REMOTE_TAIL_BYTES as u64)..len)).await
            }
            answer => answer,
        }
    }

    /// Fills `buffer` with the stored bytes from `start` on. The object has `stored_len` bytes, or is damaged.
    fn read(&self, start: u64, buffer: &mut [u8], stored_len: u64) -> Result<(), BlobError> {
        let store: &dyn ObjectStore = self.backend.store.as_ref();
        let outcome = self.backend.runtime.block_on(in_time(async {
            let range = GetRange::Bounded(start..start + buffer.len() as u64);
            let answer = store.get_opts(&self.path, GetOptions::new().with_range(Some(range))).await;
            match answer {
                Ok(result) => fill(result, buffer).await,
                // A range beyond the end is an error whose kind no two backends agree on: the length says what it was.
                Err(error @ Error::Generic { .. }) => match store.head(&self.path).await {
                    Ok(object) if object.size != stored_len => Ok((0, object.size)),
                    _ => Err(error),
                },
                Err(error) => Err(error),
            }
        }));
        let (filled, found_len) = outcome.map_err(|error| self.read_failed(error))?;
        if found_len != stored_len {
            let what = format!("the object has {found_len} bytes, and had {stored_len}");
            return Err(BlobError::Damaged { id: self.id, what });
        }
        if filled < buffer.len() {
            return Err(BlobError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the backend's answer broke off")));
        }
        Ok(())
    }

    fn read_failed(&self, error: Error) -> BlobError {
        match error {
            Error::NotFound { .. } => BlobError::NotFound(self.id),
            error => failed(error),
        }
    }
}

/// The bytes of an answer, at most `max`, and the length of the whole object.
pub(super) async fn collect(result: GetResult, max: usize) -> object_store::Result<(Vec<u8>, u64)> {
    let answered = usize::try_from(result.range.end.saturating_sub(result.range.start)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; answered.min(max)];
    let (filled, len) = fill(result, &mut bytes).await?;
    bytes.truncate(filled);
    Ok((bytes, len))
}

/// Copies the bytes of an answer into `buffer`: how many they are, and the length of the whole object. A backend that sends
/// more than it was asked for is not listened to further.
async fn fill(result: GetResult, buffer: &mut [u8]) -> object_store::Result<(usize, u64)> {
    let len = result.meta.size;
    let mut filled = 0;
    let mut pieces = result.into_stream();
    while let Some(piece) = pieces.try_next().await? {
        let room = buffer.get_mut(filled..filled + piece.len());
        room.ok_or_else(|| generic("the answer is longer than what was asked for"))?.copy_from_slice(&piece);
        filled += piece.len();
    }
    Ok((filled, len))
}
