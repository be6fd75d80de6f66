//! `POST /generate` and `POST /cancel`: what the gateway orders images with. Errors are `{"error":{"code","message"}}`.
//!
//! A caller shows the token, compared in constant time, before its body is read. Browsers name the page they act for in
//! `Origin`, and no page has business here: such requests are refused, so that a generator on loopback, which may be without a
//! token, is not every page's. An order is judged whole before it is taken, the hosts of its URLs included; they are looked up
//! again for each connection.
//!
//! The same order again is answered as before, while its generation waits or is under way, and begins nothing: the gateway may
//! ask as often as it likes.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::order::Order;
use super::queue::{Admission, Queue};
use super::render::Renderer;
use super::uploader::{self, Progress, Tools};
use crate::base::clock::Clock;
use crate::base::limits::{
    CANCEL_BODY_MAX_BYTES, GENERATE_BODY_MAX_BYTES, GENERATIONS_QUEUED_MAX, GENERATIONS_RUNNING_MAX,
};
use crate::base::rng::Rng;
use crate::wire::destination::Outbound;
use crate::wire::handler::{Handler, handler};
use crate::wire::url::HttpUrl;
use crate::wire::{Body, BodyError};

/// Orders an image.
pub const GENERATE: &str = "/generate";
/// Ends a generation.
pub const CANCEL: &str = "/cancel";

/// What a client is asked for (RFC 6750).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"wharf generator\"");
/// When a full queue may be asked again.
const FULL_RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// What an endpoint is made of.
pub struct EndpointConfig {
    /// What callers must show; none asks for nothing.
    pub token: Option<String>,
    /// Where parts and reports may go.
    pub outbound: Outbound,
    /// The gateway's API where an order names none.
    pub callback_base: Option<HttpUrl>,
    /// Draws the images.
    pub renderer: Arc<Renderer>,
    /// Tells which URLs have ended.
    pub clock: Arc<dyn Clock>,
    /// Spreads tries.
    pub rng: Arc<dyn Rng>,
}

/// The endpoint. A clone is the same one.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    token: Option<String>,
    callback_base: Option<HttpUrl>,
    tools: Arc<Tools>,
    queue: Queue,
}

/// Why a request is turned away.
enum Refusal {
    NotFound,
    Method(&'static str),
    Origin,
    Unauthorized,
    TooLarge(usize),
    Invalid(String),
    Full,
    Stopping,
}

impl Endpoint {
    /// An endpoint with an empty queue.
    pub fn new(config: EndpointConfig) -> Self {
        let EndpointConfig { token, outbound, callback_base, renderer, clock, rng } = config;
        let tools = Arc::new(Tools { outbound, renderer, clock, rng });
        let working = Arc::clone(&tools);
        let work = Arc::new(move |order, progress| {
            let future: futures_util::future::BoxFuture<'static, ()> =
                Box::pin(uploader::run(order, Arc::clone(&working), progress));
            future
        });
        let queue = Queue::new(GENERATIONS_RUNNING_MAX, GENERATIONS_QUEUED_MAX, work);
        Self(Arc::new(Inner { token, callback_base, tools, queue }))
    }

    /// Answers on a listener of its own: the endpoint, and health.
    pub fn handler(&self) -> Handler {
        let endpoint = self.clone();
        handler(move |request| {
            let endpoint = endpoint.clone();
            async move {
                match request.uri().path() {
                    "/health/live" => endpoint.health(request.method(), "live"),
                    "/health/ready" => endpoint.health(request.method(), "ready"),
                    _ => endpoint.answer(request).await,
                }
            }
        })
    }

    /// Answers [`GENERATE`] and [`CANCEL`]; everything else is not found.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        match self.decide(request).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(),
        }
    }

    /// How far a generation has come; none when it neither waits nor is under way.
    pub fn progress(&self, uuid: &str) -> Option<watch::Receiver<Progress>> {
        self.0.queue.progress(uuid)
    }

    /// Takes no more orders, lets generations under way finish for at most `within` and ends the rest, about which nobody is
    /// told: the gateway orders them again. Returns how many those were.
    pub async fn stop(&self, within: Duration) -> usize {
        self.0.queue.stop(within).await
    }

    async fn decide(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        let max_bytes = match head.uri.path() {
            GENERATE => GENERATE_BODY_MAX_BYTES,
            CANCEL => CANCEL_BODY_MAX_BYTES,
            _ => return Err(Refusal::NotFound),
        };
        if head.method != Method::POST {
            return Err(Refusal::Method("POST"));
        }
        if head.headers.contains_key(ORIGIN) {
            return Err(Refusal::Origin);
        }
        if !self.admits(&head.headers) {
            return Err(Refusal::Unauthorized);
        }
        let body = body.collect(max_bytes).await.map_err(|error| match error {
            BodyError::TooLarge(max_bytes) => Refusal::TooLarge(max_bytes),
            error => Refusal::Invalid(error.to_string()),
        })?;
        if head.uri.path() == GENERATE { self.generate(&body).await } else { self.cancel(&body) }
    }

    /// Whether the caller shows the token.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.0.token else { return true };
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else { return false };
        scheme.eq_ignore_ascii_case("bearer") && bool::from(token.trim().as_bytes().ct_eq(expected.as_bytes()))
    }

    async fn generate(&self, body: &[u8]) -> Result<Response<Body>, Refusal> {
        let order = Order::from_json(body, self.0.callback_base.as_ref());
        let order = order.map_err(|error| Refusal::Invalid(error.to_string()))?;
        if !self.0.queue.knows(&order.uuid) {
            if self.0.queue.is_full() {
                return Err(Refusal::Full);
            }
            let checked = order.check_hosts(self.0.tools.outbound.allowed()).await;
            checked.map_err(|error| Refusal::Invalid(error.to_string()))?;
        }
        let uuid = order.uuid.clone();
        match self.0.queue.submit(order) {
            admission @ (Admission::Accepted | Admission::Known) => {
                let (queued, known) = (self.0.queue.waits(&uuid), admission == Admission::Known);
                let accepted = json!({"ok": true, "status": "ACCEPTED", "queued": queued, "known": known});
                Ok(said(StatusCode::ACCEPTED, &accepted))
            }
            Admission::Full => Err(Refusal::Full),
            Admission::Stopping => Err(Refusal::Stopping),
        }
    }

    fn cancel(&self, body: &[u8]) -> Result<Response<Body>, Refusal> {
        let parsed: Value =
            serde_json::from_slice(body).map_err(|error| Refusal::Invalid(format!("the body is no JSON: {error}")))?;
        let uuid = parsed.get("generationUuid").and_then(Value::as_str);
        let uuid = uuid.ok_or_else(|| Refusal::Invalid("generationUuid must be a text".to_owned()))?;
        self.0.queue.cancel(uuid);
        Ok(said(StatusCode::OK, &json!({"ok": true})))
    }

    fn health(&self, method: &Method, word: &str) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Refusal::Method("GET, HEAD").response();
        }
        let mut response = Response::new(Body::full(format!("{word}\n")));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

impl Refusal {
    fn response(&self) -> Response<Body> {
        let (status, code, message) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "NotFound", "there is nothing here".to_owned()),
            Self::Method(allowed) => {
                (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", format!("this path takes {allowed}"))
            }
            Self::Origin => (StatusCode::FORBIDDEN, "AccessDenied", "pages have no business here".to_owned()),
            Self::Unauthorized => {
                let message = "the generator's token is needed: Authorization: Bearer TOKEN";
                (StatusCode::UNAUTHORIZED, "Unauthorized", message.to_owned())
            }
            Self::TooLarge(max_bytes) => {
                let message = format!("the body is longer than {max_bytes} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message)
            }
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, "InvalidRequest", message.clone()),
            Self::Full => {
                (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "as many generations wait as may".to_owned())
            }
            Self::Stopping => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the generator is stopping".to_owned())
            }
        };
        let mut response = said(status, &json!({"error": {"code": code, "message": message}}));
        let header = match self {
            Self::Method(allowed) => Some((ALLOW, HeaderValue::from_static(allowed))),
            Self::Unauthorized => Some((WWW_AUTHENTICATE, CHALLENGE)),
            Self::Full | Self::Stopping => Some((RETRY_AFTER, FULL_RETRY_AFTER)),
            Self::NotFound | Self::Origin | Self::TooLarge(_) | Self::Invalid(_) => None,
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn said(status: StatusCode, what: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(format!("{what}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
