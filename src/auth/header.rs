//! Credentials in the Authorization header: reading them and checking that they signed the request.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>. Signature version 2 and
//! SigV4A are refused: no client that still gets updates depends on them in a header.

use std::collections::BTreeSet;

use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderMap, HeaderValue};

use super::canonical::{RequestHead, SignedHeaders};
use super::credential::{Credential, parse_amz_date, parse_date_header};
use super::error::{AuthError, AuthErrorCode};
use super::payload::{self, PayloadMode};
use super::sigv4::{self, ALGORITHM, Claim, S3};
use super::{Authenticated, Authenticator, Identity, SignaturePlace, Signed};
use crate::base::clock::Timestamp;
use crate::base::limits::CLOCK_SKEW_MAX;

const MALFORMED: AuthErrorCode = AuthErrorCode::AuthorizationHeaderMalformed;
const MALFORMED_PREFIX: &str = "The authorization header is malformed";

/// The three components of `AWS4-HMAC-SHA256 Credential=...,SignedHeaders=...,Signature=...`.
#[derive(Debug, PartialEq, Eq)]
struct Components<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// Authenticates a request that carries an Authorization header.
pub(super) fn authenticate(
    authenticator: &Authenticator,
    head: RequestHead<'_>,
    now: Timestamp,
) -> Result<Authenticated, AuthError> {
    let prepared = prepare(authenticator, head, S3, now)?;
    let Some(payload_hash) = payload::declared(head.headers)? else {
        let message = format!("Missing required header for this request: {}", payload::HEADER);
        return Err(AuthError::new(AuthErrorCode::InvalidRequest, message));
    };
    let mode = PayloadMode::parse(payload_hash)?;
    let signed = Signed { place: SignaturePlace::Header, version: ALGORITHM, at: Some(prepared.request_time) };
    let (identity, seed) = sigv4::verify(authenticator, head, prepared.claim(head.headers, payload_hash)?, now)?;
    Ok(Authenticated { identity: Identity::Key(identity), payload: mode.signed(seed), signed: Some(signed) })
}

/// Authenticates a request to another service than S3, whose body is known already: there the hash of the body is signed
/// whether or not a header names it.
pub(super) fn authenticate_known_body(
    authenticator: &Authenticator,
    head: RequestHead<'_>,
    service: &'static str,
    body_sha256: &str,
    now: Timestamp,
) -> Result<Identity, AuthError> {
    let prepared = prepare(authenticator, head, service, now)?;
    let (identity, _) = sigv4::verify(authenticator, head, prepared.claim(head.headers, body_sha256)?, now)?;
    Ok(Identity::Key(identity))
}

/// An Authorization header whose scope and time are good.
struct Prepared<'a> {
    request_time: Timestamp,
    credential: Credential,
    amz_date: String,
    components: Components<'a>,
}

fn prepare<'a>(
    authenticator: &Authenticator,
    head: RequestHead<'a>,
    service: &str,
    now: Timestamp,
) -> Result<Prepared<'a>, AuthError> {
    let components = components(head.headers)?;
    let (request_time, amz_date) = request_time(head.headers)?;
    let scope = (authenticator.region.as_str(), service);
    let credential = Credential::parse(components.credential, scope, MALFORMED, MALFORMED_PREFIX)?;
    credential.check_date(&amz_date, MALFORMED, MALFORMED_PREFIX)?;
    check_skew(request_time, &amz_date, now)?;
    Ok(Prepared { request_time, credential, amz_date, components })
}

impl<'a> Prepared<'a> {
    fn claim(self, headers: &'a HeaderMap, payload_hash: &'a str) -> Result<Claim<'a>, AuthError> {
        let Some(signed_headers) = SignedHeaders::parse(self.components.signed_headers) else {
            return Err(malformed("the authorization component \"SignedHeaders\" is malformed."));
        };
        check_all_signed(headers, &signed_headers)?;
        Ok(Claim {
            credential: self.credential,
            token: session_token(headers)?,
            signed_headers,
            signature: self.components.signature,
            amz_date: self.amz_date,
            payload_hash,
        })
    }
}

/// The session token of the headers. An empty one is as good as none.
pub(super) fn session_token(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all("x-amz-security-token").iter().filter(|value| !value.is_empty());
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(token)), None) => Ok(Some(token)),
        _ => Err(AuthError::session_token()),
    }
}

/// Refuses a request with a header that had to be signed and was not: `host` and every `x-amz-*`, but for
/// `x-amz-content-sha256`, whose value is part of what is signed anyway (S3 makes the same exception).
pub(super) fn check_all_signed(headers: &HeaderMap, signed: &SignedHeaders) -> Result<(), AuthError> {
    let required = headers.keys().filter(|name| name.as_str().starts_with("x-amz-") && *name != payload::HEADER);
    let unsigned: BTreeSet<&str> =
        required.chain([&HOST]).filter(|name| !signed.contains(name)).map(|name| name.as_str()).collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    let names = unsigned.into_iter().collect::<Vec<_>>().join(", ");
    let message = "There were headers present in the request which were not signed";
    Err(AuthError::new(AuthErrorCode::AccessDenied, message).with("HeadersNotSigned", names))
}

fn malformed(reason: &str) -> AuthError {
    AuthError::new(MALFORMED, format!("{MALFORMED_PREFIX}; {reason}"))
}

/// The refusal of the header as a whole. Its value stays out of the answer: it may be a password of another scheme.
fn refused(message: &str) -> AuthError {
    AuthError::new(AuthErrorCode::InvalidArgument, message).with("ArgumentName", "Authorization")
}

fn components(headers: &HeaderMap) -> Result<Components<'_>, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    if values.next().is_some() {
        return Err(refused("Only one Authorization header allowed"));
    }
    let Some((scheme, rest)) = value.split_once(' ') else {
        let message = "Authorization header is invalid -- one and only one ' ' (space) required.";
        return Err(refused(message));
    };
    match scheme {
        ALGORITHM => parse_components(rest),
        // Signature version 2, and SigV4A.
        "AWS" | "AWS4-ECDSA-P256-SHA256" => Err(AuthError::unsupported_mechanism()),
        _ => Err(refused("Unsupported Authorization Type")),
    }
}

/// Reads the components in any order, with or without blanks around the commas.
fn parse_components(text: &str) -> Result<Components<'_>, AuthError> {
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for component in text.split(',').map(str::trim) {
        let Some((name, value)) = component.split_once('=') else {
            return Err(malformed(&format!("the authorization component \"{component}\" is malformed.")));
        };
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return Err(malformed(&format!("the authorization component \"{name}\" is malformed."))),
        };
        if place.replace(value).is_some() {
            return Err(malformed(&format!("the authorization component \"{name}\" comes twice.")));
        }
    }
    let missing = |name: &str| malformed(&format!("missing {name}."));
    Ok(Components {
        credential: credential.ok_or_else(|| missing("Credential"))?,
        signed_headers: signed_headers.ok_or_else(|| missing("SignedHeaders"))?,
        signature: signature.ok_or_else(|| missing("Signature"))?,
    })
}

/// The request's time, and as it is signed: `x-amz-date` where there is one, else `Date`.
fn request_time(headers: &HeaderMap) -> Result<(Timestamp, String), AuthError> {
    let once = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok());
        value.filter(|_| values.next().is_none())
    };
    let time = if headers.contains_key("x-amz-date") {
        once("x-amz-date").and_then(|text| Some((parse_amz_date(text)?, text.to_owned())))
    } else {
        once(DATE.as_str()).and_then(parse_date_header).map(|time| (time, time.amz_date()))
    };
    time.ok_or_else(|| {
        AuthError::new(AuthErrorCode::AccessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    })
}

fn check_skew(request_time: Timestamp, amz_date: &str, now: Timestamp) -> Result<(), AuthError> {
    if now.since(request_time) <= CLOCK_SKEW_MAX && request_time.since(now) <= CLOCK_SKEW_MAX {
        return Ok(());
    }
    let message = "The difference between the request time and the server's time is too large.";
    Err(AuthError::new(AuthErrorCode::RequestTimeTooSkewed, message)
        .with("RequestTime", amz_date)
        .with("ServerTime", now.iso8601())
        .with("MaxAllowedSkewMilliseconds", CLOCK_SKEW_MAX.as_millis().to_string()))
}
