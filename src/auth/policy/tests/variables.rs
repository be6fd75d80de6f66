//! Variables, in resources and in the values of conditions.

use super::*;

fn resource_policy(version: &str, effect: &str, element: &str, resource: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"{version}","Statement":{{"Effect":"{effect}","Action":"s3:*","{element}":"{resource}"}}}}"#
    );
    identity_policy(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const NEWER: &str = "2012-10-17";

#[test]
fn resources() {
    let facts = Facts(&[
        ("aws:username", &["ALICE"]),
        ("aws:principaltag/Team", &["blue*"]),
        ("aws:multivalued", &["ALICE", "BOB"]),
    ]);
    for (resource, asked, expected) in [
        ("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/ALICE/x", Verdict::Allow),
        ("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/BOB/x", Verdict::Silent),
        ("arn:aws:s3:::home/${AWS:UserName}/*", "arn:aws:s3:::home/ALICE/x", Verdict::Allow),
        ("arn:aws:s3:::home/${aws:PrincipalTag/Team}", "arn:aws:s3:::home/blue*", Verdict::Allow),
        // What a variable puts in is no wildcard, and a tag's key keeps its case.
        ("arn:aws:s3:::home/${aws:PrincipalTag/Team}", "arn:aws:s3:::home/blueprint", Verdict::Silent),
        ("arn:aws:s3:::home/${aws:PrincipalTag/team}", "arn:aws:s3:::home/blue*", Verdict::Silent),
        ("arn:aws:s3:::home/${aws:PrincipalTag/team, 'none'}", "arn:aws:s3:::home/none", Verdict::Allow),
        ("arn:aws:s3:::home/${aws:username,'none'}", "arn:aws:s3:::home/none", Verdict::Silent),
        ("arn:aws:s3:::home/${aws:multivalued}", "arn:aws:s3:::home/ALICE", Verdict::Silent),
        ("arn:aws:s3:::home/${aws:absent}", "arn:aws:s3:::home/", Verdict::Silent),
        ("arn:aws:s3:::home/${aws:absent}", "arn:aws:s3:::home/${aws:absent}", Verdict::Silent),
        ("arn:aws:s3:::home/${*}${?}${$}", "arn:aws:s3:::home/*?$", Verdict::Allow),
        ("arn:aws:s3:::home/${*}", "arn:aws:s3:::home/x", Verdict::Silent),
        ("arn:aws:s3:::home/$HOME$", "arn:aws:s3:::home/$HOME$", Verdict::Allow),
    ] {
        let policy = resource_policy(NEWER, "Allow", "Resource", resource);
        assert_eq!(Caller::Alice.judge(&policy, "s3:GetObject", asked, &facts), expected, "{resource} and {asked}");
    }
}

#[test]
fn the_older_version_has_none() {
    let facts = Facts(&[("aws:username", &["ALICE"])]);
    let resource = "arn:aws:s3:::home/${aws:username}";
    let policy = resource_policy("2008-10-17", "Allow", "Resource", resource);
    assert_eq!(Caller::Alice.judge(&policy, "s3:GetObject", "arn:aws:s3:::home/ALICE", &facts), Verdict::Silent);
    assert_eq!(Caller::Alice.judge(&policy, "s3:GetObject", resource, &facts), Verdict::Allow);
}

#[test]
fn a_missing_value_never_allows() {
    // In what is excepted from an allowance, and in what is excepted from a denial.
    let element = "NotResource";
    for (effect, expected) in [("Allow", Verdict::Silent), ("Deny", Verdict::Deny)] {
        let policy = resource_policy(NEWER, effect, element, "arn:aws:s3:::home/${aws:absent}");
        assert_eq!(of_alice(&policy, &NO_FACTS), expected, "{effect}");
    }
    let tag = Facts(&[("s3:existingobjecttag/Team", &["blue"])]);
    for (effect, operator, expected) in [
        ("Allow", "StringEquals", Verdict::Silent),
        ("Allow", "StringNotEquals", Verdict::Silent),
        ("Allow", "ForAnyValue:StringNotLike", Verdict::Silent),
        ("Deny", "StringEquals", Verdict::Silent),
        ("Deny", "StringNotEquals", Verdict::Deny),
        ("Deny", "ForAllValues:StringNotLike", Verdict::Deny),
    ] {
        let condition =
            format!(r#"{{"{operator}":{{"s3:ExistingObjectTag/Team":["red","${{aws:PrincipalTag/Team}}"]}}}}"#);
        let text = allowing(&format!(r#""Condition":{condition}"#)).replace("Allow", effect);
        assert_eq!(of_alice(&identity_policy(&text).unwrap(), &tag), expected, "{effect} {operator}");
    }
}

#[test]
fn conditions() {
    let facts = Facts(&[
        ("aws:username", &["ALICE"]),
        ("s3:prefix", &["home/ALICE/photos"]),
        ("aws:principalarn", &["arn:aws:iam::000000000000:user/ALICE"]),
        ("aws:securetransport", &["true"]),
        ("aws:wanted", &["TRUE"]),
    ]);
    for (condition, expected) in [
        (r#"{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}"#, Verdict::Allow),
        (r#"{"StringEquals":{"s3:prefix":"home/${aws:username}/*"}}"#, Verdict::Silent),
        (r#"{"StringEqualsIgnoreCase":{"s3:prefix":"HOME/${aws:username}/PHOTOS"}}"#, Verdict::Allow),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/${aws:username}"}}"#, Verdict::Allow),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"${aws:PrincipalArn}"}}"#, Verdict::Allow),
        (r#"{"Bool":{"aws:SecureTransport":"${aws:wanted}"}}"#, Verdict::Allow),
        (r#"{"StringLikeIfExists":{"aws:absent":"${aws:AbsentToo}"}}"#, Verdict::Allow),
    ] {
        let policy = identity_policy(&allowing(&format!(r#""Condition":{condition}"#))).unwrap();
        assert_eq!(of_alice(&policy, &facts), expected, "{condition}");
    }
}

#[test]
fn a_value_that_is_too_long_matches_nothing() {
    let long = "x".repeat(3000);
    let facts = [("aws:referer", &[long.as_str()] as &[&str])];
    let policy =
        identity_policy(&allowing(r#""Condition":{"StringEquals":{"aws:Referer":"${aws:Referer}"}}"#)).unwrap();
    assert_eq!(of_alice(&policy, &Facts(&facts)), Verdict::Silent);
    assert_eq!(of_alice(&policy, &Facts(&[("aws:referer", &["x"])])), Verdict::Allow);
}

#[test]
fn what_is_no_variable_is_refused() {
    for resource in
        ["${", "${}", "${aws:username", "${username}", "${aws:a,}", "${aws:a, 'x}", "${aws:a, 'x' y}", "${a${b:c}}"]
    {
        let text = allowing("\"Sid\":\"x\"")
            .replace(r#""Resource":"*""#, &format!(r#""Resource":"arn:aws:s3:::b/{resource}""#));
        assert_eq!(message(identity_policy(&text)), "Policy has invalid resource", "{resource}");
        let condition = format!(r#""Condition":{{"StringLike":{{"s3:prefix":"{resource}"}}}}"#);
        let refusal = message(identity_policy(&allowing(&condition)));
        assert_eq!(refusal, format!("Invalid value in Condition: {resource}"));
    }
}
