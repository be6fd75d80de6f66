//! Who sent a request, and whether nobody changed it on the way: SigV4 in the Authorization header and in the query,
//! access keys, and the aws-chunked framing that signatures may cover.
//!
//! Knows S3's vocabulary of refusals but neither HTTP statuses nor XML; never reads the store; is told the time. A
//! mechanism that is recognised and not built is refused, never taken for no credentials. Deliberately absent:
//! signature version 2 in headers, SigV4A, temporary credentials.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};

use crate::base::clock::Timestamp;
use canonical::RequestHead;
use payload::PayloadMode;
use presign::QueryMechanism;

mod canonical;
pub mod chunked;
mod credential;
mod error;
mod header;
mod keyring;
mod payload;
mod presign;
mod sigv4;
#[cfg(test)]
mod tests;

pub use error::{AuthError, AuthErrorCode};
pub use keyring::{Identity, KeyIdentity, Keyring};
pub use payload::{ChunkSeed, Payload};
pub use sigv4::SigningKey;

/// Decides on whose behalf requests run.
#[derive(Debug)]
pub struct Authenticator {
    keyring: Keyring,
    region: String,
}

/// A request whose credentials, if it has any, are good.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who sent it.
    pub identity: Identity,
    /// How the body comes and what has to be verified of it.
    pub payload: Payload,
    /// Whether the credentials stood in the query.
    pub presigned: bool,
}

impl Authenticator {
    /// An authenticator for the keys of `keyring`, which must sign for `region`.
    pub fn new(keyring: Keyring, region: impl Into<String>) -> Self {
        Self { keyring, region: region.into() }
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Authenticates a request by its head.
    ///
    /// `uri_path_raw` and `uri_query_raw` are the request target's two halves exactly as they stood on the wire, the
    /// query without its question mark. A request without any credentials is anonymous.
    ///
    /// # Errors
    /// Whatever is wrong with the credentials, as the S3 error that tells the client.
    pub fn authenticate(
        &self,
        method: &Method,
        uri_path_raw: &str,
        uri_query_raw: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let head = RequestHead { method, path: uri_path_raw, query: uri_query_raw, headers };
        match (headers.contains_key(AUTHORIZATION), presign::mechanism(uri_query_raw)) {
            (true, QueryMechanism::None) => header::authenticate(self, head, now),
            (false, QueryMechanism::SigV4) => presign::authenticate(self, head, now),
            (false, QueryMechanism::SigV2) => Err(presign::sigv2_refusal()),
            (true, _) | (false, QueryMechanism::Both) => Err(AuthError::two_mechanisms()),
            (false, QueryMechanism::None) => anonymous(headers),
        }
    }
}

fn anonymous(headers: &HeaderMap) -> Result<Authenticated, AuthError> {
    let mode = payload::declared(headers)?.map_or(Ok(PayloadMode::Unsigned), PayloadMode::parse)?;
    Ok(Authenticated { identity: Identity::Anonymous, payload: mode.anonymous()?, presigned: false })
}
