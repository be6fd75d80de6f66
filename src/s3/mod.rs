//! Rank 4: the S3 dialect. A request passes through one pipeline:
//!
//! address -> select -> authenticate -> authorize -> refuse what is not built -> bound body -> run -> render.
//!
//! A POST form carries its credentials in its fields, so its operation authenticates, authorizes and refuses once it has read
//! those, in this order and by the same functions, and before it takes a byte of the file.
//!
//! Invariants:
//! - every answer carries a request id, and every failure is one row of [`error::Code`];
//! - the body is not asked for a byte before its head, its signature, its permission, the room on disk and the existence of
//!   what it belongs to are known to be good, so `100 Continue` is a promise. Exceptions are the small bodies on which
//!   permission depends: a form's fields, the keys of DeleteObjects, the tags of PutObjectTagging, the parameters of AssumeRole;
//! - a complete or a copy that takes long begins its answer before it is done;
//! - what is recognised and not built answers 501 or another refusal, never a wrong success.
//!
//! Absent on purpose: sockets and TLS (the server's), and anything of the store's but its calls.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tokio::time::Instant;

use crate::auth::{Authenticated, Authenticator, Identity, RequestHead};
use crate::base::clock::Clock;
use crate::base::digest::hex;
use crate::base::limits::HEADERS_MAX_BYTES;
use crate::base::rng::Rng;
use crate::store::types::{Bucket, BucketName};
use crate::store::{self, Store};
use crate::telemetry::access::Access;
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;
use crate::wire::network::Networks;
use crate::wire::{Body, ConnectionInfo, forwarded};
use address::Address;
use call::Call;
use error::{Code, Error};
use op::{BodyRule, Op};
use query::Query;
use rules::RulesCache;
use shares::{Held, Shares};

pub mod acl;
pub mod address;
pub mod call;
pub mod conditions;
pub mod copy_source;
pub mod cors;
pub mod error;
pub mod headers;
pub mod listing;
pub mod op;
pub mod ops;
pub mod permission;
pub mod query;
pub mod receive;
pub mod refusals;
pub mod retrieval;
pub mod rules;
pub mod shares;
mod slow;
pub mod tags;
pub mod xml;

pub use op::operations_table;

/// The operation's name in metrics and log before one is selected.
const UNKNOWN: &str = "Unknown";
const HEALTH: &str = "Health";

/// What the gateway is made of.
pub struct S3Config {
    /// The region it says it is in.
    pub region: String,
    /// Domains whose subdomains name buckets.
    pub domains: Vec<String>,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Networks,
    /// Decides who sent a request.
    pub authenticator: Authenticator,
    /// The store.
    pub store: Arc<Store>,
    /// What all requests share.
    pub shares: Shares,
    /// The documents of buckets that say who may do what.
    pub rules: RulesCache,
    /// Requests are counted here.
    pub metrics: Metrics,
    /// What `/minio/health/ready` answers.
    pub health: Health,
    /// Which pages of other origins may read answers, whatever a bucket says.
    pub cors: Arc<cors::Defaults>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Request ids are drawn from here.
    pub rng: Arc<dyn Rng>,
}

impl S3Config {
    /// Canonical user id of the owner of a bucket: its maker, or whoever holds the root key.
    fn owner_of<'a>(&'a self, bucket: &'a Bucket) -> &'a str {
        bucket.owner.as_deref().unwrap_or(&self.authenticator.keyring().root().canonical_user_id)
    }
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config").field("region", &self.region).field("domains", &self.domains).finish_non_exhaustive()
    }
}

/// The S3 gateway: answers requests.
#[derive(Clone, Debug)]
pub struct S3 {
    config: Arc<S3Config>,
}

/// What becomes known of a request on its way, for the answer and the log.
#[derive(Clone, Debug)]
struct Trace {
    operation: &'static str,
    /// Who sent it, once that is known: the access key id.
    identity: Arc<OnceLock<String>>,
    resource: String,
    request_id: String,
    host_id: String,
    bucket: Option<String>,
    key: Option<String>,
    upload: Option<String>,
    late_error: slow::LateError,
}

impl S3 {
    /// A gateway.
    pub fn new(config: S3Config) -> Self {
        Self { config: Arc::new(config) }
    }

    /// What it is made of.
    pub fn config(&self) -> &Arc<S3Config> {
        &self.config
    }

    /// Answers a request. Never fails and never panics: whatever goes wrong is an answer.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let (mut head, body) = request.into_parts();
        let forwarded = forwarded::apply(&mut head, &self.config.trusted_proxies);
        let received = body.progress();
        let mut trace = Trace::new(&head, self.config.rng.as_ref());
        let grant = cors::Grant::of(&self.config, &head);
        // What the panicking operation held is dropped with it; nothing half changed is seen again.
        let answering = async {
            forwarded?;
            self.answer(&head, body, &mut trace).await
        };
        let answered = AssertUnwindSafe(answering).catch_unwind().await;
        let answered = answered.unwrap_or_else(|panic| {
            Err(Error::new(Code::INTERNAL_ERROR).detail(format!("panic: {}", panic_text(panic.as_ref()))))
        });
        let (mut response, code) = match answered {
            Ok(response) => (response, None),
            Err(error) => {
                let code = error.code().name;
                (trace.render(&head.method, error), Some(code))
            }
        };
        trace.stamp(response.headers_mut());
        if let Some(grant) = grant {
            grant.write(response.headers_mut());
        }
        self.finish(head, response, trace, code, started, received)
    }

    async fn answer(&self, head: &Parts, body: Body, trace: &mut Trace) -> Result<Response<Body>, Error> {
        let address = Address::parse(&head.uri, &head.headers, &self.config.domains);
        // In a bucket's own host these paths are ordinary keys. A probe need not name a host at all.
        if !address.as_ref().is_ok_and(|address| address.virtual_host)
            && let Some(response) = health(head, &self.config.health)
        {
            trace.operation = HEALTH;
            return Ok(response);
        }
        check_size(head)?;
        check_coding(head)?;
        let address = address?;
        let preflight = head.method == Method::OPTIONS;
        let query = match preflight {
            // It is that of the request to come.
            true => Query::default(),
            false => Query::parse(head.uri.query().unwrap_or_default())?,
        };
        let headers = hoisted(&head.headers, &query);
        trace.address(&address, &query);
        let op = op::select(&head.method, address.target(), &query, &headers)?;
        trace.operation = op.name;
        let wire = RequestHead {
            method: &head.method,
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            bucket_in_host: address.bucket.as_ref().filter(|_| address.virtual_host).map(BucketName::as_str),
        };
        // Where the credentials are in the body, or cover it, the operation authenticates and authorizes itself.
        // A preflight has none.
        let later = preflight || matches!(op.body, BodyRule::Form | BodyRule::Call(_));
        let auth = match op.body {
            _ if preflight => Authenticated::nobody(),
            BodyRule::Form => self.config.authenticator.before_form(wire)?,
            BodyRule::Call(_) => Authenticated::nobody(),
            _ => self.config.authenticator.authenticate(wire, self.config.clock.now())?,
        };
        if !later {
            trace.identify(&auth.identity);
        }
        let bucket = match &address.bucket {
            Some(name) if !preflight && !op.makes_bucket() => Some(self.config.store.bucket(name)?),
            _ => None,
        };
        let connection = head.extensions.get::<ConnectionInfo>().copied();
        let call = Call {
            config: Arc::clone(&self.config),
            method: head.method.clone(),
            address,
            query,
            headers,
            auth,
            found: bucket,
            length: None,
            connection,
            trace: trace.clone(),
            body,
            held: Held::default(),
        };
        if !later {
            call.asking().authorize(op, call.place())?;
        }
        self.run(op, call).await
    }

    /// Bounds the body of an authorized call and runs it.
    async fn run(&self, op: &'static Op, mut call: Call) -> Result<Response<Body>, Error> {
        let run = op.run.ok_or_else(|| unbuilt(op))?;
        refusals::check(op, &call.headers, &call.query)?;
        call.length = receive::bound(&call.headers, &call.auth.payload, op.body)?;
        if matches!(op.body, BodyRule::Stream | BodyRule::Form) {
            // A body of unknown length is checked as it grows; here only whether there is room at all.
            self.config.store.check_room(call.length.unwrap_or(0))?;
        }
        run(call).await
    }

    /// Counts the request, and logs it when its answer has been taken.
    fn finish(
        &self,
        head: Parts,
        response: Response<Body>,
        trace: Trace,
        code: Option<&'static str>,
        started: Instant,
        received: Arc<crate::wire::body::Progress>,
    ) -> Response<Body> {
        let status = response.status().as_u16();
        let expected = if head.method == Method::HEAD { Some(0) } else { response.body().remaining() };
        self.config.metrics.request(trace.operation, status, started.elapsed());
        response.map(|body| {
            body.at_end(move |sent| {
                let nobody = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
                Access {
                    method: head.method.as_str(),
                    path: head.uri.path(),
                    query: head.uri.query(),
                    operation: trace.operation,
                    status,
                    error: code.or_else(|| trace.late_error.get().copied()),
                    bytes_in: received.bytes(),
                    bytes_out: sent.bytes(),
                    complete: expected.map_or_else(|| sent.finished(), |expected| sent.bytes() == expected),
                    elapsed: started.elapsed(),
                    request_id: &trace.request_id,
                    identity: trace.identity.get().map_or("", String::as_str),
                    peer: head.extensions.get::<ConnectionInfo>().map_or(nobody, |connection| connection.peer),
                }
                .log();
            })
        })
    }
}

/// What the port answers while the store is being opened: health, and for the rest that it is worth trying again.
pub fn starting(request: Request<Body>, state: &Health, cors: &cors::Defaults, rng: &dyn Rng) -> Response<Body> {
    let (head, _unread) = request.into_parts();
    if let Some(response) = health(&head, state) {
        return response;
    }
    let trace = Trace::new(&head, rng);
    let error = Error::from(store::error::Error::Busy("the store is being opened".to_owned()));
    let mut response = error.response(&head.method, &trace.resource, &trace.request_id, &trace.host_id);
    trace.stamp(response.headers_mut());
    if let Some(grant) = cors::Grant::built_in(cors, &head) {
        grant.write(response.headers_mut());
    }
    response
}

/// The two addresses that are no bucket's. They tell nothing that needs a signature.
fn health(head: &Parts, health: &Health) -> Option<Response<Body>> {
    let status = match head.uri.path() {
        "/minio/health/live" => StatusCode::OK,
        "/minio/health/ready" if health.ready().is_ok() => StatusCode::OK,
        "/minio/health/ready" => StatusCode::SERVICE_UNAVAILABLE,
        _ => return None,
    };
    let asks = head.method == Method::GET || head.method == Method::HEAD;
    Some(call::empty(if asks { status } else { StatusCode::METHOD_NOT_ALLOWED }))
}

impl Trace {
    fn new(head: &Parts, rng: &dyn Rng) -> Self {
        let (mut request_id, mut host_id) = ([0; 8], [0; 42]);
        rng.fill(&mut request_id);
        rng.fill(&mut host_id);
        Self {
            operation: UNKNOWN,
            identity: Arc::default(),
            resource: head.uri.path().to_owned(),
            request_id: hex(&request_id).to_ascii_uppercase(),
            host_id: BASE64.encode(host_id),
            bucket: None,
            key: None,
            upload: None,
            late_error: slow::LateError::default(),
        }
    }

    fn address(&mut self, address: &Address, query: &Query) {
        self.resource = address.resource();
        self.bucket = address.bucket.as_ref().map(ToString::to_string);
        self.key = address.key.as_ref().map(|key| key.as_str().to_owned());
        self.upload = query.get("uploadId").map(str::to_owned);
    }

    /// Notes who sent the request; what is noted first stays.
    fn identify(&self, identity: &Identity) {
        self.identity.get_or_init(|| identity.access_key_id().unwrap_or_default().to_owned());
    }

    /// The failure as the client is told; what it must not be told goes to the log.
    fn render(&self, method: &Method, error: Error) -> Response<Body> {
        let code = error.code();
        if code.status >= 500 && code != Code::NOT_IMPLEMENTED {
            let detail = error.logged().unwrap_or_else(|| error.text());
            tracing::error!(request_id = self.request_id, operation = self.operation, code = code.name, detail);
        }
        let concerned = match code {
            Code::NO_SUCH_BUCKET
            | Code::NO_SUCH_BUCKET_POLICY
            | Code::NO_SUCH_PUBLIC_ACCESS_BLOCK
            | Code::OWNERSHIP_CONTROLS_NOT_FOUND
            | Code::NO_SUCH_TAG_SET
            | Code::NO_SUCH_CORS_CONFIGURATION
            | Code::BUCKET_NOT_EMPTY
            | Code::BUCKET_ALREADY_OWNED_BY_YOU => ("BucketName", &self.bucket),
            Code::NO_SUCH_KEY | Code::CONDITIONAL_REQUEST_CONFLICT => ("Key", &self.key),
            Code::NO_SUCH_UPLOAD => ("UploadId", &self.upload),
            _ => ("", &None),
        };
        let error = match concerned {
            // Where the request's own is not what is missing, the failure says what is.
            (element, Some(name)) if !error.has(element) => error.with(element, name),
            _ => error,
        };
        error.response(method, &self.resource, &self.request_id, &self.host_id)
    }

    fn stamp(&self, headers: &mut HeaderMap) {
        call::set(headers, "x-amz-request-id", &self.request_id);
        call::set(headers, "x-amz-id-2", &self.host_id);
        headers.insert(http::header::SERVER, HeaderValue::from_static("wharf"));
    }
}

fn unbuilt(op: &Op) -> Error {
    Error::new(Code::NOT_IMPLEMENTED).message(format!("{} is not implemented.", op.name))
}

fn check_size(head: &Parts) -> Result<(), Error> {
    let lines = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let target = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    if lines.sum::<usize>() + target <= HEADERS_MAX_BYTES {
        return Ok(());
    }
    Err(Error::new(Code::REQUEST_HEADERS_TOO_LARGE).with("MaxSizeAllowed", HEADERS_MAX_BYTES.to_string()))
}

/// Only `chunked` is understood: whatever else is named would be stored still encoded (RFC 9112 section 6.1).
fn check_coding(head: &Parts) -> Result<(), Error> {
    match head.headers.get(http::header::TRANSFER_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Err(Error::new(Code::NOT_IMPLEMENTED).message("Only the transfer coding chunked is implemented."))
        }
        _ => Ok(()),
    }
}

/// The headers, and in their place the `x-amz-*` parameters of the query: presigning clients move headers there, signed like
/// the rest. A header that is there too wins.
///
/// Checksum values stay behind: who presigns a PUT does not know its body, and AWS's JavaScript SDK signs the checksum of an
/// empty one. AWS ignores them there
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>); those in headers count.
fn hoisted(headers: &HeaderMap, query: &Query) -> HeaderMap {
    let mut all = headers.clone();
    for (name, value) in query.pairs() {
        let name = name.to_ascii_lowercase();
        let credential = ["algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token"];
        let Some(short) = name.strip_prefix("x-amz-") else { continue };
        let checksum = short == "sdk-checksum-algorithm" || receive::is_checksum_value(&name);
        if credential.contains(&short) || checksum || all.contains_key(&name) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(&name), HeaderValue::from_bytes(value.as_bytes())) {
            all.insert(name, value);
        }
    }
    all
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of unknown kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_presigned_urls_stand_for_headers() {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static("x-amz-acl"), HeaderValue::from_static("private"))]);
        let query = "X-Amz-Signature=s&X-Amz-Acl=public-read&x-amz-checksum-crc32=AAAAAA%3D%3D&X-Amz-Sdk-Checksum-Algorithm=CRC32&x-amz-checksum-algorithm=CRC32&X-Amz-Meta-A=b";
        let all = hoisted(&headers, &Query::parse(query).unwrap());
        assert_eq!(all["x-amz-acl"], "private");
        assert_eq!(all["x-amz-checksum-algorithm"], "CRC32");
        assert_eq!(all["x-amz-meta-a"], "b");
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn unbuilt_operations_are_named() {
        let error = unbuilt(op::rows().find(|op| op.name == "PutBucketWebsite").unwrap());
        assert_eq!((error.code().status, error.text()), (501, "PutBucketWebsite is not implemented."));
    }

    #[test]
    fn large_heads() {
        let sized = |size: usize| {
            let request = Request::builder().uri("/").header("x-amz-meta-a", "v".repeat(size)).body(()).unwrap();
            check_size(&request.into_parts().0).map_err(|error| error.code().name)
        };
        assert_eq!(sized(HEADERS_MAX_BYTES - 100), Ok(()));
        assert_eq!(sized(HEADERS_MAX_BYTES), Err("RequestHeaderSectionTooLarge"));
    }
}
