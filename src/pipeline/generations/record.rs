//! A generation as it is kept: what was asked for, on whose behalf, and how far it is. One record each, in JSON, with members
//! that later versions may add to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::error::Error;
use crate::auth::policy::{Policy, PolicyKind};
use crate::auth::{Identity, KeyIdentity, Keyring, Session};
use crate::base::clock::Timestamp;
use crate::store::error::Error as StoreError;
use crate::store::types::{BucketName, ObjectKey, UploadId};

/// Where a generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// No generator has taken it yet.
    Pending,
    /// A generator has.
    Running,
    /// The image is there.
    Completed,
    /// It never will be.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

impl Status {
    /// All of them.
    const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing will change any more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// A generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::pipeline) struct Record {
    /// Its name.
    pub(in crate::pipeline) uuid: String,
    /// Where it is.
    pub(in crate::pipeline) status: Status,
    /// The image, as [`crate::wire::image::Image::to_json`] says it.
    pub(in crate::pipeline) image: Map<String, Value>,
    /// Bytes of its file.
    pub(in crate::pipeline) volume_bytes: u64,
    /// Bytes of each part but the last.
    pub(in crate::pipeline) part_size_bytes: u64,
    /// The bucket it goes to ...
    pub(in crate::pipeline) bucket: String,
    /// ... under this key ...
    pub(in crate::pipeline) key: String,
    /// ... by this upload.
    pub(in crate::pipeline) upload: String,
    /// On whose behalf; nobody's where that is absent.
    #[serde(default)]
    pub(in crate::pipeline) owner: Option<Owner>,
    /// Whom its end is told.
    #[serde(default)]
    pub(in crate::pipeline) callback: Option<Callback>,
    /// What the owner reaches the S3 port as.
    pub(in crate::pipeline) s3_base: String,
    /// When it was asked for.
    pub(in crate::pipeline) created_ms: u64,
    /// When a generator took it.
    #[serde(default)]
    pub(in crate::pipeline) started_ms: Option<u64>,
    /// When it was over.
    #[serde(default)]
    pub(in crate::pipeline) finished_ms: Option<u64>,
    /// How it is about to end: decided, but its upload may still be there.
    #[serde(default)]
    pub(in crate::pipeline) ending: Option<Ending>,
    /// Who drew it.
    #[serde(default)]
    pub(in crate::pipeline) backend: Option<String>,
    /// The object's tag.
    #[serde(default)]
    pub(in crate::pipeline) etag: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub(in crate::pipeline) error: Option<String>,
    /// How often it was ordered from a generator that did not have it.
    #[serde(default)]
    pub(in crate::pipeline) attempt: u64,
    /// The parts that were there at the end.
    #[serde(default)]
    pub(in crate::pipeline) parts_done: u64,
    /// ... and their bytes.
    #[serde(default)]
    pub(in crate::pipeline) bytes_done: u64,
}

/// How a generation ends without an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::pipeline) struct Ending {
    /// Failed or cancelled.
    pub(in crate::pipeline) status: Status,
    /// Why.
    pub(in crate::pipeline) error: Option<String>,
}

/// Whom the end is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::pipeline) struct Callback {
    /// Where.
    pub(in crate::pipeline) url: String,
    /// What signs it, sealed, in base64.
    #[serde(default)]
    pub(in crate::pipeline) secret: Option<String>,
}

/// Whose rights a generation has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::pipeline) struct Owner {
    /// The access key id of the key.
    pub(in crate::pipeline) user: String,
    /// Tells it from another that has the id later.
    fingerprint: String,
    /// What narrowed them.
    #[serde(default)]
    session: Option<OwnerSession>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OwnerSession {
    access_key_id: String,
    name: String,
    arns: Vec<String>,
    #[serde(default)]
    policy: Option<String>,
    expires_ms: u64,
}

impl Owner {
    /// Who asks, to be kept; nothing for nobody.
    ///
    /// # Errors
    /// 401 for a key that is gone meanwhile.
    pub(super) fn of(identity: &Identity, keyring: &Keyring) -> Result<Option<Self>, Error> {
        let Some(key) = identity.key() else { return Ok(None) };
        let fingerprint = keyring.fingerprint(&key.user).ok_or_else(Error::unauthorized)?;
        let session = key.session.as_ref().map(|session| OwnerSession {
            access_key_id: key.access_key_id.clone(),
            name: session.name.clone(),
            arns: key.arns.clone(),
            policy: session.policy.as_ref().map(|policy| policy.text().to_owned()),
            expires_ms: session.expires.0,
        });
        Ok(Some(Self { user: key.user.clone(), fingerprint, session }))
    }

    /// The owner as one who asks; none where the key is gone, may not be used or has another secret by now, and where the
    /// session that narrowed it has ended.
    pub(in crate::pipeline) fn identity(&self, keyring: &Keyring, now: Timestamp) -> Option<Identity> {
        let key = keyring.holder(&self.user).filter(|_| self.is_of_key(keyring))?;
        let Some(kept) = &self.session else { return Some(Identity::Key(key)) };
        if now.0 >= kept.expires_ms {
            return None;
        }
        let policy = match &kept.policy {
            None => None,
            // A policy that can no longer be read narrows to nothing.
            Some(text) => Some(Policy::parse(text.as_bytes(), PolicyKind::Session).ok()?),
        };
        let session = Session { name: kept.name.clone(), policy, expires: Timestamp(kept.expires_ms) };
        let (access_key_id, arns) = (kept.access_key_id.clone(), kept.arns.clone());
        let narrowed = KeyIdentity { access_key_id, arns, session: Some(session), ..KeyIdentity::clone(&key) };
        Some(Identity::Key(Arc::new(narrowed)))
    }

    /// Whether the key of this id is still the owner's: a later one that has the id owns nothing of it.
    fn is_of_key(&self, keyring: &Keyring) -> bool {
        keyring.fingerprint(&self.user).is_some_and(|fingerprint| fingerprint == self.fingerprint)
    }

    /// Whether this is who asks: with all rights of the key, or narrowed in the same way.
    pub(in crate::pipeline) fn is(&self, identity: &Identity, keyring: &Keyring) -> bool {
        let Some(key) = identity.key() else { return false };
        let asking = key.session.as_ref().and_then(|session| session.policy.as_ref()).map(Policy::text);
        let kept = self.session.as_ref().and_then(|session| session.policy.as_deref());
        key.user == self.user && self.is_of_key(keyring) && (asking.is_none() || asking == kept)
    }
}

/// Where a generation's image goes, taken apart.
pub(super) struct Place {
    pub(super) bucket: BucketName,
    pub(super) key: ObjectKey,
    pub(super) upload: UploadId,
}

impl Record {
    /// A kept generation.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub(super) fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt(format!("a generation's record: {error}")))
    }

    /// As it is kept.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], which does not happen.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Corrupt(format!("a generation's record: {error}")))
    }

    /// Where its image goes.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub(super) fn place(&self) -> Result<Place, StoreError> {
        let place = || {
            let bucket = BucketName::parse(&self.bucket)?;
            Some(Place { bucket, key: ObjectKey::parse(&self.key)?, upload: UploadId::parse(&self.upload)? })
        };
        place().ok_or_else(|| StoreError::Corrupt("a generation's record names no upload".to_owned()))
    }

    /// The parts of the file.
    pub(in crate::pipeline) fn part_count(&self) -> u64 {
        self.volume_bytes.div_ceil(self.part_size_bytes.max(1))
    }

    /// Bytes of the part of this number, from 1.
    pub(super) fn part_bytes(&self, number: u64) -> u64 {
        let start = number.saturating_sub(1).saturating_mul(self.part_size_bytes);
        self.volume_bytes.saturating_sub(start).min(self.part_size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::seal::Sealer;
    use crate::auth::{AccessKey, BearerToken, token_hash};

    /// As this version writes it: every later one reads it.
    const WRITTEN: &str = r#"{"uuid":"0f6b3b2e-4f0e-4f7e-9f5e-0123456789ab","status":"RUNNING","image":{"width":2},
        "volume_bytes":70,"part_size_bytes":30,"bucket":"uploads","key":"a.bmp",
        "upload":"00000100000000070123456789abcdef","owner":{"user":"k","fingerprint":"f","session":{"access_key_id":"k",
        "name":"token","arns":["a"],"policy":null,"expires_ms":9}},"callback":{"url":"http://h/","secret":"AQI="},
        "s3_base":"http://h","created_ms":1,"started_ms":2,"finished_ms":null,"ending":null,"backend":"cpu","etag":null,
        "error":null,"parts_done":0,"bytes_done":0}"#;

    #[test]
    fn what_was_written_is_read() {
        let record = Record::read(WRITTEN.as_bytes()).unwrap();
        assert_eq!(Record::read(&record.bytes().unwrap()).unwrap(), record);
        assert_eq!((record.status, record.part_count(), record.started_ms), (Status::Running, 3, Some(2)));
        assert_eq!([1, 2, 3, 4].map(|number| record.part_bytes(number)), [30, 30, 10, 0]);
        assert_eq!(record.callback.clone().unwrap().secret.as_deref(), Some("AQI="));
        assert_eq!(record.place().unwrap().key.as_str(), "a.bmp");
        let least = r#"{"uuid":"u","status":"PENDING","image":{},"volume_bytes":70,"part_size_bytes":30,"bucket":"b",
            "key":"k","upload":"u","s3_base":"","created_ms":1,"of a later version":[]}"#;
        assert!(Record::read(least.as_bytes()).unwrap().place().is_err());
        assert!(matches!(Record::read(b"{}"), Err(StoreError::Corrupt(_))));
        for status in Status::ALL {
            assert_eq!(Status::parse(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }

    #[test]
    fn an_owner_is_one_key_for_as_long_as_its_rights_last() {
        let keyring = Keyring::new("root", "root-secret", Sealer::new([7; 32]));
        let key = |secret: &str, enabled| AccessKey {
            access_key_id: "k".to_owned(),
            secret: secret.to_owned(),
            enabled,
            policy: None,
            created: Timestamp(1),
            name: None,
        };
        keyring.put(key("secret", true));
        keyring.put_token(BearerToken {
            hash: token_hash("t"),
            access_key_id: "k".to_owned(),
            policy: None,
            fingerprint: keyring.fingerprint("k").unwrap(),
            created: Timestamp(1),
            expires: Timestamp(100),
        });
        let whole = Identity::Key(keyring.holder("k").unwrap());
        let token = Identity::Key(keyring.bearer("t", Timestamp(2)).unwrap());
        let (all, session) =
            (Owner::of(&whole, &keyring).unwrap().unwrap(), Owner::of(&token, &keyring).unwrap().unwrap());
        assert!(Owner::of(&Identity::Anonymous, &keyring).unwrap().is_none());
        assert_eq!(all.identity(&keyring, Timestamp(1000)), Some(whole.clone()));
        assert_eq!(session.identity(&keyring, Timestamp(99)), Some(token));
        assert_eq!(session.identity(&keyring, Timestamp(100)), None, "the token has ended");
        assert!(all.is(&whole, &keyring) && session.is(&whole, &keyring) && !all.is(&Identity::Anonymous, &keyring));
        keyring.put(key("secret", false));
        assert_eq!(all.identity(&keyring, Timestamp(2)), None, "it may not be used");
        keyring.put(key("another secret", true));
        let later = Identity::Key(keyring.holder("k").unwrap());
        assert!(all.identity(&keyring, Timestamp(2)).is_none() && !all.is(&later, &keyring), "another has the id");
        keyring.remove("k");
        assert_eq!(all.identity(&keyring, Timestamp(2)), None);
    }
}
