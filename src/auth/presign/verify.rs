//! Verifying a presigned URL: parameters, scope, life, signed headers, key and signature, in this order.

use std::time::Duration;

use super::LIFE_TOO_LONG;
use crate::auth::canonical::{RequestHead, SignedHeaders, parameters};
use crate::auth::credential::{Credential, parse_amz_date};
use crate::auth::error::{AuthError, AuthErrorCode};
use crate::auth::header::{check_all_signed, session_token};
use crate::auth::payload::{self, PayloadMode, UNSIGNED_PAYLOAD};
use crate::auth::sigv4::{self, ALGORITHM, Claim, S3};
use crate::auth::{Authenticated, Authenticator, Identity, SignaturePlace, Signed};
use crate::base::clock::Timestamp;
use crate::base::limits::{CLOCK_SKEW_MAX, PRESIGN_MAX};

const MALFORMED: AuthErrorCode = AuthErrorCode::AuthorizationQueryParametersError;
pub(super) const CREDENTIAL_PREFIX: &str = "Error parsing the X-Amz-Credential parameter";

/// Which mechanism a query's parameters belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum QueryMechanism {
    None,
    SigV4,
    SigV2,
    Both,
}

/// Looks for the parameters that make a query an attempt to authenticate, complete or not.
pub(in crate::auth) fn mechanism(query: &str) -> QueryMechanism {
    let (mut v4, mut v2) = (false, false);
    for (name, _) in parameters(query) {
        v4 |= matches!(name.as_str(), "X-Amz-Algorithm" | "X-Amz-Credential" | "X-Amz-Signature");
        v2 |= matches!(name.as_str(), "AWSAccessKeyId" | "Signature");
    }
    match (v4, v2) {
        (false, false) => QueryMechanism::None,
        (true, false) => QueryMechanism::SigV4,
        (false, true) => QueryMechanism::SigV2,
        (true, true) => QueryMechanism::Both,
    }
}

/// Authenticates a request whose query carries SigV4 credentials.
pub(in crate::auth) fn authenticate(
    authenticator: &Authenticator,
    head: RequestHead<'_>,
    now: Timestamp,
) -> Result<Authenticated, AuthError> {
    let query = AuthParameters::read(head.query)?;
    let required = query.required()?;
    if required.algorithm != ALGORITHM {
        return Err(AuthError::new(MALFORMED, format!("X-Amz-Algorithm only supports \"{ALGORITHM}\"")));
    }
    let credential = Credential::parse(required.credential, (&authenticator.region, S3), MALFORMED, CREDENTIAL_PREFIX)?;
    let Some(signed_at) = parse_amz_date(required.date) else {
        let message = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
        return Err(AuthError::new(MALFORMED, message));
    };
    credential.check_date(required.date, MALFORMED, CREDENTIAL_PREFIX)?;
    check_life(signed_at, required.expires, now)?;
    let Some(signed_headers) = SignedHeaders::parse(required.signed_headers) else {
        return Err(AuthError::new(MALFORMED, "X-Amz-SignedHeaders is malformed"));
    };
    check_all_signed(head.headers, &signed_headers)?;
    let payload_hash = payload_hash(head, query.content_sha256.as_deref())?;
    let mode = PayloadMode::parse(payload_hash)?;
    let amz_date = required.date.to_owned();
    let token = one_token(query.token.as_deref(), session_token(head.headers)?)?;
    let claim = Claim { credential, token, signed_headers, signature: required.signature, amz_date, payload_hash };
    let (identity, seed) = sigv4::verify(authenticator, head, claim, now)?;
    let signed = Signed { place: SignaturePlace::Query, version: ALGORITHM, at: Some(signed_at) };
    Ok(Authenticated { identity: Identity::Key(identity), payload: mode.signed(seed), signed: Some(signed) })
}

/// The session token of a URL: in its query, in a signed header, or, the same, in both.
pub(in crate::auth) fn one_token<'a>(
    query: Option<&'a str>,
    header: Option<&'a str>,
) -> Result<Option<&'a str>, AuthError> {
    match (query.filter(|token| !token.is_empty()), header) {
        (Some(query), Some(header)) if query != header => Err(AuthError::session_token()),
        (query, header) => Ok(query.or(header)),
    }
}

/// The parameters that carry credentials, each at most once.
#[derive(Debug, Default)]
pub(super) struct AuthParameters {
    algorithm: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) date: Option<String>,
    pub(super) expires: Option<String>,
    pub(super) signed_headers: Option<String>,
    signature: Option<String>,
    pub(super) token: Option<String>,
    pub(super) content_sha256: Option<String>,
}

/// The parameters without which there is nothing to verify.
#[derive(Debug)]
struct Required<'a> {
    algorithm: &'a str,
    credential: &'a str,
    date: &'a str,
    expires: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl AuthParameters {
    pub(super) fn read(query: &str) -> Result<Self, AuthError> {
        let mut found = Self::default();
        for (name, value) in parameters(query) {
            let place = match name.as_str() {
                "X-Amz-Algorithm" => &mut found.algorithm,
                "X-Amz-Credential" => &mut found.credential,
                "X-Amz-Date" => &mut found.date,
                "X-Amz-Expires" => &mut found.expires,
                "X-Amz-SignedHeaders" => &mut found.signed_headers,
                "X-Amz-Signature" => &mut found.signature,
                "X-Amz-Security-Token" => &mut found.token,
                "X-Amz-Content-Sha256" => &mut found.content_sha256,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(AuthError::new(MALFORMED, format!("The parameter {name} must be given once.")));
            }
        }
        Ok(found)
    }

    fn required(&self) -> Result<Required<'_>, AuthError> {
        let present = || {
            Some(Required {
                algorithm: self.algorithm.as_deref()?,
                credential: self.credential.as_deref()?,
                date: self.date.as_deref()?,
                expires: self.expires.as_deref()?,
                signed_headers: self.signed_headers.as_deref()?,
                signature: self.signature.as_deref()?,
            })
        };
        present().ok_or_else(|| {
            let message = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                           X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
            AuthError::new(MALFORMED, message)
        })
    }
}

/// Refuses a URL that is not valid yet (beyond what clocks may differ) or no longer. One that lives for 0 s never is.
fn check_life(signed_at: Timestamp, expires: &str, now: Timestamp) -> Result<(), AuthError> {
    let malformed = |message: &str| Err(AuthError::new(MALFORMED, message));
    let digits = expires.strip_prefix('-').unwrap_or(expires);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return malformed("X-Amz-Expires should be a number");
    }
    if expires.starts_with('-') {
        return malformed("X-Amz-Expires must be non-negative");
    }
    let Some(life) = expires.parse().ok().map(Duration::from_secs).filter(|life| *life <= PRESIGN_MAX) else {
        return malformed(LIFE_TOO_LONG);
    };
    if signed_at.since(now) > CLOCK_SKEW_MAX {
        return Err(AuthError::new(AuthErrorCode::AccessDenied, "Request is not valid yet")
            .with("ValidFrom", signed_at.iso8601())
            .with("ServerTime", now.iso8601()));
    }
    let end = signed_at.after(life);
    if life.is_zero() || now > end {
        return Err(AuthError::new(AuthErrorCode::AccessDenied, "Request has expired")
            .with("X-Amz-Expires", expires)
            .with("Expires", end.iso8601())
            .with("ServerTime", now.iso8601()));
    }
    Ok(())
}

/// What stands for the body in the signature: `X-Amz-Content-Sha256` of query or headers, else that nothing does.
fn payload_hash<'a>(head: RequestHead<'a>, in_query: Option<&'a str>) -> Result<&'a str, AuthError> {
    match (in_query, payload::declared(head.headers)?) {
        (Some(query), Some(header)) if query != header => {
            let message = "The X-Amz-Content-Sha256 parameter and the x-amz-content-sha256 header differ.";
            Err(AuthError::argument(message, payload::HEADER, header))
        }
        (Some(hash), _) | (None, Some(hash)) => Ok(hash),
        (None, None) => Ok(UNSIGNED_PAYLOAD),
    }
}
