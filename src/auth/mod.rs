//! Who sent a request, and whether nobody changed it on the way: SigV4 in the Authorization header and in the query,
//! the minting of such queries, URLs presigned with signature version 2, POST forms with their policies, access keys, and
//! the aws-chunked framing whose chunks may be signed.
//!
//! Knows S3's vocabulary of refusals but neither HTTP statuses nor XML; never reads the store; is told the time. A
//! mechanism that is recognised and not built is refused, never taken for no credentials. Deliberately absent:
//! signature version 2 in headers, SigV4A.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::base::clock::Timestamp;
use payload::PayloadMode;
use presign::QueryMechanism;

mod canonical;
pub mod chunked;
mod credential;
mod error;
mod header;
mod identity;
mod keyring;
mod payload;
pub mod policy;
mod post_policy;
pub mod presign;
pub mod seal;
mod session;
mod sigv2;
mod sigv4;
#[cfg(test)]
mod tests;

pub use canonical::RequestHead;
pub use credential::parse_amz_date;
pub use error::{AuthError, AuthErrorCode};
pub use identity::{ACCOUNT_ID, Identity, KeyIdentity, Session, canonical_user_id};
pub use keyring::{AccessKey, BearerToken, Keyring, token_hash};
pub use payload::{ChunkSeed, Payload};
pub use post_policy::{FormCredentials, PostFields, PostPolicy, SizeRange, missing_field};
pub use session::{SessionRequest, TemporaryCredentials};
pub use sigv2::covers_parameter as sigv2_covers_parameter;
pub use sigv4::{STS, SigningKey};

/// Decides on whose behalf requests run.
#[derive(Debug)]
pub struct Authenticator {
    keyring: Arc<Keyring>,
    region: String,
    sigv2_presign: bool,
    hosts: Vec<HeaderValue>,
}

/// A request whose credentials, if it has any, are good.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who sent it.
    pub identity: Identity,
    /// How the body comes and what has to be verified of it.
    pub payload: Payload,
    /// How it was signed, unless nobody signed it.
    pub signed: Option<Signed>,
}

/// How a request was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Where the credentials stood.
    pub place: SignaturePlace,
    /// The algorithm, as policies name it.
    pub version: &'static str,
    /// When, where the signature says so.
    pub at: Option<Timestamp>,
}

/// Where credentials stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignaturePlace {
    /// In the Authorization header.
    Header,
    /// In the query: a presigned URL.
    Query,
    /// In the fields of a form.
    Form,
}

impl SignaturePlace {
    /// As policies name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "REST-HEADER",
            Self::Query => "REST-QUERY-STRING",
            Self::Form => "POST",
        }
    }
}

impl Authenticated {
    /// A request that is nobody's: its credentials, if it has any, are not looked at, or not yet.
    pub fn nobody() -> Self {
        Self { identity: Identity::Anonymous, payload: Payload::Unsigned, signed: None }
    }
}

impl Authenticator {
    /// An authenticator for the keys of `keyring`, which must sign for `region`. It refuses signature version 2.
    pub fn new(keyring: impl Into<Arc<Keyring>>, region: impl Into<String>) -> Self {
        Self { keyring: keyring.into(), region: region.into(), sigv2_presign: false, hosts: Vec::new() }
    }

    /// The same, with URLs presigned and forms signed with signature version 2 accepted or not.
    #[must_use]
    pub fn sigv2_presign(self, accepted: bool) -> Self {
        Self { sigv2_presign: accepted, ..self }
    }

    /// The same, with requests accepted that were signed for one of these hosts, whatever Host they come with.
    #[must_use]
    pub fn public_hosts<'a>(self, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        // What is no header value is no host either, and nobody can have signed for it.
        let hosts = hosts.into_iter().filter_map(|host| HeaderValue::from_str(host).ok()).collect();
        Self { hosts, ..self }
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Authenticates a request to another service than S3, whose body was read before. Without credentials it is anonymous.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub fn authenticate_known_body(
        &self,
        head: RequestHead<'_>,
        service: &'static str,
        body_sha256: &str,
        now: Timestamp,
    ) -> Result<Identity, AuthError> {
        match (head.headers.contains_key(AUTHORIZATION), presign::mechanism(head.query)) {
            (true, QueryMechanism::None) => header::authenticate_known_body(self, head, service, body_sha256, now),
            (false, QueryMechanism::None) => Ok(Identity::Anonymous),
            _ => Err(AuthError::unsupported_mechanism()),
        }
    }

    /// Authenticates a request by its head, exactly as it stood on the wire. A request without any credentials is
    /// anonymous.
    ///
    /// # Errors
    /// Whatever is wrong with the credentials, as the S3 error that tells the client.
    pub fn authenticate(&self, head: RequestHead<'_>, now: Timestamp) -> Result<Authenticated, AuthError> {
        match (head.headers.contains_key(AUTHORIZATION), presign::mechanism(head.query)) {
            (true, QueryMechanism::None) => header::authenticate(self, head, now),
            (false, QueryMechanism::SigV4) => presign::authenticate(self, head, now),
            (false, QueryMechanism::SigV2) if self.sigv2_presign => sigv2::authenticate(self, head, now),
            (false, QueryMechanism::SigV2) => Err(sigv2::refusal()),
            (true, _) | (false, QueryMechanism::Both) => Err(AuthError::two_mechanisms()),
            (false, QueryMechanism::None) => anonymous(head.headers),
        }
    }
}

fn anonymous(headers: &HeaderMap) -> Result<Authenticated, AuthError> {
    let mode = payload::declared(headers)?.map_or(Ok(PayloadMode::Unsigned), PayloadMode::parse)?;
    Ok(Authenticated { identity: Identity::Anonymous, payload: mode.anonymous()?, signed: None })
}
