//! Temporary credentials: made, used, refused.

use super::*;
use crate::auth::{AccessKey, Identity, Keyring};
use crate::base::rng::SeededRng;

const NOW: Timestamp = Timestamp(1_000_000);
const LIFE: Duration = Duration::from_secs(900);

fn authenticator() -> Authenticator {
    let keyring = Keyring::new("ROOT", "root-secret", Sealer::new([1; 32]));
    keyring.put(user("user-secret", NOW));
    Authenticator::new(keyring, "us-east-1")
}

fn user(secret: &str, created: Timestamp) -> AccessKey {
    AccessKey {
        access_key_id: "USER".to_owned(),
        secret: secret.to_owned(),
        enabled: true,
        policy: None,
        created,
        name: None,
    }
}

fn holder(authenticator: &Authenticator) -> KeyIdentity {
    let identity = Identity::Key(authenticator.keyring().password("USER", "user-secret").unwrap());
    identity.key().unwrap().clone()
}

fn begun(authenticator: &Authenticator, policy: Option<Policy>) -> TemporaryCredentials {
    let request = SessionRequest { name: "build".to_owned(), life: LIFE, policy };
    authenticator.begin_session(&holder(authenticator), request, NOW, &SeededRng::new(1)).unwrap()
}

fn code(authenticator: &Authenticator, id: &str, token: &str, now: Timestamp) -> Option<AuthErrorCode> {
    authenticator.keyring().signer(id, Some(token), now).err().map(|refusal| refusal.code)
}

#[test]
fn they_stand_for_the_key_that_made_them() {
    let authenticator = authenticator();
    let policy = Policy::canned("readonly");
    let made = begun(&authenticator, policy.clone());
    let signer = authenticator.keyring().signer(&made.access_key_id, Some(&made.token), NOW).unwrap();
    assert_eq!(*signer.identity, made.identity);
    assert_eq!((signer.identity.user.as_str(), signer.identity.root), ("USER", false));
    assert_eq!(signer.identity.canonical_user_id, holder(&authenticator).canonical_user_id);
    assert_eq!(
        signer.identity.arns,
        ["arn:aws:sts::000000000000:assumed-role/USER/build", "arn:aws:iam::000000000000:user/USER"]
    );
    assert_eq!(signer.identity.session.as_ref().unwrap().policy, policy);
}

#[test]
fn they_end() {
    let authenticator = authenticator();
    let made = begun(&authenticator, None);
    let (id, token) = (made.access_key_id.as_str(), made.token.as_str());
    assert_eq!(code(&authenticator, id, token, Timestamp(made.expires.0 - 1)), None);
    assert_eq!(code(&authenticator, id, token, made.expires), Some(AuthErrorCode::ExpiredToken));
    let gone = Some(AuthErrorCode::InvalidToken);
    authenticator.keyring().put(AccessKey { enabled: false, ..user("user-secret", NOW) });
    assert_eq!(code(&authenticator, id, token, NOW), gone, "disabled");
    authenticator.keyring().put(user("other-secret", NOW));
    assert_eq!(code(&authenticator, id, token, NOW), gone, "another secret");
    authenticator.keyring().put(user("user-secret", Timestamp(NOW.0 + 1)));
    assert_eq!(code(&authenticator, id, token, NOW), gone, "made again");
    authenticator.keyring().remove("USER");
    assert_eq!(code(&authenticator, id, token, NOW), gone, "removed");
}

#[test]
fn only_the_right_pair_of_id_and_token_counts() {
    let authenticator = authenticator();
    let made = begun(&authenticator, None);
    let other = Authenticator::new(Keyring::new("ROOT", "root-secret", Sealer::new([2; 32])), "us-east-1");
    let invalid = Some(AuthErrorCode::InvalidToken);
    assert_eq!(code(&authenticator, "USER", &made.token, NOW), invalid, "the permanent key needs no token");
    assert_eq!(code(&authenticator, &made.access_key_id, "AAAA", NOW), invalid);
    assert_eq!(code(&authenticator, &made.access_key_id, &"A".repeat(SESSION_TOKEN_MAX_BYTES + 1), NOW), invalid);
    assert_eq!(code(&other, &made.access_key_id, &made.token, NOW), invalid, "another gateway's");
    let refusal = authenticator.keyring().signer(&made.access_key_id, None, NOW).unwrap_err();
    assert_eq!(refusal.code, AuthErrorCode::InvalidAccessKeyId, "without its token");
}

#[test]
fn what_cannot_be_asked_for() {
    let authenticator = authenticator();
    let ask = |holder: &KeyIdentity, name: &str, life: Duration| {
        let request = SessionRequest { name: name.to_owned(), life, policy: None };
        authenticator.begin_session(holder, request, NOW, &SeededRng::new(1)).map(|_| ()).map_err(|error| error.code)
    };
    let holder = holder(&authenticator);
    let argument = Err(AuthErrorCode::InvalidArgument);
    for name in ["", "a", "a b", "a/b", &"a".repeat(65)] {
        assert_eq!(ask(&holder, name, LIFE), argument, "{name}");
    }
    assert_eq!(ask(&holder, "ab", LIFE - Duration::from_secs(1)), argument);
    assert_eq!(ask(&holder, "ab", SESSION_MAX + Duration::from_secs(1)), argument);
    assert_eq!(ask(&holder, "ab", SESSION_MAX), Ok(()));
    let temporary = begun(&authenticator, None).identity;
    assert_eq!(ask(&temporary, "ab", LIFE), Err(AuthErrorCode::AccessDenied), "rights that end cannot be renewed");
}
