//! URLs presigned with signature version 2: AWS's published example, boto3's URLs as recorded, and what must not match.

use http::Method;

use super::{KEY_ID, Wire, keyring};
use crate::auth::{AuthErrorCode, Authenticator, Payload, SignaturePlace, sigv2_covers_parameter};
use crate::base::clock::Timestamp;

/// The end of the example's life, 2007-03-29T03:40:20Z.
const END: Timestamp = Timestamp(1_175_139_620_000);
const HOST: (&str, &str) = ("host", "awsexamplebucket1.s3.us-west-1.amazonaws.com");
/// Seconds since 1970 far in the future, as boto3's URLs below have them.
const FAR: &str = "4102444800";

fn example() -> Wire {
    // The query string example of AWS's page. Its signature is that of the page's older bucket name.
    let target = format!(
        "/photos/puppy.jpg?AWSAccessKeyId={KEY_ID}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    );
    Wire::new(Method::GET, &target, &[("host", "johnsmith.s3.us-west-1.amazonaws.com")])
}

/// A request with these credentials in the query, beside what is there.
fn signed(wire: &Wire, expires: &str, signature: &str) -> Wire {
    let mut wire = wire.clone();
    let joint = if wire.query.is_empty() { "" } else { "&" };
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    wire.query.push_str(&format!("{joint}AWSAccessKeyId={KEY_ID}&Signature={signature}&Expires={expires}"));
    wire
}

#[test]
fn the_published_example() {
    let accepted = example().authenticate_at(END).unwrap();
    let signed = accepted.signed.unwrap();
    assert_eq!((signed.place, signed.version, signed.at), (SignaturePlace::Query, "AWS", None));
    assert!(accepted.identity.key().is_some_and(|key| key.root) && matches!(accepted.payload, Payload::Unsigned));
    let refusal = example().authenticate_at(Timestamp(END.0 + 1)).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (AuthErrorCode::AccessDenied, "Request has expired"));
    assert_eq!(refusal.detail("Expires"), Some("2007-03-29T03:40:20.000Z"));
    assert_eq!(refusal.detail("ServerTime"), Some("2007-03-29T03:40:20.001Z"));
}

#[test]
fn what_must_not_match() {
    let with = |change: &dyn Fn(&mut Wire)| {
        let mut wire = example();
        change(&mut wire);
        let refusal = wire.authenticate_at(END).unwrap_err();
        assert_eq!(refusal.code, AuthErrorCode::SignatureDoesNotMatch, "{wire:?}");
        refusal
    };
    for method in [Method::HEAD, Method::PUT] {
        with(&|wire| wire.method = method.clone());
    }
    with(&|wire| wire.path = "/photos/puppy.png".to_owned());
    with(&|wire| wire.path = "/photos//puppy.jpg".to_owned());
    with(&|wire| wire.path = "/photos/pupp%79.jpg".to_owned());
    with(&|wire| wire.query.push_str("&acl"));
    with(&|wire| wire.query.push_str("&%61cl"));
    with(&|wire| wire.query.push_str("&attributes"));
    with(&|wire| wire.query.push_str("&response-content-type=text%2Fhtml"));
    with(&|wire| wire.query.push_str("&x-amz-acl=public-read"));
    with(&|wire| wire.query.push_str("&X-Amz-Meta-A=b"));
    with(&|wire| wire.query = wire.query.replace("1175139620", "1175139621"));
    with(&|wire| wire.query = wire.query.replace("NpgC", "NpgD"));
    with(&|wire| *wire = wire.clone().and("content-type", "text/plain"));
    with(&|wire| *wire = wire.clone().and("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="));
    with(&|wire| *wire = wire.clone().and("x-amz-meta-a", "b"));
    let refusal = with(&|wire| *wire = wire.clone().without("host").and(HOST.0, HOST.1));
    let string_to_sign = "GET\n\n\n1175139620\n/awsexamplebucket1/photos/puppy.jpg";
    assert_eq!(refusal.detail("StringToSign"), Some(string_to_sign), "the page's, with its newer bucket");
    assert_eq!(refusal.detail("SignatureProvided"), Some("NpgCjnDzrM+WFzoENXmpNDUsSn8="));
    assert!(refusal.detail("StringToSignBytes").unwrap().starts_with("47 45 54 0a 0a"));
    // What is not covered may be added: a range, a parameter that chooses nothing.
    let mut wire = example().and("range", "bytes=0-9");
    wire.query.push_str("&x-id=GetObject");
    wire.authenticate_at(END).unwrap();
}

/// Each signature is what botocore's `HmacV1QueryAuth` computed for such a request.
#[test]
fn urls_that_botocore_signed() {
    for (method, target, headers, signature) in [
        (Method::GET, "/b/k", &[][..], "DVt27a5hNmIvrJ/Pkp61Cg/k8ls="),
        (Method::HEAD, "/b/a%20b%2Bc%28d%29/%ED%95%9C", &[], "GqwIgs2aMsI6ilQgngsqDPrd9HM="),
        (
            Method::PUT,
            "/b/k",
            &[
                ("content-type", "image/bmp"),
                ("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="),
                ("x-amz-meta-b", " two "),
                ("x-amz-acl", "private"),
            ],
            "3ds+6S3MjflgCYWndD9LeYMTCe0=",
        ),
        (
            Method::GET,
            "/b/k?response-content-type=text%2Fhtml&response-content-disposition=attachment%3B%20filename%3D%22a%20%26%20b%22&versionId=null",
            &[],
            "R7+LrklXiibweNzR6TFjtiEU3bY=",
        ),
        (Method::PUT, "/b/k?uploadId=a%2Bb%2Fc&partNumber=7", &[], "ypy325T5cjuUEpgqBEczVi26AJ4="),
        (Method::GET, "/b?uploads&prefix=p", &[], "17YPgVhAtrqctiaC71kbnttwIs0="),
        (Method::GET, "/b?acl=&tagging", &[], "E92F7ugnbVtfyZNEPRYOvnpRnSY="),
        // botocore ends a bucket's path with a slash when it signs, not on the wire.
        (Method::GET, "/b?list-type=2&prefix=p", &[], "FF0HMnkH9EbLJfHRuSp8ZM8K8Lc="),
        (Method::HEAD, "/b", &[], "NR3vml6apllSUA8eTQSm7jLFP90="),
        (
            Method::GET,
            "/k/l?versionId=null",
            &[("host", "vbucket.s3.us-west-1.amazonaws.com")],
            "4TVZnkR0ERbfgRqr9eA3UuK8a1Y=",
        ),
        (Method::GET, "/?location", &[("host", "vbucket.s3.us-west-1.amazonaws.com")], "UxIIwGw8w36lTeyRELXGA7eX4n8="),
        (Method::GET, "/", &[], "s++fsd/yiKdJFuby4DFywhGc/Vs="),
    ] {
        let wire = Wire::new(method, target, headers);
        signed(&wire, FAR, signature).authenticate().unwrap_or_else(|refusal| panic!("{target}: {refusal:?}"));
    }
}

#[test]
fn parameters_in_the_place_of_headers_are_headers() {
    let sent = |target: &str, headers: &[(&str, &str)]| Wire::new(Method::PUT, target, headers);
    let string_to_sign = |wire: &Wire| {
        let refusal = signed(wire, FAR, "x").refused(AuthErrorCode::SignatureDoesNotMatch);
        refusal.detail("StringToSign").unwrap().to_owned()
    };
    let expected = format!("PUT\n\n\n{FAR}\nx-amz-acl:private\nx-amz-meta-a:1,2\n/b/k");
    for wire in [
        sent("/b/k", &[("x-amz-meta-a", " 1 "), ("x-amz-meta-a", "2"), ("x-amz-acl", "private")]),
        sent("/b/k?x-amz-acl=private&X-Amz-Meta-A=1%2C2", &[]),
        // A header wins over the parameter that would stand for it.
        sent("/b/k?x-amz-acl=public-read&x-amz-meta-a=1,2", &[("x-amz-acl", "private")]),
    ] {
        assert_eq!(string_to_sign(&wire), expected, "{wire:?}");
    }
    for smuggled in ["x-amz-meta-a=1%0Ax-amz-acl:private", "x-amz-meta-a%3A1=2", "x-amz-meta-a=%00"] {
        signed(&sent(&format!("/b/k?{smuggled}"), &[]), FAR, "x").refused(AuthErrorCode::InvalidRequest);
    }
}

#[test]
fn three_parameters_once_each() {
    for missing in ["Signature=", "Expires="] {
        let mut wire = example();
        wire.query = wire.query.replace(missing, "ignored=");
        let refusal = wire.authenticate_at(END).unwrap_err();
        assert_eq!(refusal.code, AuthErrorCode::AccessDenied);
        assert!(refusal.message.starts_with("Query-string authentication requires the Signature, Expires and"));
    }
    for twice in ["Signature=x", "Expires=9", "AWSAccessKeyId=x"] {
        let mut wire = example();
        wire.query.push_str(&format!("&{twice}"));
        assert_eq!(wire.authenticate_at(END).unwrap_err().code, AuthErrorCode::AccessDenied, "{twice}");
    }
    for junk in ["", "x", "-1", "%2B1", "1.0", "99999999999999999999999", "1175139620 "] {
        let refusal = signed(&Wire::new(Method::GET, "/b/k", &[]), junk, "x").refused(AuthErrorCode::AccessDenied);
        assert!(refusal.message.starts_with("Invalid date (should be seconds since epoch)"), "{junk}: {refusal}");
    }
    let mut nobody = example();
    nobody.query = nobody.query.replace(KEY_ID, "NOBODY");
    assert_eq!(nobody.authenticate_at(END).unwrap_err().code, AuthErrorCode::InvalidAccessKeyId);
    // Only a bucket's path may be signed with a slash that is not there: this is botocore's signature of `/b/k/`.
    signed(&Wire::new(Method::HEAD, "/b/k/", &[]), FAR, "xV1eBDhzI6g13IljqGbbF8E09Fw=").accepted();
    signed(&Wire::new(Method::HEAD, "/b/k", &[]), FAR, "xV1eBDhzI6g13IljqGbbF8E09Fw=")
        .refused(AuthErrorCode::SignatureDoesNotMatch);
    // However far off: the largest end there is, for which the signature alone is wrong.
    signed(&Wire::new(Method::GET, "/b/k", &[]), "18446744073709551615", "x")
        .refused(AuthErrorCode::SignatureDoesNotMatch);
}

#[test]
fn only_plain_bodies_by_get_head_and_put() {
    let wire = |method: Method, headers: &[(&str, &str)]| signed(&Wire::new(method, "/b/k", headers), FAR, "x");
    for method in [Method::DELETE, Method::POST, Method::PATCH] {
        assert!(wire(method, &[]).refused(AuthErrorCode::NotImplemented).message.contains("s3v4"));
    }
    for mode in ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        wire(Method::PUT, &[("x-amz-content-sha256", mode)]).refused(AuthErrorCode::InvalidRequest);
        let mut hoisted = wire(Method::PUT, &[]);
        hoisted.query.push_str(&format!("&X-Amz-Content-Sha256={mode}"));
        hoisted.refused(AuthErrorCode::InvalidRequest);
    }
    wire(Method::PUT, &[("content-encoding", "gzip, AWS-Chunked")]).refused(AuthErrorCode::InvalidRequest);
    wire(Method::PUT, &[("content-encoding", "gzip")]).refused(AuthErrorCode::SignatureDoesNotMatch);
    wire(Method::GET, &[("x-amz-security-token", "t")]).refused(AuthErrorCode::InvalidToken);
    let mut token = wire(Method::GET, &[]);
    token.query.push_str("&x-amz-security-token=t");
    token.refused(AuthErrorCode::InvalidToken);
}

#[test]
fn switched_off_it_is_refused_by_name() {
    let authenticator = Authenticator::new(keyring(), "us-east-1");
    let refusal = authenticator.authenticate(example().head(), END).unwrap_err();
    assert!(refusal.code == AuthErrorCode::NotImplemented && refusal.message.contains("s3v4"), "{refusal}");
}

#[test]
fn the_parameters_of_the_page_are_covered() {
    for name in [
        "acl",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "partNumber",
        "policy",
        "requestPayment",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "response-content-type",
        "response-content-language",
        "response-expires",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "delete",
    ] {
        assert!(sigv2_covers_parameter(name), "{name}");
    }
    assert!(!sigv2_covers_parameter("prefix") && !sigv2_covers_parameter("Expires"));
}
