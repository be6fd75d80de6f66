//! Rank 4: the upload API on port 9001. It answers in JSON, errors as `{"error":{"code","message"}}`.
//!
//! - [`chunks`]: files in form chunks, in any order.
//! - [`sessions`]: presigned multipart uploads; the bytes go to the S3 port and never come through here. [`companion`] says the
//!   same in the words of Uppy's Companion.
//! - [`tus`]: resumable uploads by tus 1.0 and by FilePond's contract.
//! - [`generations`]: images made by a generator, with [`callbacks`] and [`events`].
//!
//! A request passes through one order: route -> caller -> permission -> body -> answer. Permission is that of S3 and decided in
//! one place, which this rank may not import: it is handed in as a [`judge::Judge`].
//!
//! Invariants:
//! - whoever shows credentials that are no good is refused and never taken for nobody;
//! - what is transient is 429 or 503 with `Retry-After`, and nothing that a client could take for final;
//! - URLs are signed in the caller's own name, with no more rights than the caller has.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::auth::{Authenticator, Identity};
use crate::base::clock::Clock;
use crate::base::digest::hex;
use crate::base::rng::Rng;
use crate::store::Store;
use crate::store::error::Error as StoreError;
use crate::store::types::BucketName;
use crate::telemetry::access::Access;
use crate::telemetry::metrics::Metrics;
use crate::wire::{Body, ConnectionInfo};

use call::{Call, Caller};
use error::Error;
use generations::Generations;
use judge::Judge;

pub mod call;
mod callbacks;
pub mod chunks;
pub mod companion;
pub mod error;
mod events;
pub mod generations;
pub mod judge;
pub mod links;
pub mod query;
pub mod sessions;
pub mod tus;

/// How long a task rests that has panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(5);

/// What the upload API is made of.
pub struct Config {
    /// The store.
    pub store: Arc<Store>,
    /// Knows keys and tokens, and signs URLs.
    pub authenticator: Authenticator,
    /// Decides who may do what.
    pub judge: Arc<dyn Judge>,
    /// Where requests name no bucket.
    pub bucket: Option<BucketName>,
    /// The region that the S3 port says it is in.
    pub region: String,
    /// What the URLs begin with that clients get.
    pub addresses: links::Addresses,
    /// How long they live where nobody says.
    pub presign_expires: Duration,
    /// How long an idle upload stays.
    pub expire_uploads: Duration,
    /// Where generations are made, and who may be told of their ends.
    pub generations: generations::Settings,
    /// Room for the JSON documents of all requests, [`crate::base::limits::API_DOCUMENTS_MAX_BYTES`] of it.
    pub documents: Arc<Semaphore>,
    /// Requests are counted here.
    pub metrics: Metrics,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Arc<dyn Rng>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// The upload API.
#[derive(Clone, Debug)]
pub struct Pipeline {
    config: Arc<Config>,
    generations: Generations,
}

/// What works beside the answers: orders generations, and delivers callbacks.
#[derive(Debug)]
pub struct Working {
    generations: Generations,
    tasks: JoinSet<()>,
}

impl Working {
    /// Ends it: what was under way is gone on with at the next start. Whoever listens to events hears the end of them.
    pub async fn stop(mut self) {
        self.generations.stop();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Which part of the API answers a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Chunks,
    Sessions,
    Companion,
    Tus,
    Generations,
}

impl Route {
    /// The part of the API that a path belongs to; none for paths of others.
    fn of(path: &str) -> Option<Self> {
        match path.strip_prefix('/')?.split('/').next()? {
            "upload-chunk" => Some(Self::Chunks),
            "s3" if companion::is_companions(path) => Some(Self::Companion),
            "s3" => Some(Self::Sessions),
            "files" => Some(Self::Tus),
            "bmp" => Some(Self::Generations),
            _ => None,
        }
    }

    /// The name in metrics and log.
    fn name(self) -> &'static str {
        match self {
            Self::Chunks => "FormChunk",
            Self::Sessions => "UploadSession",
            Self::Companion => "Companion",
            Self::Tus => "Tus",
            Self::Generations => "Generation",
        }
    }
}

impl Pipeline {
    /// An upload API.
    pub fn new(config: Config) -> Self {
        let config = Arc::new(config);
        Self { generations: Generations::new(Arc::clone(&config)), config }
    }

    /// Reads what generations and callbacks there are, and goes on with them. Until then `/bmp` answers that the gateway is
    /// starting.
    ///
    /// # Errors
    /// Where their records cannot be read.
    pub fn start(&self) -> Result<Working, StoreError> {
        self.generations.load()?;
        let (mut tasks, stop) = (JoinSet::new(), self.generations.stopping());
        let generations = self.generations.clone();
        tasks.spawn(supervised("orders of generations", PANIC_PAUSE, stop.clone(), move || generations.clone().run()));
        let generations = self.generations.clone();
        tasks.spawn(supervised("callbacks", PANIC_PAUSE, stop, move || generations.deliver()));
        Ok(Working { generations: self.generations.clone(), tasks })
    }

    /// Whether a path is of this API.
    pub fn answers(path: &str) -> bool {
        Route::of(path).is_some()
    }

    /// Answers a request to one of its paths. Never fails and never panics: whatever goes wrong is an answer.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let Some(route) = Route::of(request.uri().path()) else { return Error::no_such_path().response() };
        let (head, body) = request.into_parts();
        let received = body.progress();
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let peer = head.extensions.get::<ConnectionInfo>().map(|connection| connection.peer);
        let request_id = request_id(self.config.rng.as_ref());
        let mut identity = String::new();
        let answering = async {
            let caller = Caller::of(&self.config, &head.headers)?;
            caller.identity.access_key_id().unwrap_or_default().clone_into(&mut identity);
            let call = Call::read(Arc::clone(&self.config), head, body, caller)?;
            match route {
                Route::Chunks => chunks::answer(call).await,
                Route::Sessions => sessions::answer(call).await,
                Route::Companion => companion::answer(call).await,
                Route::Tus => tus::answer(call).await,
                Route::Generations => self.generations.answer(call).await,
            }
        };
        // What a panicking call held is dropped with it; nothing half changed is seen again.
        let answered = AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(|_| {
            let message = "the gateway failed; its log says why".to_owned();
            Err(Error::from_words(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                message,
                Some("a panic".to_owned()),
            ))
        });
        let (mut response, code) = match answered {
            Ok(response) => (response, None),
            Err(error) => (error.response_to(&request_id), Some(error.code())),
        };
        if route == Route::Tus && method != Method::OPTIONS {
            tus::dress(&mut response);
        }
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("x-amz-request-id", value);
        }
        self.config.metrics.request(route.name(), response.status().as_u16(), started.elapsed());
        let (status, expected) = (response.status().as_u16(), response.body().remaining());
        response.map(|body| {
            body.at_end(move |sent| {
                Access {
                    method: method.as_str(),
                    path: uri.path(),
                    query: uri.query(),
                    operation: route.name(),
                    status,
                    error: code,
                    bytes_in: received.bytes(),
                    bytes_out: sent.bytes(),
                    complete: expected.map_or_else(|| sent.finished(), |expected| sent.bytes() == expected),
                    elapsed: started.elapsed(),
                    request_id: &request_id,
                    identity: &identity,
                    peer: peer.unwrap_or_else(|| ([0, 0, 0, 0], 0).into()),
                }
                .log();
            })
        })
    }
}

/// Runs a task to its end, and again after a pause where it panics: one that is lost would be missed for as long as the gateway
/// runs.
async fn supervised<F: Future<Output = ()>>(
    what: &str,
    pause: Duration,
    mut stop: watch::Receiver<bool>,
    mut make: impl FnMut() -> F,
) {
    while AssertUnwindSafe(make()).catch_unwind().await.is_err() {
        tracing::error!(what, ?pause, "a task panicked, and is begun again");
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What the answer and the log call a request.
fn request_id(rng: &dyn Rng) -> String {
    let mut bytes = [0; 8];
    rng.fill(&mut bytes);
    hex(&bytes).to_ascii_uppercase()
}

impl Config {
    /// Whoever asks without credentials.
    pub fn anonymous(&self) -> Caller {
        Caller { identity: Identity::Anonymous, scope: None }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_begun_again_until_the_gateway_stops() {
        let (begun, stop) = (AtomicU32::new(0), watch::Sender::new(false));
        let times = |panics: u32| {
            let (begun, stop) = (&begun, &stop);
            begun.store(0, Ordering::Relaxed);
            move || async move {
                let time = begun.fetch_add(1, Ordering::Relaxed) + 1;
                if time == 5 {
                    stop.send_replace(true);
                }
                assert!(time > panics, "a panic of this test");
            }
        };
        supervised("a test", Duration::ZERO, stop.subscribe(), times(2)).await;
        assert_eq!(begun.load(Ordering::Relaxed), 3);
        supervised("a test", Duration::ZERO, stop.subscribe(), times(u32::MAX)).await;
        assert_eq!(begun.load(Ordering::Relaxed), 5);
    }
}
