//! What a statement speaks of, and what several decide.

use super::*;
use Caller::{Alice, Anonymous, Bob, Root, Session};
use Verdict::{Allow, Deny, Silent};

const CALLERS: [Caller; 5] = [Anonymous, Root, Alice, Session, Bob];

/// What each of the callers gets of a statement with this effect and element about principals.
fn whom(effect: &str, principal: &str) -> [Verdict; 5] {
    let text = format!(
        r#"{{"Statement":{{"Effect":"{effect}",{principal},"Action":"s3:*","Resource":"arn:aws:s3:::pictures/*"}}}}"#
    );
    let policy = bucket_policy(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    CALLERS.map(|caller| caller.judge(&policy, "s3:GetObject", OBJECT, &NO_FACTS))
}

#[test]
fn principals() {
    let id = format!(r#""Principal":{{"CanonicalUser":"{}"}}"#, ALICE_ID.to_uppercase());
    for (principal, allowed) in [
        (r#""Principal":"*""#, &CALLERS[..]),
        (r#""Principal":{"AWS":"*"}"#, &CALLERS),
        (r#""Principal":{"AWS":"arn:aws:iam::000000000000:user/ALICE"}"#, &[Alice, Session]),
        (r#""Principal":{"AWS":"arn:aws:iam:::user/ALICE"}"#, &[Alice, Session]),
        (r#""Principal":{"AWS":"arn:aws:iam::000000000000:user/alice"}"#, &[]),
        (r#""Principal":{"AWS":"arn:aws:iam::123456789012:user/ALICE"}"#, &[]),
        (r#""Principal":{"AWS":"arn:aws:iam::000000000000:role/ALICE"}"#, &[]),
        (r#""Principal":{"AWS":"arn:aws:sts::000000000000:assumed-role/ALICE/nightly"}"#, &[Session]),
        (r#""Principal":{"AWS":"arn:aws:sts::000000000000:assumed-role/ALICE/hourly"}"#, &[]),
        (r#""Principal":{"AWS":"000000000000"}"#, &[Root]),
        (r#""Principal":{"AWS":"arn:aws:iam::000000000000:root"}"#, &[Root]),
        (r#""Principal":{"AWS":"arn:aws:iam:::root"}"#, &[Root]),
        (r#""Principal":{"AWS":"123456789012"}"#, &[]),
        (r#""Principal":{"Service":"*","Federated":"*"}"#, &[]),
        (&id, &[Alice, Session]),
        (r#""Principal":{"AWS":["123456789012","arn:aws:iam:::user/BOB"],"Service":"x"}"#, &[Bob]),
    ] {
        let expected = CALLERS.map(|caller| if allowed.contains(&caller) { Allow } else { Silent });
        assert_eq!(whom("Allow", principal), expected, "{principal}");
    }
}

#[test]
fn denied_principals() {
    for (principal, denied) in [
        (r#""Principal":"*""#, &CALLERS[..]),
        (r#""Principal":{"AWS":"000000000000"}"#, &[Root, Alice, Session, Bob]),
        (r#""Principal":{"AWS":"arn:aws:iam::000000000000:root"}"#, &[Root, Alice, Session, Bob]),
        (r#""Principal":{"AWS":"123456789012"}"#, &[]),
        (r#""Principal":{"AWS":"arn:aws:iam:::user/ALICE"}"#, &[Alice, Session]),
        (r#""NotPrincipal":{"AWS":"arn:aws:iam:::user/ALICE"}"#, &[Anonymous, Root, Bob]),
        (r#""NotPrincipal":{"AWS":"000000000000"}"#, &[Anonymous, Alice, Session, Bob]),
        (r#""NotPrincipal":{"AWS":"123456789012"}"#, &CALLERS),
        (r#""NotPrincipal":{"Service":"x"}"#, &CALLERS),
        (r#""NotPrincipal":"*""#, &[]),
    ] {
        let expected = CALLERS.map(|caller| if denied.contains(&caller) { Deny } else { Silent });
        assert_eq!(whom("Deny", principal), expected, "{principal}");
    }
}

/// What Alice gets of an identity policy of one statement, for an action on a resource.
fn matched(statement: &str, action: &str, resource: &str) -> bool {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{statement}}}]}}"#);
    let policy = identity_policy(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    Alice.judge(&policy, action, resource, &NO_FACTS) == Allow
}

#[test]
fn actions() {
    for (element, action, expected) in [
        (r#""Action":"s3:GetObject""#, "s3:GetObject", true),
        (r#""Action":"S3:getOBJECT""#, "s3:GetObject", true),
        (r#""Action":"s3:GetObject""#, "s3:GetObjectAcl", false),
        (r#""Action":"s3:GetObject*""#, "s3:GetObjectAcl", true),
        (r#""Action":"s3:*Object""#, "s3:PutObject", true),
        (r#""Action":"s3:?etObject""#, "s3:GetObject", true),
        (r#""Action":"s3:*""#, "sts:AssumeRole", false),
        (r#""Action":"*""#, "sts:AssumeRole", true),
        (r#""Action":"*:*""#, "admin:CreateKey", true),
        (r#""Action":["s3:PutObject","s3:GetObject"]"#, "s3:GetObject", true),
        (r#""NotAction":"s3:Delete*""#, "s3:GetObject", true),
        (r#""NotAction":"s3:Delete*""#, "s3:DeleteObject", false),
        (r#""NotAction":["s3:Delete*","s3:Put*"]"#, "s3:PutObject", false),
        (r#""NotAction":"s3:*""#, "admin:CreateKey", true),
        (r#""NotAction":"*""#, "s3:GetObject", false),
    ] {
        assert_eq!(
            matched(&format!(r#"{element},"Resource":"*""#), action, OBJECT),
            expected,
            "{element} and {action}"
        );
    }
}

#[test]
fn resources() {
    for (element, resource, expected) in [
        (r#""Resource":"arn:aws:s3:::pictures/cat.jpg""#, OBJECT, true),
        (r#""Resource":"arn:aws:s3:::pictures/Cat.jpg""#, OBJECT, false),
        (r#""Resource":"arn:aws:s3:::pictures""#, OBJECT, false),
        (r#""Resource":"arn:aws:s3:::pictures/*""#, "arn:aws:s3:::pictures", false),
        (r#""Resource":"arn:aws:s3:::pictures/*""#, "arn:aws:s3:::pictures/a/b/c", true),
        (r#""Resource":"arn:aws:s3:::pictures/*/c""#, "arn:aws:s3:::pictures/a/b/c", true),
        (r#""Resource":"arn:aws:s3:::pic*""#, OBJECT, true),
        (r#""Resource":"arn:aws:s3:::*""#, OBJECT, true),
        (r#""Resource":"arn:aws:s3:*:*:pictures/*""#, OBJECT, true),
        (r#""Resource":"arn:aws:s3:::pictures/???.jpg""#, OBJECT, true),
        (r#""Resource":"arn:aws:s3:::pictures/??.jpg""#, OBJECT, false),
        (r#""Resource":"arn:aws:s3:::pictures/日*""#, "arn:aws:s3:::pictures/日本", true),
        (r#""Resource":"arn:aws:s3:::pictures/\u65e5?""#, "arn:aws:s3:::pictures/日本", true),
        // A key may hold what looks like a wildcard, and the policy what looks like an escape.
        (r#""Resource":"arn:aws:s3:::pictures/a%2Ab""#, "arn:aws:s3:::pictures/a*b", false),
        (r#""Resource":"arn:aws:s3:::pictures/ab""#, "arn:aws:s3:::pictures/*", false),
        (r#""Resource":["arn:aws:s3:::x","arn:aws:s3:::pictures/*"]"#, OBJECT, true),
        (r#""NotResource":"arn:aws:s3:::pictures/*""#, OBJECT, false),
        (r#""NotResource":"arn:aws:s3:::pictures/*""#, "arn:aws:s3:::pictures", true),
        (r#""NotResource":["arn:aws:s3:::x","arn:aws:s3:::pictures/*"]"#, OBJECT, false),
        (r#""NotResource":"*""#, OBJECT, false),
    ] {
        let statement = format!(r#"{element},"Action":"*""#);
        assert_eq!(matched(&statement, "s3:GetObject", resource), expected, "{element} and {resource}");
    }
}

#[test]
fn every_condition_has_to_hold() {
    let facts = Facts(&[("aws:a", &["1"]), ("aws:b", &["2"])]);
    for (condition, expected) in [
        (r#"{"StringEquals":{"aws:a":"1","aws:b":"2"}}"#, Allow),
        (r#"{"StringEquals":{"aws:a":"1","aws:b":"1"}}"#, Silent),
        (r#"{"StringEquals":{"aws:a":"1"},"NumericLessThan":{"aws:b":3}}"#, Allow),
        (r#"{"StringEquals":{"aws:a":"1"},"NumericLessThan":{"aws:b":2}}"#, Silent),
        // Keys have no case, so these are two tests of one.
        (r#"{"StringLike":{"aws:A":"*","AWS:a":"2"}}"#, Silent),
        ("{}", Allow),
    ] {
        let policy = identity_policy(&allowing(&format!(r#""Condition":{condition}"#))).unwrap();
        assert_eq!(of_alice(&policy, &facts), expected, "{condition}");
    }
}

#[test]
fn a_denial_wins_in_any_order() {
    let statement = |effect: &str, action: &str| {
        format!(r#"{{"Effect":"{effect}","Action":"{action}","Resource":"arn:aws:s3:::pictures/*"}}"#)
    };
    let (allow, deny, other) =
        (statement("Allow", "s3:*"), statement("Deny", "s3:Get*"), statement("Deny", "s3:PutObject"));
    for (statements, expected) in [
        (vec![&allow, &deny], Deny),
        (vec![&deny, &allow], Deny),
        (vec![&allow, &deny, &allow], Deny),
        (vec![&deny], Deny),
        (vec![&allow, &other], Allow),
        (vec![&other, &allow, &allow], Allow),
        (vec![&other], Silent),
    ] {
        let statements: Vec<_> = statements.into_iter().map(String::as_str).collect();
        let policy = identity_policy(&format!(r#"{{"Statement":[{}]}}"#, statements.join(","))).unwrap();
        assert_eq!(of_alice(&policy, &NO_FACTS), expected, "{statements:?}");
        assert_eq!(Alice.judge(&policy, "s3:GetObject", "arn:aws:s3:::other/x", &NO_FACTS), Silent);
    }
}

#[test]
fn the_bucket_is_the_only_one_that_is_meant_by_a_wildcard() {
    let policy = bucket_policy(
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::*","arn:aws:s3:::*/*"]}}"#,
    )
    .unwrap();
    assert_eq!(Anonymous.judge(&policy, "s3:GetObject", OBJECT, &NO_FACTS), Allow);
    assert_eq!(Anonymous.judge(&policy, "s3:ListBucket", "arn:aws:s3:::pictures", &NO_FACTS), Allow);
}
