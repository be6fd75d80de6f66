//! What the gateway signs in the name of somebody who has shown who he is: URLs, and the fields of POST forms.
//!
//! They carry that identity's rights and no others. Whoever came with a token that is narrowed gets what is signed with temporary
//! credentials narrowed in the same way; nothing outlives the token. For nobody in particular there is nothing to sign with: the
//! plain URL is all there is, and the bucket's policy decides.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;

use super::mint::{self, AddressingStyle, PresignError, PresignKey, PresignRequest};
use crate::auth::Authenticator;
use crate::auth::canonical::{encode_in_path, encode_in_query};
use crate::auth::credential::Credential;
use crate::auth::error::{AuthError, AuthErrorCode};
use crate::auth::identity::{Identity, KeyIdentity};
use crate::auth::sigv4::{ALGORITHM, S3, SigningKey};
use crate::base::clock::Timestamp;
use crate::base::rng::Rng;
use crate::wire::base_url::BaseUrl;

/// What the sessions are called whose credentials sign.
const SESSION_NAME: &str = "link";

/// What a URL is to be good for.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The method.
    pub method: &'a Method,
    /// What the URL begins with.
    pub base: &'a BaseUrl,
    /// The bucket.
    pub bucket: &'a str,
    /// The object's key.
    pub object: &'a str,
    /// The operation's own parameters, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers that whoever uses the URL has to send.
    pub headers: &'a [(&'a str, &'a str)],
    /// How long it lives at most.
    pub expires: Duration,
}

/// Why there is no such URL.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It cannot be signed.
    #[error(transparent)]
    Presign(#[from] PresignError),
    /// The holder's rights have ended.
    #[error("{}", .0.message)]
    Auth(#[from] AuthError),
}

/// What signs, and until when.
struct Signing {
    access_key_id: String,
    secret: String,
    token: Option<String>,
    life: Duration,
}

impl Authenticator {
    /// The URL, and when it ends; a plain one does not end.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn link(
        &self,
        holder: &Identity,
        link: &Link<'_>,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(String, Timestamp), LinkError> {
        let Some(key) = holder.key() else { return Ok((plain(link), now.after(link.expires))) };
        let signing = self.signing(key, link.expires, now, rng)?;
        let request = PresignRequest {
            key: PresignKey {
                access_key_id: &signing.access_key_id,
                secret: &signing.secret,
                session_token: signing.token.as_deref(),
            },
            region: &self.region,
            method: link.method,
            base: link.base,
            style: AddressingStyle::Path,
            bucket: link.bucket,
            object: Some(link.object),
            query: link.query,
            headers: link.headers,
            expires: signing.life,
            time: now,
        };
        Ok((mint::mint(&request)?, now.after(signing.life)))
    }

    /// The fields of a form that uploads an object by POST, these among them, in the order they are to be sent, and when the
    /// form ends: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn form_fields(
        &self,
        holder: &Identity,
        bucket: &str,
        fields: &[(&str, &str)],
        life: Duration,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(Vec<(String, String)>, Timestamp), LinkError> {
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all: Vec<_> = fields.iter().map(|(name, value)| owned(name, value)).collect();
        let Some(key) = holder.key() else { return Ok((all, now.after(life))) };
        let signing = self.signing(key, life, now, rng)?;
        let amz_date = now.amz_date();
        let date = amz_date.get(..8).ok_or(PresignError::Time)?.to_owned();
        let credential = Credential {
            access_key_id: signing.access_key_id.clone(),
            date: date.clone(),
            region: self.region.clone(),
            service: S3.to_owned(),
        };
        all.push(owned("x-amz-algorithm", ALGORITHM));
        all.push(owned("x-amz-credential", &format!("{}/{}", credential.access_key_id, credential.scope())));
        all.push(owned("x-amz-date", &amz_date));
        all.extend(signing.token.map(|token| owned("x-amz-security-token", &token)));
        let mut conditions = vec![json!({ "bucket": bucket })];
        conditions.extend(all.iter().map(|(name, value)| json!(["eq", format!("${name}"), value])));
        let policy = json!({ "expiration": now.after(signing.life).iso8601(), "conditions": conditions });
        let policy = STANDARD.encode(policy.to_string());
        let signature = SigningKey::derive(&signing.secret, &date, &self.region, S3).sign(&policy);
        all.push(("policy".to_owned(), policy));
        all.push(("x-amz-signature".to_owned(), signature));
        Ok((all, now.after(signing.life)))
    }

    fn signing(
        &self,
        holder: &KeyIdentity,
        life: Duration,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<Signing, LinkError> {
        let gone = || AuthError::new(AuthErrorCode::AccessDenied, "The access key may not be used any more.");
        let left = holder.session.as_ref().map(|session| session.expires.since(now).as_secs());
        if left == Some(0) {
            let message = "The credentials that were shown have ended.";
            return Err(AuthError::new(AuthErrorCode::AccessDenied, message).into());
        }
        let life = life.as_secs().max(1);
        let life = Duration::from_secs(left.map_or(life, |left| left.min(life)));
        if holder.session.as_ref().is_some_and(|session| session.policy.is_some()) {
            let passed = self.pass_on(holder, SESSION_NAME, life, now, rng)?;
            let token = Some(passed.token);
            return Ok(Signing { access_key_id: passed.access_key_id, secret: passed.secret, token, life });
        }
        let secret = self.keyring().secret(&holder.user).ok_or_else(gone)?;
        Ok(Signing { access_key_id: holder.user.clone(), secret: secret.to_string(), token: None, life })
    }
}

fn plain(link: &Link<'_>) -> String {
    let query: Vec<_> = link
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", encode_in_query(name), encode_in_query(value)))
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}/{}/{}{mark}{}", link.base, link.bucket, encode_in_path(link.object), query.join("&"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::identity::Session;
    use crate::auth::keyring::Keyring;
    use crate::auth::seal::Sealer;
    use crate::base::rng::SeededRng;

    #[test]
    fn nothing_outlives_the_token_it_is_signed_for() {
        let keyring = Keyring::new("root", "root-secret", Sealer::new([7; 32]));
        let root = Arc::clone(keyring.root());
        let authenticator = Authenticator::new(Arc::new(keyring), "us-east-1".to_owned());
        let base = BaseUrl::parse("http://127.0.0.1:9000").unwrap();
        let link = Link {
            method: &Method::GET,
            base: &base,
            bucket: "b",
            object: "k",
            query: &[],
            headers: &[],
            expires: Duration::from_secs(60),
        };
        let now = Timestamp(1_440_938_160_000);
        for (left_ms, life_ms) in [(3_600_000, 60_000), (5999, 5000), (1000, 1000)] {
            let session = Session { name: "token".to_owned(), policy: None, expires: Timestamp(now.0 + left_ms) };
            let holder = Identity::Key(Arc::new(root.for_session("root", session)));
            let (_, until) = authenticator.link(&holder, &link, now, &SeededRng::new(1)).unwrap();
            assert_eq!(until.0 - now.0, life_ms, "{left_ms}");
        }
        for expires in [now.0 + 999, now.0, 0] {
            let session = Session { name: "token".to_owned(), policy: None, expires: Timestamp(expires) };
            let holder = Identity::Key(Arc::new(root.for_session("root", session)));
            let refused = authenticator.link(&holder, &link, now, &SeededRng::new(1)).unwrap_err();
            assert!(
                matches!(refused, LinkError::Auth(error) if error.code == AuthErrorCode::AccessDenied),
                "{expires}"
            );
        }
    }
}
