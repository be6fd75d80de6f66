//! What is refused before or instead of comparing signatures, and what anonymous requests may do.

use aws_sigv4::http_request::SignableBody;
use http::{HeaderValue, Method};
use sha2::{Digest as _, Sha256};

use super::signer::signed;
use super::{EMPTY_SHA256, KEY_ID, NOW, REGION, SECRET, Wire};
use crate::auth::sigv4::SigningKey;
use crate::auth::{AuthErrorCode, Identity, Payload};
use crate::base::clock::Timestamp;
use crate::base::digest::hex;

fn put() -> Wire {
    signed(&Wire::new(Method::PUT, "/bucket/key", &[("x-amz-meta-a", "1")]), SignableBody::UnsignedPayload, None)
}

fn authorized(value: &str) -> Wire {
    put().without("authorization").and("authorization", value)
}

/// The good header with `from` replaced by `to`.
fn altered(from: &str, to: &str) -> Wire {
    let header = put().headers["authorization"].to_str().unwrap().to_owned();
    assert!(header.contains(from), "{header}");
    authorized(&header.replacen(from, to, 1))
}

#[test]
fn blanks_and_order_of_components_do_not_matter() {
    put().accepted();
    let header = put().headers["authorization"].to_str().unwrap().to_owned();
    let (scheme, components) = header.split_once(' ').unwrap();
    let components: Vec<&str> = components.split(',').map(str::trim).collect();
    authorized(&format!("{scheme} {}", components.join(","))).accepted();
    authorized(&format!("{scheme}  {}", components.join("  ,  "))).accepted();
    let reversed: Vec<&str> = components.into_iter().rev().collect();
    authorized(&format!("{scheme} {}", reversed.join(", "))).accepted();
}

#[test]
fn malformed_headers_are_explained() {
    let malformed = AuthErrorCode::AuthorizationHeaderMalformed;
    for (wire, part) in [
        (altered("Credential=", "Credentials="), "component \"Credentials\" is malformed"),
        (altered("SignedHeaders=", ""), "is malformed"),
        (altered("SignedHeaders=", "SignedHeaders=;"), "component \"SignedHeaders\" is malformed"),
        (altered("Signature=", "Signature=a,Signature="), "component \"Signature\" comes twice"),
        (authorized("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b"), "missing Signature."),
        (authorized("AWS4-HMAC-SHA256 Signature=a,SignedHeaders=b"), "missing Credential."),
        (authorized("AWS4-HMAC-SHA256 Signature=a,Credential=b"), "missing SignedHeaders."),
        (altered("/20130524/", "/20130523/"), "Invalid credential date \"20130523\""),
        (altered("/s3/", "/ec2/"), "incorrect service \"ec2\""),
        (altered("aws4_request", "aws4"), "incorrect terminal"),
    ] {
        let refusal = wire.refused(malformed);
        assert!(refusal.message.starts_with("The authorization header is malformed; "), "{refusal}");
        assert!(refusal.message.contains(part), "{refusal}");
    }
    let region = altered("us-east-1", "eu-west-1").refused(malformed);
    assert!(region.message.contains("the region 'eu-west-1' is wrong; expecting 'us-east-1'"));
    assert_eq!(region.detail("Region"), Some("us-east-1"));
}

#[test]
fn other_mechanisms_are_refused() {
    for (value, code) in [
        ("AWS AKIAIOSFODNN7EXAMPLE:c2ln", AuthErrorCode::InvalidRequest),
        ("AWS4-ECDSA-P256-SHA256 Credential=a,SignedHeaders=b,Signature=c", AuthErrorCode::InvalidRequest),
        ("Basic dXNlcjpwYXNz", AuthErrorCode::InvalidArgument),
        ("dXNlcjpwYXNz", AuthErrorCode::InvalidArgument),
        ("Bearer token", AuthErrorCode::InvalidArgument),
        ("aws4-hmac-sha256 Credential=a,SignedHeaders=b,Signature=c", AuthErrorCode::InvalidArgument),
        ("AWS4-HMAC-SHA256", AuthErrorCode::InvalidArgument),
        ("", AuthErrorCode::InvalidArgument),
    ] {
        let refusal = authorized(value).refused(code);
        assert!(!format!("{refusal:?}").contains("dXNlcjpwYXNz"), "a password is repeated");
    }
    put().and("authorization", "AWS k:s").refused(AuthErrorCode::InvalidArgument);
    let mut binary = put();
    binary.headers.insert("authorization", HeaderValue::from_bytes(b"AWS4-HMAC-SHA256 \xff").unwrap());
    binary.refused(AuthErrorCode::InvalidArgument);
    for query in ["X-Amz-Signature=a", "Signature=a", "X-Amz-Algorithm=AWS4-HMAC-SHA256&AWSAccessKeyId=k"] {
        let mut both = put();
        both.query = query.to_owned();
        let refusal = both.refused(AuthErrorCode::InvalidArgument);
        assert!(refusal.message.starts_with("Only one auth mechanism allowed"));
    }
    let refusal = put().and("x-amz-security-token", "t").refused(AuthErrorCode::AccessDenied);
    assert_eq!(refusal.detail("HeadersNotSigned"), Some("x-amz-security-token"));
    let signed_token = Wire::new(Method::PUT, "/bucket/key", &[("x-amz-security-token", "t")]);
    signed(&signed_token, SignableBody::UnsignedPayload, None).refused(AuthErrorCode::InvalidToken);
}

#[test]
fn unknown_keys_are_named() {
    let refusal = altered(KEY_ID, "NOBODY").refused(AuthErrorCode::InvalidAccessKeyId);
    assert_eq!(refusal.detail("AWSAccessKeyId"), Some("NOBODY"));
}

#[test]
fn clocks_may_differ_by_a_quarter_of_an_hour() {
    let quarter = 15 * 60 * 1000;
    for millis in [NOW.0 - quarter, NOW.0 + quarter] {
        put().authenticate_at(Timestamp(millis)).unwrap();
    }
    for millis in [NOW.0 - quarter - 1, NOW.0 + quarter + 1, 0, u64::MAX] {
        let refusal = put().authenticate_at(Timestamp(millis)).unwrap_err();
        assert_eq!(refusal.code, AuthErrorCode::RequestTimeTooSkewed);
        assert_eq!(refusal.detail("RequestTime"), Some("20130524T000000Z"));
        assert_eq!(refusal.detail("ServerTime"), Some(Timestamp(millis).iso8601().as_str()));
        assert_eq!(refusal.detail("MaxAllowedSkewMilliseconds"), Some("900000"));
    }
}

#[test]
fn a_usable_date_is_needed() {
    let denied = |wire: Wire| {
        let refusal = wire.refused(AuthErrorCode::AccessDenied);
        assert_eq!(refusal.message, "AWS authentication requires a valid Date or x-amz-date header");
    };
    denied(put().without("x-amz-date"));
    denied(put().without("x-amz-date").and("date", "yesterday"));
    denied(put().without("x-amz-date").and("x-amz-date", "Fri, 24 May 2013 00:00:00 GMT"));
    denied(put().and("x-amz-date", "20130524T000000Z"));
}

/// Its string to sign carries the date in SigV4's form. The signer crate cannot make one, so this is signed by hand.
#[test]
fn a_date_header_serves_where_there_is_no_other() {
    let date = "Fri, 24 May 2013 00:00:00 GMT";
    let canonical = format!("GET\n/b/k\n\ndate:{date}\nhost:h\n\ndate;host\nUNSIGNED-PAYLOAD");
    let scope = "20130524/us-east-1/s3/aws4_request";
    let string_to_sign =
        format!("AWS4-HMAC-SHA256\n20130524T000000Z\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let signature = SigningKey::derive(SECRET, "20130524", REGION, "s3").sign(&string_to_sign);
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders=date;host, Signature={signature}");
    let unsigned = [("host", "h"), ("date", date), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
    let wire = Wire::new(Method::GET, "/b/k", &unsigned).and("authorization", &authorization);
    wire.accepted();
    let later = wire.without("date").and("date", "Fri, 24 May 2013 00:00:01 GMT");
    later.refused(AuthErrorCode::SignatureDoesNotMatch);
}

#[test]
fn headers_that_must_be_signed() {
    let refusal = put().and("x-amz-tagging", "a=b").and("x-amz-acl", "private").refused(AuthErrorCode::AccessDenied);
    assert_eq!(refusal.message, "There were headers present in the request which were not signed");
    assert_eq!(refusal.detail("HeadersNotSigned"), Some("x-amz-acl, x-amz-tagging"));
    let refusal = altered("host;", "").refused(AuthErrorCode::AccessDenied);
    assert_eq!(refusal.detail("HeadersNotSigned"), Some("host"));
    put().and("x-amzn-trace-id", "added by a balancer").and("expect", "100-continue").accepted();
}

#[test]
fn the_body_hash_is_needed_and_must_mean_something() {
    let refusal = put().without("x-amz-content-sha256").refused(AuthErrorCode::InvalidRequest);
    assert!(refusal.message.contains("x-amz-content-sha256"));
    for junk in ["", "abc", "unsigned-payload", "UNSIGNED-PAYLOAD-TRAILER", &"g".repeat(64), &"0".repeat(66)] {
        let refusal = put()
            .without("x-amz-content-sha256")
            .and("x-amz-content-sha256", junk)
            .refused(AuthErrorCode::InvalidArgument);
        assert_eq!(refusal.detail("ArgumentValue"), Some(junk));
    }
    put().and("x-amz-content-sha256", EMPTY_SHA256).refused(AuthErrorCode::InvalidArgument);
    let ecdsa = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD";
    put().without("x-amz-content-sha256").and("x-amz-content-sha256", ecdsa).refused(AuthErrorCode::NotImplemented);
}

#[test]
fn a_signed_trailer_is_reported_as_such() {
    let wire = signed(&Wire::new(Method::PUT, "/b/k", &[]), SignableBody::StreamingSignedPayloadTrailer, None);
    let Payload::SignedChunks { seed, trailer: true } = wire.accepted().payload else { panic!("not signed chunks") };
    assert!(wire.headers["authorization"].to_str().unwrap().ends_with(&seed.signature));
}

#[test]
fn without_credentials_there_is_nobody() {
    let get = Wire::new(Method::GET, "/b/k?list-type=2&X-Amz-Date=x", &[("host", "h")]);
    let accepted = get.accepted();
    assert_eq!(accepted.identity, Identity::Anonymous);
    assert!(accepted.identity.key().is_none() && matches!(accepted.payload, Payload::Unsigned));
    let with = |value: &str| get.clone().and("x-amz-content-sha256", value);
    assert!(matches!(with(EMPTY_SHA256).accepted().payload, Payload::Exact(_)));
    assert!(matches!(with("STREAMING-UNSIGNED-PAYLOAD-TRAILER").accepted().payload, Payload::UnsignedTrailer));
    with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD").refused(AuthErrorCode::InvalidRequest);
    with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER").refused(AuthErrorCode::InvalidRequest);
    with("junk").refused(AuthErrorCode::InvalidArgument);
}
