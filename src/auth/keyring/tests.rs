//! Keys that come and go, what was derived from them, passwords and tokens.

use super::*;
use crate::auth::policy::Policy;

const ROOT: (&str, &str) = ("AKIDEXAMPLE", "topsecret");
const NOW: Timestamp = Timestamp(1_000_000);

fn keyring() -> Keyring {
    Keyring::new(ROOT.0, ROOT.1, Sealer::new([1; 32]))
}

fn key(id: &str, secret: &str) -> AccessKey {
    AccessKey {
        access_key_id: id.to_owned(),
        secret: secret.to_owned(),
        enabled: true,
        policy: Policy::canned("readonly"),
        created: NOW,
        name: None,
    }
}

fn signing_key(keyring: &Keyring, id: &str, date: &str) -> Option<Vec<u8>> {
    let signer = keyring.signer(id, None, NOW).ok()?;
    Some(keyring.signing_key(&signer, date, "r", "s3").as_bytes().to_vec())
}

fn derived(secret: &str, date: &str) -> Option<Vec<u8>> {
    Some(SigningKey::derive(secret, date, "r", "s3").as_bytes().to_vec())
}

#[test]
fn finds_only_whom_it_knows() {
    let keyring = keyring();
    assert!(keyring.signer(ROOT.0, None, NOW).is_ok_and(|signer| signer.identity.root));
    assert!(keyring.signer(ROOT.0, Some(""), NOW).is_ok(), "an empty token is none");
    for unknown in ["akidexample", "", "USER"] {
        let refusal = keyring.signer(unknown, None, NOW).unwrap_err();
        assert_eq!(refusal.code, AuthErrorCode::InvalidAccessKeyId, "{unknown}");
    }
    assert_eq!(keyring.signer(ROOT.0, Some("token"), NOW).unwrap_err().code, AuthErrorCode::InvalidToken);
    assert_eq!(keyring.root().canonical_user_id.len(), 64);
}

#[test]
fn keys_come_change_and_go() {
    let keyring = keyring();
    keyring.put(key("USER", "first-secret"));
    assert_eq!(signing_key(&keyring, "USER", "d"), derived("first-secret", "d"));
    keyring.put(key("USER", "second-secret"));
    assert_eq!(signing_key(&keyring, "USER", "d"), derived("second-secret", "d"), "what was kept is of the old key");
    assert_eq!(keyring.list(), vec![key("USER", "second-secret")]);
    keyring.put(AccessKey { enabled: false, ..key("USER", "second-secret") });
    assert_eq!(signing_key(&keyring, "USER", "d"), None);
    assert!(keyring.password("USER", "second-secret").is_none());
    assert!(keyring.get("USER").is_some_and(|key| !key.enabled));
    assert!(keyring.remove("USER") && !keyring.remove("USER") && keyring.get("USER").is_none());
}

#[test]
fn nobody_takes_the_root_keys_place() {
    let keyring = keyring();
    keyring.put(key(ROOT.0, "other-secret"));
    assert_eq!(signing_key(&keyring, ROOT.0, "d"), derived(ROOT.1, "d"));
    assert!(keyring.password(ROOT.0, "other-secret").is_none());
    keyring.remove(ROOT.0);
    assert!(keyring.password(ROOT.0, ROOT.1).is_some_and(|identity| identity.is_unrestricted_root()));
}

#[test]
fn passwords() {
    let keyring = keyring();
    keyring.put(key("USER", "user-secret"));
    assert!(keyring.password("USER", "user-secret").is_some_and(|identity| identity.user == "USER"));
    for (id, secret) in [("USER", "user-secre"), ("USER", ""), ("NOBODY", ""), ("NOBODY", "user-secret")] {
        assert!(keyring.password(id, secret).is_none(), "{id} {secret}");
    }
}

#[test]
fn tokens_end_with_their_time_and_their_key() {
    let keyring = keyring();
    keyring.put(key("USER", "user-secret"));
    let token = BearerToken {
        hash: token_hash("wharf_t"),
        access_key_id: "USER".to_owned(),
        policy: None,
        fingerprint: keyring.fingerprint("USER").unwrap(),
        created: NOW,
        expires: Timestamp(NOW.0 + 10),
    };
    keyring.put_token(token.clone());
    assert!(keyring.bearer("wharf_t", NOW).is_some_and(|identity| identity.user == "USER"));
    assert_eq!(keyring.tokens("USER", NOW), vec![token.clone()]);
    assert!(keyring.bearer("wharf_t", token.expires).is_none() && keyring.bearer("wharf_u", NOW).is_none());
    assert!(keyring.tokens("USER", token.expires).is_empty());
    keyring.put(AccessKey { created: Timestamp(NOW.0 + 1), ..key("USER", "user-secret") });
    assert!(keyring.bearer("wharf_t", NOW).is_none(), "the key was made again");
    keyring.put(key("USER", "another-secret"));
    assert!(keyring.bearer("wharf_t", NOW).is_none(), "its secret was changed");
    let root = Keyring::new("USER", "user-secret", Sealer::new([1; 32]));
    root.put_token(token.clone());
    assert!(root.bearer("wharf_t", NOW).is_none(), "the root key has its id");
    keyring.put(AccessKey { enabled: false, ..key("USER", "user-secret") });
    assert!(keyring.bearer("wharf_t", NOW).is_none());
    assert!(keyring.remove_token(&token.hash) && !keyring.remove_token(&token.hash));
}

#[test]
fn debug_output_hides_secrets() {
    let keyring = keyring();
    let signer = keyring.signer(ROOT.0, None, NOW).unwrap();
    let derived = keyring.signing_key(&signer, "20260101", "us-east-1", "s3");
    let shown = format!("{keyring:?} {derived:?} {signer:?} {:?}", key("USER", "user-secret"));
    assert!(shown.contains(ROOT.0) && shown.contains("USER"), "{shown}");
    for secret in [ROOT.1, "user-secret", &hex(derived.as_bytes())] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn the_cache_is_bounded_and_right() {
    let keyring = keyring();
    for day in 0..SIGNING_KEYS_CACHED_MAX * 2 {
        let date = format!("{day:08}");
        for _ in 0..2 {
            assert_eq!(signing_key(&keyring, ROOT.0, &date), derived(ROOT.1, &date));
        }
    }
    assert!(keyring.signing_keys.lock().unwrap().len() <= SIGNING_KEYS_CACHED_MAX);
}
