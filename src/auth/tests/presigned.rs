//! Presigned URLs: parameters, life, payload, headers.

use aws_sigv4::http_request::SignableBody;
use http::Method;

use super::signer::signed;
use super::{EMPTY_SHA256, NOW, Wire};
use crate::auth::{AuthErrorCode, Payload};
use crate::base::clock::Timestamp;

fn url() -> Wire {
    signed(&Wire::new(Method::PUT, "/bucket/key?partNumber=1", &[]), SignableBody::UnsignedPayload, Some(600))
}

/// The URL with one parameter's value replaced.
fn with(name: &str, value: &str) -> Wire {
    let mut wire = url();
    let pairs = wire.query.split('&').map(|pair| match pair.split_once('=') {
        Some((found, _)) if found == name => format!("{name}={value}"),
        _ => pair.to_owned(),
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    assert_ne!(query, wire.query, "{name} is not in the query");
    wire.query = query;
    wire
}

#[test]
fn malformed_parameters_are_named() {
    let credential = "AKIAIOSFODNN7EXAMPLE%2F20130524%2F";
    for (name, value, part) in [
        ("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256", "X-Amz-Algorithm only supports"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE", "X-Amz-Credential parameter; the Credential is mal-formed"),
        ("X-Amz-Credential", &format!("{credential}eu-west-1%2Fs3%2Faws4_request"), "the region 'eu-west-1' is wrong"),
        ("X-Amz-Credential", &format!("{credential}us-east-1%2Fsqs%2Faws4_request"), "incorrect service"),
        ("X-Amz-Date", "20130524", "X-Amz-Date must be in the ISO8601 Long Format"),
        ("X-Amz-Date", "20130523T235959Z", "This date is not the same as X-Amz-Date: \"20130523\""),
        ("X-Amz-Expires", "soon", "X-Amz-Expires should be a number"),
        ("X-Amz-Expires", "", "X-Amz-Expires should be a number"),
        ("X-Amz-Expires", "%2B1", "X-Amz-Expires should be a number"),
        ("X-Amz-Expires", "-1", "X-Amz-Expires must be non-negative"),
        ("X-Amz-Expires", "604801", "must be less than a week"),
        ("X-Amz-Expires", "99999999999999999999999", "must be less than a week"),
        ("X-Amz-SignedHeaders", "host%3B", "X-Amz-SignedHeaders is malformed"),
    ] {
        let refusal = with(name, value).refused(AuthErrorCode::AuthorizationQueryParametersError);
        assert!(refusal.message.contains(part), "{name}={value}: {refusal}");
    }
}

#[test]
fn each_parameter_is_needed_once() {
    let names = ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"];
    for name in names.map(|name| format!("X-Amz-{name}")) {
        let mut missing = url();
        missing.query = missing.query.replace(&format!("{name}="), "ignored=");
        let refusal = missing.refused(AuthErrorCode::AuthorizationQueryParametersError);
        assert!(refusal.message.starts_with("Query-string authentication version 4 requires"), "{name}");
        let mut twice = url();
        twice.query.push_str(&format!("&{name}=600"));
        let refusal = twice.refused(AuthErrorCode::AuthorizationQueryParametersError);
        assert!(refusal.message.contains(&name), "{refusal}");
    }
}

#[test]
fn a_url_lives_from_its_date_to_its_end() {
    let at = |millis: u64| url().authenticate_at(Timestamp(millis)).map_err(|refusal| refusal.message);
    let skew = 15 * 60 * 1000;
    assert!(at(NOW.0 - skew).is_ok());
    assert_eq!(at(NOW.0 - skew - 1).unwrap_err(), "Request is not valid yet");
    assert!(at(NOW.0 + 600_000).is_ok());
    assert_eq!(at(NOW.0 + 600_001).unwrap_err(), "Request has expired");
    let week = signed(&Wire::new(Method::GET, "/b/k", &[]), SignableBody::UnsignedPayload, Some(604_800));
    assert!(week.authenticate_at(Timestamp(NOW.0 + 604_800_000)).is_ok());
    assert!(with("X-Amz-Expires", "0").refused(AuthErrorCode::AccessDenied).message.contains("expired"));
}

#[test]
fn headers_must_be_signed_but_the_body_hash_need_not() {
    let refusal = url().and("x-amz-acl", "public-read").refused(AuthErrorCode::AccessDenied);
    assert_eq!(refusal.detail("HeadersNotSigned"), Some("x-amz-acl"));
    let refusal = with("X-Amz-SignedHeaders", "range").refused(AuthErrorCode::AccessDenied);
    assert_eq!(refusal.detail("HeadersNotSigned"), Some("host"));
    // The hash is the last line of what is signed: a foreign one cannot match.
    url().and("x-amz-content-sha256", EMPTY_SHA256).refused(AuthErrorCode::SignatureDoesNotMatch);
    url().and("x-amz-content-sha256", "UNSIGNED-PAYLOAD").accepted();
    url().and("x-amz-content-sha256", "junk").refused(AuthErrorCode::InvalidArgument);
}

#[test]
fn the_body_hash_may_come_in_either_place() {
    let body = || SignableBody::Precomputed(EMPTY_SHA256.to_owned());
    let in_query = Wire::new(Method::PUT, &format!("/b/k?X-Amz-Content-Sha256={EMPTY_SHA256}"), &[]);
    let in_header = Wire::new(Method::PUT, "/b/k", &[("x-amz-content-sha256", EMPTY_SHA256)]);
    for wire in [in_query, in_header] {
        let wire = signed(&wire, body(), Some(60));
        assert!(matches!(wire.accepted().payload, Payload::Exact(_)), "{wire:?}");
    }
    let mut both = signed(&Wire::new(Method::PUT, "/b/k", &[("x-amz-content-sha256", EMPTY_SHA256)]), body(), Some(60));
    both.query.push_str("&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD");
    both.refused(AuthErrorCode::InvalidArgument);
}

#[test]
fn what_is_not_built_is_refused() {
    let mut token = url();
    token.query.push_str("&X-Amz-Security-Token=abc");
    token.refused(AuthErrorCode::InvalidToken);
    let mut both = url();
    both.query.push_str("&AWSAccessKeyId=k");
    both.refused(AuthErrorCode::InvalidArgument);
    with("X-Amz-Credential", "NOBODY%2F20130524%2Fus-east-1%2Fs3%2Faws4_request")
        .refused(AuthErrorCode::InvalidAccessKeyId);
}
