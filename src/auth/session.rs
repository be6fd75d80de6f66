//! Temporary credentials: an access key id, a secret and a session token that end together.
//!
//! They are kept nowhere. The token itself holds all there is to know of them, sealed, so they cost no storage, survive a
//! restart and cannot be made by anybody without the master key. They end at their time, and before it when the key they come
//! from is removed, disabled or gets another secret. A single one cannot be revoked.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Authenticator;
use super::error::{AuthError, AuthErrorCode};
use super::identity::KeyIdentity;
use super::policy::{Policy, PolicyKind};
use super::seal::Sealer;
use crate::base::clock::Timestamp;
use crate::base::limits::{SESSION_MAX, SESSION_MIN, SESSION_NAME_MAX_CHARS, SESSION_TOKEN_MAX_BYTES};
use crate::base::rng::{LETTERS_AND_DIGITS, Rng, UPPER_CASE_AND_DIGITS, draw};

/// What tokens are sealed for.
const CONTEXT: &str = "session-token";
/// What the access key id of temporary credentials begins with.
const PREFIX: &str = "WHARFTMP";
/// Characters of an access key id: as many as AWS's have.
const ACCESS_KEY_CHARS: usize = 20;
/// Characters of a secret.
const SECRET_CHARS: usize = 40;

/// Temporary credentials, as their holder gets them.
#[derive(Clone)]
pub struct TemporaryCredentials {
    /// Signs, together with the token.
    pub access_key_id: String,
    /// The secret.
    pub secret: String,
    /// Goes with every request.
    pub token: String,
    /// When they end.
    pub expires: Timestamp,
    /// Whom they make a request come from.
    pub identity: KeyIdentity,
}

/// What a token holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct Claims {
    access_key_id: String,
    secret: String,
    parent: String,
    fingerprint: String,
    name: String,
    policy: Option<String>,
    expires_ms: u64,
}

/// A token that was opened.
pub(super) struct Opened {
    pub(super) access_key_id: String,
    pub(super) secret: String,
    pub(super) parent: String,
    pub(super) fingerprint: String,
    pub(super) name: String,
    pub(super) policy: Option<Policy>,
    pub(super) expires: Timestamp,
}

/// What temporary credentials are to be.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// The name of the session: 2 to 64 of letters, digits and `_+=,.@-`.
    pub name: String,
    /// How long they last: 15 minutes to 7 days.
    pub life: Duration,
    /// What they are narrowed to.
    pub policy: Option<Policy>,
}

impl Authenticator {
    /// Makes temporary credentials with the rights of `holder`.
    ///
    /// # Errors
    /// `InvalidArgument` for a name or a life that is none; `AccessDenied` for a holder whose own rights are temporary (rights
    /// that end would otherwise be renewed for ever) or whose key is gone.
    pub fn begin_session(
        &self,
        holder: &KeyIdentity,
        request: SessionRequest,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<TemporaryCredentials, AuthError> {
        check_name(&request.name)?;
        if !(SESSION_MIN..=SESSION_MAX).contains(&request.life) {
            let message =
                format!("DurationSeconds must be between {} and {}.", SESSION_MIN.as_secs(), SESSION_MAX.as_secs());
            return Err(AuthError::new(AuthErrorCode::InvalidArgument, message));
        }
        let refused = || AuthError::new(AuthErrorCode::AccessDenied, "Temporary credentials cannot make others.");
        let parent = Some(holder).filter(|holder| holder.session.is_none()).ok_or_else(refused)?;
        self.issue(parent, request.name, request.policy, now.after(request.life), rng).ok_or_else(refused)
    }

    /// Makes temporary credentials with just the rights of `holder`, which end with them: a token's are narrowed as the token
    /// is, and end no later.
    ///
    /// # Errors
    /// `AccessDenied` for a holder whose key is gone.
    pub fn pass_on(
        &self,
        holder: &KeyIdentity,
        name: &str,
        life: Duration,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<TemporaryCredentials, AuthError> {
        let refused = || AuthError::new(AuthErrorCode::AccessDenied, "The access key may not be used any more.");
        let parent = self.keyring().holder(&holder.user).ok_or_else(refused)?;
        let session = holder.session.as_ref();
        let expires = session.map_or(now.after(life), |session| now.after(life).min(session.expires));
        let policy = session.and_then(|session| session.policy.clone());
        self.issue(&parent, name.to_owned(), policy, expires, rng).ok_or_else(refused)
    }

    /// None where the parent's key may not be used.
    fn issue(
        &self,
        parent: &KeyIdentity,
        name: String,
        policy: Option<Policy>,
        expires: Timestamp,
        rng: &dyn Rng,
    ) -> Option<TemporaryCredentials> {
        let keyring = self.keyring();
        let fingerprint = keyring.fingerprint(&parent.user)?;
        let access_key_id = PREFIX.to_owned() + &draw(rng, UPPER_CASE_AND_DIGITS, ACCESS_KEY_CHARS - PREFIX.len());
        let secret = draw(rng, LETTERS_AND_DIGITS, SECRET_CHARS);
        let claims = Claims {
            access_key_id: access_key_id.clone(),
            secret: secret.clone(),
            parent: parent.user.clone(),
            fingerprint,
            name: name.clone(),
            policy: policy.as_ref().map(|policy| policy.text().to_owned()),
            expires_ms: expires.0,
        };
        let session = super::identity::Session { name, policy, expires };
        let identity = parent.for_session(&access_key_id, session);
        let plain = serde_json::to_vec(&claims).unwrap_or_default();
        let token = URL_SAFE_NO_PAD.encode(keyring.sealer().seal(CONTEXT, &plain, rng));
        Some(TemporaryCredentials { access_key_id, secret, token, expires, identity })
    }
}

/// What is in a token that this gateway gave out; none for any other text.
pub(super) fn open(sealer: &Sealer, token: &str) -> Option<Opened> {
    if token.len() > SESSION_TOKEN_MAX_BYTES {
        return None;
    }
    let plain = sealer.open(CONTEXT, &URL_SAFE_NO_PAD.decode(token).ok()?)?;
    let claims: Claims = serde_json::from_slice(&plain).ok()?;
    let policy = match claims.policy {
        None => None,
        // A policy that can no longer be read narrows to nothing, so such credentials are no good at all.
        Some(text) => Some(Policy::parse(text.as_bytes(), PolicyKind::Session).ok()?),
    };
    Some(Opened {
        access_key_id: claims.access_key_id,
        secret: claims.secret,
        parent: claims.parent,
        fingerprint: claims.fingerprint,
        name: claims.name,
        policy,
        expires: Timestamp(claims.expires_ms),
    })
}

fn check_name(name: &str) -> Result<(), AuthError> {
    let sane = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=SESSION_NAME_MAX_CHARS).contains(&name.len()) && name.chars().all(sane) {
        return Ok(());
    }
    let message = format!("RoleSessionName must have 2 to {SESSION_NAME_MAX_CHARS} of letters, digits and _+=,.@-");
    Err(AuthError::new(AuthErrorCode::InvalidArgument, message))
}

#[cfg(test)]
mod tests;
