//! The URLs that clients get: where they lead, in whose name they are signed, how long they live.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderMap, Method};

use super::call::{Call, Scope};
use super::error::Error;
use super::query::Query;
use crate::auth::Identity;
use crate::auth::presign::Link;
use crate::base::clock::Timestamp;
use crate::base::limits::PRESIGN_MAX;
use crate::store::types::{Bucket, ObjectKey, UploadId};
use crate::wire::base_url::BaseUrl;
use crate::wire::url::HttpUrl;

/// Where the gateway is reached.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// What clients reach the S3 listener as, where the settings say so.
    pub public: Option<BaseUrl>,
    /// What they reach the API listener as, where the settings say so.
    pub api_public: Option<BaseUrl>,
    /// What the generator reaches the S3 listener as.
    pub internal: BaseUrl,
    /// What the generator reaches this API as.
    pub api_internal: HttpUrl,
    /// The first S3 listener.
    pub s3_listener: SocketAddr,
    /// The first API listener.
    pub api_listener: SocketAddr,
    /// Whether the listeners speak TLS.
    pub tls: bool,
}

impl Addresses {
    /// What the URLs of a client begin with: the public URL; else the listener's own address; else, where it listens on every
    /// address, the host that the client came by, with the listener's port.
    pub fn s3(&self, headers: &HeaderMap) -> BaseUrl {
        self.public.clone().unwrap_or_else(|| self.by(self.s3_listener, headers))
    }

    /// The same of this API.
    pub fn api(&self, headers: &HeaderMap) -> BaseUrl {
        self.api_public.clone().unwrap_or_else(|| self.by(self.api_listener, headers))
    }

    fn by(&self, listener: SocketAddr, headers: &HeaderMap) -> BaseUrl {
        let asked = || {
            let host = headers.get(HOST)?.to_str().ok()?;
            let name = match host.rsplit_once(':') {
                Some((name, port)) if !port.contains(']') => name,
                _ => host,
            };
            BaseUrl::parse(&format!("{}://{name}:{}", if self.tls { "https" } else { "http" }, listener.port()))
        };
        let fixed = || BaseUrl::of_address(self.tls, listener);
        if listener.ip().is_unspecified() { asked().unwrap_or_else(fixed) } else { fixed() }
    }
}

impl Call {
    /// What the URLs of this caller begin with: a generator has its own way to the S3 port.
    fn s3_base(&self) -> BaseUrl {
        match self.caller.scope {
            Some(Scope::Generation { .. }) => self.config.addresses.internal.clone(),
            None => self.config.addresses.s3(&self.headers),
        }
    }

    /// A URL by which the object can be read, in the caller's name.
    ///
    /// # Errors
    /// Where the caller's rights have ended.
    pub fn object_url(&self, bucket: &Bucket, key: &ObjectKey) -> Result<String, Error> {
        let link = Signed { method: Method::GET, query: &[], headers: &[], expires: self.config.presign_expires };
        Ok(self.link(bucket, key, &link)?.0)
    }

    /// A URL by which a part can be put, and when it ends.
    ///
    /// # Errors
    /// Where the caller's rights have ended.
    pub fn part_url(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        number: u64,
        expires: Duration,
    ) -> Result<(String, Timestamp), Error> {
        let (number, id) = (number.to_string(), id.to_string());
        let query = [("partNumber", number.as_str()), ("uploadId", id.as_str())];
        self.link(bucket, key, &Signed { method: Method::PUT, query: &query, headers: &[], expires })
    }

    /// A URL in the caller's name, and when it ends.
    ///
    /// # Errors
    /// Where the caller's rights have ended, or there is no such URL.
    pub fn link(&self, bucket: &Bucket, key: &ObjectKey, signed: &Signed<'_>) -> Result<(String, Timestamp), Error> {
        let base = self.s3_base();
        let link = Link {
            method: &signed.method,
            base: &base,
            bucket: bucket.name.as_str(),
            object: key.as_str(),
            query: signed.query,
            headers: signed.headers,
            expires: signed.expires,
        };
        let config = &self.config;
        let identity: &Identity = &self.caller.identity;
        Ok(config.authenticator.link(identity, &link, config.clock.now(), config.rng.as_ref())?)
    }
}

/// What a URL is for.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    /// The method.
    pub method: Method,
    /// The operation's parameters.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers that have to be sent.
    pub headers: &'a [(&'a str, &'a str)],
    /// How long it lives at most.
    pub expires: Duration,
}

/// The life that a client asks for: whole seconds, 1 to 7 days.
///
/// # Errors
/// 400 that names the field.
pub fn life(field: &str, seconds: Option<u64>, default: Duration) -> Result<Duration, Error> {
    let life = seconds.map_or(default, Duration::from_secs);
    if life.is_zero() || life > PRESIGN_MAX {
        return Err(Error::field(field, format!("must be 1 to {} seconds", PRESIGN_MAX.as_secs())));
    }
    Ok(life)
}

/// The life that a query asks for.
///
/// # Errors
/// 400 that names the parameter.
pub fn life_of_query(query: &Query, default: Duration) -> Result<Duration, Error> {
    life("expiresIn", query.number("expiresIn")?, default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_begin_where_the_client_can_reach_them() {
        let base = |text: &str| BaseUrl::parse(text).unwrap();
        let addresses = |listener: &str, public: Option<&str>| Addresses {
            public: public.map(base),
            api_public: None,
            internal: base("http://127.0.0.1:9000"),
            api_internal: HttpUrl::of_base(&base("http://127.0.0.1:9001")),
            s3_listener: listener.parse().unwrap(),
            api_listener: "127.0.0.1:9001".parse().unwrap(),
            tls: false,
        };
        for (listener, public, host, expected) in [
            ("127.0.0.1:9000", None, "evil.example", "http://127.0.0.1:9000"),
            ("127.0.0.1:9000", Some("https://files.example.com"), "x", "https://files.example.com"),
            ("0.0.0.0:9000", None, "files.lan:9001", "http://files.lan:9000"),
            ("[::]:9000", None, "[2001:db8::1]:9001", "http://[2001:db8::1]:9000"),
            ("0.0.0.0:9000", None, "files.lan", "http://files.lan:9000"),
            ("0.0.0.0:9000", None, "a b", "http://0.0.0.0:9000"),
        ] {
            let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
            assert_eq!(addresses(listener, public).s3(&headers).to_string(), expected, "{listener} {host}");
        }
    }

    #[test]
    fn lives_have_bounds() {
        let default = Duration::from_secs(3600);
        assert_eq!(life("expiresIn", None, default).unwrap(), default);
        assert_eq!(life("expiresIn", Some(604_800), default).unwrap(), PRESIGN_MAX);
        assert!(life("expiresIn", Some(0), default).is_err() && life("expiresIn", Some(604_801), default).is_err());
    }
}
