//! The composition root: opens the store, recovers, mounts the handlers, starts the workers, and drains it all in reverse.
//!
//! Order at start: log, data directory (lock, format, credentials), TLS files, listeners, API (so that `/health/live`
//! answers while the catalog may be repairing), catalog, run, blobs, store, buckets, workers, access keys, administration, S3, the ready line. At the
//! end: no new connections, requests in flight finish, workers stop, doubtful blobs are judged, the run ends, the catalog
//! closes.

mod admin;
mod api;
mod data_dir;
mod generator;
mod judge;
mod keys;
mod monitor;
mod offline;
mod tls;
mod uploads;
mod workers;

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::auth::{Authenticator, Keyring};
use crate::base::buffers::BufferPool;
use crate::base::clock::{Clock, Stopwatch, SystemClock};
use crate::base::limits::{READ_BUFFERS_KEPT, READ_UNIT_BYTES};
use crate::base::offload::Offload;
use crate::base::rng::{Rng, SystemRng};
use crate::base::worker::{Bell, Next, Worker as _};
use crate::config::{Config, Credentials, StartBucket};
use crate::s3::cors::Defaults;
use crate::s3::rules::RulesCache;
use crate::s3::shares::Shares;
use crate::s3::{self, S3, S3Config};
use crate::server::{self, Running, Server};
use crate::store::blob::disk::DiskBlobs;
use crate::store::error::Error as StoreError;
use crate::store::fsio::Durability;
use crate::store::fsio::backend::CatalogBackend;
use crate::store::maintain::{expire::Expire, gc::Gc, sweep::Sweep};
use crate::store::meta::commit::Committer;
use crate::store::meta::local::{CatalogEvent, LocalMeta};
use crate::store::meta::{Meta, MetaError};
use crate::store::runs::Run;
use crate::store::types::DocumentKind;
use crate::store::{self, Store, runs, usage};
use crate::telemetry::health::Health;
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;
use crate::wire::base_url::BaseUrl;
use crate::wire::handler::{Handler, handler};
use crate::wire::network::Networks;

use admin::socket::AdminSocket;
use admin::{Admin, public_read_policy};
use api::Api;
use data_dir::{DataDir, DataDirError};
pub use generator::generate;
use keys::KeysError;
use keys::master::{self, MasterError};
pub use offline::{Offline, admin_socket};
use uploads::Uploads;
use workers::{Driven, Pace};

/// Conditions of readiness.
const CATALOG: &str = "catalog";
const STORE: &str = "store";
const DRAINING: &str = "draining";

/// Threads for work that waits for the disk.
const BLOCKING_THREADS_MAX: usize = 128;
/// How long the end waits for a reader of the log.
const LAST_LINES_MAX: Duration = Duration::from_millis(500);
/// How long the API's requests may take at least once S3 has drained.
const API_DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the end waits for blobs in doubt before it leaves them to the next start.
const FINAL_SWEEP_MAX: Duration = Duration::from_secs(2);
/// How long it waits for one answer of the catalog, or for work that was cut off.
const FINAL_SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// Why the gateway stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that only its use could show to be wrong.
    #[error("{0}")]
    Setting(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The catalog cannot be opened.
    #[error(transparent)]
    Catalog(#[from] MetaError),
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// There is no master key.
    #[error(transparent)]
    MasterKey(#[from] MasterError),
    /// The kept access keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// The exit code: 2 for a wrong setting, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Setting(_) => 2,
            Self::DataDir(_) | Self::Catalog(_) | Self::Store(_) | Self::MasterKey(_) | Self::Keys(_) | Self::Io(_) => {
                1
            }
        }
    }

    /// Whether another process uses the data directory.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::DataDir(DataDirError::InUse(_)))
    }
}

/// Serves until SIGTERM or SIGINT.
pub fn serve(config: Config) -> Result<(), Error> {
    launch(config, run)
}

/// Runs a server of this process to its end: log, file limit, runtime and signals around it.
fn launch<F>(config: Config, run: impl FnOnce(Config, StopSignal, Bell) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    log::init(&config.log).map_err(|error| Error::Setting(format!("--log: {error}")))?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("wharf")
        .build()?;
    let ran = runtime.block_on(async {
        let reload = Bell::default();
        let stop = stop_signal(config.tls.is_some().then(|| reload.clone()))?;
        tokio::select! {
            ran = run(config, stop.clone(), reload) => ran,
            // Before there is anything to drain, a signal ends the start at once.
            () = stop.during_start() => Ok(()),
        }
    });
    runtime.shutdown_background();
    log::flush(LAST_LINES_MAX);
    ran
}

async fn run(config: Config, stop: StopSignal, reload: Bell) -> Result<(), Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let data_dir = DataDir::open(&config.data_dir)?;
    if config.durability == Durability::Relaxed {
        tracing::warn!("durability is relaxed: nothing is synced, and a power cut loses acknowledged data");
    }
    let credentials = match &config.credentials {
        Some(credentials) => credentials.clone(),
        None => data_dir.credentials(rng.as_ref())?,
    };
    let metrics = Metrics::new();
    let health = Health::new(&[CATALOG, STORE]);
    let tls = tls::Watcher::open(&config, data_dir.fs(), clock.clone(), &metrics, reload)?;
    let (s3_server, api_server) = bind(&config, tls.as_ref().map(tls::Watcher::server_config), &metrics)?;
    let tls = tls.map(|watcher| Driven::start(watcher, Pace::Full, metrics.clone())).transpose()?;
    let (s3_addrs, api_addrs) = (s3_server.local_addrs().to_vec(), api_server.local_addrs().to_vec());
    let monitor = monitor::Monitor::new(health.clone(), metrics.clone(), Arc::clone(data_dir.fs().sync_counts()));
    let cors = Defaults::new(&api_addrs, config.tls.is_some(), &config.cors_allow_origins, &config.domains);
    let mounted = Api::new(monitor.clone(), config.trusted_proxies.clone(), &cors);
    let api = api_server.serve(mounted.handler());
    let front = Front::default();
    let cors = Arc::new(cors);
    let s3 = s3_server.serve(front.handler(health.clone(), Arc::clone(&cors), Arc::clone(&rng)));

    let catalog = Catalog::open(&data_dir, config.durability, &metrics, &health).await?;
    let opened = open_store(&config, &data_dir, &catalog, clock.clone(), rng.clone(), metrics.clone()).await?;
    monitor.watch(Arc::clone(&opened.store));
    let keyring = keyring(&data_dir, &credentials, &opened.store, rng.as_ref())?;
    let admin = Admin::new(Arc::clone(&opened.store), Arc::clone(&keyring), Arc::clone(&rng))?;
    let s3_config = mount(&front, &config, &keyring, &opened.store, cors, &clock, &rng, &metrics, &health);
    let Uploads { pipeline, generator } = uploads::uploads(&config, &s3_config, &keyring, &s3_addrs, &api_addrs);
    let working = pipeline.start()?;
    mounted.open(pipeline, generator.clone(), Arc::clone(&admin), keyring, clock);
    let socket = admin_listener(&data_dir, &admin);
    health.holds(STORE);
    stop.started();
    print_ready(&config, &s3_addrs, &api_addrs)?;

    stop.wait().await;
    tracing::info!("draining");
    health.fails(DRAINING, "the gateway is stopping");
    working.stop().await;
    if let Some(generator) = generator {
        // What it was about to draw is drawn after the next start, from the parts that are there.
        generator.stop(Duration::ZERO).await;
    }
    drain(s3, api, config.drain_timeout).await;
    if let Some(socket) = socket {
        socket.drain(API_DRAIN_TIMEOUT).await;
    }
    let close = move || {
        drop(tls.and_then(Driven::stop));
        opened.close(catalog)
    };
    tokio::task::spawn_blocking(close).await.map_err(std::io::Error::other)??;
    tracing::info!("stopped");
    Ok(())
}

/// Both listeners, bound before anything slow begins.
fn bind(config: &Config, tls: Option<Arc<rustls::ServerConfig>>, metrics: &Metrics) -> Result<(Server, Server), Error> {
    let s3 = server_on(&config.s3_listen, tls.clone(), config, metrics)?;
    Ok((s3, server_on(&config.api_listen, tls, config, metrics)?))
}

/// A bound server.
fn server_on(
    listen: &[SocketAddr],
    tls: Option<Arc<rustls::ServerConfig>>,
    config: &Config,
    metrics: &Metrics,
) -> std::io::Result<Server> {
    Server::bind(server::Config {
        listen: listen.to_vec(),
        tls,
        limits: server::Limits {
            uncapped: Networks::loopback().and(&config.trusted_proxies),
            ..server::Limits::default()
        },
        metrics: metrics.clone(),
    })
}

/// The catalog and the thread that commits to it.
struct Catalog {
    meta: LocalMeta,
    committer: Driven<Committer>,
}

impl Catalog {
    async fn open(
        data_dir: &DataDir,
        durability: Durability,
        metrics: &Metrics,
        health: &Health,
    ) -> Result<Self, Error> {
        let (fs, path) = (Arc::clone(data_dir.fs()), data_dir.catalog_path());
        let open_backend = move || -> std::io::Result<Box<dyn redb::StorageBackend>> {
            Ok(Box::new(CatalogBackend::new(fs.open_catalog(&path)?, durability)))
        };
        let observe = observer(metrics.clone(), health.clone());
        let (meta, mut committer) =
            tokio::task::spawn_blocking(move || LocalMeta::open(Box::new(open_backend), observe))
                .await
                .map_err(std::io::Error::other)??;
        committer.measure_syncs(Arc::new(SystemClock));
        Ok(Self { meta, committer: Driven::start(committer, Pace::Full, metrics.clone())? })
    }

    fn close(self) {
        self.meta.close();
        self.committer.join();
    }
}

/// What the catalog tells goes to log, metrics and health.
fn observer(metrics: Metrics, health: Health) -> Arc<dyn Fn(CatalogEvent) + Send + Sync> {
    Arc::new(move |event| match event {
        CatalogEvent::Committed { batches, .. } => metrics.commit(batches),
        CatalogEvent::Available { generation } => {
            metrics.catalog_available(true);
            health.holds(CATALOG);
            if generation > 1 {
                tracing::warn!(generation, "the catalog was opened again");
            }
        }
        CatalogEvent::Unavailable => {
            metrics.catalog_available(false);
            health.fails(CATALOG, "the catalog failed and is being opened again");
            tracing::error!("the catalog failed; it will be opened again");
        }
        CatalogEvent::Repairing { progress } => {
            health.fails(CATALOG, "the catalog is being repaired after an unclean end");
            tracing::info!(percent = progress * 100.0, "repairing the catalog");
        }
    })
}

/// An open store and its workers.
struct Opened {
    store: Arc<Store>,
    run: u32,
    gc: Driven<Gc>,
    expire: Driven<Expire>,
    sweep: Driven<Sweep>,
}

/// Begins a run of the store.
async fn begin_run(
    config: &Config,
    data_dir: &DataDir,
    catalog: &Catalog,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    metrics: Metrics,
) -> Result<(Arc<Store>, Run), Error> {
    let meta: Arc<dyn Meta> = Arc::new(catalog.meta.clone());
    let run = runs::begin(meta.as_ref()).await?;
    // Only now: a data directory with a format has a catalog.
    data_dir.keep_format()?;
    count_usage(&meta).await?;
    let pool = BufferPool::new(READ_UNIT_BYTES, READ_BUFFERS_KEPT);
    let blobs =
        DiskBlobs::open(Arc::clone(data_dir.fs()), data_dir.path(), run.number, config.durability, rng.clone(), pool)
            .map_err(StoreError::from)?;
    let store = Store::new(store::Parts {
        meta,
        blobs: Arc::new(blobs),
        run: run.number,
        clock,
        rng,
        offload: Offload::Threads(tokio::runtime::Handle::current()),
        reserve: config.reserve,
        metrics,
    });
    Ok((store, run))
}

async fn open_store(
    config: &Config,
    data_dir: &DataDir,
    catalog: &Catalog,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    metrics: Metrics,
) -> Result<Opened, Error> {
    let (store, run) = begin_run(config, data_dir, catalog, clock, rng, metrics.clone()).await?;
    for bucket in &config.buckets {
        match begin_bucket(&store, bucket).await {
            // The gateway starts all the same: what makes room must work.
            Err(StoreError::Full) => {
                tracing::warn!(name = %bucket.name, "no room for the bucket: it is made at the next start");
            }
            done => done?,
        }
    }
    let expire = Expire::new(Arc::clone(&store), config.expire_uploads);
    let sweep = Sweep::new(Arc::clone(&store), run.unswept);
    Ok(Opened {
        gc: Driven::start(Gc::new(Arc::clone(&store)), Pace::Half, metrics.clone())?,
        expire: Driven::start(expire, Pace::Half, metrics.clone())?,
        sweep: Driven::start(sweep, Pace::Half, metrics)?,
        run: run.number,
        store,
    })
}

/// Makes a bucket that is to be there, and opens it where it is to be public and nobody has said otherwise.
async fn begin_bucket(store: &Store, wanted: &StartBucket) -> Result<(), StoreError> {
    match store.create_bucket(&wanted.name, None).await {
        Ok(_) | Err(StoreError::Exists) => {}
        Err(error) => return Err(error),
    }
    let bucket = store.bucket(&wanted.name)?;
    if !wanted.public || store.bucket_document(&bucket, DocumentKind::Policy)?.is_some() {
        return Ok(());
    }
    store.put_bucket_document(&bucket, DocumentKind::Policy, public_read_policy(&wanted.name).into_bytes()).await
}

/// Counts what is there, where no earlier start did. That may take long, so it has a thread of its own, and a signal still ends
/// the start.
async fn count_usage(meta: &Arc<dyn Meta>) -> Result<(), Error> {
    let meta = Arc::clone(meta);
    let count = move || tokio::runtime::Handle::current().block_on(usage::count_once(meta.as_ref()));
    Ok(tokio::task::spawn_blocking(count).await.map_err(std::io::Error::other)??)
}

impl Opened {
    /// Stops the workers, judges what is in doubt, ends the run and closes the catalog.
    fn close(self, catalog: Catalog) -> Result<(), Error> {
        self.gc.stop();
        self.expire.stop();
        let swept = self.sweep.stop().is_some_and(finish_sweep);
        let ended = if swept {
            tokio::runtime::Handle::current().block_on(runs::end(&catalog.meta, self.run))
        } else {
            tracing::warn!("blobs are in doubt; the next start looks at them");
            Ok(())
        };
        catalog.close();
        drop(self.store);
        Ok(ended?)
    }
}

/// Judges this run's blobs in doubt. False when some are left: the next start will sweep this run.
fn finish_sweep(mut sweep: Sweep) -> bool {
    let watch = Stopwatch::start();
    sweep.leave_earlier_runs();
    while !sweep.is_settled() {
        if watch.elapsed() > FINAL_SWEEP_MAX {
            return false;
        }
        match sweep.step() {
            Ok(Next::Again) => {}
            Ok(Next::After(_)) => {
                sweep.bell().wait(FINAL_SWEEP_PAUSE);
            }
            Ok(Next::Finished) | Err(_) => return false,
        }
    }
    true
}

/// What answers on the S3 port: the gateway once its store is open. Until then probes get an answer too, and do not take a
/// catalog that is being repaired for a dead process.
#[derive(Clone, Default)]
struct Front(Arc<OnceLock<S3>>);

impl Front {
    fn handler(&self, health: Health, cors: Arc<Defaults>, rng: Arc<dyn Rng>) -> Handler {
        let front = self.clone();
        handler(move |request| {
            let (front, health, cors, rng) = (front.clone(), health.clone(), Arc::clone(&cors), Arc::clone(&rng));
            async move {
                match front.0.get() {
                    Some(s3) => s3.handle(request).await,
                    None => s3::starting(request, &health, &cors, rng.as_ref()),
                }
            }
        })
    }
}

/// A keyring with the root key; the kept keys come into it with [`Admin::new`].
fn keyring(data_dir: &DataDir, root: &Credentials, store: &Store, rng: &dyn Rng) -> Result<Arc<Keyring>, MasterError> {
    let sealer = master::open(data_dir, store, rng)?;
    Ok(Arc::new(Keyring::new(&root.access_key, root.secret_key.expose(), sealer)))
}

/// The socket of the administration. Some filesystems have none; everything else works without it.
fn admin_listener(data_dir: &DataDir, admin: &Arc<Admin>) -> Option<AdminSocket> {
    match AdminSocket::serve(data_dir.path(), admin.handler()) {
        Ok(socket) => Some(socket),
        Err(error) => {
            tracing::warn!(%error, "no admin.sock: commands have to use --api");
            None
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the root hands each part to the one place that needs it")]
fn mount(
    front: &Front,
    config: &Config,
    keyring: &Arc<Keyring>,
    store: &Arc<Store>,
    cors: Arc<Defaults>,
    clock: &Arc<dyn Clock>,
    rng: &Arc<dyn Rng>,
    metrics: &Metrics,
    health: &Health,
) -> Arc<S3Config> {
    let s3 = front.0.get_or_init(|| {
        S3::new(S3Config {
            shares: Shares::default(),
            rules: RulesCache::default(),
            region: config.region.clone(),
            domains: config.domains.clone(),
            authenticator: Authenticator::new(Arc::clone(keyring), config.region.clone())
                .sigv2_presign(config.sigv2_presign)
                .public_hosts(config.public_urls.iter().chain(&config.internal_url).map(BaseUrl::host)),
            trusted_proxies: config.trusted_proxies.clone(),
            store: Arc::clone(store),
            metrics: metrics.clone(),
            health: health.clone(),
            cors,
            clock: Arc::clone(clock),
            rng: Arc::clone(rng),
        })
    });
    Arc::clone(s3.config())
}

/// S3 first: health and metrics answer while it drains. What is left of the time is for uploads on the other port.
async fn drain(s3: Running, api: Running, timeout: Duration) {
    let watch = Stopwatch::start();
    let cut = s3.drain(timeout).await;
    let cut = cut + api.drain(timeout.saturating_sub(watch.elapsed()).max(API_DRAIN_TIMEOUT)).await;
    if cut > 0 {
        tracing::warn!(connections = cut, "connections were cut at the end of the drain");
    }
}

/// The one line `serve` prints on standard output.
fn print_ready(config: &Config, s3: &[SocketAddr], api: &[SocketAddr]) -> std::io::Result<()> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let url = |addrs: &[SocketAddr]| addrs.first().map(|addr| format!("{scheme}://{addr}")).unwrap_or_default();
    let line = serde_json::json!({
        "ready": true,
        "s3": url(s3),
        "api": url(api),
        "data_dir": config.data_dir.display().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Parts and connections are files: the soft limit goes up to the hard one.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the file limit stays as it is");
    }
}

/// SIGTERM or SIGINT, seen by everyone who waits.
#[derive(Clone)]
struct StopSignal {
    stopped: tokio::sync::watch::Receiver<bool>,
    started: Arc<tokio::sync::watch::Sender<bool>>,
}

/// `reload` is rung at SIGHUP, where there is anything to load again.
fn stop_signal(reload: Option<Bell>) -> std::io::Result<StopSignal> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A terminal that goes away, or an operator who expects a reload, must not end the gateway.
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match &reload {
                Some(bell) => {
                    tracing::info!("SIGHUP: looking at the TLS files");
                    bell.ring();
                }
                None => tracing::info!("SIGHUP: there is nothing to load again"),
            }
        }
    });
    let (stop, stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
        // A second signal does not wait for the drain.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("a second signal: stopping at once");
        log::flush(LAST_LINES_MAX);
        std::process::exit(1);
    });
    Ok(StopSignal { stopped, started: Arc::new(tokio::sync::watch::Sender::new(false)) })
}

impl StopSignal {
    /// Waits for the signal.
    async fn wait(&self) {
        let mut stopped = self.stopped.clone();
        // An error means that the sender is gone, which ends the wait just as well.
        let _: Result<_, _> = stopped.wait_for(|stopped| *stopped).await;
    }

    /// From now on the signal is the server's to handle.
    fn started(&self) {
        self.started.send_replace(true);
    }

    /// The signal, as long as the start is not over; never afterwards.
    async fn during_start(&self) {
        self.wait().await;
        if *self.started.subscribe().borrow() {
            std::future::pending::<()>().await;
        }
    }
}
