//! Every operator, with keys that are there, absent and of several values.

use super::*;

/// Whether a condition on `aws:key` holds, which has these values in the request; none at all if there is no list.
fn holds(operator: &str, expected: &str, actual: Option<&[&str]>) -> bool {
    let condition = format!(r#""Condition":{{"{operator}":{{"aws:Key":{expected}}}}}"#);
    let policy = identity_policy(&allowing(&condition)).unwrap_or_else(|error| panic!("{error}: {condition}"));
    let facts = actual.map(|values| ("aws:key", values));
    let verdict = of_alice(&policy, &Facts(facts.as_slice()));
    assert_ne!(verdict, Verdict::Deny);
    verdict == Verdict::Allow
}

/// A positive operator, its negation, values in a policy, one that is equal to one of them and one that is not.
const PAIRS: [(&str, &str, &str, &str, &str); 12] = [
    ("StringEquals", "StringNotEquals", r#"["a","b*"]"#, "b*", "bc"),
    ("StringEquals", "StringNotEquals", r#"["a",7,true]"#, "7", "07"),
    ("StringEquals", "StringNotEquals", r#"["é"]"#, "é", "É"),
    ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", r#"["x","ÄB"]"#, "äb", "ab"),
    ("StringLike", "StringNotLike", r#"["x","a*c?"]"#, "abcd", "abc"),
    ("StringLike", "StringNotLike", r#""a*""#, "a", "A"),
    ("NumericEquals", "NumericNotEquals", r#"["1","20"]"#, "20.0", "2"),
    ("DateEquals", "DateNotEquals", r#""2026-11-23T04:05:06Z""#, "1795406706", "1795406707"),
    ("IpAddress", "NotIpAddress", r#"["10.0.0.0/8","192.0.2.1"]"#, "192.0.2.1", "192.0.2.2"),
    ("IpAddress", "NotIpAddress", r#""2001:db8::/32""#, "2001:db8:ffff::1", "2001:db9::1"),
    ("ArnEquals", "ArnNotEquals", r#""arn:aws:iam::*:user/*""#, "arn:aws:iam::1:user/a/b", "arn:aws:iam::1:role/a"),
    ("ArnLike", "ArnNotLike", r#"["arn:aws:s3:::b","arn:aws:s3:::p?c"]"#, "arn:aws:s3:::pic", "arn:aws:s3:::pc"),
];

#[test]
fn operators_and_their_negations() {
    for (positive, negative, expected, equal, other) in PAIRS {
        let both = |actual: Option<&[&str]>| [positive, negative].map(|operator| holds(operator, expected, actual));
        let case = format!("{positive} {expected}");
        assert_eq!(both(Some(&[equal])), [true, false], "{case}: {equal}");
        assert_eq!(both(Some(&[other])), [false, true], "{case}: {other}");
        assert_eq!(both(None), [false, true], "{case}: absent");
        assert_eq!(both(Some(&[])), [false, true], "{case}: there without a value");
        assert_eq!(both(Some(&[other, equal])), [true, false], "{case}: one of two");
    }
}

#[test]
fn if_exists() {
    for (positive, negative, expected, equal, other) in PAIRS {
        let both = |actual: Option<&[&str]>| {
            [positive, negative].map(|operator| holds(&format!("{operator}IfExists"), expected, actual))
        };
        assert_eq!(both(Some(&[equal])), [true, false], "{positive}");
        assert_eq!(both(Some(&[other])), [false, true], "{positive}");
        assert_eq!(both(None), [true, true], "{positive}");
    }
}

#[test]
fn for_all_and_for_any() {
    for (positive, negative, expected, equal, other) in PAIRS {
        let each = |actual: Option<&[&str]>| {
            ["ForAllValues", "ForAnyValue"].map(|prefix| {
                [positive, negative].map(|operator| holds(&format!("{prefix}:{operator}"), expected, actual))
            })
        };
        let (always, never) = ([true, true], [false, false]);
        assert_eq!(each(Some(&[equal, equal])), [[true, false], [true, false]], "{positive}");
        assert_eq!(each(Some(&[equal, other])), [never, always], "{positive}");
        assert_eq!(each(Some(&[other, other])), [[false, true], [false, true]], "{positive}");
        for empty in [None, Some(&[] as &[&str]), Some(&["", ""])] {
            assert_eq!(each(empty), [always, never], "{positive} {empty:?}");
        }
        let if_exists = |actual: Option<&[&str]>| {
            ["ForAllValues", "ForAnyValue"]
                .map(|prefix| holds(&format!("{prefix}:{positive}IfExists"), expected, actual))
        };
        assert_eq!(if_exists(None), [true, true], "{positive}");
        assert_eq!(if_exists(Some(&[equal, other])), [false, true], "{positive}");
        assert_eq!(if_exists(Some(&[other])), [false, false], "{positive}");
    }
}

#[test]
fn null_asks_whether_the_key_is_there() {
    for (expected, present, absent) in [
        (r#""true""#, false, true),
        (r#""false""#, true, false),
        ("true", false, true),
        (r#"["TRUE"]"#, false, true),
        (r#"["true","false"]"#, true, true),
    ] {
        assert_eq!(holds("Null", expected, Some(&["x"])), present, "{expected}");
        assert_eq!(holds("Null", expected, Some(&[""])), present, "{expected}");
        assert_eq!(holds("Null", expected, None), absent, "{expected}");
        assert_eq!(holds("Null", expected, Some(&[])), absent, "{expected}");
    }
}

#[test]
fn orders() {
    let numbers = ["NumericLessThan", "NumericLessThanEquals", "NumericGreaterThanEquals", "NumericGreaterThan"];
    let dates = ["DateLessThan", "DateLessThanEquals", "DateGreaterThanEquals", "DateGreaterThan"];
    let (less, equal, greater) = ([true, true, false, false], [false, true, true, false], [false, false, true, true]);
    for (operators, expected, actual, outcome) in [
        (numbers, "10", "9", less),
        (numbers, "10", "9.999", less),
        (numbers, "10", "10", equal),
        (numbers, r#""10""#, "+010.00", equal),
        (numbers, "10", "100", greater),
        (numbers, "0.5", "0.45", less),
        (numbers, "-1.5", "-2", less),
        (numbers, "-1.5", "-1.45", greater),
        (numbers, "-1", "1", greater),
        (numbers, "0", "-0", equal),
        (numbers, "9007199254740991", "9007199254740992", greater),
        // Beyond any number type, and one above the other in the last digit alone.
        (numbers, r#""340282366920938463463374607431768211457""#, "340282366920938463463374607431768211456", less),
        (numbers, "10", "ten", [false; 4]),
        (numbers, "10", "", [false; 4]),
        (numbers, "10", "1e1", [false; 4]),
        (numbers, "10", ".", [false; 4]),
        (dates, r#""2026-11-23T04:05:06Z""#, "2026-11-23T04:05:05.999Z", less),
        (dates, r#""2026-11-23T04:05:06Z""#, "2026-11-23T05:05:06+01:00", equal),
        (dates, r#""2026-11-23""#, "2026-11-23T00:00:00Z", equal),
        (dates, r#""2026-11-23T04:05Z""#, "2026-11-23T04:05:01Z", greater),
        (dates, "1795406706", "2026-11-23T04:05:06Z", equal),
        (dates, r#""1795406706""#, "1795406705", less),
        (dates, r#""2026-11-23T04:05:06Z""#, "yesterday", [false; 4]),
        (dates, r#""2026-11-23T04:05:06Z""#, "9223372036854775807", [false; 4]),
    ] {
        let found = operators.map(|operator| holds(operator, expected, Some(&[actual])));
        assert_eq!(found, outcome, "{actual} against {expected}");
        assert_eq!(operators.map(|operator| holds(operator, expected, None)), [false; 4]);
    }
    assert!(holds("NumericLessThan", "[1,100]", Some(&["50"])), "one of the values is enough");
}

#[test]
fn bool_and_binary() {
    for (operator, expected, actual, outcome) in [
        ("Bool", "true", Some("true"), true),
        ("Bool", r#""True""#, Some("TRUE"), true),
        ("Bool", "false", Some("true"), false),
        ("Bool", "false", None, false),
        ("BoolIfExists", "false", None, true),
        ("Bool", r#"["true","false"]"#, Some("false"), true),
        ("Bool", "true", Some("yes"), false),
        ("BinaryEquals", r#""QmluYXJ5""#, Some("QmluYXJ5"), true),
        ("BinaryEquals", r#""QmluYXJ5""#, Some("qmluyxj5"), false),
        ("BinaryEquals", r#""QmluYXJ5""#, Some("Binary"), false),
        ("BinaryEquals", r#""QmluYXJ5""#, None, false),
    ] {
        let actual = actual.map(|value| [value]);
        let actual = actual.as_ref().map(|values| values as &[&str]);
        assert_eq!(holds(operator, expected, actual), outcome, "{operator} {expected} {actual:?}");
    }
}

#[test]
fn addresses() {
    for (network, address, expected) in [
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "::1", true),
        ("::/0", "10.0.0.1", false),
        ("10.1.2.3/8", "10.200.0.1", true),
        ("10.1.2.3/32", "10.1.2.4", false),
        ("10.1.2.3", "::ffff:10.1.2.3", true),
        ("::ffff:10.1.2.0/120", "10.1.2.255", true),
        ("::1", "::1", true),
        ("::1/128", "::2", false),
        ("10.0.0.0/8", "10.0.0.1:80", false),
        ("10.0.0.0/8", "010.0.0.1", false),
        ("10.0.0.0/8", "10.1", false),
        ("10.0.0.0/8", "", false),
    ] {
        let network = format!("\"{network}\"");
        assert_eq!(holds("IpAddress", &network, Some(&[address])), expected, "{network} and {address}");
        assert_eq!(holds("NotIpAddress", &network, Some(&[address])), !expected, "{network} and {address}");
    }
}

#[test]
fn arns_are_compared_by_component() {
    for (pattern, arn, expected) in [
        ("arn:aws:sns:*:123456789012:*", "arn:aws:sns:us-east-1:123456789012:topic", true),
        ("arn:aws:sns:*:topic", "arn:aws:sns:us-east-1:123456789012:topic", false),
        ("arn:aws:*:us-east-1:1:x", "arn:aws:sns:us-east-1:1:x", true),
        ("arn:aws:s3:::a*", "arn:aws:s3:::abc:d/e", true),
        ("arn:aws:s3:::a?c", "arn:aws:s3:::a:c", true),
        ("arn:aws:s3*", "arn:aws:s3:::x", true),
        ("*", "arn:aws:s3:::x", true),
        ("*", "no arn", false),
        ("arn:aws:s3", "arn:aws:s3:::x", false),
        ("arn:aws:s3:::x", "arn:aws:s3:::X", false),
    ] {
        assert_eq!(holds("ArnLike", &format!("\"{pattern}\""), Some(&[arn])), expected, "{pattern} and {arn}");
    }
}

#[test]
fn operators_that_do_not_exist() {
    for operator in [
        "",
        "stringequals",
        "StringEqual",
        "StringEquals ",
        "StringEqualsIfExistsIfExists",
        "IfExistsStringEquals",
        "ForAllValues:",
        "ForallValues:StringEquals",
        "ForAllValues:ForAnyValue:StringEquals",
        "NullIfExists",
        "ForAllValues:Null",
        "BinaryNotEquals",
        "Regex",
    ] {
        let condition = format!(r#""Condition":{{"{operator}":{{"aws:Key":"true"}}}}"#);
        let refusal = message(identity_policy(&allowing(&condition)));
        assert_eq!(refusal, format!("Invalid Condition type : {operator}"));
    }
}

#[test]
fn values_that_are_none() {
    for (operator, value) in [
        ("NumericEquals", r#""ten""#),
        ("NumericEquals", r#""""#),
        ("NumericEquals", r#""1e3""#),
        ("NumericEquals", r#""0x10""#),
        ("NumericEquals", r#""--1""#),
        ("NumericEquals", r#""${aws:max}""#),
        ("DateEquals", r#""2026-13-01""#),
        ("DateEquals", r#""2026-11""#),
        ("DateEquals", r#""2026-11-23 04:05:06Z""#),
        ("DateEquals", r#""2026-11-23T04:05:06""#),
        ("DateEquals", r#""99999999999999999999""#),
        ("Bool", r#""yes""#),
        ("Bool", "1"),
        ("Null", r#""maybe""#),
        ("BinaryEquals", r#""***""#),
        ("IpAddress", r#""10.0.0.0/33""#),
        ("IpAddress", r#""10.0.0.0/""#),
        ("IpAddress", r#""10.0.0.0/+8""#),
        ("IpAddress", r#""10.0.0/8""#),
        ("IpAddress", r#""::1/129""#),
        ("IpAddress", r#""*""#),
    ] {
        let condition = format!(r#""Condition":{{"{operator}":{{"aws:Key":[{value}]}}}}"#);
        let refusal = message(identity_policy(&allowing(&condition)));
        let value = value.trim_matches('"');
        assert_eq!(refusal, format!("Invalid value in Condition: {value}"), "{operator}");
    }
}
