//! What the store keeps of access keys and tokens: JSON with a version, in which a reader skips what it does not know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::auth::policy::{Policy, PolicyKind};
use crate::auth::seal::Sealer;
use crate::auth::{AccessKey, BearerToken};
use crate::base::clock::Timestamp;
use crate::base::rng::Rng;

/// The version written. A record of a later one means something this program does not know.
const VERSION: u32 = 1;

/// Why a record cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadRecord {
    /// Its secret does not open.
    Sealed,
    /// It is not what wharf wrote.
    Unreadable(String),
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    version: u32,
    /// Sealed, in base64.
    secret: String,
    enabled: bool,
    /// The document.
    policy: Option<String>,
    /// Milliseconds since 1970.
    created: u64,
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct TokenRecord {
    version: u32,
    access_key: String,
    policy: Option<String>,
    fingerprint: String,
    created: u64,
    expires: u64,
}

pub(super) fn write_key(sealer: &Sealer, key: &AccessKey, rng: &dyn Rng) -> Vec<u8> {
    written(&KeyRecord {
        version: VERSION,
        secret: STANDARD.encode(sealer.seal(&key.access_key_id, key.secret.as_bytes(), rng)),
        enabled: key.enabled,
        policy: key.policy.as_ref().map(|policy| policy.text().to_owned()),
        created: key.created.0,
        name: key.name.clone(),
    })
}

pub(super) fn read_key(sealer: &Sealer, id: &str, bytes: &[u8]) -> Result<AccessKey, BadRecord> {
    let record: KeyRecord = read(bytes)?;
    check(record.version)?;
    let sealed = STANDARD.decode(&record.secret).map_err(|error| BadRecord::Unreadable(error.to_string()))?;
    let secret = sealer.open(id, &sealed).and_then(|secret| String::from_utf8(secret).ok());
    let (policy, understood) = read_policy(record.policy.as_deref(), PolicyKind::Identity);
    if !understood {
        tracing::error!(access_key = id, "the policy of an access key is not understood: the key is disabled");
    }
    Ok(AccessKey {
        access_key_id: id.to_owned(),
        secret: secret.ok_or(BadRecord::Sealed)?,
        enabled: record.enabled && understood,
        policy,
        created: Timestamp(record.created),
        name: record.name,
    })
}

pub(super) fn write_token(token: &BearerToken) -> Vec<u8> {
    written(&TokenRecord {
        version: VERSION,
        access_key: token.access_key_id.clone(),
        policy: token.policy.as_ref().map(|policy| policy.text().to_owned()),
        fingerprint: token.fingerprint.clone(),
        created: token.created.0,
        expires: token.expires.0,
    })
}

pub(super) fn read_token(hash: &str, bytes: &[u8]) -> Result<BearerToken, BadRecord> {
    let record: TokenRecord = read(bytes)?;
    check(record.version)?;
    let (policy, understood) = read_policy(record.policy.as_deref(), PolicyKind::Session);
    if !understood {
        tracing::error!(access_key = record.access_key, "the policy of a token is not understood: the token has ended");
    }
    Ok(BearerToken {
        hash: hash.to_owned(),
        access_key_id: record.access_key,
        policy,
        fingerprint: record.fingerprint,
        created: Timestamp(record.created),
        expires: if understood { Timestamp(record.expires) } else { Timestamp::default() },
    })
}

/// The policy, and whether what was written is understood: without its policy a key could do what that forbids.
fn read_policy(text: Option<&str>, kind: PolicyKind<'_>) -> (Option<Policy>, bool) {
    match text.map(|text| Policy::parse(text.as_bytes(), kind)) {
        None => (None, true),
        Some(Ok(policy)) => (Some(policy), true),
        Some(Err(_)) => (None, false),
    }
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, BadRecord> {
    serde_json::from_slice(bytes).map_err(|error| BadRecord::Unreadable(error.to_string()))
}

fn check(version: u32) -> Result<(), BadRecord> {
    match version {
        1..=VERSION => Ok(()),
        version => Err(BadRecord::Unreadable(format!("its version is {version}"))),
    }
}

/// Texts and numbers under fixed names always make JSON.
fn written(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::SeededRng;

    fn key() -> AccessKey {
        AccessKey {
            access_key_id: "WHARF123".to_owned(),
            secret: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY".to_owned(),
            enabled: true,
            policy: Policy::canned("readonly"),
            created: Timestamp(1_800_000_000_000),
            name: Some("the camera".to_owned()),
        }
    }

    #[test]
    fn a_key_survives_and_its_secret_is_not_to_be_seen() {
        let (sealer, rng) = (Sealer::new([7; 32]), SeededRng::new(1));
        let written = write_key(&sealer, &key(), &rng);
        assert_eq!(read_key(&sealer, "WHARF123", &written), Ok(key()));
        let text = String::from_utf8(written.clone()).unwrap();
        assert!(!text.contains("wJalr") && !text.contains(&STANDARD.encode("wJalr")[..6]), "{text}");
        assert_eq!(read_key(&sealer, "WHARF124", &written), Err(BadRecord::Sealed));
        assert_eq!(read_key(&Sealer::new([8; 32]), "WHARF123", &written), Err(BadRecord::Sealed));
        assert_eq!(read_key(&sealer, "WHARF123", &text.replace(":1,", ":2,").into_bytes()).unwrap_err(), {
            BadRecord::Unreadable("its version is 2".to_owned())
        });
        assert!(matches!(read_key(&sealer, "WHARF123", b"{}"), Err(BadRecord::Unreadable(_))));
    }

    #[test]
    fn what_is_not_understood_allows_nothing() {
        let (sealer, rng) = (Sealer::new([7; 32]), SeededRng::new(1));
        let written = String::from_utf8(write_key(&sealer, &key(), &rng)).unwrap();
        let later = written.replace("\\\"Allow\\\"", "\\\"Perhaps\\\"");
        assert_ne!(written, later);
        let read = read_key(&sealer, "WHARF123", later.as_bytes()).unwrap();
        assert!(!read.enabled && read.policy.is_none());
        let token = BearerToken {
            fingerprint: "mark".to_owned(),
            hash: "00".to_owned(),
            access_key_id: "WHARF123".to_owned(),
            policy: None,
            created: Timestamp(1),
            expires: Timestamp(2),
        };
        let written = String::from_utf8(write_token(&token)).unwrap();
        assert_eq!(read_token("00", written.as_bytes()), Ok(token));
        let later = written.replace("null", "\"{}\"");
        assert_eq!(read_token("00", later.as_bytes()).unwrap().expires, Timestamp::default());
    }
}
