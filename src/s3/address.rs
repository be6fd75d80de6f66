//! From the request's target and Host to a bucket and a key: path style and virtual-host style.
//!
//! Percent-encoding is undone exactly once and nothing is normalised: `..`, `//`, a leading slash and control characters are
//! part of the key, as at AWS. Whether the parts are legal names is judged here too, so no operation sees an illegal one.

use http::header::HOST;
use http::{HeaderMap, Uri};

use super::error::{Code, Error};
use super::op::Target;
use crate::store::types::{BucketName, ObjectKey};
use crate::wire::host::{is_host, split_port};

/// What a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The bucket, if it names one.
    pub bucket: Option<BucketName>,
    /// The key, if it names an object.
    pub key: Option<ObjectKey>,
    /// The host as the client wrote it, with its port.
    pub host: String,
    /// Whether the bucket stands in the host.
    pub virtual_host: bool,
}

impl Address {
    /// Reads the address of a request. `domains` are those whose subdomains name buckets; `localhost` always is one.
    ///
    /// # Errors
    /// `InvalidRequest` for a missing, doubled or impossible Host, `InvalidURI` for a broken path, `InvalidBucketName`,
    /// `KeyTooLongError`.
    pub fn parse(uri: &Uri, headers: &HeaderMap, domains: &[String]) -> Result<Self, Error> {
        let host = host(uri, headers)?;
        let (bucket, key, virtual_host) = split(uri, &host, domains)?;
        Ok(Self { bucket: bucket.map(bucket_name).transpose()?, key: object_key(key)?, host, virtual_host })
    }

    /// The bucket alone, which a request can name whose key is none.
    pub fn bucket_of(uri: &Uri, headers: &HeaderMap, domains: &[String]) -> Option<BucketName> {
        let host = host(uri, headers).ok()?;
        BucketName::parse(&split(uri, &host, domains).ok()?.0?)
    }

    /// What kind of thing is named.
    pub fn target(&self) -> Target {
        match (&self.bucket, &self.key) {
            (None, _) => Target::Service,
            (Some(_), None) => Target::Bucket,
            (Some(_), Some(_)) => Target::Object,
        }
    }

    /// `/bucket/key`, as error documents name it.
    pub fn resource(&self) -> String {
        match (&self.bucket, &self.key) {
            (None, _) => "/".to_owned(),
            (Some(bucket), None) => format!("/{bucket}"),
            (Some(bucket), Some(key)) => format!("/{bucket}/{}", key.as_str()),
        }
    }
}

/// The name of the bucket, the key as it stands in the target, and whether the bucket stands in the host.
fn split<'a>(uri: &'a Uri, host: &str, domains: &[String]) -> Result<(Option<String>, &'a str, bool), Error> {
    let path = uri.path().strip_prefix('/').ok_or(Code::INVALID_URI)?;
    Ok(match bucket_of_host(host, domains) {
        Some(bucket) => (Some(bucket), path, true),
        None => match path.split_once('/') {
            _ if path.is_empty() => (None, "", false),
            Some((bucket, key)) => (Some(decode(bucket)?), key, false),
            None => (Some(decode(path)?), "", false),
        },
    })
}

/// Undoes percent-encoding once; none where a `%` is not followed by two hexadecimal digits or the result is not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let escapes = text.split('%').skip(1);
    let well_formed = escapes
        .map(str::as_bytes)
        .all(|rest| rest.get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok().filter(|_| well_formed)?;
    Some(decoded.into_owned())
}

fn decode(text: &str) -> Result<String, Error> {
    percent_decode(text).ok_or_else(|| Code::INVALID_URI.into())
}

fn bucket_name(name: String) -> Result<BucketName, Error> {
    BucketName::parse(&name).ok_or_else(|| Error::new(Code::INVALID_BUCKET_NAME).with("BucketName", name))
}

fn object_key(raw: &str) -> Result<Option<ObjectKey>, Error> {
    if raw.is_empty() {
        return Ok(None);
    }
    let key = decode(raw)?;
    match ObjectKey::parse(&key) {
        Some(key) => Ok(Some(key)),
        None => Err(key_too_long(key.len())),
    }
}

/// `KeyTooLongError`, with the lengths AWS adds.
pub fn key_too_long(len: usize) -> Error {
    let max = crate::base::limits::KEY_MAX_BYTES;
    Error::new(Code::KEY_TOO_LONG).with("Size", len.to_string()).with("MaxSizeAllowed", max.to_string())
}

/// The host the request is for. RFC 9112 section 3.2.2 lets an absolute target override the Host header; a proxy and we could
/// then disagree about the bucket, so the two must be the same.
fn host(uri: &Uri, headers: &HeaderMap) -> Result<String, Error> {
    let invalid = || Error::new(Code::INVALID_REQUEST).message("The Host header is missing, doubled or invalid.");
    let mut values = headers.get_all(HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(invalid()) };
    let host = value.to_str().ok().filter(|host| is_host(host)).ok_or_else(invalid)?;
    if uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
        let message = "The Host header and the authority of the request target differ.";
        return Err(Error::new(Code::INVALID_REQUEST).message(message));
    }
    Ok(host.to_owned())
}

/// A host without its port.
pub fn host_name(host: &str) -> &str {
    split_port(host).0
}

/// The bucket in a host of the longest domain it lies below. The domain itself, like any other host, is path style.
fn bucket_of_host(host: &str, domains: &[String]) -> Option<String> {
    let name = split_port(host).0.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let domains = || domains.iter().map(String::as_str).chain(["localhost"]).map(str::to_ascii_lowercase);
    if domains().any(|domain| domain == name) {
        return None;
    }
    domains()
        .filter_map(|domain| name.strip_suffix(&domain)?.strip_suffix('.').map(str::to_owned))
        .filter(|bucket| !bucket.is_empty())
        .min_by_key(String::len)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parse(host: &str, target: &str) -> Result<(Option<String>, Option<String>), &'static str> {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
        let domains = ["s3.example.com".to_owned(), "example.com".to_owned()];
        let address = Address::parse(&target.parse().unwrap(), &headers, &domains).map_err(|e| e.code().name)?;
        Ok((address.bucket.map(|b| b.to_string()), address.key.map(|key| key.as_str().to_owned())))
    }

    fn named(bucket: &str, key: &str) -> Result<(Option<String>, Option<String>), &'static str> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok((some(bucket), some(key)))
    }

    #[test]
    fn path_style_keeps_keys_literally() {
        for (target, bucket, key) in [
            ("/", "", ""),
            ("/?list-type=2", "", ""),
            ("/bkt", "bkt", ""),
            ("/bkt/", "bkt", ""),
            ("/bkt/?delete=", "bkt", ""),
            ("/bkt/a", "bkt", "a"),
            ("/bkt//a", "bkt", "/a"),
            ("/bkt/a//b/../c/.", "bkt", "a//b/../c/."),
            ("/bkt/a/", "bkt", "a/"),
            ("/bkt/a+b%20c%2Bd%252F", "bkt", "a+b c+d%2F"),
            ("/bkt/%00%01%0a", "bkt", "\0\u{1}\n"),
            ("/bkt/%C3%A9", "bkt", "é"),
            ("/bkt/%2F", "bkt", "/"),
        ] {
            assert_eq!(parse("127.0.0.1:9000", target), named(bucket, key), "{target}");
        }
    }

    #[test]
    fn virtual_hosts() {
        for (host, target, bucket, key) in [
            ("bkt.s3.example.com", "/a/b", "bkt", "a/b"),
            ("bkt.example.com:9000", "//a", "bkt", "/a"),
            ("BKT.Example.com", "/", "bkt", ""),
            ("a.b.localhost:9000", "/k", "a.b", "k"),
            ("s3.example.com", "/bkt/a", "bkt", "a"),
            ("localhost:9000", "/bkt/a", "bkt", "a"),
            ("wharf:9000", "/bkt/a", "bkt", "a"),
            ("[::1]:9000", "/bkt/a", "bkt", "a"),
            ("notexample.com", "/bkt/a", "bkt", "a"),
        ] {
            assert_eq!(parse(host, target), named(bucket, key), "{host}{target}");
        }
    }

    #[test]
    fn refusals() {
        let long = format!("/bkt/{}", "k".repeat(1025));
        for (host, target, code) in [
            ("h", "/B_t/a", "InvalidBucketName"),
            ("h", "//a", "InvalidBucketName"),
            ("h", "/192.168.0.1/a", "InvalidBucketName"),
            ("B_t.localhost", "/a", "InvalidBucketName"),
            ("h", "/bkt/%ff", "InvalidURI"),
            ("h", "/bkt/%zz", "InvalidURI"),
            ("h", "/bkt/a%", "InvalidURI"),
            ("h", &long, "KeyTooLongError"),
            ("", "/", "InvalidRequest"),
            ("a b", "/", "InvalidRequest"),
            ("h:99999", "/", "InvalidRequest"),
            ("h:+1", "/", "InvalidRequest"),
            ("[::g]", "/", "InvalidRequest"),
            ("a", "http://b/bkt", "InvalidRequest"),
        ] {
            assert_eq!(parse(host, target), Err(code), "{host} {target}");
        }
        assert_eq!(parse("h", &long[..long.len() - 1]).map(|(_, key)| key.map(|k| k.len())), Ok(Some(1024)));
        assert!(Address::parse(&Uri::from_static("/"), &HeaderMap::new(), &[]).is_err());
    }

    #[test]
    fn an_absolute_target_with_the_same_authority_is_fine() {
        assert_eq!(parse("h:9000", "http://H:9000/bkt/a"), named("bkt", "a"));
    }
}
