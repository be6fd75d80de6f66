//! The arithmetic of SigV4: signing key, string to sign, signature, comparison in constant time.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::HOST;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Authenticator;
use super::canonical::{RequestHead, SignedHeaders, canonical_request};
use super::credential::Credential;
use super::error::{AuthError, AuthErrorCode};
use super::identity::KeyIdentity;
use super::payload::ChunkSeed;
use crate::base::clock::Timestamp;
use crate::base::digest::hex;

/// The one algorithm that is accepted.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service of S3 in a credential's scope.
pub(super) const S3: &str = "s3";
/// The service of the Security Token Service.
pub const STS: &str = "sts";
/// What every credential's scope ends in.
pub(super) const TERMINAL: &str = "aws4_request";

/// A key derived from a secret for one day, region and service. As good as the secret for that day: never shown.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Derives the key for `date` (`YYYYMMDD`), `region` and `service`.
    pub(super) fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let mut key = hmac_sha256(format!("AWS4{secret}").as_bytes(), date.as_bytes());
        for text in [region, service, TERMINAL] {
            key = hmac_sha256(&key, text.as_bytes());
        }
        Self(key)
    }

    /// The signature of a string to sign: 64 lower-case hexadecimal digits.
    pub fn sign(&self, string_to_sign: &str) -> String {
        hex(&hmac_sha256(&self.0, string_to_sign.as_bytes()))
    }

    #[cfg(test)]
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// What a client claims, read from the Authorization header or from the query.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) credential: Credential,
    /// The session token that came with it, where one did.
    pub(super) token: Option<&'a str>,
    pub(super) signed_headers: SignedHeaders,
    pub(super) signature: &'a str,
    /// The request's time in SigV4's basic format, as it is signed.
    pub(super) amz_date: String,
    /// The last line of the canonical request.
    pub(super) payload_hash: &'a str,
}

/// Checks that the claim's key exists and signed this very request, by the Host that came or, in path style, by one of
/// the public hosts: a proxy may have put its own name in its place. Gives the key's holder, and what the signatures of the body's
/// chunks build on.
pub(super) fn verify(
    authenticator: &Authenticator,
    head: RequestHead<'_>,
    claim: Claim<'_>,
    now: Timestamp,
) -> Result<(Arc<KeyIdentity>, ChunkSeed), AuthError> {
    let Credential { access_key_id, date, region, service } = &claim.credential;
    let keyring = authenticator.keyring();
    let signer = keyring.signer(access_key_id, claim.token, now)?;
    let key = keyring.signing_key(&signer, date, region, service);
    let canonical = canonical_request(head, &claim.signed_headers, claim.payload_hash);
    let scope = claim.credential.scope();
    let string_to_sign = string_to_sign(&claim.amz_date, &scope, &canonical);
    let matching = |signature: &String| bool::from(signature.as_bytes().ct_eq(claim.signature.as_bytes()));
    let elsewhere = |headers: HeaderMap| {
        let head = RequestHead { headers: &headers, ..head };
        let canonical = canonical_request(head, &claim.signed_headers, claim.payload_hash);
        key.sign(&self::string_to_sign(&claim.amz_date, &scope, &canonical))
    };
    let as_it_came = Some(key.sign(&string_to_sign)).filter(matching);
    let Some(signature) = as_it_came.or_else(|| with_hosts(&authenticator.hosts, head).map(elsewhere).find(matching))
    else {
        return Err(mismatch(access_key_id, claim.signature, &string_to_sign)
            .with("CanonicalRequest", String::from_utf8_lossy(&canonical))
            .with("CanonicalRequestBytes", spaced_hex(&canonical)));
    };
    Ok((signer.identity, ChunkSeed { key, signature, amz_date: claim.amz_date, scope }))
}

/// The request's headers with each of `hosts` in the place of its own. None in virtual-host style: there the host says
/// what the request is for, and another one would say something else.
fn with_hosts<'a>(hosts: &'a [HeaderValue], head: RequestHead<'a>) -> impl Iterator<Item = HeaderMap> {
    let hosts = if head.bucket_in_host.is_none() { hosts } else { &[] };
    hosts.iter().filter(move |host| head.headers.get(HOST) != Some(host)).map(move |host| {
        let mut headers = head.headers.clone();
        headers.insert(HOST, host.clone());
        headers
    })
}

/// What is signed.
pub(super) fn string_to_sign(amz_date: &str, scope: &str, canonical: &[u8]) -> String {
    format!("{ALGORITHM}\n{amz_date}\n{scope}\n{}", hex(&Sha256::digest(canonical)))
}

/// The refusal of an access key id that nobody here has.
pub(super) fn unknown_key(access_key_id: &str) -> AuthError {
    let message = "The AWS Access Key Id you provided does not exist in our records.";
    AuthError::new(AuthErrorCode::InvalidAccessKeyId, message).with("AWSAccessKeyId", access_key_id)
}

/// The refusal that shows what we signed, so that a client's author can compare it with what they signed.
pub(super) fn mismatch(access_key_id: &str, provided: &str, string_to_sign: &str) -> AuthError {
    let message = "The request signature we calculated does not match the signature you provided. Check your key and \
                   signing method.";
    AuthError::new(AuthErrorCode::SignatureDoesNotMatch, message)
        .with("AWSAccessKeyId", access_key_id)
        .with("StringToSign", string_to_sign)
        .with("SignatureProvided", provided)
        .with("StringToSignBytes", spaced_hex(string_to_sign.as_bytes()))
}

/// `41 57 53`, as S3 shows bytes.
fn spaced_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

pub(super) fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 1, 2 and 6 of RFC 4231.
    #[test]
    fn hmac_of_rfc_4231() {
        for (key, data, expected) in [
            (vec![0x0b; 20], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".to_vec(),
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac_sha256(&key, data.as_bytes())), expected);
        }
    }

    #[test]
    fn bytes_are_shown_with_spaces() {
        assert_eq!(spaced_hex(b"AWS4\n"), "41 57 53 34 0a");
    }
}
