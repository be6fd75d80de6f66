//! A machine with a simulated disk, and a store that is open on it with its workers, which the test steps by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wharf::base::buffers::BufferPool;
use wharf::base::clock::{ManualClock, Timestamp};
use wharf::base::id::RunNumber;
use wharf::base::limits::READ_UNIT_BYTES;
use wharf::base::offload::Offload;
use wharf::base::rng::SeededRng;
use wharf::base::worker::{Next, Worker};
use wharf::store::blob::disk::DiskBlobs;
use wharf::store::fsio::backend::CatalogBackend;
use wharf::store::fsio::sim::SimFs;
use wharf::store::fsio::{Durability, Fs};
use wharf::store::maintain::expire::Expire;
use wharf::store::maintain::gc::Gc;
use wharf::store::maintain::sweep::Sweep;
use wharf::store::meta::commit::Committer;
use wharf::store::meta::local::LocalMeta;
use wharf::store::meta::{Meta, Space, Visit};
use wharf::store::room::Reserve;
use wharf::store::{Parts, Store, runs, usage};
use wharf::telemetry::metrics::Metrics;

use crate::lie::{Lie, LyingFs};

/// How long an upload may be idle.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A worker that wants at least this long a pause has nothing to do.
const IDLE_PAUSE: Duration = Duration::from_secs(2);
/// Steps in which every worker has to come to rest, whatever a history left behind.
const STEPS_MAX: usize = 5000;

/// What survives a power cut, and what there is only one of.
pub(crate) struct Machine {
    pub(crate) fs: SimFs,
    pub(crate) clock: Arc<ManualClock>,
    /// The store's chance.
    pub(crate) rng: Arc<SeededRng>,
    pub(crate) lie: Option<Lie>,
    pool: BufferPool,
}

/// An open store.
pub(crate) struct Running {
    pub(crate) store: Arc<Store>,
    pub(crate) meta: LocalMeta,
    pub(crate) blobs: Arc<DiskBlobs>,
    pub(crate) run: RunNumber,
    pub(crate) committer: Committer,
    pub(crate) gc: Gc,
    pub(crate) sweep: Sweep,
    pub(crate) expire: Expire,
}

/// Every row of every table.
pub(crate) type Rows = BTreeMap<Space, BTreeMap<Vec<u8>, Vec<u8>>>;

impl Machine {
    pub(crate) fn new(fs: SimFs, seed: u64) -> Self {
        Self {
            fs,
            clock: Arc::new(ManualClock::new(Timestamp(1_800_000_000_000))),
            rng: Arc::new(SeededRng::new(seed)),
            lie: None,
            pool: BufferPool::new(READ_UNIT_BYTES, 2),
        }
    }

    /// Opens the store as `serve` does.
    pub(crate) fn start(&self) -> Result<Running, String> {
        let fs: Arc<dyn Fs> = match self.lie {
            Some(lie) => Arc::new(LyingFs { disk: self.fs.clone(), lie }),
            None => Arc::new(self.fs.clone()),
        };
        let disk = Arc::clone(&fs);
        let open_backend = move || -> std::io::Result<Box<dyn redb::StorageBackend>> {
            let file = disk.open_catalog(Path::new("/catalog.redb"))?;
            Ok(Box::new(CatalogBackend::new(file, Durability::Strict)))
        };
        let (meta, mut committer) =
            LocalMeta::open(Box::new(open_backend), Arc::new(|_| ())).map_err(|error| error.to_string())?;
        let run = answer(&mut committer, runs::begin(&meta))?.map_err(|error| error.to_string())?;
        answer(&mut committer, usage::count_once(&meta))?.map_err(|error| error.to_string())?;
        let rng = Arc::clone(&self.rng);
        let blobs = DiskBlobs::open(fs, Path::new("/"), run.number, Durability::Strict, rng, self.pool.clone());
        let blobs = Arc::new(blobs.map_err(|error| error.to_string())?);
        if let Some(Lie::Kind(kind)) = self.lie {
            self.fs.ignore(kind);
        }
        let store = Store::new(Parts {
            meta: Arc::new(meta.clone()),
            blobs: Arc::clone(&blobs) as Arc<_>,
            run: run.number,
            clock: Arc::clone(&self.clock) as Arc<_>,
            rng: Arc::clone(&self.rng) as Arc<_>,
            offload: Offload::Inline,
            reserve: Reserve::Bytes(0),
            metrics: Metrics::new(),
        });
        Ok(Running {
            gc: Gc::new(Arc::clone(&store)),
            sweep: Sweep::new(Arc::clone(&store), run.unswept),
            expire: Expire::new(Arc::clone(&store), IDLE_MAX),
            run: run.number,
            store,
            meta,
            blobs,
            committer,
        })
    }

    /// Names of all files below `blobs`.
    pub(crate) fn blob_files(&self) -> Result<BTreeSet<String>, String> {
        let list = |path: &str| self.fs.list(Path::new(path)).map_err(|error| error.to_string());
        let mut files = BTreeSet::new();
        for directory in list("/blobs")? {
            for file in list(&format!("/blobs/{directory}"))? {
                files.insert(format!("{directory}/{file}"));
            }
        }
        Ok(files)
    }
}

impl Running {
    /// Lets the committer work until the catalog can be read, as it cannot after a failure until it is reopened.
    pub(crate) fn recover(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            if self.meta.is_available() {
                return Ok(());
            }
            self.committer.step().map_err(|error| error.to_string())?;
        }
        Err("the catalog never comes back".to_owned())
    }

    /// Waits for `future` while the committer works.
    pub(crate) fn wait<T>(&mut self, future: impl Future<Output = T>) -> Result<T, String> {
        answer(&mut self.committer, future)
    }

    /// Lets every worker finish what there is to do; once more when the catalog failed meanwhile.
    pub(crate) fn rest(&mut self) -> Result<(), String> {
        let generation = self.meta.generation();
        self.rest_once()?;
        self.recover()?;
        if self.meta.generation() == generation { Ok(()) } else { self.rest_once() }
    }

    fn rest_once(&mut self) -> Result<(), String> {
        // The first may be the end of a walk that began before the last moment.
        run_dry(&mut self.expire, &mut self.committer)?;
        run_dry(&mut self.expire, &mut self.committer)?;
        run_dry(&mut self.sweep, &mut self.committer)?;
        run_dry(&mut self.gc, &mut self.committer)
    }

    /// Ends the run and closes the store as `serve` does.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        run_dry(&mut self.sweep, &mut self.committer)?;
        if !self.sweep.is_settled() {
            return Err("the sweep rests and is not clean".to_owned());
        }
        let ended = runs::end(&self.meta, self.run);
        answer(&mut self.committer, ended)?.map_err(|error| error.to_string())?;
        self.meta.close();
        while self.committer.step().map_err(|error| error.to_string())? != Next::Finished {}
        Ok(())
    }

    pub(crate) fn rows(&self) -> Result<Rows, String> {
        let snapshot = self.meta.snapshot().map_err(|error| error.to_string())?;
        let mut rows = Rows::new();
        for space in Space::ALL {
            let table = rows.entry(space).or_default();
            let scanned = snapshot.scan(space, b"", b"", &mut |key, record| {
                table.insert(key.to_vec(), record.to_vec());
                ControlFlow::Continue(Visit::Next)
            });
            scanned.map_err(|error| error.to_string())?;
        }
        Ok(rows)
    }
}

/// The answer of a future that waits for nothing but commits.
fn answer<T>(committer: &mut Committer, future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    for _ in 0..STEPS_MAX {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Ok(answer);
        }
        committer.step().map_err(|error| error.to_string())?;
    }
    Err("a call waits for ever".to_owned())
}

/// Steps a worker until it has nothing to do. Commits that were refused or lost are met again, so errors pass.
fn run_dry(worker: &mut dyn Worker, committer: &mut Committer) -> Result<(), String> {
    let mut failed = None;
    for _ in 0..STEPS_MAX {
        match worker.step() {
            Ok(Next::After(pause)) if pause >= IDLE_PAUSE => return Ok(()),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
        committer.step().map_err(|error| error.to_string())?;
    }
    Err(format!("{} never comes to rest; its last error: {failed:?}", worker.name()))
}
