//! Blobs as objects of an object store: S3, Google Cloud Storage, Azure, or whatever the `object_store` crate speaks to.
//!
//! `<prefix>/<run>-<number>/<sequence>-<random>`: names (`name`) and format (`footer`) are those of the disk.
//!
//! - Writing (`writer`): a body that fits in one part is one put; a longer one is a multipart upload with a few parts in
//!   flight. Nothing can be opened before the backend has confirmed the put or the complete, and that answer is what makes a
//!   sealed blob durable. Each writer holds a few parts in memory, because such a store takes no smaller ones.
//! - Reading (`reader`): one request for the end of the object opens it; the content of a small blob comes with it.
//! - Names are never used twice (see [`BlobId`]), so nothing is ever overwritten. Single puts say so to the backend as well
//!   (`PutMode::Create`); for multipart uploads `object_store` has no such condition, and uniqueness alone is relied on.
//! - A listing may come in any order (S3 sorts, S3 Express and a local directory do not): what is asked for is chosen from
//!   one directory at a time, in bounded memory.
//! - Each call of the backend has a deadline behind which it counts as failed.
//!
//! The calls block on a runtime that is passed in. It must have worker threads, timers and sockets, outlive the store, and
//! **not be the runtime whose blocking threads make the calls**: backends need blocking threads themselves (to resolve
//! names, say) and would wait for ever if every one of them stood here.
//!
//! What the sweep does not see: parts of uploads that never became objects because the process died (a bucket for blobs
//! should have a lifecycle rule that aborts incomplete uploads), and an object that the backend still makes of a request
//! after its deadline here, when the name was judged already.
//!
//! Absent on purpose: reading ahead, a cache of blobs, retries (the backend's own client does them), room ([`Blobs::free`]
//! answers none: such stores have no end that could be asked for).

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore};
use tokio::runtime::Handle;

use self::reader::RemoteReader;
use self::writer::RemoteWriter;
use super::name::{directory_name, directory_of, file_name, parse_directory_name, parse_file_name};
use super::{BlobError, Blobs, Free, Reader, Writer};
use crate::base::buffers::BufferPool;
use crate::base::id::{BlobId, RunNumber};
use crate::base::limits::{BLOCK_BYTES, REMOTE_CALL_TIMEOUT};
use crate::base::rng::Rng;
use crate::store::fsio::is_full;

/// Blobs below one prefix of one object store.
pub struct RemoteBlobs {
    backend: Backend,
    run: RunNumber,
    next_sequence: AtomicU64,
    rng: Arc<dyn Rng>,
    pool: BufferPool,
}

/// The object store, as seen from threads that may block.
#[derive(Clone)]
struct Backend {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    runtime: Handle,
}

impl RemoteBlobs {
    /// The blobs below `prefix` in `store`, for run `run`; no run number may be used twice there, whoever uses it. Calls
    /// wait on `runtime` (see the module for which). Reads take their buffers from `pool`, whose buffers must hold a block
    /// (64 KiB) and should hold [`crate::base::limits::READ_UNIT_BYTES`].
    pub fn new(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        run: RunNumber,
        rng: Arc<dyn Rng>,
        pool: BufferPool,
        runtime: Handle,
    ) -> Result<Self, BlobError> {
        if pool.size() < BLOCK_BYTES {
            return Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, "read buffers are below one block")));
        }
        let backend = Backend { store, prefix, runtime };
        Ok(Self { backend, run, next_sequence: AtomicU64::new(0), rng, pool })
    }
}

impl Blobs for RemoteBlobs {
    fn create(&self, expected_len: Option<u64>) -> Result<Box<dyn Writer>, BlobError> {
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 4];
        self.rng.fill(&mut random);
        let id = BlobId { run: self.run, sequence, random: u32::from_be_bytes(random) };
        Ok(Box::new(RemoteWriter::new(self.backend.clone(), id, expected_len)))
    }

    fn open(&self, id: BlobId) -> Result<Arc<dyn Reader>, BlobError> {
        Ok(Arc::new(RemoteReader::open(self.backend.clone(), id, self.pool.clone())?))
    }

    fn remove(&self, ids: &[BlobId]) -> Result<(), BlobError> {
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let paths: Vec<_> = ids.into_iter().map(|id| Ok(self.backend.path(id))).collect();
        let mut removals = self.backend.store.delete_stream(stream::iter(paths).boxed());
        self.backend.wait(async {
            let mut removed = Ok(());
            while let Some(removal) = removals.next().await {
                match removal {
                    // A missing blob is as good as a removed one.
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    // One blob that stays keeps no other.
                    Err(error) => removed = removed.and(Err(error)),
                }
            }
            removed
        })
    }

    fn list(&self, run: RunNumber, after: Option<BlobId>, max: usize) -> Result<Vec<BlobId>, BlobError> {
        let mut ids = Vec::new();
        if max == 0 {
            return Ok(ids);
        }
        for (_, number) in self.backend.directories()?.into_iter().filter(|(of, _)| *of == run) {
            if after.is_some_and(|after| (after.run, directory_of(after.sequence)) > (run, number)) {
                continue;
            }
            ids.extend(self.backend.list_directory(run, number, after, max - ids.len())?);
            if ids.len() >= max {
                break;
            }
        }
        Ok(ids)
    }

    fn runs(&self) -> Result<Vec<RunNumber>, BlobError> {
        let mut runs: Vec<_> = self.backend.directories()?.into_iter().map(|(run, _)| run).collect();
        runs.dedup();
        Ok(runs)
    }

    fn opens_at_once(&self) -> bool {
        false
    }

    fn free(&self) -> Result<Option<Free>, BlobError> {
        Ok(None)
    }
}

impl Backend {
    fn directory(&self, run: RunNumber, number: u64) -> Path {
        self.prefix.clone().join(directory_name(run, number))
    }

    fn path(&self, id: BlobId) -> Path {
        self.directory(id.run, directory_of(id.sequence)).join(file_name(id))
    }

    /// Waits for one call. For failures that say nothing of a blob.
    fn wait<T>(&self, call: impl Future<Output = object_store::Result<T>>) -> Result<T, BlobError> {
        self.runtime.block_on(in_time(call)).map_err(failed)
    }

    /// Runs and numbers of all directories, in order.
    fn directories(&self) -> Result<Vec<(RunNumber, u64)>, BlobError> {
        let listed = self.wait(self.store.list_with_delimiter(Some(&self.prefix)))?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        let mut directories: Vec<_> = names.filter_map(parse_directory_name).collect();
        directories.sort_unstable();
        Ok(directories)
    }

    /// The first `max` blobs of one directory that sort after `after`, in order.
    fn list_directory(
        &self,
        run: RunNumber,
        number: u64,
        after: Option<BlobId>,
        max: usize,
    ) -> Result<BTreeSet<BlobId>, BlobError> {
        let directory = self.directory(run, number);
        let here = |after: &BlobId| (after.run, directory_of(after.sequence)) == (run, number);
        let mut objects = match after.filter(here) {
            Some(after) => self.store.list_with_offset(Some(&directory), &self.path(after)),
            None => self.store.list(Some(&directory)),
        };
        self.wait(async {
            let mut first = BTreeSet::new();
            while let Some(object) = objects.try_next().await? {
                let id = object.location.filename().and_then(|name| parse_file_name(run, name));
                // Only a name that leads back to this very object is a blob's.
                let Some(id) = id.filter(|id| Some(*id) > after && self.path(*id) == object.location) else { continue };
                first.insert(id);
                if first.len() > max {
                    first.pop_last();
                }
            }
            Ok(first)
        })
    }
}

/// A call with a deadline, so that a backend that never answers holds nobody for ever.
async fn in_time<T>(call: impl Future<Output = object_store::Result<T>>) -> object_store::Result<T> {
    match tokio::time::timeout(REMOTE_CALL_TIMEOUT, call).await {
        Ok(answer) => answer,
        Err(_) => Err(generic(format!("no answer within {} s", REMOTE_CALL_TIMEOUT.as_secs()))),
    }
}

/// A failure that is none of the backend's own.
fn generic(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "blobs", source: what.into() }
}

/// A failed call, with what the backend said. Only a backend that is a file system in the end can say that it is full in a
/// way that is the same everywhere.
fn failed(error: Error) -> BlobError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(at) = cause {
        if at.downcast_ref::<io::Error>().is_some_and(is_full) {
            return BlobError::Full;
        }
        cause = at.source();
    }
    BlobError::Io(io::Error::other(error))
}
