//! What port 9001 answers about the gateway itself: `/health/live`, `/health/ready` and `/metrics`, without credentials.
//! Everything else that nobody else answers there is 404.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::{Method, Request, Response, StatusCode, header};

use super::admin::refusal;
use crate::store::Store;
use crate::store::fsio::{SyncCounts, SyncKind};
use crate::telemetry::health::Health;
use crate::telemetry::metrics::{CONTENT_TYPE, Metrics, Synced};
use crate::wire::Body;

/// Answers for the gateway.
#[derive(Clone)]
pub(super) struct Monitor(Arc<State>);

struct State {
    health: Health,
    metrics: Metrics,
    syncs: Arc<SyncCounts>,
    /// Syncs that the metrics know of already.
    reported: Mutex<[u64; 3]>,
    /// There once the store is open.
    store: OnceLock<Arc<Store>>,
}

impl Monitor {
    pub(super) fn new(health: Health, metrics: Metrics, syncs: Arc<SyncCounts>) -> Self {
        let state = State { health, metrics, syncs, reported: Mutex::default(), store: OnceLock::new() };
        Self(Arc::new(state))
    }

    /// From now on the metrics show this store.
    pub(super) fn watch(&self, store: Arc<Store>) {
        // There is one store a process: a second call changes nothing.
        let _: Result<(), _> = self.0.store.set(store);
    }

    pub(super) fn answer(&self, request: &Request<Body>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "only GET and HEAD are answered here");
        }
        match request.uri().path() {
            "/health/live" => text(StatusCode::OK, "text/plain; charset=utf-8", "live\n".to_owned()),
            "/health/ready" => match self.0.health.ready() {
                Ok(()) => text(StatusCode::OK, "text/plain; charset=utf-8", "ready\n".to_owned()),
                Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", format!("{why}\n")),
            },
            "/metrics" => {
                self.refresh();
                text(StatusCode::OK, CONTENT_TYPE, self.0.metrics.encode())
            }
            _ => refusal(StatusCode::NOT_FOUND, "NotFound", "there is nothing here"),
        }
    }

    /// Brings in what is counted elsewhere.
    fn refresh(&self) {
        let kinds = [
            (SyncKind::File, Synced::File),
            (SyncKind::Directory, Synced::Directory),
            (SyncKind::Catalog, Synced::Catalog),
        ];
        let mut reported = self.0.reported.lock().unwrap_or_else(PoisonError::into_inner);
        for (reported, (kind, synced)) in reported.iter_mut().zip(kinds) {
            let now = self.0.syncs.get(kind);
            self.0.metrics.fsyncs(synced, now.saturating_sub(*reported));
            *reported = now;
        }
        let Some(store) = self.0.store.get() else { return };
        if let Ok(usage) = store.usage() {
            let count = |value: i64| u64::try_from(value).unwrap_or_default();
            self.0.metrics.uploads(count(usage.open_uploads), count(usage.staged_bytes));
        }
        if let Ok(Some(free)) = store.free() {
            self.0.metrics.free_bytes(free.bytes);
        }
    }
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
