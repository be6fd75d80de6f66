//! Credentials in the query: presigned URLs of signature version 2, as `aws s3 presign` of the CLI's version 1 and
//! boto3's default presigner still make them. GET, HEAD and PUT alone; in the Authorization header this version is never
//! accepted.
//!
//! What such a signature covers, and so what this file must see to:
//! - the method, Content-MD5, Content-Type, the time at which the URL ends, and every `x-amz-*` header, also those that
//!   presigners move to the query: one that is added, changed or left out does not match;
//! - bucket and path as on the wire, and of the query only the parameters of [`covers_parameter`]. The others are
//!   anybody's to change, so no operation may be chosen by one (a test beside the operations' table sees to it);
//! - not the region, not the host, not the body. Nothing limits how far off the end may be, as at AWS.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::canonical::{RequestHead, decode_in_query, parameters};
use super::error::{AuthError, AuthErrorCode};
use super::header::session_token;
use super::payload::{self, Payload, PayloadMode};
use super::presign::one_token;
use super::{Authenticated, Authenticator, Identity, SignaturePlace, Signed, sigv4};
use crate::base::clock::Timestamp;

/// As policies name this version.
pub(super) const ALGORITHM: &str = "AWS";
const AMZ: &str = "x-amz-";

/// The parameters that belong to the canonical resource: those of AWS's page, and every other by which S3 tells one
/// operation from another.
#[rustfmt::skip]
const COVERED: &[&str] = &[
    "abac", "accelerate", "acl", "analytics", "attributes", "cors", "defaultObjectAcl", "delete", "encryption",
    "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataConfiguration",
    "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics", "notification", "object-lock",
    "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication",
    "requestPayment", "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore", "retention", "select",
    "select-type", "session", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
    "versions", "website",
];

/// Whether a signature of version 2 covers this parameter of the query.
pub fn covers_parameter(name: &str) -> bool {
    COVERED.contains(&name)
}

/// The refusal where the setting is off, or of a method that no presigner of this version is asked for.
pub(super) fn refusal() -> AuthError {
    let message = "Query-string authentication with signature version 2 is accepted for GET, HEAD and PUT only, and not \
                   where --sigv2-presign is off. Please presign with AWS4-HMAC-SHA256 (signature_version=s3v4).";
    AuthError::new(AuthErrorCode::NotImplemented, message)
}

/// The signature of a string to sign, in base64.
pub(super) fn sign(secret: &str, string_to_sign: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(string_to_sign);
    BASE64.encode(mac.finalize().into_bytes())
}

/// Authenticates a request whose query carries credentials of this version.
pub(super) fn authenticate(
    authenticator: &Authenticator,
    head: RequestHead<'_>,
    now: Timestamp,
) -> Result<Authenticated, AuthError> {
    if ![Method::GET, Method::HEAD, Method::PUT].contains(head.method) {
        return Err(refusal());
    }
    let credentials = Credentials::read(head.query)?;
    check_life(&credentials.expires, now)?;
    let amz_headers = amz_headers(head)?;
    let token = amz_headers.get("x-amz-security-token").map(|token| String::from_utf8_lossy(token));
    let token = one_token(token.as_deref(), session_token(head.headers)?)?;
    let payload = payload(head.headers, &amz_headers)?;
    let Credentials { access_key_id, expires, signature } = &credentials;
    let signer = authenticator.keyring.signer(access_key_id, token, now)?;
    let string_to_sign = |path: &str| string_to_sign(head, path, expires, &amz_headers);
    let signs = |text: &[u8]| {
        let expected = signer.sigv2_signature(text);
        bool::from(expected.as_bytes().ct_eq(signature.as_bytes()))
    };
    let text = string_to_sign(head.path);
    if signs(&text) || (is_bare_bucket(head) && signs(&string_to_sign(&format!("{}/", head.path)))) {
        let signed = Signed { place: SignaturePlace::Query, version: ALGORITHM, at: None };
        return Ok(Authenticated { identity: Identity::Key(signer.identity), payload, signed: Some(signed) });
    }
    Err(sigv4::mismatch(access_key_id, signature, &String::from_utf8_lossy(&text)))
}

/// Whether the request names a bucket by path and nothing behind it, not even a slash. boto3 signs such a path with one.
fn is_bare_bucket(head: RequestHead<'_>) -> bool {
    let name = head.path.strip_prefix('/').unwrap_or_default();
    head.bucket_in_host.is_none() && !name.is_empty() && !name.contains('/')
}

/// The three parameters that carry credentials.
#[derive(Debug)]
struct Credentials {
    access_key_id: String,
    /// Seconds since 1970, as they came: that is how they are signed.
    expires: String,
    signature: String,
}

impl Credentials {
    fn read(query: &str) -> Result<Self, AuthError> {
        let (mut access_key_id, mut expires, mut signature) = (None, None, None);
        for (name, value) in parameters(query) {
            let place = match name.as_str() {
                "AWSAccessKeyId" => &mut access_key_id,
                "Expires" => &mut expires,
                "Signature" => &mut signature,
                _ => continue,
            };
            if place.replace(value).is_some() {
                let message = format!("The parameter {name} must be given once.");
                return Err(AuthError::new(AuthErrorCode::AccessDenied, message));
            }
        }
        match (access_key_id, expires, signature) {
            (Some(access_key_id), Some(expires), Some(signature)) => Ok(Self { access_key_id, expires, signature }),
            _ => {
                let message =
                    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
                Err(AuthError::new(AuthErrorCode::AccessDenied, message))
            }
        }
    }
}

/// A URL is good up to and including the second it names.
fn check_life(expires: &str, now: Timestamp) -> Result<(), AuthError> {
    let digits = Some(expires).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(seconds) = digits.and_then(|digits| digits.parse::<u64>().ok()) else {
        let message = format!("Invalid date (should be seconds since epoch): {expires}");
        return Err(AuthError::new(AuthErrorCode::AccessDenied, message));
    };
    let end = Timestamp(0).after(Duration::from_secs(seconds));
    if now > end {
        return Err(AuthError::new(AuthErrorCode::AccessDenied, "Request has expired")
            .with("Expires", end.iso8601())
            .with("ServerTime", now.iso8601()));
    }
    Ok(())
}

/// The `x-amz-*` headers by name, and those of the query that stand for headers which are not there.
///
/// # Errors
/// `InvalidRequest` for a parameter that cannot be a header: it would be signed as one and not be seen as one.
fn amz_headers(head: RequestHead<'_>) -> Result<BTreeMap<String, Vec<u8>>, AuthError> {
    let mut found = BTreeMap::new();
    for name in head.headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with(AMZ)) {
        found.insert(name.to_owned(), joined(head.headers, name));
    }
    for (name, value) in parameters(head.query) {
        let name = name.to_ascii_lowercase();
        if !name.starts_with(AMZ) {
            continue;
        }
        if HeaderName::try_from(&name).is_err() || HeaderValue::from_bytes(value.as_bytes()).is_err() {
            let message = "A parameter of the query that stands for a header is none.";
            return Err(AuthError::new(AuthErrorCode::InvalidRequest, message));
        }
        found.entry(name).or_insert_with(|| value.trim().as_bytes().to_vec());
    }
    Ok(found)
}

/// All values of a header, each trimmed.
fn joined(headers: &HeaderMap, name: &str) -> Vec<u8> {
    let values = headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii());
    values.collect::<Vec<_>>().join(&b","[..])
}

/// How the body comes: plain, and at most with its hash. The framing of aws-chunked needs a request of version 4.
fn payload(headers: &HeaderMap, amz_headers: &BTreeMap<String, Vec<u8>>) -> Result<Payload, AuthError> {
    let framed = || {
        let message = "aws-chunked bodies cannot be sent to URLs presigned with signature version 2.";
        AuthError::new(AuthErrorCode::InvalidRequest, message)
    };
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if codings.map(<[u8]>::trim_ascii).any(|coding| coding.eq_ignore_ascii_case(b"aws-chunked")) {
        return Err(framed());
    }
    let Some(declared) = amz_headers.get(payload::HEADER) else { return Ok(Payload::Unsigned) };
    match PayloadMode::parse(&String::from_utf8_lossy(declared))? {
        PayloadMode::Unsigned => Ok(Payload::Unsigned),
        PayloadMode::Exact(hash) => Ok(Payload::Exact(hash)),
        PayloadMode::UnsignedTrailer | PayloadMode::SignedChunks { .. } => Err(framed()),
    }
}

fn string_to_sign(
    head: RequestHead<'_>,
    path: &str,
    expires: &str,
    amz_headers: &BTreeMap<String, Vec<u8>>,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    let (method, md5, media_type) =
        (head.method.as_str(), joined(head.headers, "content-md5"), joined(head.headers, CONTENT_TYPE.as_str()));
    for line in [method.as_bytes(), &md5, &media_type, expires.as_bytes()] {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    for (name, value) in amz_headers {
        for part in [name.as_bytes(), b":", value, b"\n"] {
            text.extend_from_slice(part);
        }
    }
    if let Some(bucket) = head.bucket_in_host {
        text.push(b'/');
        text.extend_from_slice(bucket.as_bytes());
    }
    text.extend_from_slice(if path.is_empty() { b"/" } else { path.as_bytes() });
    push_covered(&mut text, head.query);
    text
}

/// The covered parameters, sorted by name, decoded, with an equals sign only where there was one.
fn push_covered(text: &mut Vec<u8>, query: &str) {
    let mut covered: Vec<(String, Option<Vec<u8>>)> = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
        let name = String::from_utf8_lossy(&decode_in_query(name)).into_owned();
        if covers_parameter(&name) {
            covered.push((name, value.map(decode_in_query)));
        }
    }
    covered.sort();
    for (index, (name, value)) in covered.iter().enumerate() {
        text.push(if index == 0 { b'?' } else { b'&' });
        text.extend_from_slice(name.as_bytes());
        if let Some(value) = value {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
}
