//! Documents that are refused, with the sentence, and such that are not.

use super::*;
use crate::base::limits::{POLICY_MAX_BYTES, POLICY_PATTERN_MAX_CHARACTERS, POLICY_STATEMENTS_MAX, POLICY_VALUES_MAX};

const NO_JSON: &str = "This policy contains invalid Json";
const NOT_OPENED: &str = "Policies must be valid JSON and the first byte must be '{'";
const PRINCIPAL: &str = "Invalid principal in policy";
const ACTION: &str = "Policy has invalid action";
const RESOURCE: &str = "Policy has invalid resource";
const MISMATCH: &str = "Action does not apply to any resource(s) in statement";
const ACCEPTED: &str = "accepted: ";

/// A bucket's policy of one statement, with these members instead of the usual ones; an empty one takes the member away.
fn statement(changes: &[(&str, &str)]) -> String {
    let mut members = vec![
        ("Effect", r#""Allow""#),
        ("Principal", r#""*""#),
        ("Action", r#""s3:GetObject""#),
        ("Resource", r#""arn:aws:s3:::pictures/*""#),
    ];
    for (name, value) in changes {
        members.retain(|(known, _)| known != name);
        members.push((name, value));
    }
    let members = members.iter().filter(|(_, value)| !value.is_empty());
    let members: Vec<_> = members.map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{}}}]}}"#, members.join(","))
}

fn refusal(changes: &[(&str, &str)]) -> String {
    message(bucket_policy(&statement(changes)))
}

#[test]
fn what_is_no_document() {
    for (text, expected) in [
        ("", NOT_OPENED),
        (" {}", NOT_OPENED),
        ("\u{feff}{}", NOT_OPENED),
        ("[]", NOT_OPENED),
        ("null", NOT_OPENED),
        ("{", NO_JSON),
        ("{}{}", NO_JSON),
        ("{} x", NO_JSON),
        (r#"{"Statement":1e999}"#, NO_JSON),
        (r#"{"Statement":18446744073709551617}"#, NO_JSON),
        (r#"{'Statement':[]}"#, NO_JSON),
        (r#"{"Statement":[]} // why"#, NO_JSON),
        ("{}", "Missing required field Statement"),
        (r#"{"Version":"2012-10-17"}"#, "Missing required field Statement"),
        (r#"{"Version":"2012-10-17","Statement":[]}"#, "Could not parse the policy: Statement is empty!"),
        (r#"{"Statement":"*"}"#, NO_JSON),
        (r#"{"Statement":[[]]}"#, NO_JSON),
        (r#"{"Statement":[null]}"#, NO_JSON),
        (r#"{"Statement":{}}"#, "Missing required field Effect"),
        (r#"{"statement":[]}"#, "Unknown field statement"),
        (r#"{"Statement":[],"Statement":[]}"#, "Duplicate field Statement"),
        (r#"{"Statement":[],"Stat\u0065ment":[]}"#, "Duplicate field Statement"),
        (r#"{"Id":7,"Statement":[]}"#, "Id must be a string"),
        (r#"{"Version":"2012-10-18","Statement":[]}"#, "The policy must contain a valid version string"),
        (r#"{"Version":20121017,"Statement":[]}"#, "The policy must contain a valid version string"),
        (r#"{"Version":null,"Statement":[]}"#, "The policy must contain a valid version string"),
    ] {
        assert_eq!(message(bucket_policy(text)), expected, "{text}");
    }
    let not_text = Policy::parse(b"{\"Id\":\"\xff\"}", PolicyKind::Identity);
    assert_eq!(message(not_text), NOT_OPENED);
}

#[test]
fn elements_of_a_statement() {
    for (changes, expected) in [
        (&[("Effect", "")] as &[(&str, &str)], "Missing required field Effect"),
        (&[("Effect", r#""allow""#)], "Invalid effect: allow"),
        (&[("Effect", r#"["Allow"]"#)], "Invalid effect: it must be a string"),
        (&[("Principal", "")], "Missing required field Principal"),
        (&[("Action", "")], "Missing required field Action"),
        (&[("Resource", "")], "Missing required field Resource"),
        (&[("action", r#""s3:*""#)], "Unknown field action"),
        (&[("Comment", r#""why""#)], "Unknown field Comment"),
        (&[("Sid", "1")], "Sid must be a string"),
        (&[("NotAction", r#""s3:*""#)], "Statement has both Action and NotAction"),
        (&[("NotResource", r#""arn:aws:s3:::pictures""#)], "Statement has both Resource and NotResource"),
        (&[("NotPrincipal", r#""*""#)], "Statement has both Principal and NotPrincipal"),
        (
            &[("Principal", ""), ("NotPrincipal", r#"{"AWS":"arn:aws:iam::s3tenant1:root"}"#)],
            "Allow with NotPrincipal is not allowed.",
        ),
        (&[("Condition", "[]")], NO_JSON),
        (&[("Condition", r#"{"StringEquals":"aws:SourceIp"}"#)], NO_JSON),
        (&[("Condition", r#"{"StringEquals":{}}"#)], "Missing condition key for StringEquals"),
        (&[("Condition", r#"{"Bool":{"aws:a":"true"},"Bool":{"aws:b":"true"}}"#)], "Duplicate field Bool"),
        (&[("Condition", r#"{"Bool":{"aws:a":"true","aws:a":"false"}}"#)], "Duplicate field aws:a"),
        (&[("Condition", r#"{"Bool":{"SourceIp":"true"}}"#)], "Policy has an invalid condition key"),
        (&[("Condition", r#"{"Bool":{"ec2:Region":"true"}}"#)], "Policy has an invalid condition key"),
        (&[("Condition", r#"{"Bool":{"aws:":"true"}}"#)], "Policy has an invalid condition key"),
        (&[("Condition", r#"{"Bool":{"aws:a":[]}}"#)], "Invalid number of values in Condition for key aws:a"),
        (&[("Condition", r#"{"Bool":{"aws:a":null}}"#)], "Invalid value in Condition for key aws:a"),
        (&[("Condition", r#"{"Bool":{"aws:a":[["true"]]}}"#)], "Invalid value in Condition for key aws:a"),
    ] {
        assert_eq!(refusal(changes), expected, "{changes:?}");
    }
    for changes in [
        &[("Sid", r#""any text""#)] as &[(&str, &str)],
        &[("Condition", "{}")],
        &[("Condition", r#"{"StringEquals":{"aws:NoSuchKey":"x","s3:NoSuchKey":1,"AWS:SourceIP":true}}"#)],
        &[("Effect", r#""Deny""#), ("Principal", ""), ("NotPrincipal", r#"{"AWS":"000000000000"}"#)],
    ] {
        assert!(refusal(changes).starts_with(ACCEPTED), "{changes:?}: {}", refusal(changes));
    }
    let quoted = refusal(&[("\u{1}\u{1}Bad", "1"), (&"x".repeat(500), "1")]);
    assert_eq!(quoted, NO_JSON, "a control character has to be escaped");
    assert_eq!(refusal(&[(r"a\u0000\n", "1")]), "Unknown field a");
    assert_eq!(refusal(&[(&"é".repeat(500), "1")]), format!("Unknown field {}", "é".repeat(64)));
}

#[test]
fn principals() {
    for principal in [
        r#""**""#,
        r#""arn:aws:iam::000000000000:root""#,
        "[]",
        "{}",
        "7",
        r#"{"AWS":[]}"#,
        r#"{"AWS":[["*"]]}"#,
        r#"{"AWS":{"AWS":"*"}}"#,
        r#"{"AWS":"*","AWS":"000000000000"}"#,
        r#"{"aws":"*"}"#,
        r#"{"Everyone":"*"}"#,
        r#"{"AWS":""}"#,
        r#"{"AWS":"alice"}"#,
        r#"{"AWS":"00000000000"}"#,
        r#"{"AWS":"0000000000000"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:*"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:user/*"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:user/A?"}"#,
        r#"{"AWS":"arn:aws:iam::*:root"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:user/${aws:username}"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:user/"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:user"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:group/g"}"#,
        r#"{"AWS":"arn:aws-cn:iam::000000000000:user/ALICE"}"#,
        r#"{"AWS":"arn:aws:s3:::pictures"}"#,
        r#"{"AWS":"AIDAEXAMPLE"}"#,
        r#"{"CanonicalUser":"*"}"#,
        r#"{"CanonicalUser":"2bd806c9"}"#,
    ] {
        assert_eq!(refusal(&[("Principal", principal)]), PRINCIPAL, "{principal}");
    }
    for principal in [
        r#""*""#,
        r#"{"AWS":["*","123456789012","arn:aws:iam::123456789012:root","arn:aws:iam:::user/x"]}"#,
        r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/role/session"}"#,
        r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}"#,
        r#"{"Service":["cloudtrail.amazonaws.com"],"Federated":"cognito-identity.amazonaws.com"}"#,
    ] {
        assert!(refusal(&[("Principal", principal)]).starts_with(ACCEPTED), "{principal}");
    }
}

#[test]
fn actions_and_resources_of_a_bucket() {
    let (bucket, objects) = ("arn:aws:s3:::pictures", "arn:aws:s3:::pictures/*");
    for (action, resource, expected) in [
        (r#""s3:GetObject""#, bucket, MISMATCH),
        (r#""s3:ListBucket""#, objects, MISMATCH),
        (r#"["s3:GetObject","s3:ListBucket"]"#, objects, MISMATCH),
        (r#""s3:ListAllMyBuckets""#, bucket, MISMATCH),
        (r#""s3:GetObject*""#, bucket, MISMATCH),
        (r#""s3:ListBucket""#, bucket, ACCEPTED),
        (r#""s3:Get*""#, bucket, ACCEPTED),
        (r#""S3:GETOBJECT""#, objects, ACCEPTED),
        (r#""s3:?etObject""#, objects, ACCEPTED),
        (r#"["s3:GetObject","s3:ListBucket"]"#, "arn:aws:s3:::pictures*", ACCEPTED),
        (r#""*""#, bucket, ACCEPTED),
        (r#""s3:GetObject""#, "arn:aws:s3:::pictures/a/${aws:username}", ACCEPTED),
        (r#""s3:GetObject""#, "arn:aws:s3:::*/*", ACCEPTED),
        (r#""s3:ListBucket""#, "arn:aws:s3:::*", ACCEPTED),
        (r#""s3:ListBucket""#, "arn:aws:s3:::pict?res", ACCEPTED),
        (r#""s3:GetObject""#, "*", RESOURCE),
        (r#""s3:GetObject""#, "", RESOURCE),
        (r#""s3:GetObject""#, "pictures/*", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws:s3:::", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws:s3:::/*", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws:s3:::picture/*", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws:s3:::pictures2/*", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws:s3:::Pictures/*", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws:s3:::${aws:username}/*", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws-cn:s3:::pictures/*", RESOURCE),
        (r#""s3:GetObject""#, "arn:aws:s3:us-east-1::pictures/*", RESOURCE),
        (r#""s3:GetObject""#, "ARN:AWS:S3:::pictures/*", RESOURCE),
        (r#""s3:GetObjekt""#, objects, ACTION),
        (r#""s3:Objects*""#, objects, ACTION),
        (r#""s3:""#, objects, ACTION),
        (r#"":GetObject""#, objects, ACTION),
        (r#""GetObject""#, objects, ACTION),
        (r#""""#, objects, ACTION),
        (r#""s3:GetObject ""#, objects, ACTION),
        (r#""sqs:*""#, objects, ACTION),
        (r#""s3:GetObject${aws:username}""#, objects, ACTION),
        ("[]", objects, ACTION),
        ("[1]", objects, ACTION),
        (r#"{"s3:GetObject":1}"#, objects, ACTION),
    ] {
        let refusal = refusal(&[("Action", action), ("Resource", &format!("\"{resource}\""))]);
        assert!(refusal.starts_with(expected), "{action} on {resource}: {refusal}");
    }
    assert_eq!(refusal(&[("Resource", "[]")]), RESOURCE);
    assert_eq!(refusal(&[("Resource", r#"["arn:aws:s3:::pictures/*","arn:aws:s3:::other/*"]"#)]), RESOURCE);
    let all_but = [("Action", ""), ("NotAction", r#""s3:ListBucket""#)];
    assert!(refusal(&all_but).starts_with(ACCEPTED), "what is left need not be checked");
}

#[test]
fn identities_and_sessions() {
    let policy = |action: &str, resource: &str| {
        let text = format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#);
        [PolicyKind::Identity, PolicyKind::Session].map(|kind| message(Policy::parse(text.as_bytes(), kind)))
    };
    for (action, resource, expected) in [
        ("*", "*", ACCEPTED),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/r", ACCEPTED),
        ("admin:*", "*", ACCEPTED),
        ("s3:*", "arn:aws:s3:*:*:pictures", ACCEPTED),
        ("s3:*", "arn:*:s3:::pictures", ACCEPTED),
        ("s3:*", "arn:aws:s3*", ACCEPTED),
        ("s3:*", "arn:aws:s3", RESOURCE),
        ("s3:*", "arn:aws-us-gov:s3:::pictures", RESOURCE),
        ("s3:*", "pictures*", RESOURCE),
        ("s3:*", "**", RESOURCE),
        ("s3", "*", ACTION),
        ("s 3:*", "*", ACTION),
        ("s3:Get:Object", "*", ACTION),
    ] {
        for outcome in policy(action, resource) {
            assert!(outcome.starts_with(expected), "{action} on {resource}: {outcome}");
        }
    }
    for principal in [r#""Principal":"*""#, r#""NotPrincipal":"*""#] {
        let refusal = message(identity_policy(&allowing(principal)));
        assert_eq!(refusal, "Policy document should not specify a principal.");
    }
    assert!(identity_policy(&allowing(r#""Condition":{"Bool":{"sts:x":"true","jwt:y":"true"}}"#)).is_ok());
    let refusal = message(identity_policy(&allowing(r#""Condition":{"Bool":{"x":"true"}}"#)));
    assert_eq!(refusal, "Policy has an invalid condition key");
}

#[test]
fn limits() {
    let padded = |length: usize| {
        let text = allowing(r#""Sid":"x""#);
        let padding = " ".repeat(length - text.len());
        message(identity_policy(&text.replace("\"Version\"", &format!("{padding}\"Version\""))))
    };
    assert!(padded(POLICY_MAX_BYTES).starts_with(ACCEPTED));
    assert_eq!(padded(POLICY_MAX_BYTES + 1), "Policy exceeds the maximum allowed document size.");

    let statements = |count: usize| {
        let one = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
        message(identity_policy(&format!(r#"{{"Statement":[{}]}}"#, vec![one; count].join(","))))
    };
    assert!(statements(POLICY_STATEMENTS_MAX).starts_with(ACCEPTED));
    assert_eq!(statements(POLICY_STATEMENTS_MAX + 1), "Policy has more than the maximum of 200 statements");

    let values = |count: usize| format!("[{}]", vec![r#""*""#; count].join(","));
    let actions = |count| refusal(&[("Action", &values(count))]);
    assert!(actions(POLICY_VALUES_MAX).starts_with(ACCEPTED));
    assert_eq!(actions(POLICY_VALUES_MAX + 1), ACTION);
    let principals = |count| refusal(&[("Principal", &format!(r#"{{"AWS":{}}}"#, values(count)))]);
    assert!(principals(POLICY_VALUES_MAX).starts_with(ACCEPTED));
    assert_eq!(principals(POLICY_VALUES_MAX + 1), PRINCIPAL);
    let compared = |count| refusal(&[("Condition", &format!(r#"{{"StringLike":{{"s3:prefix":{}}}}}"#, values(count)))]);
    assert!(compared(POLICY_VALUES_MAX).starts_with(ACCEPTED));
    assert_eq!(compared(POLICY_VALUES_MAX + 1), "Invalid number of values in Condition for key s3:prefix");

    let resource = |length: usize| {
        let start = "arn:aws:s3:::pictures/";
        refusal(&[("Resource", &format!("\"{start}{}\"", "x".repeat(length - start.len())))])
    };
    assert!(resource(POLICY_PATTERN_MAX_CHARACTERS).starts_with(ACCEPTED));
    assert_eq!(resource(POLICY_PATTERN_MAX_CHARACTERS + 1), RESOURCE);
}

#[test]
fn depth() {
    // The eighth list is read, and refused for what it is; the ninth is not read.
    let nested = |depth: usize| format!(r#"{{"Id":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(message(bucket_policy(&nested(8))), "Id must be a string");
    assert_eq!(message(bucket_policy(&nested(9))), NO_JSON);
    assert_eq!(message(bucket_policy(&nested(9_000))), NO_JSON);
}

#[test]
fn the_text_stays_as_it_came() {
    let text = statement(&[("Sid", r#""a\u0062c""#)]).replace(',', " ,\n");
    let policy = bucket_policy(&text).unwrap();
    assert_eq!(policy.text(), text);
    assert_eq!(policy, policy.clone());
    assert_ne!(policy, bucket_policy(&statement(&[])).unwrap());
}
