//! On whose behalf a request runs.
//!
//! There is one account. Its root is the key of the settings; every other access key is a user of its own, with a policy that
//! says what it may do. Temporary credentials and API tokens are a key's own rights, perhaps narrowed by a policy of theirs.

use sha2::{Digest as _, Sha256};
use std::sync::Arc;

use super::policy::{Policy, Principal};
use crate::base::clock::Timestamp;
use crate::base::digest::hex;

/// The account that every bucket and every identity belongs to, as ARNs and owners name accounts.
pub const ACCOUNT_ID: &str = "000000000000";

/// On whose behalf a request runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody: the request carried no credentials.
    Anonymous,
    /// The holder of an access key.
    Key(Arc<KeyIdentity>),
}

/// The holder of an access key, without the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The access key id, as clients send it.
    pub access_key_id: String,
    /// The `ID` of owners and initiators in XML: 64 hexadecimal digits, the SHA-256 of the user.
    pub canonical_user_id: String,
    /// The access key id of the key whose rights these are: this one's own, or that of the key that made it.
    pub user: String,
    /// Whether these are the rights of the root key.
    pub root: bool,
    /// The ARNs by which policies name it: its own first, then that of its user.
    pub arns: Vec<String>,
    /// What the user may do. The root key has none and needs none.
    pub policy: Option<Policy>,
    /// What makes it temporary.
    pub session: Option<Session>,
}

/// Rights that end, and may be fewer than those of the key they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The name its maker gave it.
    pub name: String,
    /// What it is narrowed to.
    pub policy: Option<Policy>,
    /// When it ends.
    pub expires: Timestamp,
}

impl Identity {
    /// The access key id, unless anonymous.
    pub fn access_key_id(&self) -> Option<&str> {
        self.key().map(|key| key.access_key_id.as_str())
    }

    /// The holder of a key, unless anonymous.
    pub fn key(&self) -> Option<&KeyIdentity> {
        match self {
            Self::Anonymous => None,
            Self::Key(key) => Some(key),
        }
    }

    /// The caller as policies see it.
    pub fn principal(&self) -> Principal<'_> {
        match self {
            Self::Anonymous => Principal::Anonymous,
            Self::Key(key) => {
                Principal::User { arns: &key.arns, canonical_user_id: &key.canonical_user_id, root: key.root }
            }
        }
    }
}

impl KeyIdentity {
    /// The holder of the root key.
    pub(super) fn root(access_key_id: &str) -> Self {
        let arns = vec![format!("arn:aws:iam::{ACCOUNT_ID}:root")];
        Self { root: true, arns, ..Self::user(access_key_id, None) }
    }

    /// The holder of another key.
    pub(super) fn user(access_key_id: &str, policy: Option<Policy>) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            canonical_user_id: canonical_user_id(access_key_id),
            user: access_key_id.to_owned(),
            root: false,
            arns: vec![format!("arn:aws:iam::{ACCOUNT_ID}:user/{access_key_id}")],
            policy,
            session: None,
        }
    }

    /// The same rights for a while, under another access key id, perhaps narrowed.
    pub(super) fn for_session(&self, access_key_id: &str, session: Session) -> Self {
        let own = format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/{}/{}", self.user, session.name);
        let arns = [own].into_iter().chain(self.arns.iter().cloned()).collect();
        Self { access_key_id: access_key_id.to_owned(), arns, session: Some(session), ..self.clone() }
    }

    /// The ARN that names it and nobody else.
    pub fn arn(&self) -> &str {
        self.arns.first().map(String::as_str).unwrap_or_default()
    }

    /// Whether nothing narrows the rights of the root key here.
    pub fn is_unrestricted_root(&self) -> bool {
        self.root && self.session.as_ref().is_none_or(|session| session.policy.is_none())
    }
}

/// The canonical user id of the holder of a key.
pub fn canonical_user_id(access_key_id: &str) -> String {
    hex(&Sha256::digest(access_key_id.as_bytes()))
}
