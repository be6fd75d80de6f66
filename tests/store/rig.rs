//! A store in a directory of its own, with a committer on a thread and the other workers stepped by the test.

use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wharf::base::buffers::BufferPool;
use wharf::base::clock::{ManualClock, Timestamp};
use wharf::base::digest::DigestRequest;
use wharf::base::limits::READ_UNIT_BYTES;
use wharf::base::offload::Offload;
use wharf::base::rng::{Rng as _, SeededRng};
use wharf::base::worker::{Next, Worker};
use wharf::store::blob::disk::DiskBlobs;
use wharf::store::error::Error;
use wharf::store::fsio::backend::CatalogBackend;
use wharf::store::fsio::real::RealFs;
use wharf::store::fsio::{Durability, Fs};
use wharf::store::maintain::expire::Expire;
use wharf::store::maintain::gc::Gc;
use wharf::store::maintain::sweep::Sweep;
use wharf::store::meta::commit::Committer;
use wharf::store::meta::local::{CatalogEvent, LocalMeta};
use wharf::store::meta::{Batch, CommitFuture, Meta, MetaError, Snapshot, Space, Visit, Visitor};
use wharf::store::room::Reserve;
use wharf::store::types::{
    Attributes, Bucket, BucketName, BucketUsage, CompleteRequest, CompletedUpload, ETag, ListedPart, NewUpload,
    ObjectInfo, ObjectKey, PartInfo, PartNumber, StagedBody, UploadId,
};
use wharf::store::{Parts, Store, runs, usage};
use wharf::telemetry::metrics::Metrics;

/// How long uploads may be idle.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A worker that wants at least this long a pause has nothing to do.
const IDLE_PAUSE: Duration = Duration::from_secs(2);
/// Threads for blocking work.
pub(crate) const BLOCKING_THREADS: usize = 16;
const STEPS_MAX: usize = 100_000;

/// An open store.
pub(crate) struct Rig {
    pub(crate) store: Arc<Store>,
    pub(crate) meta: Arc<CountedMeta>,
    pub(crate) bucket: Bucket,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) metrics: Metrics,
    pub(crate) fs: Arc<RealFs>,
    /// Batches of each group commit so far.
    pub(crate) groups: Arc<Mutex<Vec<usize>>>,
    gc: Gc,
    sweep: Sweep,
    expire: Expire,
    local: LocalMeta,
    committer: Option<JoinHandle<()>>,
    pub(crate) runtime: Runtime,
    pub(crate) directory: TempDir,
}

/// A catalog that notes how many rows each batch writes, and stops a reader where a test wants it.
pub(crate) struct CountedMeta {
    inner: LocalMeta,
    pub(crate) writes: Mutex<Vec<usize>>,
    /// Where the next snapshot stops.
    pub(crate) stop: Mutex<Option<Stop>>,
}

/// A snapshot stops after its first look, says so, and goes on when it is told to.
pub(crate) struct Stop {
    pub(crate) looked: mpsc::Sender<()>,
    pub(crate) go_on: mpsc::Receiver<()>,
}

struct StoppedSnapshot {
    inner: Box<dyn Snapshot>,
    stop: Stop,
}

impl Snapshot for StoppedSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        let record = self.inner.get(space, key);
        self.stop.looked.send(()).unwrap();
        self.stop.go_on.recv().unwrap();
        record
    }

    fn scan(&self, space: Space, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<(), MetaError> {
        self.inner.scan(space, start, end, visit)
    }

    fn counter(&self, name: &[u8]) -> Result<i64, MetaError> {
        self.inner.counter(name)
    }
}

impl Meta for CountedMeta {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, MetaError> {
        let inner = self.inner.snapshot()?;
        Ok(match self.stop.lock().unwrap().take() {
            Some(stop) => Box::new(StoppedSnapshot { inner, stop }),
            None => inner,
        })
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        self.writes.lock().unwrap().push(batch.writes.len());
        self.inner.commit(batch)
    }
}

impl Rig {
    /// A store whose catalog is synced; blobs are where a test says so.
    pub(crate) fn new(blobs: Durability) -> Self {
        Self::open(tempfile::tempdir().unwrap(), blobs, Reserve::Bytes(0))
    }

    pub(crate) fn open(directory: TempDir, durability: Durability, reserve: Reserve) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .unwrap();
        let fs = Arc::new(RealFs::new());
        let (disk, path) = (Arc::clone(&fs), directory.path().join("catalog.redb"));
        let open_backend = move || -> std::io::Result<Box<dyn redb::StorageBackend>> {
            Ok(Box::new(CatalogBackend::new(disk.open_catalog(&path)?, Durability::Strict)))
        };
        let groups = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&groups);
        let observe = move |event| {
            if let CatalogEvent::Committed { batches, .. } = event {
                told.lock().unwrap().push(batches);
            }
        };
        let (local, committer) = LocalMeta::open(Box::new(open_backend), Arc::new(observe)).unwrap();
        let committer = Some(std::thread::spawn(move || drive(committer)));
        let meta = Arc::new(CountedMeta { inner: local.clone(), writes: Mutex::default(), stop: Mutex::default() });
        let run = runtime.block_on(runs::begin(meta.as_ref())).unwrap();
        runtime.block_on(usage::count_once(meta.as_ref())).unwrap();
        let rng = Arc::new(SeededRng::new(u64::from(run.number)));
        let (clock, metrics) = (Arc::new(ManualClock::new(Timestamp(1_800_000_000_000))), Metrics::new());
        let pool = BufferPool::new(READ_UNIT_BYTES, 16);
        let disk = Arc::clone(&fs) as Arc<dyn Fs>;
        let blobs = DiskBlobs::open(disk, directory.path(), run.number, durability, rng.clone(), pool).unwrap();
        let store = Store::new(Parts {
            meta: meta.clone(),
            blobs: Arc::new(blobs),
            run: run.number,
            clock: clock.clone(),
            rng,
            offload: Offload::Threads(runtime.handle().clone()),
            reserve,
            metrics: metrics.clone(),
        });
        let name = BucketName::parse("bucket").unwrap();
        let bucket = match runtime.block_on(store.create_bucket(&name, None)) {
            Err(Error::Exists) => store.bucket(&name).unwrap(),
            made => made.unwrap(),
        };
        Self {
            gc: Gc::new(Arc::clone(&store)),
            sweep: Sweep::new(Arc::clone(&store), run.unswept),
            expire: Expire::new(Arc::clone(&store), IDLE_MAX),
            store,
            meta,
            bucket,
            clock,
            metrics,
            fs,
            groups,
            local,
            committer,
            runtime,
            directory,
        }
    }

    /// Closes the store and opens it again with another reserve.
    pub(crate) fn reopen(mut self, reserve: Reserve) -> Self {
        self.close();
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        drop(self);
        Self::open(directory, Durability::Strict, reserve)
    }

    fn close(&mut self) {
        self.local.close();
        self.committer.take().into_iter().for_each(|thread| thread.join().unwrap());
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) async fn receive(&self, body: Bytes) -> Result<StagedBody, Error> {
        receive(&self.store, body).await
    }

    pub(crate) fn put(&self, key: &str, body: impl Into<Bytes>) -> ObjectInfo {
        let body = body.into();
        self.wait(async {
            let body = self.receive(body).await?;
            self.store.put_object(&self.bucket, &parse(key), body, Attributes::default(), None).await
        })
        .unwrap()
    }

    /// All bytes of the object, or those before an error with the error.
    pub(crate) fn read(&self, key: &str, range: std::ops::Range<u64>) -> (Vec<u8>, Option<Error>) {
        let mut reader = self.store.open_object(&self.bucket, &parse(key)).unwrap().read(range);
        self.wait(async {
            let mut bytes = Vec::new();
            while let Some(piece) = reader.next().await {
                match piece {
                    Ok(piece) => bytes.extend_from_slice(&piece),
                    Err(error) => return (bytes, Some(error)),
                }
            }
            (bytes, None)
        })
    }

    pub(crate) fn create(&self, key: &str) -> UploadId {
        self.wait(self.store.create_upload(&self.bucket, &parse(key), NewUpload::default())).unwrap()
    }

    pub(crate) fn stage(&self, key: &str, id: UploadId, number: u64, body: Bytes) -> Result<PartInfo, Error> {
        self.wait(stage(&self.store, &self.bucket, key, id, number, body))
    }

    pub(crate) fn complete(&self, key: &str, id: UploadId, parts: &[PartInfo]) -> Result<CompletedUpload, Error> {
        self.wait(self.store.complete_upload(&self.bucket, &parse(key), id, listed(parts)))
    }

    /// Lets every worker finish what there is to do.
    pub(crate) fn rest(&mut self) {
        // The first walk may be the end of one that began before the last moment.
        run_dry(&mut self.expire);
        run_dry(&mut self.expire);
        run_dry(&mut self.sweep);
        run_dry(&mut self.gc);
    }

    /// One step of gc after another, up to where it waits for something else than a commit.
    pub(crate) fn collect(&mut self) {
        for _ in 0..STEPS_MAX {
            match self.gc.step().unwrap() {
                Next::After(pause) if pause >= Duration::from_secs(1) => return,
                Next::After(pause) => {
                    self.gc.bell().wait(pause);
                }
                _ => {}
            }
        }
        panic!("gc has always more to do");
    }

    /// So many steps of gc, whatever it waits for.
    pub(crate) fn collect_for(&mut self, steps: usize) {
        for _ in 0..steps {
            if let Next::After(pause) = self.gc.step().unwrap() {
                self.gc.bell().wait(pause.min(Duration::from_millis(1)));
            }
        }
    }

    /// Files below `blobs`, with their lengths.
    pub(crate) fn files(&self) -> Vec<(String, u64)> {
        let list = |path: &Path| self.fs.list(path).unwrap();
        let root = self.directory.path().join("blobs");
        let files = list(&root).into_iter().flat_map(|directory| {
            let directory = root.join(directory);
            let names = list(&directory);
            names.into_iter().map(move |name| directory.join(name))
        });
        files.map(|path| (path.display().to_string(), std::fs::metadata(&path).unwrap().len())).collect()
    }

    pub(crate) fn rows(&self, space: Space) -> usize {
        let mut rows = 0;
        let count = &mut |_: &[u8], _: &[u8]| {
            rows += 1;
            ControlFlow::Continue(Visit::Next)
        };
        self.meta.snapshot().unwrap().scan(space, b"", b"", count).unwrap();
        rows
    }

    /// Nothing of any body is left.
    pub(crate) fn check_empty(&self) {
        assert_eq!(self.files(), []);
        for space in [Space::Inline, Space::Blobs, Space::Manifests, Space::Extents, Space::Parts, Space::Grave] {
            assert_eq!(self.rows(space), 0, "{space:?}");
        }
        assert_eq!(self.store.bucket_usage(&self.bucket).unwrap(), BucketUsage::default());
        let usage = self.store.usage().unwrap();
        assert_eq!((usage.open_uploads, usage.staged_bytes), (0, 0));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.close();
    }
}

fn drive(mut committer: Committer) {
    loop {
        match committer.step().unwrap() {
            Next::Again => {}
            Next::After(pause) => {
                committer.bell().wait(pause);
            }
            Next::Finished => return,
        }
    }
}

pub(crate) fn run_dry(worker: &mut dyn Worker) {
    for _ in 0..STEPS_MAX {
        match worker.step() {
            Ok(Next::After(pause)) if pause >= IDLE_PAUSE => return,
            Ok(Next::After(pause)) => {
                worker.bell().wait(pause.min(Duration::from_millis(10)));
            }
            // What raced with a request is met again.
            Ok(_) | Err(_) => {}
        }
    }
    panic!("{} never comes to rest", worker.name());
}

pub(crate) async fn receive(store: &Store, body: Bytes) -> Result<StagedBody, Error> {
    let mut writer = store.body_writer(Some(body.len() as u64), DigestRequest::default());
    for piece in body.chunks(100_000) {
        writer.write(body.slice_ref(piece)).await?;
    }
    writer.finish().await
}

pub(crate) async fn stage(
    store: &Store,
    bucket: &Bucket,
    key: &str,
    id: UploadId,
    number: u64,
    body: Bytes,
) -> Result<PartInfo, Error> {
    let body = receive(store, body).await?;
    store.stage_part(bucket, &parse(key), id, PartNumber::new(number).unwrap(), body).await
}

pub(crate) fn listed(parts: &[PartInfo]) -> CompleteRequest {
    let listed =
        |part: &PartInfo| ListedPart { number: part.number, etag: ETag::of_body(part.md5), checksums: Vec::new() };
    CompleteRequest { parts: parts.iter().map(listed).collect(), ..CompleteRequest::default() }
}

pub(crate) fn parse(key: &str) -> ObjectKey {
    ObjectKey::parse(key).unwrap()
}

/// Bytes that compress to nothing and repeat nowhere.
pub(crate) fn random_bytes(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    SeededRng::new(seed).fill(&mut bytes);
    bytes.into()
}

/// Nothing here depends on what stands there.
pub(crate) fn approved(_: &wharf::store::types::ObjectInfo) -> Result<(), wharf::store::error::Error> {
    Ok(())
}
