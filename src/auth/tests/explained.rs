//! Explanations: for every way a URL can be refused, the check that is named; and what is said beside it.

use aws_sigv4::http_request::SignableBody;
use http::Method;

use super::signer::signed;
use super::{KEY_ID, NOW, REGION, Wire, keyring};
use crate::auth::presign::{Explanation, Outcome};
use crate::auth::{Authenticator, SignaturePlace};
use crate::base::clock::Timestamp;

fn url() -> Wire {
    let wire = Wire::new(Method::PUT, "/bucket/key", &[("content-type", "text/plain")]);
    signed(&wire, SignableBody::UnsignedPayload, Some(600))
}

fn explained_at(wire: &Wire, now: Timestamp) -> Explanation {
    let authenticator = Authenticator::new(keyring(), REGION).sigv2_presign(true);
    let explanation = authenticator.explain(wire.head(), now);
    let accepted = authenticator
        .authenticate(wire.head(), now)
        .is_ok_and(|sender| sender.signed.is_some_and(|signed| signed.place == SignaturePlace::Query));
    assert_eq!(explanation.is_accepted(), accepted, "{explanation}");
    explanation
}

/// The one check that failed; those before it passed, those behind it were not reached.
fn failed(explanation: &Explanation) -> &'static str {
    let at = explanation.checks.iter().position(|check| check.outcome == Outcome::Failed).unwrap();
    let (before, behind) = explanation.checks.split_at(at);
    assert!(before.iter().all(|check| check.outcome == Outcome::Passed), "{explanation}");
    assert!(behind[1..].iter().all(|check| check.outcome == Outcome::NotReached), "{explanation}");
    behind[0].name
}

#[test]
fn a_good_url_passes_every_check() {
    let explanation = explained_at(&url(), NOW);
    let shown = explanation.to_string();
    let names: Vec<_> = explanation.checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        ["parameters", "algorithm", "credential scope", "life", "signed headers", "body hash", "key", "signature"]
    );
    assert!(shown.lines().take(8).all(|line| line.starts_with("ok      ")), "{shown}");
    assert!(shown.contains("until 2013-05-24T00:10:00.000Z"), "{shown}");
    assert!(shown.contains("note    the client must send") && shown.contains("content-type: text/plain"), "{shown}");
}

#[test]
fn the_check_that_fails_is_named() {
    let without_credentials = Wire { query: String::new(), ..url() };
    assert_eq!(failed(&explained_at(&without_credentials, NOW)), "parameters");
    let changed = |from: &str, to: &str| {
        let wire = Wire { query: url().query.replacen(from, to, 1), ..url() };
        assert_ne!(wire.query, url().query, "{from}");
        wire
    };
    for (from, to, check) in [
        ("X-Amz-Date=", "x=", "parameters"),
        ("X-Amz-Expires=600", "X-Amz-Expires=600&X-Amz-Expires=600", "parameters"),
        ("X-Amz-Expires=600", "X-Amz-Expires=600&AWSAccessKeyId=k", "parameters"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "algorithm"),
        ("us-east-1", "eu-west-1", "credential scope"),
        ("%2Fs3%2F", "%2Fsqs%2F", "credential scope"),
        ("X-Amz-Date=20130524T", "X-Amz-Date=20130523T", "credential scope"),
        ("X-Amz-Date=20130524T000000Z", "X-Amz-Date=today", "credential scope"),
        ("X-Amz-Expires=600", "X-Amz-Expires=604801", "life"),
        ("X-Amz-Expires=600", "X-Amz-Expires=soon", "life"),
        ("X-Amz-Expires=600", "X-Amz-Expires=0", "life"),
        ("content-type%3Bhost", "content-type%3B", "signed headers"),
        ("content-type%3Bhost", "content-type", "signed headers"),
        ("X-Amz-Expires=600", "X-Amz-Expires=600&X-Amz-Content-Sha256=junk", "body hash"),
        (KEY_ID, "NOBODY", "key"),
        ("X-Amz-Expires=600", "X-Amz-Expires=601", "signature"),
    ] {
        let explanation = explained_at(&changed(from, to), NOW);
        assert_eq!(failed(&explanation), check, "{from} {to}: {explanation}");
    }
    assert_eq!(failed(&explained_at(&url().and("x-amz-acl", "private"), NOW)), "signed headers");
    assert_eq!(failed(&explained_at(&url().and("x-amz-content-sha256", "junk"), NOW)), "body hash");
    assert_eq!(failed(&explained_at(&url(), Timestamp(NOW.0 + 600_001))), "life");
    assert_eq!(failed(&explained_at(&url(), Timestamp(NOW.0 - 16 * 60_000))), "life");
}

#[test]
fn a_signature_that_does_not_match_shows_what_was_expected() {
    let other_method = Wire { method: Method::GET, ..url() };
    let shown = explained_at(&other_method, NOW).to_string();
    assert!(shown.contains("FAILED  signature: "), "{shown}");
    assert!(shown.contains("note    the URL was signed for PUT and not for GET"), "{shown}");
    assert!(shown.contains("note    our CanonicalRequest:\n        GET\n        /bucket/key\n"), "{shown}");
    assert!(shown.contains("note    our StringToSign:\n        AWS4-HMAC-SHA256\n"), "{shown}");
    assert!(!shown.contains("CanonicalRequestBytes"), "{shown}");
    let untyped = explained_at(&url().without("content-type"), NOW).to_string();
    assert!(untyped.contains("content-type: (signed with a value that was not given here"), "{untyped}");
    assert!(untyped.contains("the secret is another one"), "{untyped}");
}

#[test]
fn version_2_is_explained_too() {
    let target = "/bucket/key?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1369353700&Signature=AAAA";
    let wire = Wire::new(Method::GET, target, &[("host", "h")]);
    let explanation = explained_at(&wire, NOW);
    assert_eq!(failed(&explanation), "signature");
    assert!(explanation.to_string().contains("our StringToSign:\n        GET\n"), "{explanation}");
    assert_eq!(failed(&explained_at(&wire, Timestamp(NOW.0 + 101_000))), "life");
    let post = Wire { method: Method::POST, ..wire.clone() };
    assert_eq!(failed(&explained_at(&post, NOW)), "method");
    for (from, to, check) in [
        ("Expires=1369353700", "Expires=soon", "life"),
        ("Expires=", "x=", "parameters"),
        ("AKIAIOSFODNN7EXAMPLE", "NOBODY", "key"),
    ] {
        let changed = Wire { query: wire.query.replacen(from, to, 1), ..wire.clone() };
        assert_eq!(failed(&explained_at(&changed, NOW)), check, "{from}");
    }
}
