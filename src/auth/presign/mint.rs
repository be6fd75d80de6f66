//! Minting presigned URLs: pure, from a key and a request to a text.
//!
//! The text is, byte for byte, what botocore's presigner of version 4 makes of the same request: the request's own
//! parameters in their order, then those of the signature; every header that is asked for is signed as a header and none
//! moves to the query; the body is not signed unless `x-amz-content-sha256` is among the headers. Where botocore would leave
//! something out of the signature in silence, this refuses.

use std::fmt;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::LIFE_TOO_LONG;
use crate::auth::canonical::{RequestHead, SignedHeaders, canonical_request, encode_in_path, encode_in_query};
use crate::auth::credential::Credential;
use crate::auth::payload::{self, UNSIGNED_PAYLOAD};
use crate::auth::sigv4::{ALGORITHM, S3, SigningKey, string_to_sign};
use crate::base::clock::Timestamp;
use crate::base::limits::{HEADERS_MAX, PRESIGN_MAX, QUERY_PARAMETERS_MAX};
use crate::wire::base_url::BaseUrl;

/// The parameters that are the signature's own, of either version.
const RESERVED: [&str; 10] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
    "AWSAccessKeyId",
    "Signature",
];
/// Parameters that the signature adds at most.
const ADDED_MAX: usize = 7;

/// Headers that proxies and clients set or change on the way, so that a URL that signs them could not be used; the host is
/// the URL's own, and an Authorization beside it would be a second set of credentials.
const UNSIGNABLE: [&str; 16] = [
    "authorization",
    "baggage",
    "connection",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Who signs.
#[derive(Clone, Copy)]
pub struct PresignKey<'a> {
    /// The access key id.
    pub access_key_id: &'a str,
    /// The secret that belongs to it.
    pub secret: &'a str,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a str>,
}

impl fmt::Debug for PresignKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignKey").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Where the bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressingStyle {
    /// `host/bucket/key`.
    Path,
    /// `bucket.host/key`.
    VirtualHost,
}

/// What a URL is to be good for.
#[derive(Clone, Copy, Debug)]
pub struct PresignRequest<'a> {
    /// Who signs.
    pub key: PresignKey<'a>,
    /// The region it is signed for.
    pub region: &'a str,
    /// The method.
    pub method: &'a Method,
    /// What the URL begins with.
    pub base: &'a BaseUrl,
    /// Where the bucket stands.
    pub style: AddressingStyle,
    /// The bucket.
    pub bucket: &'a str,
    /// The object's key, none for the bucket itself.
    pub object: Option<&'a str>,
    /// The operation's own parameters, not encoded, in the order of the URL.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers that whoever uses the URL has to send with these values. `host` is always among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// How long it lives: 1 s to 7 days, in whole seconds.
    pub expires: Duration,
    /// When it is signed.
    pub time: Timestamp,
}

/// Why there is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresignError {
    /// A life beyond 7 days. The sentence is S3's, whose code for it is `AuthorizationQueryParametersError`, 400.
    #[error("{LIFE_TOO_LONG}")]
    LifeTooLong,
    /// A life of less than a second, or not of whole seconds.
    #[error("X-Amz-Expires must be a whole number of seconds, at least 1")]
    LifeNotSeconds,
    /// A time that SigV4 cannot write.
    #[error("the time is beyond the calendar")]
    Time,
    /// A name that cannot stand in a URL as a bucket.
    #[error("{0:?} is not a bucket name")]
    Bucket(String),
    /// Virtual-host style below an address.
    #[error("{0} is an address, which has no names below it: the bucket cannot stand in the host")]
    AddressHost(String),
    /// A parameter that is the signature's own, comes twice, or has no name.
    #[error("the query parameter {0:?} is the signature's own, given twice, or empty")]
    Parameter(String),
    /// More parameters than the gateway reads.
    #[error("more than {max} query parameters", max = QUERY_PARAMETERS_MAX - ADDED_MAX)]
    TooManyParameters,
    /// A header that is none.
    #[error("{0:?} is no header or its value is none")]
    Header(String),
    /// A header that must not be signed.
    #[error("the header {0} cannot be signed: it is set or changed on the way")]
    UnsignableHeader(String),
    /// More headers than the gateway reads.
    #[error("more than {max} headers", max = HEADERS_MAX - 1)]
    TooManyHeaders,
}

/// Makes the URL.
///
/// # Errors
/// Whatever of the request cannot be signed, or would be refused by every server.
pub fn mint(request: &PresignRequest<'_>) -> Result<String, PresignError> {
    let seconds = life_seconds(request.expires)?;
    let (host, path) = address(request)?;
    let headers = headers(&host, request.headers)?;
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let names = names.join(";");
    let signed = SignedHeaders::parse(&names).ok_or(PresignError::TooManyHeaders)?;
    let amz_date = request.time.amz_date();
    let credential = Credential {
        access_key_id: request.key.access_key_id.to_owned(),
        date: amz_date.get(..8).ok_or(PresignError::Time)?.to_owned(),
        region: request.region.to_owned(),
        service: S3.to_owned(),
    };
    let scope = credential.scope();
    let named = format!("{}/{scope}", credential.access_key_id);
    let mut parameters = own_parameters(request.query)?;
    parameters.extend([
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &named),
        ("X-Amz-Date", &amz_date),
        ("X-Amz-Expires", &seconds),
        ("X-Amz-SignedHeaders", &names),
    ]);
    parameters.extend(request.key.session_token.map(|token| ("X-Amz-Security-Token", token)));
    let encoded =
        parameters.iter().map(|(name, value)| format!("{}={}", encode_in_query(name), encode_in_query(value)));
    let query = encoded.collect::<Vec<_>>().join("&");
    let head =
        RequestHead { method: request.method, path: &path, query: &query, headers: &headers, bucket_in_host: None };
    let payload_hash = headers.get(payload::HEADER).and_then(|hash| hash.to_str().ok()).unwrap_or(UNSIGNED_PAYLOAD);
    let canonical = canonical_request(head, &signed, payload_hash);
    let signing_key = SigningKey::derive(request.key.secret, &credential.date, request.region, S3);
    let signature = signing_key.sign(&string_to_sign(&amz_date, &scope, &canonical));
    Ok(format!("{}://{host}{path}?{query}&X-Amz-Signature={signature}", request.base.scheme()))
}

fn life_seconds(expires: Duration) -> Result<String, PresignError> {
    if expires > PRESIGN_MAX {
        return Err(PresignError::LifeTooLong);
    }
    if expires.as_secs() == 0 || expires.subsec_nanos() != 0 {
        return Err(PresignError::LifeNotSeconds);
    }
    Ok(expires.as_secs().to_string())
}

/// Host and path of the URL.
fn address(request: &PresignRequest<'_>) -> Result<(String, String), PresignError> {
    let PresignRequest { base, bucket, object, .. } = *request;
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if bucket.is_empty() || !bucket.bytes().all(sane) {
        return Err(PresignError::Bucket(bucket.to_owned()));
    }
    match request.style {
        AddressingStyle::Path => {
            let key = object.map(|key| format!("/{}", encode_in_path(key))).unwrap_or_default();
            Ok((base.host().to_owned(), format!("/{bucket}{key}")))
        }
        AddressingStyle::VirtualHost if base.is_address() => Err(PresignError::AddressHost(base.host().to_owned())),
        AddressingStyle::VirtualHost => {
            let key = object.map(encode_in_path).unwrap_or_default();
            Ok((format!("{bucket}.{}", base.host()), format!("/{key}")))
        }
    }
}

/// The headers that are signed.
fn headers(host: &str, wanted: &[(&str, &str)]) -> Result<HeaderMap, PresignError> {
    if wanted.len() >= HEADERS_MAX {
        return Err(PresignError::TooManyHeaders);
    }
    let value = |name: &str, value: &str| {
        HeaderValue::from_bytes(value.as_bytes()).map_err(|_| PresignError::Header(name.to_owned()))
    };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, value("host", host)?);
    for (name, text) in wanted {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| PresignError::Header((*name).to_owned()))?;
        if UNSIGNABLE.contains(&parsed.as_str()) {
            return Err(PresignError::UnsignableHeader(parsed.as_str().to_owned()));
        }
        headers.append(parsed, value(name, text)?);
    }
    Ok(headers)
}

/// The operation's own parameters, each once and none of the signature's.
fn own_parameters<'a>(query: &[(&'a str, &'a str)]) -> Result<Vec<(&'a str, &'a str)>, PresignError> {
    if query.len() > QUERY_PARAMETERS_MAX - ADDED_MAX {
        return Err(PresignError::TooManyParameters);
    }
    let mut own: Vec<(&str, &str)> = Vec::with_capacity(query.len() + ADDED_MAX);
    for (name, value) in query {
        let reserved = RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
        if name.is_empty() || reserved || own.iter().any(|(known, _)| known == name) {
            return Err(PresignError::Parameter((*name).to_owned()));
        }
        own.push((name, value));
    }
    Ok(own)
}
