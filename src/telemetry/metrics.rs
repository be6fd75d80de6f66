//! Every metric, named in this one file.
//!
//! Names, labels and their meaning are part of the contract with dashboards. Labels take their values from short fixed
//! lists (operations, statuses, workers), never from a request's bytes, so the number of series is bounded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::base::clock::Timestamp;

/// The Content-Type of [`Metrics::encode`]: the OpenMetrics form of Prometheus' text format.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const REQUEST_SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
const COMMIT_BATCHES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// What was synced to stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// The bytes of a blob.
    File,
    /// The names in a directory.
    Directory,
    /// A commit of the catalog.
    Catalog,
}

/// All metrics. A clone observes into the same ones.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<OperationLabels, Histogram, fn() -> Histogram>,
    bytes_received: Counter,
    bytes_sent: Counter,
    connections: Gauge,
    connections_refused: Counter,
    tls_reloads: Family<ResultLabels, Counter>,
    tls_not_after: Gauge,
    callbacks: Family<ResultLabels, Counter>,
    open_uploads: Gauge,
    staged_bytes: Gauge,
    commit_batches: Histogram,
    commits: Counter,
    file_syncs: Counter,
    directory_syncs: Counter,
    catalog_syncs: Counter,
    worker_steps: Family<WorkerLabels, Counter>,
    worker_errors: Family<WorkerLabels, Counter>,
    catalog_available: Gauge,
    damaged_blobs: Counter,
    free_bytes: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SyncLabels {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkerLabels {
    worker: &'static str,
}

impl Metrics {
    /// Metrics that have seen nothing yet.
    pub fn new() -> Self {
        let fsyncs = Family::<SyncLabels, Counter>::default();
        let synced = |what| fsyncs.get_or_create_owned(&SyncLabels { what });
        let mut inner = Inner {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            bytes_received: Counter::default(),
            bytes_sent: Counter::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            tls_reloads: Family::default(),
            tls_not_after: Gauge::default(),
            callbacks: Family::default(),
            open_uploads: Gauge::default(),
            staged_bytes: Gauge::default(),
            commit_batches: Histogram::new(COMMIT_BATCHES),
            commits: Counter::default(),
            file_syncs: synced("file"),
            directory_syncs: synced("directory"),
            catalog_syncs: synced("catalog"),
            worker_steps: Family::default(),
            worker_errors: Family::default(),
            catalog_available: Gauge::default(),
            damaged_blobs: Counter::default(),
            free_bytes: Gauge::default(),
        };
        inner.register_traffic();
        inner.register_store(fsyncs);
        Self(Arc::new(inner))
    }

    /// A request was answered with `status`, `elapsed` after its head arrived.
    pub fn request(&self, operation: &'static str, status: u16, elapsed: Duration) {
        self.0.requests.get_or_create(&RequestLabels { operation, status }).inc();
        self.0.request_seconds.get_or_create(&OperationLabels { operation }).observe(elapsed.as_secs_f64());
    }

    /// Bytes came in through a socket.
    pub fn received(&self, bytes: u64) {
        self.0.bytes_received.inc_by(bytes);
    }

    /// Bytes went out through a socket.
    pub fn sent(&self, bytes: u64) {
        self.0.bytes_sent.inc_by(bytes);
    }

    /// A client connected.
    pub fn connection_opened(&self) {
        self.0.connections.inc();
    }

    /// A connection ended.
    pub fn connection_closed(&self) {
        self.0.connections.dec();
    }

    /// A connection was closed because its client had too many.
    pub fn connection_refused(&self) {
        self.0.connections_refused.inc();
    }

    /// The TLS files changed, and make a pair that is served from now on or are refused.
    pub fn tls_reload(&self, loaded: bool) {
        let result = if loaded { "loaded" } else { "refused" };
        self.0.tls_reloads.get_or_create(&ResultLabels { result }).inc();
    }

    /// The end of the served certificate's life; zero where it is not known or nothing is served over TLS.
    pub fn tls_not_after(&self, end: Option<Timestamp>) {
        self.0.tls_not_after.set(gauge(end.map_or(0, Timestamp::seconds)));
    }

    /// A callback was tried: `delivered`, `failed` and tried again later, or given up and `dead`.
    pub fn callback(&self, result: &'static str) {
        self.0.callbacks.get_or_create(&ResultLabels { result }).inc();
    }

    /// How many multipart uploads are open, and the bytes staged for them.
    pub fn uploads(&self, open: u64, staged_bytes: u64) {
        self.0.open_uploads.set(gauge(open));
        self.0.staged_bytes.set(gauge(staged_bytes));
    }

    /// A commit carried this many batches.
    pub fn commit(&self, batches: usize) {
        self.0.commits.inc();
        #[expect(clippy::cast_precision_loss, reason = "a group has at most a few hundred batches")]
        self.0.commit_batches.observe(batches as f64);
    }

    /// Something was synced to stable storage this many times.
    pub fn fsyncs(&self, what: Synced, times: u64) {
        match what {
            Synced::File => self.0.file_syncs.inc_by(times),
            Synced::Directory => self.0.directory_syncs.inc_by(times),
            Synced::Catalog => self.0.catalog_syncs.inc_by(times),
        };
    }

    /// A worker did a step.
    pub fn worker_step(&self, worker: &'static str) {
        self.0.worker_steps.get_or_create(&WorkerLabels { worker }).inc();
    }

    /// A worker's step failed.
    pub fn worker_error(&self, worker: &'static str) {
        self.0.worker_errors.get_or_create(&WorkerLabels { worker }).inc();
    }

    /// Whether the catalog takes commits.
    pub fn catalog_available(&self, available: bool) {
        self.0.catalog_available.set(i64::from(available));
    }

    /// A read found a blob whose bytes do not match their checksums.
    pub fn damaged_blob(&self) {
        self.0.damaged_blobs.inc();
    }

    /// Free bytes of the filesystem under the store.
    pub fn free_bytes(&self, bytes: u64) {
        self.0.free_bytes.set(gauge(bytes));
    }

    /// Everything as text, in the form [`CONTENT_TYPE`] names.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.0.registry) {
            // Writing into a string does not fail; a metric that cannot be written is a bug of ours.
            tracing::error!(%error, "metrics cannot be encoded");
        }
        text
    }
}

impl Inner {
    fn register_traffic(&mut self) {
        let registry = &mut self.registry;
        registry.register("wharf_requests", "Requests answered", self.requests.clone());
        registry.register("wharf_request_seconds", "Time from head to answer", self.request_seconds.clone());
        registry.register("wharf_bytes_received", "Bytes read from sockets", self.bytes_received.clone());
        registry.register("wharf_bytes_sent", "Bytes written to sockets", self.bytes_sent.clone());
        registry.register("wharf_connections", "Open connections", self.connections.clone());
        let help = "Connections closed because their client had too many";
        registry.register("wharf_connections_refused", help, self.connections_refused.clone());
        registry.register(
            "wharf_tls_reloads",
            "Changes of the TLS files, by what came of them",
            self.tls_reloads.clone(),
        );
        let help = "When the served certificate ends, in seconds since 1970; 0 without one";
        registry.register("wharf_tls_certificate_not_after_seconds", help, self.tls_not_after.clone());
        let help = "Tries to deliver a callback, by what came of them";
        registry.register("wharf_callbacks", help, self.callbacks.clone());
    }

    fn register_store(&mut self, fsyncs: Family<SyncLabels, Counter>) {
        let registry = &mut self.registry;
        registry.register("wharf_open_uploads", "Open multipart uploads", self.open_uploads.clone());
        registry.register("wharf_staged_bytes", "Bytes staged for open uploads", self.staged_bytes.clone());
        registry.register("wharf_commit_batches", "Batches in one commit", self.commit_batches.clone());
        registry.register("wharf_commits", "Commits of the catalog", self.commits.clone());
        registry.register("wharf_fsyncs", "Syncs to stable storage", fsyncs);
        registry.register("wharf_worker_steps", "Steps of background workers", self.worker_steps.clone());
        registry.register("wharf_worker_errors", "Failed steps of background workers", self.worker_errors.clone());
        registry.register("wharf_catalog_available", "1 while commits are taken", self.catalog_available.clone());
        registry.register("wharf_damaged_blobs", "Reads that met damaged bytes", self.damaged_blobs.clone());
        registry.register("wharf_free_bytes", "Free bytes under the store", self.free_bytes.clone());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_name() {
        let metrics = Metrics::new();
        metrics.request("PutObject", 200, Duration::from_millis(3));
        metrics.clone().request("PutObject", 200, Duration::from_millis(30));
        metrics.received(7);
        metrics.sent(8);
        metrics.connection_opened();
        metrics.connection_opened();
        metrics.connection_closed();
        metrics.connection_refused();
        metrics.tls_reload(true);
        metrics.tls_reload(false);
        metrics.tls_reload(false);
        metrics.tls_not_after(Some(Timestamp(1_440_938_160_007)));
        metrics.callback("delivered");
        metrics.uploads(2, 10 << 20);
        metrics.commit(17);
        metrics.fsyncs(Synced::Directory, 1);
        metrics.worker_step("gc");
        metrics.worker_error("gc");
        metrics.catalog_available(true);
        metrics.damaged_blob();
        metrics.free_bytes(u64::MAX);
        let text = metrics.encode();
        for line in [
            "wharf_requests_total{operation=\"PutObject\",status=\"200\"} 2",
            "wharf_request_seconds_bucket{le=\"0.005\",operation=\"PutObject\"} 1",
            "wharf_request_seconds_count{operation=\"PutObject\"} 2",
            "wharf_bytes_received_total 7",
            "wharf_bytes_sent_total 8",
            "wharf_connections 1",
            "wharf_connections_refused_total 1",
            "wharf_tls_reloads_total{result=\"loaded\"} 1",
            "wharf_tls_reloads_total{result=\"refused\"} 2",
            "wharf_tls_certificate_not_after_seconds 1440938160",
            "wharf_callbacks_total{result=\"delivered\"} 1",
            "wharf_open_uploads 2",
            "wharf_staged_bytes 10485760",
            "wharf_commit_batches_bucket{le=\"16.0\"} 0",
            "wharf_commit_batches_bucket{le=\"32.0\"} 1",
            "wharf_commits_total 1",
            "wharf_fsyncs_total{what=\"file\"} 0",
            "wharf_fsyncs_total{what=\"directory\"} 1",
            "wharf_fsyncs_total{what=\"catalog\"} 0",
            "wharf_worker_steps_total{worker=\"gc\"} 1",
            "wharf_worker_errors_total{worker=\"gc\"} 1",
            "wharf_catalog_available 1",
            "wharf_damaged_blobs_total 1",
            "wharf_free_bytes 9223372036854775807",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
