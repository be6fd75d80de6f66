//! Who may sign: access keys and their secrets.
//!
//! Secrets never leave this file except as signing keys and signatures, and appear in no `Debug` output. Deriving a signing key costs
//! four HMACs, so the derived ones are kept in a map of bounded size; only keys of known identities get into it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::sigv2;
use super::sigv4::SigningKey;
use crate::base::digest::hex;
use crate::base::limits::SIGNING_KEYS_CACHED_MAX;

/// On whose behalf a request runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nobody: the request carried no credentials.
    Anonymous,
    /// The holder of an access key.
    Key(KeyIdentity),
}

impl Identity {
    /// The access key id, unless anonymous.
    pub fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Key(key) => Some(&key.access_key_id),
        }
    }

    /// Whether this is the root key, to which everything is allowed.
    pub fn is_root(&self) -> bool {
        matches!(self, Self::Key(key) if key.root)
    }
}

/// The public half of an access key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyIdentity {
    /// The access key id, as clients send it.
    pub access_key_id: String,
    /// The `ID` of owners and initiators in XML: 64 hexadecimal digits, the SHA-256 of the access key id.
    pub canonical_user_id: String,
    /// Whether this is the root key.
    pub root: bool,
}

/// The access keys of this gateway: the root key.
pub struct Keyring {
    root: KeyIdentity,
    root_secret: String,
    signing_keys: Mutex<HashMap<String, SigningKey>>,
}

impl Keyring {
    /// A keyring with the root key alone.
    pub fn new(root_access_key_id: &str, root_secret: &str) -> Self {
        let root = KeyIdentity {
            access_key_id: root_access_key_id.to_owned(),
            canonical_user_id: hex(&Sha256::digest(root_access_key_id.as_bytes())),
            root: true,
        };
        Self { root, root_secret: root_secret.to_owned(), signing_keys: Mutex::default() }
    }

    /// The holder of the root key.
    pub fn root(&self) -> &KeyIdentity {
        &self.root
    }

    /// The holder of `access_key_id`.
    pub fn find(&self, access_key_id: &str) -> Option<&KeyIdentity> {
        (self.root.access_key_id == access_key_id).then_some(&self.root)
    }

    /// The key that `access_key_id` signs with on `date` (`YYYYMMDD`) in `region`; none when nobody has that id.
    pub fn signing_key(&self, access_key_id: &str, date: &str, region: &str) -> Option<SigningKey> {
        self.find(access_key_id)?;
        let name = format!("{access_key_id}/{date}/{region}");
        let mut cached = self.signing_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = cached.get(&name) {
            return Some(key.clone());
        }
        let key = SigningKey::derive(&self.root_secret, date, region);
        // A few entries a day are used; starting over now and then is cheaper than keeping an order of use.
        if cached.len() >= SIGNING_KEYS_CACHED_MAX {
            cached.clear();
        }
        cached.insert(name, key.clone());
        Some(key)
    }

    /// What `access_key_id` signs this with under signature version 2, in base64; none when nobody has that id.
    pub fn sigv2_signature(&self, access_key_id: &str, string_to_sign: &[u8]) -> Option<String> {
        self.find(access_key_id)?;
        Some(sigv2::sign(&self.root_secret, string_to_sign))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("root", &self.root.access_key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_only_whom_it_knows() {
        let keyring = Keyring::new("AKIDEXAMPLE", "topsecret");
        assert_eq!(keyring.find("AKIDEXAMPLE").map(|key| key.root), Some(true));
        assert_eq!(keyring.find("akidexample"), None);
        assert!(keyring.signing_key("", "20260101", "us-east-1").is_none());
        assert_eq!(keyring.root().canonical_user_id.len(), 64);
    }

    #[test]
    fn debug_output_hides_secrets() {
        let keyring = Keyring::new("AKIDEXAMPLE", "topsecret");
        let key = keyring.signing_key("AKIDEXAMPLE", "20260101", "us-east-1").unwrap();
        let shown = format!("{keyring:?} {key:?}");
        assert!(shown.contains("AKIDEXAMPLE") && !shown.contains("topsecret") && !shown.contains(&hex(key.as_bytes())));
    }

    #[test]
    fn the_cache_is_bounded_and_right() {
        let keyring = Keyring::new("AKIDEXAMPLE", "topsecret");
        for day in 0..SIGNING_KEYS_CACHED_MAX * 2 {
            let date = format!("{day:08}");
            let derived = SigningKey::derive("topsecret", &date, "r");
            for _ in 0..2 {
                let key = keyring.signing_key("AKIDEXAMPLE", &date, "r").unwrap();
                assert_eq!(key.as_bytes(), derived.as_bytes());
            }
        }
        assert!(keyring.signing_keys.lock().unwrap().len() <= SIGNING_KEYS_CACHED_MAX);
    }
}
