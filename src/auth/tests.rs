//! Authentication against signers nobody here wrote: AWS's published examples and the `aws-sigv4` crate.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::seal::Sealer;
use super::{AuthError, AuthErrorCode, Authenticated, Authenticator, Keyring, RequestHead};
use crate::base::clock::Timestamp;

mod examples;
mod explained;
mod minted;
mod presigned;
mod refusals;
mod signer;
mod sigv2;

/// The key of AWS's examples.
pub(super) const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(super) const REGION: &str = "us-east-1";
/// 2013-05-24T00:00:00Z, the time of AWS's examples.
const NOW: Timestamp = Timestamp(1_369_353_600_000);
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The keyring of the examples.
pub(super) fn keyring() -> Keyring {
    Keyring::new(KEY_ID, SECRET, Sealer::new([0; 32]))
}

/// A request as a server sees it.
#[derive(Clone, Debug)]
struct Wire {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
}

impl Wire {
    fn new(method: Method, target: &str, headers: &[(&str, &str)]) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut wire = Self { method, path: path.to_owned(), query: query.to_owned(), headers: HeaderMap::new() };
        for (name, value) in headers {
            wire = wire.and(name, value);
        }
        wire
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    fn authenticate_at(&self, now: Timestamp) -> Result<Authenticated, AuthError> {
        let authenticator = Authenticator::new(keyring(), REGION).sigv2_presign(true);
        authenticator.authenticate(self.head(), now)
    }

    fn head(&self) -> RequestHead<'_> {
        let Self { method, path, query, headers } = self;
        let bucket_in_host =
            headers.get("host").and_then(|host| host.to_str().ok()?.strip_suffix(".s3.us-west-1.amazonaws.com"));
        RequestHead { method, path, query, headers, bucket_in_host }
    }

    fn authenticate(&self) -> Result<Authenticated, AuthError> {
        self.authenticate_at(NOW)
    }

    /// Who sent it; panics when refused.
    fn accepted(&self) -> Authenticated {
        self.authenticate().unwrap_or_else(|refusal| panic!("{self:?}: {refusal:?}"))
    }

    /// The refusal; panics when accepted.
    fn refused(&self, code: AuthErrorCode) -> AuthError {
        let refusal = self.authenticate().expect_err("accepted");
        assert_eq!(refusal.code, code, "{self:?}: {refusal}");
        refusal
    }
}
