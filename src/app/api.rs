//! What port 9001 answers: the administration under `/admin/` for root, and what the gateway says of itself ([`Monitor`]).
//!
//! Root shows itself by HTTP Basic (access key and secret key) or by a bearer token. A wrong secret, an unknown key and a token
//! that has ended are one answer, so that nobody learns which keys there are; whoever is somebody but not root gets 403.
//!
//! A browser sends credentials it remembers to whoever asks it to, and says in `Origin` on whose behalf. So a request from a
//! page of another origin is refused before its body and before its credentials are looked at.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response, StatusCode};

use super::admin::{Admin, refusal};
use super::monitor::Monitor;
use crate::auth::{KeyIdentity, Keyring};
use crate::base::clock::Clock;
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
    /// There once the store is open.
    open: Arc<OnceLock<Open>>,
}

/// What needs the store.
struct Open {
    admin: Arc<Admin>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

impl Api {
    pub(super) fn new(monitor: Monitor, trusted_proxies: Networks) -> Self {
        Self { monitor, trusted_proxies, open: Arc::default() }
    }

    /// From now on root may administer.
    pub(super) fn open(&self, admin: Arc<Admin>, keyring: Arc<Keyring>, clock: Arc<dyn Clock>) {
        self.open.get_or_init(|| Open { admin, keyring, clock });
    }

    pub(super) fn handler(&self) -> Handler {
        let api = self.clone();
        handler(move |request| {
            let api = api.clone();
            async move { api.answer(request).await }
        })
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if !request.uri().path().starts_with("/admin/") {
            return self.monitor.answer(&request);
        }
        let (mut head, body) = request.into_parts();
        if let Err(error) = forwarded::apply(&mut head, &self.trusted_proxies) {
            return refusal(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string());
        }
        let request = Request::from_parts(head, body);
        let tls = request.extensions().get::<ConnectionInfo>().is_some_and(|info| info.tls);
        if !same_origin(request.headers(), tls) {
            return refusal(StatusCode::FORBIDDEN, "AccessDenied", "requests of other origins are refused here");
        }
        let Some(open) = self.open.get() else {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the gateway is starting");
        };
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
