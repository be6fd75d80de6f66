//! Credentials in the Authorization header.

use std::time::{Duration, SystemTime};

use crate::digests::{amz_date, parse_http_date, sha256_hex};
use crate::gateway::Gateway;
use crate::xml;

#[test]
fn without_credentials_everything_is_denied() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let upload = bucket.upload("u");
    for request in [
        gateway.request("GET", "/"),
        gateway.request("PUT", "/it-somebody-elses"),
        bucket.request("DELETE"),
        bucket.list(),
        bucket.get("k"),
        bucket.get("missing"),
        bucket.put("k", "w"),
        bucket.delete("k"),
        upload.part(1, "x"),
        upload.complete(&[(1, "x")]),
        upload.abort(),
        upload.list(),
    ] {
        request.anonymous().send().refused(403, "AccessDenied");
    }
    bucket.head("k").anonymous().send().ok(403);
    // Which names are taken everybody can find out, as at AWS.
    gateway.request("GET", "/it-no-such-bucket/k").anonymous().send().refused(404, "NoSuchBucket");
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}

#[test]
fn a_wrong_secret_is_told_what_should_have_been_signed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let get = bucket.get("k").signer(|signer| signer.secret_key.push('x'));
    let text = get.send().refused(403, "SignatureDoesNotMatch");
    let string_to_sign = xml::text(&text, "StringToSign").unwrap();
    assert!(string_to_sign.starts_with("AWS4-HMAC-SHA256\n"), "{text}");
    let canonical = xml::text(&text, "CanonicalRequest").unwrap();
    assert!(canonical.starts_with(&format!("GET\n/{}/k\n", bucket.name)), "{text}");
    assert_eq!(string_to_sign.lines().last(), Some(sha256_hex(&canonical).as_str()));
    assert_eq!(xml::text(&text, "AWSAccessKeyId").as_deref(), Some(crate::gateway::ACCESS_KEY));
    assert!(!text.contains(crate::gateway::SECRET_KEY), "{text}");
    assert!(!text.contains("Expected"), "the right signature must not be given away: {text}");
}

#[test]
fn anything_changed_after_signing_breaks_the_signature() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let request =
        bucket.get("k").query("response-content-type", "a/b").header("x-amz-meta-a", "1").header("range", "bytes=0-0");
    let head = request.head();
    for (from, to) in [
        ("GET ", "DELETE "),
        ("/k?", "/l?"),
        ("a%2Fb", "a%2Fc"),
        ("x-amz-meta-a: 1", "x-amz-meta-a: 2"),
        ("bytes=0-0", "bytes=0-1"),
        (" HTTP/1.1", "&x=1 HTTP/1.1"),
    ] {
        assert!(head.contains(from), "{from} in {head}");
        let mut connection = gateway.connect();
        connection.write(head.replacen(from, to, 1));
        connection.read_answer("GET").refused(403, "SignatureDoesNotMatch");
    }
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}

#[test]
fn an_unknown_key_is_said_to_be_unknown() {
    let gateway = Gateway::shared();
    let get = gateway.request("GET", "/").signer(|signer| signer.access_key = "nobody".to_owned());
    let text = get.send().refused(403, "InvalidAccessKeyId");
    assert_eq!(xml::text(&text, "AWSAccessKeyId").as_deref(), Some("nobody"), "{text}");
}

#[test]
fn clocks_may_differ_by_a_quarter_of_an_hour() {
    let gateway = Gateway::shared();
    let at = |time: SystemTime| gateway.request("GET", "/").signer(|signer| signer.time = time).send();
    let now = SystemTime::now();
    at(now - Duration::from_secs(14 * 60)).ok(200);
    at(now + Duration::from_secs(14 * 60)).ok(200);
    for time in [now - Duration::from_secs(16 * 60), now + Duration::from_secs(16 * 60)] {
        let answer = at(time);
        let date = parse_http_date(answer.header("date").unwrap());
        let text = answer.refused(403, "RequestTimeTooSkewed");
        assert_eq!(xml::text(&text, "RequestTime"), Some(amz_date(time)), "{text}");
        assert_eq!(xml::text(&text, "MaxAllowedSkewMilliseconds").as_deref(), Some("900000"), "{text}");
        let server: jiff::Timestamp = xml::text(&text, "ServerTime").unwrap().parse().unwrap();
        assert!((server.as_second() - date).abs() <= 2, "{text}");
    }
}

#[test]
fn another_region_is_told_the_right_one() {
    let gateway = Gateway::shared();
    let get = gateway.request("GET", "/").signer(|signer| signer.region = "eu-west-1".to_owned());
    let text = get.send().refused(400, "AuthorizationHeaderMalformed");
    assert_eq!(xml::text(&text, "Region").as_deref(), Some("us-east-1"), "{text}");
    let message = xml::text(&text, "Message").unwrap();
    assert!(message.contains("the region 'eu-west-1' is wrong; expecting 'us-east-1'"), "{message}");
}

#[test]
fn the_payload_hash_must_be_declared() {
    let gateway = Gateway::shared();
    let head = gateway.request("GET", "/").head();
    let line = format!("x-amz-content-sha256: {}\r\n", sha256_hex(""));
    assert!(head.contains(&line), "{head}");
    let mut connection = gateway.connect();
    connection.write(head.replace(&line, ""));
    let answer = connection.read_answer("GET");
    answer.check("GET");
    let text = answer.refused(400, "InvalidRequest");
    assert!(text.contains("x-amz-content-sha256"), "{text}");
    for junk in ["junk", "", "UNSIGNED", &"0".repeat(63), &"g".repeat(64)] {
        let answer = gateway.request("GET", "/").payload_hash(junk).send();
        let code = xml::text(&answer.text(), "Code").unwrap();
        assert!(
            answer.status == 400 && matches!(code.as_str(), "InvalidArgument" | "InvalidRequest"),
            "{junk:?}: {code}"
        );
    }
}

#[test]
fn every_amz_header_must_be_signed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "v").unsigned_header("x-amz-meta-sneaked", "in").unsigned_header("x-amz-acl", "private");
    let text = put.send().refused(403, "AccessDenied");
    assert_eq!(xml::text(&text, "HeadersNotSigned").as_deref(), Some("x-amz-acl, x-amz-meta-sneaked"), "{text}");
    bucket.get("k").send().refused(404, "NoSuchKey");
    // Others may be added on the way.
    bucket
        .put("k", "v")
        .unsigned_header("x-forwarded-for", "10.0.0.1")
        .unsigned_header("user-agent", "a b")
        .send()
        .ok(200);
}

#[test]
fn a_date_is_needed_and_must_be_one() {
    let gateway = Gateway::shared();
    let head = gateway.request("GET", "/").head();
    let start = head.find("x-amz-date: ").unwrap();
    let line = &head[start..start + "x-amz-date: 20130524T000000Z\r\n".len()];
    for replacement in
        ["", "x-amz-date: junk\r\n", "x-amz-date: 20131324T000000Z\r\n", "x-amz-date: \r\n", &format!("{line}{line}")]
    {
        let mut connection = gateway.connect();
        connection.write(head.replace(line, replacement));
        let answer = connection.read_answer("GET");
        answer.check("GET");
        answer.refused(403, "AccessDenied");
    }
}

#[test]
fn authorization_headers_that_are_none() {
    let gateway = Gateway::shared();
    let good = gateway.request("GET", "/").head();
    let start = good.find("authorization: ").unwrap() + "authorization: ".len();
    let value = good[start..].lines().next().unwrap();
    let date = amz_date(SystemTime::now());
    let scope = format!("{}/{}/us-east-1/s3/aws4_request", crate::gateway::ACCESS_KEY, &date[..8]);
    let (a, b, c) =
        (format!("Credential={scope}"), "SignedHeaders=host;x-amz-date", format!("Signature={}", "0".repeat(64)));
    for (bad, code) in [
        (String::new(), "InvalidArgument"),
        ("AWS4-HMAC-SHA256".to_owned(), "InvalidArgument"),
        ("Basic dXNlcjpwYXNz".to_owned(), "InvalidArgument"),
        ("Bearer token".to_owned(), "InvalidArgument"),
        (format!("AWS {}:x", crate::gateway::ACCESS_KEY), "InvalidRequest"),
        ("AWS4-HMAC-SHA256 ".to_owned(), "InvalidArgument"),
        ("AWS4-HMAC-SHA256 junk".to_owned(), "AuthorizationHeaderMalformed"),
        (format!("AWS4-HMAC-SHA256 {a}, {b}"), "AuthorizationHeaderMalformed"),
        (format!("AWS4-HMAC-SHA256 {a}, {c}"), "AuthorizationHeaderMalformed"),
        (format!("AWS4-HMAC-SHA256 {b}, {c}"), "AuthorizationHeaderMalformed"),
        (format!("AWS4-HMAC-SHA256 {a}, {a}, {b}, {c}"), "AuthorizationHeaderMalformed"),
        (format!("AWS4-HMAC-SHA256 Credential=junk, {b}, {c}"), "AuthorizationHeaderMalformed"),
        (
            format!("AWS4-HMAC-SHA256 Credential=k/20130524/us-east-1/s3/aws4_request, {b}, {c}"),
            "AuthorizationHeaderMalformed",
        ),
        (format!("AWS4-HMAC-SHA256 {}, {b}, {c}", a.replace("/s3/", "/ec2/")), "AuthorizationHeaderMalformed"),
        (value.replace("Signature=", "Signature=0"), "SignatureDoesNotMatch"),
    ] {
        let mut connection = gateway.connect();
        connection.write(good.replace(value, &bad));
        let answer = connection.read_answer("GET");
        answer.check("GET");
        let found = xml::text(&answer.text(), "Code").unwrap();
        let fine = found == code || (code == "InvalidArgument" && found == "AuthorizationHeaderMalformed");
        assert!(fine && matches!(answer.status, 400 | 403), "{bad}: {} {found}", answer.status);
    }
}

#[test]
fn a_session_token_is_refused() {
    let gateway = Gateway::shared();
    gateway.request("GET", "/").header("x-amz-security-token", "x").send().refused(400, "InvalidToken");
}

#[test]
fn paths_and_queries_are_signed_as_they_are_written() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for key in
        ["a b+c~d(1)é//x&y=z", "..", ".", "a/../b", "//", "%", "%2F", "a;b,c:d@e!f$g'h*i[j]", "?", "#", "\u{1f980}"]
    {
        bucket.put(key, key).send().ok(200);
        assert_eq!(bucket.get(key).send().ok(200).body, key.as_bytes());
    }
    // Encoded more than needed, or less, the path names the same key; the signature is over its one canonical form.
    let plain = bucket.put("d(1)", "v").head();
    for spelling in ["d(1)", "%64%281%29", "d(1%29"] {
        let mut connection = gateway.connect();
        connection.write(plain.replace("d%281%29", spelling) + "v");
        connection.read_answer("PUT").ok(200);
    }
    assert_eq!(bucket.get("d(1)").send().ok(200).body, b"v");
    // Parameters that mean nothing are signed like the others and then ignored.
    bucket.get("..").query("x-id", "GetObject").send().ok(200);
}
