//! What makes a bucket's policy public.

use super::*;

fn is_public(statement: &str) -> bool {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Action":"s3:GetObject","Resource":"arn:aws:s3:::pictures/*",{statement}}}]}}"#
    );
    bucket_policy(&text).unwrap_or_else(|error| panic!("{error}: {text}")).is_public()
}

#[test]
fn everybody_is_the_public_and_somebody_is_not() {
    for (principal, expected) in [
        (r#""Principal":"*""#, true),
        (r#""Principal":{"AWS":"*"}"#, true),
        (r#""Principal":{"AWS":["arn:aws:iam::000000000000:user/ALICE","*"]}"#, true),
        (r#""Principal":{"AWS":"arn:aws:iam::000000000000:user/ALICE"}"#, false),
        (r#""Principal":{"AWS":"arn:aws:iam::s3tenant1:root"}"#, false),
        (r#""Principal":{"Service":"logging.s3.amazonaws.com"}"#, false),
    ] {
        assert_eq!(is_public(&format!(r#""Effect":"Allow",{principal}"#)), expected, "{principal}");
    }
    assert!(!is_public(r#""Effect":"Deny","Principal":"*""#));
    assert!(!is_public(r#""Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::000000000000:root"}"#));
}

#[test]
fn a_condition_narrows_if_it_fixes_who_asks() {
    for (condition, expected) in [
        (r#"{"StringEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, false),
        (r#"{"StringLike":{"aws:SourceVpc":"vpc-91237329"}}"#, false),
        (r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#, true),
        (r#"{"StringEquals":{"aws:SourceVpc":"${aws:username}"}}"#, true),
        (r#"{"StringEquals":{"aws:SourceVpc":["vpc-1","${*}"]}}"#, false),
        (r#"{"StringNotEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, true),
        (r#"{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-91237329"}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/32"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","0.0.0.0/1"]}}"#, true),
        (r#"{"IpAddress":{"aws:SourceIp":"2000::/3"}}"#, true),
        (r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/32"}}"#, true),
        (r#"{"StringEquals":{"aws:Referer":"https://example.com/"}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, true),
        (r#"{"Null":{"aws:SourceVpc":"false"}}"#, true),
        (r#"{"ArnEquals":{"AWS:SourceArn":"arn:aws:s3:::other"}}"#, false),
        (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#, false),
    ] {
        let statement = format!(r#""Effect":"Allow","Principal":"*","Condition":{condition}"#);
        assert_eq!(is_public(&statement), expected, "{condition}");
    }
}

#[test]
fn one_public_statement_is_enough() {
    let statement = |principal: &str| {
        format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"s3:*","Resource":"arn:aws:s3:::pictures"}}"#)
    };
    let (somebody, everybody) = (statement(r#"{"AWS":"000000000000"}"#), statement(r#""*""#));
    let policy =
        |statements: [&str; 2]| bucket_policy(&format!(r#"{{"Statement":[{}]}}"#, statements.join(","))).unwrap();
    assert!(policy([&somebody, &everybody]).is_public());
    assert!(!policy([&somebody, &somebody]).is_public());
}
