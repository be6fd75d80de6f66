//! The access keys and API tokens of this gateway, between the store that keeps them and the keyring that uses them.
//!
//! Invariants:
//! - a change is committed before the keyring hears of it: what a caller was told holds after a crash;
//! - secrets are sealed with the data directory's master key ([`master`]) for the id of their access key, so that none is
//!   taken for another's; tokens are kept by their hash alone;
//! - changes take turns, so that the keyring ends up with what the store holds.

pub(super) mod master;
mod record;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Mutex;

use crate::auth::policy::Policy;
use crate::auth::{AccessKey, BearerToken, Keyring, token_hash};
use crate::base::clock::Timestamp;
use crate::base::limits::{LIST_PAGE_MAX, TOKENS_PER_KEY_MAX};
use crate::base::rng::Rng;
use crate::store::Store;
use crate::store::error::Error as StoreError;
use crate::store::types::{Expected, RecordKind};

use record::BadRecord;

/// What an API token begins with, so that it is known for what it is, also by those who look for leaked secrets.
const TOKEN_PREFIX: &str = "wharf_";
/// What is drawn for a token.
const TOKEN_BYTES: usize = 32;

/// Why keys cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There is no key of this id.
    #[error("there is no access key {0:?}")]
    NotFound(String),
    /// There is one already.
    #[error("the access key {0:?} exists")]
    Exists(String),
    /// The key of the settings is changed there.
    #[error("the root key comes from the settings and is changed there")]
    Root,
    /// A key that may not be used gives nothing out.
    #[error("the access key {0:?} is disabled")]
    Disabled(String),
    /// One key has as many tokens as it may have.
    #[error("an access key has at most {TOKENS_PER_KEY_MAX} tokens")]
    TooManyTokens,
    /// The master key is not the one that sealed this.
    #[error("the secret of access key {0:?} was sealed with another master key than the one in master.key")]
    Sealed(String),
    /// A record is not what wharf wrote.
    #[error("the record of {0:?} is unreadable: {1}")]
    Unreadable(String, String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new access key, as its maker wants it. Not to be shown: it has the secret.
pub(super) struct NewKey {
    pub(super) access_key_id: String,
    pub(super) secret: String,
    pub(super) name: Option<String>,
    pub(super) policy: Option<Policy>,
    pub(super) enabled: bool,
}

/// What is to change of a key; what is none stays.
#[derive(Debug, Default)]
pub(super) struct KeyChange {
    pub(super) enabled: Option<bool>,
    pub(super) policy: Option<Option<Policy>>,
    pub(super) name: Option<Option<String>>,
}

/// The keys and tokens.
pub(super) struct Keys {
    store: Arc<Store>,
    keyring: Arc<Keyring>,
    rng: Arc<dyn Rng>,
    turn: Mutex<()>,
}

impl Keys {
    /// Brings everything the store keeps into the keyring.
    pub(super) fn load(store: Arc<Store>, keyring: Arc<Keyring>, rng: Arc<dyn Rng>) -> Result<Self, KeysError> {
        let keys = Self { store, keyring, rng, turn: Mutex::default() };
        keys.each(RecordKind::AccessKey, |id, bytes| {
            let key = record::read_key(keys.keyring.sealer(), id, bytes).map_err(|bad| unreadable(id, bad))?;
            if id == keys.keyring.root().access_key_id {
                tracing::warn!(access_key = id, "a kept access key has the root key's id and cannot be used");
            }
            keys.keyring.put(key);
            Ok(())
        })?;
        keys.each(RecordKind::Token, |hash, bytes| {
            let token = record::read_token(hash, bytes).map_err(|bad| unreadable(hash, bad))?;
            keys.keyring.put_token(token);
            Ok(())
        })?;
        Ok(keys)
    }

    /// All keys but the root key, by id.
    pub(super) fn list(&self) -> Vec<AccessKey> {
        self.keyring.list()
    }

    /// The key of this id, the root key excepted.
    pub(super) fn get(&self, access_key_id: &str) -> Result<AccessKey, KeysError> {
        let key = self.keyring.get(access_key_id).filter(|_| !self.is_root(access_key_id));
        key.ok_or_else(|| self.missing(access_key_id))
    }

    /// Makes a key.
    pub(super) async fn create(&self, new: NewKey) -> Result<AccessKey, KeysError> {
        let _turn = self.turn.lock().await;
        if self.is_root(&new.access_key_id) {
            return Err(KeysError::Exists(new.access_key_id));
        }
        let key = AccessKey {
            access_key_id: new.access_key_id,
            secret: new.secret,
            enabled: new.enabled,
            policy: new.policy,
            created: self.store.now(),
            name: new.name,
        };
        match self.commit(key.clone(), Expected::Absent).await {
            Err(KeysError::Store(StoreError::Exists)) => Err(KeysError::Exists(key.access_key_id)),
            done => done.map(|()| key),
        }
    }

    /// Changes a key.
    pub(super) async fn change(&self, access_key_id: &str, change: KeyChange) -> Result<AccessKey, KeysError> {
        let _turn = self.turn.lock().await;
        let mut key = self.get(access_key_id)?;
        key.enabled = change.enabled.unwrap_or(key.enabled);
        key.policy = change.policy.unwrap_or(key.policy);
        key.name = change.name.unwrap_or(key.name);
        self.commit(key.clone(), Expected::Any).await?;
        Ok(key)
    }

    /// Removes a key with its tokens. Its temporary credentials end with it.
    pub(super) async fn delete(&self, access_key_id: &str) -> Result<(), KeysError> {
        let _turn = self.turn.lock().await;
        self.get(access_key_id)?;
        self.store.delete_record(RecordKind::AccessKey, access_key_id).await?;
        self.keyring.remove(access_key_id);
        // Without their key they open nothing; a crash in between leaves rows that expire.
        for token in self.keyring.tokens(access_key_id, Timestamp::default()) {
            self.forget(&token.hash).await?;
        }
        Ok(())
    }

    /// Makes a token with the rights of this key, perhaps narrowed, and gives it out: only its hash is kept.
    pub(super) async fn create_token(
        &self,
        access_key_id: &str,
        policy: Option<Policy>,
        life: Duration,
    ) -> Result<(String, BearerToken), KeysError> {
        let _turn = self.turn.lock().await;
        let id = self.holder(access_key_id)?;
        if self.tokens(&id)?.len() >= TOKENS_PER_KEY_MAX {
            return Err(KeysError::TooManyTokens);
        }
        let mut bytes = [0; TOKEN_BYTES];
        self.rng.fill(&mut bytes);
        let text = TOKEN_PREFIX.to_owned() + &URL_SAFE_NO_PAD.encode(bytes);
        let created = self.store.now();
        let token = BearerToken {
            hash: token_hash(&text),
            fingerprint: self.keyring.fingerprint(&id).ok_or_else(|| KeysError::Disabled(id.clone()))?,
            access_key_id: id,
            policy,
            created,
            expires: created.after(life),
        };
        let bytes = record::write_token(&token);
        let expires = Some(token.expires);
        self.store.put_record(RecordKind::Token, &token.hash, bytes, expires, Expected::Absent).await?;
        self.keyring.put_token(token.clone());
        Ok((text, token))
    }

    /// The tokens of this key that have not ended, by their hash.
    pub(super) fn tokens(&self, access_key_id: &str) -> Result<Vec<BearerToken>, KeysError> {
        let id = self.holder(access_key_id)?;
        Ok(self.keyring.tokens(&id, self.store.now()))
    }

    /// Ends one token of this key, or all of them; answers how many.
    pub(super) async fn end_tokens(&self, access_key_id: &str, hash: Option<&str>) -> Result<usize, KeysError> {
        let _turn = self.turn.lock().await;
        let mut ended = 0;
        for token in self.tokens(access_key_id)? {
            if hash.is_none_or(|hash| hash == token.hash) {
                self.forget(&token.hash).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }

    async fn commit(&self, key: AccessKey, expected: Expected) -> Result<(), KeysError> {
        let bytes = record::write_key(self.keyring.sealer(), &key, self.rng.as_ref());
        self.store.put_record(RecordKind::AccessKey, &key.access_key_id, bytes, None, expected).await?;
        self.keyring.put(key);
        Ok(())
    }

    async fn forget(&self, hash: &str) -> Result<(), KeysError> {
        self.store.delete_record(RecordKind::Token, hash).await?;
        self.keyring.remove_token(hash);
        Ok(())
    }

    /// Whoever may have tokens: the holder of a key, the root key included.
    fn holder(&self, access_key_id: &str) -> Result<String, KeysError> {
        if self.is_root(access_key_id) {
            return Ok(access_key_id.to_owned());
        }
        self.get(access_key_id).map(|key| key.access_key_id)
    }

    fn is_root(&self, access_key_id: &str) -> bool {
        self.keyring.root().access_key_id == access_key_id
    }

    fn missing(&self, access_key_id: &str) -> KeysError {
        if self.is_root(access_key_id) { KeysError::Root } else { KeysError::NotFound(access_key_id.to_owned()) }
    }

    fn each(
        &self,
        kind: RecordKind,
        mut visit: impl FnMut(&str, &[u8]) -> Result<(), KeysError>,
    ) -> Result<(), KeysError> {
        let (mut after, mut more) = (String::new(), true);
        while more {
            let (records, further) = self.store.records_page(kind, &after, LIST_PAGE_MAX)?;
            more = further && !records.is_empty();
            for (name, record) in records {
                visit(&name, &record.bytes)?;
                after = name;
            }
        }
        Ok(())
    }
}

fn unreadable(name: &str, bad: BadRecord) -> KeysError {
    match bad {
        BadRecord::Sealed => KeysError::Sealed(name.to_owned()),
        BadRecord::Unreadable(why) => KeysError::Unreadable(name.to_owned(), why),
    }
}
