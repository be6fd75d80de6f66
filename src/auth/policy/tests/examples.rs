//! Policies of the kind that AWS's guides show, and what they do.

use super::*;

const GET: &str = "s3:GetObject";
const PUT: &str = "s3:PutObject";
const LIST: &str = "s3:ListBucket";
const THE_BUCKET: &str = "arn:aws:s3:::pictures";

#[test]
fn a_website_that_everybody_reads() {
    let policy = bucket_policy(
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"PublicReadGetObject","Effect":"Allow","Principal":"*",
        "Action":["s3:GetObject"],"Resource":["arn:aws:s3:::pictures/*"]}]}"#,
    )
    .unwrap();
    for caller in [Caller::Anonymous, Caller::Alice, Caller::Root] {
        assert_eq!(caller.judge(&policy, GET, OBJECT, &NO_FACTS), Verdict::Allow);
        assert_eq!(caller.judge(&policy, PUT, OBJECT, &NO_FACTS), Verdict::Silent);
        assert_eq!(caller.judge(&policy, LIST, THE_BUCKET, &NO_FACTS), Verdict::Silent);
    }
    assert!(policy.is_public());
}

#[test]
fn a_range_of_addresses_with_a_hole() {
    let policy = bucket_policy(
        r#"{"Version":"2012-10-17","Id":"S3PolicyId1","Statement":[{"Sid":"IPAllow","Effect":"Deny","Principal":"*",
        "Action":"s3:*","Resource":["arn:aws:s3:::pictures","arn:aws:s3:::pictures/*"],
        "Condition":{"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","2001:db8:1234:5678::/64"]}}},
        {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::pictures/*",
        "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"NotIpAddress":{"aws:SourceIp":"192.0.2.188/32"}}}]}"#,
    )
    .unwrap();
    for (address, expected) in [
        ("192.0.2.17", Verdict::Allow),
        ("192.0.2.188", Verdict::Silent),
        ("::ffff:192.0.2.17", Verdict::Allow),
        ("2001:db8:1234:5678::1", Verdict::Silent),
        ("203.0.113.9", Verdict::Deny),
        ("2001:db8:1234:5679::1", Verdict::Deny),
        ("unix", Verdict::Deny),
    ] {
        let address = [address];
        let facts = [("aws:sourceip", &address as &[&str])];
        assert_eq!(Caller::Anonymous.judge(&policy, GET, OBJECT, &Facts(&facts)), expected, "{address:?}");
    }
    assert!(!policy.is_public());
}

#[test]
fn transport_has_to_be_secure() {
    let policy = bucket_policy(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*",
        "Resource":["arn:aws:s3:::pictures","arn:aws:s3:::pictures/*"],"Condition":{"Bool":{"aws:SecureTransport":false}}}}"#,
    )
    .unwrap();
    let secure =
        |value: &'static str| Caller::Root.judge(&policy, GET, OBJECT, &Facts(&[("aws:securetransport", &[value])]));
    assert_eq!([secure("false"), secure("true")], [Verdict::Deny, Verdict::Silent]);
}

#[test]
fn a_home_for_everybody() {
    let policy = identity_policy(
        r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::pictures"],
        "Condition":{"StringLike":{"s3:prefix":["","home/","home/${aws:username}/*"]},"StringEquals":{"s3:delimiter":"/"}}},
        {"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::pictures/home/${aws:username}/*"]}]}"#,
    )
    .unwrap();
    let list = |prefix: &'static str, delimiter: &'static str| {
        let (prefix, delimiter) = ([prefix], [delimiter]);
        let facts = [("aws:username", &["ALICE"] as &[&str]), ("s3:prefix", &prefix), ("s3:delimiter", &delimiter)];
        Caller::Alice.judge(&policy, LIST, THE_BUCKET, &Facts(&facts))
    };
    assert_eq!(list("", "/"), Verdict::Allow);
    assert_eq!(list("home/ALICE/x", "/"), Verdict::Allow);
    assert_eq!(list("home/ALICE/x", ""), Verdict::Silent);
    assert_eq!(list("home/BOB/", "/"), Verdict::Silent);
    let facts = Facts(&[("aws:username", &["ALICE"])]);
    for (key, expected) in [("home/ALICE/cat", Verdict::Allow), ("home/BOB/cat", Verdict::Silent)] {
        assert_eq!(Caller::Alice.judge(&policy, PUT, &format!("{THE_BUCKET}/{key}"), &facts), expected, "{key}");
    }
}

#[test]
fn uploads_need_an_acl_and_encryption() {
    let policy = bucket_policy(
        r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ALICE"},"Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::pictures/*","Condition":{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}},
        {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::pictures/*",
        "Condition":{"Null":{"s3:x-amz-server-side-encryption":"true"}}},
        {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::pictures/*",
        "Condition":{"StringNotEqualsIfExists":{"s3:x-amz-server-side-encryption":"AES256"}}}]}"#,
    )
    .unwrap();
    let full = ("s3:x-amz-acl", &["bucket-owner-full-control"] as &[&str]);
    let aes = ("s3:x-amz-server-side-encryption", &["AES256"] as &[&str]);
    let kms = ("s3:x-amz-server-side-encryption", &["aws:kms"] as &[&str]);
    for (facts, expected) in [
        (vec![full, aes], Verdict::Allow),
        (vec![aes], Verdict::Silent),
        (vec![full], Verdict::Deny),
        (vec![full, kms], Verdict::Deny),
    ] {
        assert_eq!(Caller::Alice.judge(&policy, PUT, OBJECT, &Facts(&facts)), expected, "{facts:?}");
    }
    assert_eq!(Caller::Bob.judge(&policy, PUT, OBJECT, &Facts(&[full, aes])), Verdict::Silent);
}

#[test]
fn tags_decide() {
    let policy = bucket_policy(
        r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::pictures/*",
        "Condition":{"StringEquals":{"s3:ExistingObjectTag/security":"public"}}},
        {"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:PutObjectTagging","Resource":"arn:aws:s3:::pictures/*",
        "Condition":{"ForAllValues:StringLike":{"s3:RequestObjectTagKeys":["Owner","Project*"]}}}]}"#,
    )
    .unwrap();
    let read = |key: &'static str, value: &'static str| {
        let value = [value];
        Caller::Bob.judge(&policy, GET, OBJECT, &Facts(&[(key, &value)]))
    };
    assert_eq!(read("s3:existingobjecttag/security", "public"), Verdict::Allow);
    assert_eq!(read("s3:existingobjecttag/security", "private"), Verdict::Silent);
    assert_eq!(read("s3:existingobjecttag/Security", "public"), Verdict::Silent);
    let tag = |keys: &'static [&'static str]| {
        Caller::Bob.judge(&policy, "s3:PutObjectTagging", OBJECT, &Facts(&[("s3:requestobjecttagkeys", keys)]))
    };
    assert_eq!(tag(&["Owner", "Project-1"]), Verdict::Allow);
    assert_eq!(tag(&["Owner", "Cost"]), Verdict::Silent);
    assert_eq!(tag(&[]), Verdict::Allow);
}

#[test]
fn everybody_but_one_is_denied() {
    let policy = bucket_policy(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":[
        "arn:aws:iam::000000000000:user/ALICE","arn:aws:iam::000000000000:root"]},"Action":"s3:*",
        "Resource":["arn:aws:s3:::pictures","arn:aws:s3:::pictures/*"]}]}"#,
    )
    .unwrap();
    for (caller, expected) in [
        (Caller::Alice, Verdict::Silent),
        (Caller::Session, Verdict::Silent),
        (Caller::Root, Verdict::Silent),
        (Caller::Bob, Verdict::Deny),
        (Caller::Anonymous, Verdict::Deny),
    ] {
        assert_eq!(caller.judge(&policy, GET, OBJECT, &NO_FACTS), expected, "{caller:?}");
    }
}
