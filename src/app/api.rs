//! What port 9001 answers: the upload API ([`Pipeline`]), the orders of the gateway's own generator ([`Embedded`]), the
//! administration under `/admin/` for root, and what the gateway says of itself ([`Monitor`]).
//!
//! Pages of other origins may use the upload API where `--cors-allow-origin` lets them; error answers say so too.
//!
//! Root shows itself by HTTP Basic (access key and secret key) or by a bearer token. A wrong secret, an unknown key and a token
//! that has ended are one answer, so that nobody learns which keys there are; whoever is somebody but not root gets 403.
//!
//! A browser sends credentials it remembers to whoever asks it to, and says in `Origin` on whose behalf. So a request from a
//! page of another origin is refused before its body and before its credentials are looked at.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, COOKIE, HOST, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};

use super::admin::{Admin, refusal};
use super::generator::Embedded;
use super::monitor::Monitor;
use crate::auth::{KeyIdentity, Keyring};
use crate::base::clock::Clock;
use crate::pipeline::Pipeline;
use crate::s3::cors::Defaults;
use crate::wire::cors::{Asked, Rule};
use crate::wire::forwarded;
use crate::wire::handler::{Handler, handler};
use crate::wire::network::Networks;
use crate::wire::{Body, ConnectionInfo};

/// What a client is asked for. Quoted text is RFC 7617's; a bearer token is RFC 6750's.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"wharf\", charset=\"UTF-8\", Bearer");

/// Answers on port 9001.
#[derive(Clone)]
pub(super) struct Api {
    monitor: Monitor,
    trusted_proxies: Networks,
    cors: Arc<Defaults>,
    /// There once the store is open.
    open: Arc<OnceLock<Open>>,
}

/// What needs the store.
struct Open {
    pipeline: Pipeline,
    /// There unless another generator is named.
    generator: Option<Arc<Embedded>>,
    admin: Arc<Admin>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

impl Api {
    /// `cors` says which other origins may use the upload API.
    pub(super) fn new(monitor: Monitor, trusted_proxies: Networks, cors: &Defaults) -> Self {
        // tus sends its bytes by PATCH.
        let cors = Arc::new(cors.clone().with_method(&Method::PATCH));
        Self { monitor, trusted_proxies, cors, open: Arc::default() }
    }

    /// From now on clients may upload and root may administer.
    pub(super) fn open(
        &self,
        pipeline: Pipeline,
        generator: Option<Arc<Embedded>>,
        admin: Arc<Admin>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) {
        self.open.get_or_init(|| Open { pipeline, generator, admin, keyring, clock });
    }

    pub(super) fn handler(&self) -> Handler {
        let api = self.clone();
        handler(move |request| {
            let api = api.clone();
            async move { api.answer(request).await }
        })
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if let Some(generator) = self.open.get().and_then(|open| open.generator.as_ref())
            && Embedded::answers(request.uri().path())
        {
            return generator.answer(request).await;
        }
        let uploads = Pipeline::answers(request.uri().path());
        if !uploads && !request.uri().path().starts_with("/admin/") {
            return self.monitor.answer(&request);
        }
        let (mut head, body) = request.into_parts();
        if let Err(error) = forwarded::apply(&mut head, &self.trusted_proxies) {
            return refusal(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string());
        }
        if uploads {
            return self.upload(head, body).await;
        }
        let request = Request::from_parts(head, body);
        let tls = request.extensions().get::<ConnectionInfo>().is_some_and(|info| info.tls);
        if !same_origin(request.headers(), tls) {
            return refusal(StatusCode::FORBIDDEN, "AccessDenied", "requests of other origins are refused here");
        }
        let Some(open) = self.open.get() else { return starting() };
        match open.caller(request.headers()) {
            Some(caller) if caller.is_unrestricted_root() => open.admin.answer(request).await,
            Some(_) => refusal(StatusCode::FORBIDDEN, "AccessDenied", "only the root key may administer"),
            None => {
                let message = "the root credentials are needed: HTTP Basic with access key and secret key, or a token";
                let mut response = refusal(StatusCode::UNAUTHORIZED, "Unauthorized", message);
                response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
                response
            }
        }
    }
}

impl Api {
    /// Answers a request to the upload API, and says which page may read the answer.
    async fn upload(&self, head: Parts, body: Body) -> Response<Body> {
        let headers = head.headers.clone();
        let method = head.method.clone();
        let asked = Asked::of(&method, &headers);
        let rule = asked.as_ref().and_then(|asked| self.cors.find(asked, &headers));
        let mut response = self.upload_from(head, body, rule).await;
        if let (Some(asked), Some(rule)) = (&asked, rule) {
            asked.allow(rule, &[], response.headers_mut());
        }
        response
    }

    async fn upload_from(&self, head: Parts, body: Body, rule: Option<&Rule>) -> Response<Body> {
        let tls = head.extensions.get::<ConnectionInfo>().is_some_and(|info| info.tls);
        // RFC 9112 section 3.2: two readers of such a request could disagree about whom it is for.
        if head.version == Version::HTTP_11 && head.headers.get_all(HOST).iter().count() != 1 {
            return refusal(StatusCode::BAD_REQUEST, "InvalidRequest", "a request has one Host header");
        }
        if head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            let mut response = Response::new(Body::empty());
            let allowed = rule.is_some() || same_origin(&head.headers, tls);
            *response.status_mut() = if allowed { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN };
            return response;
        }
        // A rule for all origins lets pages read what anybody may; it does not let them use what a browser remembers.
        let named = rule.is_some_and(|rule| rule.origins.iter().all(|origin| !origin.is_any()));
        if is_ambient(&head.headers) && !named && !same_origin(&head.headers, tls) {
            let message = "requests of other origins are refused with credentials that a browser may add by itself";
            return refusal(StatusCode::FORBIDDEN, "AccessDenied", message);
        }
        match self.open.get() {
            Some(open) => open.pipeline.answer(Request::from_parts(head, body)).await,
            None => starting(),
        }
    }
}

/// Whether a request carries what a browser may have added by itself: HTTP Basic, a cookie.
fn is_ambient(headers: &HeaderMap) -> bool {
    let basic =
        |value: &HeaderValue| value.as_bytes().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"));
    headers.contains_key(COOKIE) || headers.get_all(AUTHORIZATION).iter().any(basic)
}

fn starting() -> Response<Body> {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the gateway is starting");
    response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

impl Open {
    /// Whose credentials these are; none for none and for bad ones.
    fn caller(&self, headers: &HeaderMap) -> Option<Arc<KeyIdentity>> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.keyring.bearer(credentials, self.clock.now());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
        let (access_key, secret) = pair.split_once(':')?;
        self.keyring.password(access_key, secret)
    }
}

/// Whether a request comes from a page of this very port, or from no page at all.
fn same_origin(headers: &HeaderMap, tls: bool) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (origin, further) = (origins.next(), origins.next());
    let Some(origin) = origin else { return true };
    let scheme = if tls { "https" } else { "http" };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = host.map(|host| format!("{scheme}://{host}"));
    further.is_none() && own.is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_port_are_of_this_origin() {
        let headers = |pairs: &[(http::HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name, HeaderValue::from_static(value));
            }
            headers
        };
        let host = (HOST, "127.0.0.1:9001");
        for (pairs, tls, same) in [
            (&[host.clone()][..], false, true),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1:9001")], false, true),
            (&[host.clone(), (ORIGIN, "https://127.0.0.1:9001")], true, true),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1:9001")], true, false),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1:9000")], false, false),
            (&[host.clone(), (ORIGIN, "http://evil.example")], false, false),
            (&[host.clone(), (ORIGIN, "null")], false, false),
            (&[host.clone(), (ORIGIN, "")], false, false),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1:9001"), (ORIGIN, "http://evil.example")], false, false),
            (&[(ORIGIN, "http://127.0.0.1:9001")], false, false),
        ] {
            assert_eq!(same_origin(&headers(pairs), tls), same, "{pairs:?} {tls}");
        }
    }
}
