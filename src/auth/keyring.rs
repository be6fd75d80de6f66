//! Who may sign: access keys and their secrets, the temporary credentials they gave out, and API tokens.
//!
//! The root key comes from the settings. The others are put in here by whoever keeps them, at the start and with each change, so
//! that a change counts from the next request on and no request reads a store. Secrets leave this file as signing keys and
//! signatures alone, and for the one who keeps them; they appear in no `Debug` output.
//!
//! Deriving a signing key costs four HMACs, so the derived ones are kept in a map of bounded size. A kept one is known by the
//! serial number of the key it was derived from: a key that was replaced is never meant by it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::error::{AuthError, AuthErrorCode};
use super::identity::{KeyIdentity, Session};
use super::policy::Policy;
use super::seal::Sealer;
use super::session;
use super::sigv4::{self, SigningKey};
use crate::base::clock::Timestamp;
use crate::base::digest::hex;
use crate::base::limits::SIGNING_KEYS_CACHED_MAX;

/// An access key beside the root key, as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// What clients send.
    pub access_key_id: String,
    /// What signs.
    pub secret: String,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// What it may do; without one only what buckets allow it.
    pub policy: Option<Policy>,
    /// When it was made.
    pub created: Timestamp,
    /// What people call it.
    pub name: Option<String>,
}

/// An API token, as it is kept: by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerToken {
    /// SHA-256 of the token in hexadecimal digits.
    pub hash: String,
    /// Whose rights it carries.
    pub access_key_id: String,
    /// What it is narrowed to.
    pub policy: Option<Policy>,
    /// What ties it to the key that it was made for: [`Keyring::fingerprint`].
    pub fingerprint: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// Somebody who may sign.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) identity: Arc<KeyIdentity>,
    secret: Arc<str>,
    /// Of the key it stands for; temporary credentials have none, and no kept signing keys.
    serial: Option<u64>,
}

/// The access keys of this gateway.
pub struct Keyring {
    root: Entry,
    keys: RwLock<BTreeMap<String, Entry>>,
    tokens: RwLock<HashMap<String, BearerToken>>,
    signing_keys: Mutex<HashMap<(u64, String), SigningKey>>,
    serials: AtomicU64,
    sealer: Sealer,
}

#[derive(Clone)]
struct Entry {
    identity: Arc<KeyIdentity>,
    secret: Arc<str>,
    serial: u64,
    enabled: bool,
    created: Timestamp,
    name: Option<String>,
}

impl Keyring {
    /// A keyring with the root key alone. Temporary credentials are sealed by `sealer`.
    pub fn new(root_access_key_id: &str, root_secret: &str, sealer: Sealer) -> Self {
        let root = Entry {
            identity: Arc::new(KeyIdentity::root(root_access_key_id)),
            secret: root_secret.into(),
            serial: 0,
            enabled: true,
            created: Timestamp::default(),
            name: None,
        };
        Self {
            root,
            keys: RwLock::default(),
            tokens: RwLock::default(),
            signing_keys: Mutex::default(),
            serials: AtomicU64::new(1),
            sealer,
        }
    }

    /// The holder of the root key.
    pub fn root(&self) -> &Arc<KeyIdentity> {
        &self.root.identity
    }

    /// What seals the secrets of this gateway.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Puts a key in, in place of one with the same id. The root key's id is never anybody else's: such a key is not found.
    pub fn put(&self, key: AccessKey) {
        let entry = Entry {
            identity: Arc::new(KeyIdentity::user(&key.access_key_id, key.policy)),
            secret: key.secret.into(),
            serial: self.serials.fetch_add(1, Ordering::Relaxed),
            enabled: key.enabled,
            created: key.created,
            name: key.name,
        };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(key.access_key_id, entry);
    }

    /// Takes a key out, and with it all that its holder was given. False when there was none.
    pub fn remove(&self, access_key_id: &str) -> bool {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(access_key_id).is_some()
    }

    /// The key of this id, the root key excepted.
    pub fn get(&self, access_key_id: &str) -> Option<AccessKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(access_key_id).map(|entry| entry.key(access_key_id))
    }

    /// All keys but the root key, by id.
    pub fn list(&self) -> Vec<AccessKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|(id, entry)| entry.key(id)).collect()
    }

    /// Puts an API token in. Those that had ended when it was made go.
    pub fn put_token(&self, token: BearerToken) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, kept| token.created < kept.expires);
        tokens.insert(token.hash.clone(), token);
    }

    /// Takes an API token out. False when there was none.
    pub fn remove_token(&self, hash: &str) -> bool {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).remove(hash).is_some()
    }

    /// The API tokens of a key that have not ended, by hash.
    pub fn tokens(&self, access_key_id: &str, now: Timestamp) -> Vec<BearerToken> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = tokens
            .values()
            .filter(|token| token.access_key_id == access_key_id && now < token.expires)
            .cloned()
            .collect();
        found.sort_by(|a, b| a.hash.cmp(&b.hash));
        found
    }

    /// Whom an API token belongs to, with the rights it carries; none for one that is unknown, has ended or whose key may not
    /// be used.
    pub fn bearer(&self, token: &str, now: Timestamp) -> Option<Arc<KeyIdentity>> {
        let hash = token_hash(token);
        let token = self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&hash)?.clone();
        let entry = self.usable(&token.access_key_id).filter(|entry| {
            // A token ends with the secret of its key, and is not that of another key which has the id by now.
            now < token.expires && self.mark(entry) == token.fingerprint
        })?;
        let session = Session { name: "token".to_owned(), policy: token.policy, expires: token.expires };
        Some(Arc::new(entry.identity.for_session(&token.access_key_id, session)))
    }

    /// Whom an access key id and a secret belong to. Takes the same time for a wrong secret and, but for a lookup, for an id
    /// that nobody has.
    pub fn password(&self, access_key_id: &str, secret: &str) -> Option<Arc<KeyIdentity>> {
        let entry = self.usable(access_key_id);
        let expected = entry.as_ref().map_or("", |entry| &entry.secret);
        let same = Sha256::digest(expected.as_bytes()).ct_eq(&Sha256::digest(secret.as_bytes()));
        entry.filter(|_| bool::from(same)).map(|entry| entry.identity)
    }

    /// Whoever signs with this id, and with this session token where there is one.
    ///
    /// # Errors
    /// `InvalidAccessKeyId`, `InvalidToken`, `ExpiredToken`.
    pub(super) fn signer(&self, access_key_id: &str, token: Option<&str>, now: Timestamp) -> Result<Signer, AuthError> {
        match token.filter(|token| !token.is_empty()) {
            None => {
                let entry = self.usable(access_key_id).ok_or_else(|| sigv4::unknown_key(access_key_id))?;
                Ok(Signer { identity: entry.identity, secret: entry.secret, serial: Some(entry.serial) })
            }
            Some(token) => self.temporary(access_key_id, token, now),
        }
    }

    fn temporary(&self, access_key_id: &str, token: &str, now: Timestamp) -> Result<Signer, AuthError> {
        let opened = session::open(&self.sealer, token).filter(|opened| opened.access_key_id == access_key_id);
        let opened = opened.ok_or_else(AuthError::session_token)?;
        if now >= opened.expires {
            return Err(AuthError::new(AuthErrorCode::ExpiredToken, "The provided token has expired."));
        }
        // Credentials end with the key that gave them out, and when its secret changes.
        let parent = self.usable(&opened.parent).filter(|entry| self.mark(entry) == opened.fingerprint);
        let parent = parent.ok_or_else(AuthError::session_token)?;
        let session = Session { name: opened.name, policy: opened.policy, expires: opened.expires };
        let identity = Arc::new(parent.identity.for_session(access_key_id, session));
        Ok(Signer { identity, secret: opened.secret.into(), serial: None })
    }

    /// What `signer` signs with on `date` (`YYYYMMDD`) in `region` for `service`.
    pub(super) fn signing_key(&self, signer: &Signer, date: &str, region: &str, service: &str) -> SigningKey {
        let Some(serial) = signer.serial else { return SigningKey::derive(&signer.secret, date, region, service) };
        let name = (serial, format!("{date}/{region}/{service}"));
        let mut cached = self.signing_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = cached.get(&name) {
            return key.clone();
        }
        let key = SigningKey::derive(&signer.secret, date, region, service);
        // A few entries a day are used; starting over now and then is cheaper than keeping an order of use.
        if cached.len() >= SIGNING_KEYS_CACHED_MAX {
            cached.clear();
        }
        cached.insert(name, key.clone());
        key
    }

    /// The holder of the key of this id, the root key included; none where it may not be used.
    pub fn holder(&self, access_key_id: &str) -> Option<Arc<KeyIdentity>> {
        Some(self.usable(access_key_id)?.identity)
    }

    /// The secret of the key of this id; none where it may not be used.
    pub(super) fn secret(&self, access_key_id: &str) -> Option<Arc<str>> {
        Some(self.usable(access_key_id)?.secret)
    }

    /// What ties temporary credentials and tokens to the key they come from, and tells nothing of its secret; none where it may
    /// not be used.
    pub fn fingerprint(&self, access_key_id: &str) -> Option<String> {
        Some(self.mark(&self.usable(access_key_id)?))
    }

    /// Tells a key from any other that has or had its id.
    fn mark(&self, entry: &Entry) -> String {
        self.sealer.mark(&format!("{}\n{}\n{}", entry.identity.user, entry.created.0, entry.secret))
    }

    fn usable(&self, access_key_id: &str) -> Option<Entry> {
        if access_key_id == self.root.identity.access_key_id {
            return Some(self.root.clone());
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(access_key_id).filter(|entry| entry.enabled).cloned()
    }
}

impl Signer {
    /// The signature of version 2, in base64.
    pub(super) fn sigv2_signature(&self, string_to_sign: &[u8]) -> String {
        super::sigv2::sign(&self.secret, string_to_sign)
    }
}

impl Entry {
    fn key(&self, access_key_id: &str) -> AccessKey {
        AccessKey {
            access_key_id: access_key_id.to_owned(),
            secret: self.secret.to_string(),
            enabled: self.enabled,
            policy: self.identity.policy.clone(),
            created: self.created,
            name: self.name.clone(),
        }
    }
}

/// What a token is kept under.
pub fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("root", &self.root.identity.access_key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("access_key_id", &self.access_key_id)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("access_key_id", &self.identity.access_key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
