//! Credentials in the query: presigned URLs.

use std::time::{Duration, SystemTime};

use crate::gateway::Gateway;
use crate::http::Answer;
use crate::request::Request;
use crate::xml;

const MINUTE: Duration = Duration::from_secs(60);

/// Sends the head of a request after a change, with nothing behind it.
fn altered(gateway: &Gateway, request: &Request<'_>, method: &str, change: impl FnOnce(String) -> String) -> Answer {
    let mut connection = gateway.connect();
    connection.write(change(request.head()));
    let answer = connection.read_answer(method);
    answer.check(method);
    answer
}

#[test]
fn a_url_gets_puts_and_heads_what_it_was_made_for() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let key = "dir/a b+é";
    bucket.put(key, "presigned").presigned(MINUTE).send().ok(200);
    assert_eq!(bucket.get(key).presigned(MINUTE).send().ok(200).body, b"presigned");
    assert_eq!(bucket.head(key).presigned(MINUTE).send().ok(200).header("content-length"), Some("9"));
    // Headers that need no signature come along: a range, a user agent.
    let ranged = bucket.get(key).presigned(MINUTE).unsigned_header("range", "bytes=0-2").send().ok(206);
    assert_eq!(ranged.body, b"pre");
    bucket.delete(key).presigned(MINUTE).send().ok(204);
    bucket.get(key).presigned(MINUTE).send().refused(404, "NoSuchKey");
}

#[test]
fn a_part_goes_up_through_a_url() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let answer = upload.request("PUT").query("partNumber", "1").body("part").presigned(MINUTE).send().ok(200);
    upload.complete(&[(1, answer.header("etag").unwrap())]).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"part");
}

#[test]
fn listings_can_be_presigned() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("p/k", "v").send().ok(200);
    let text = bucket.list().query("prefix", "p/").presigned(MINUTE).send().ok(200).text();
    assert_eq!(xml::text(&text, "Key").as_deref(), Some("p/k"));
}

#[test]
fn a_url_expires() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let two_hours_ago = SystemTime::now() - Duration::from_secs(7200);
    let get =
        |expires| bucket.get("k").presigned(Duration::from_secs(expires)).signer(|signer| signer.time = two_hours_ago);
    let text = get(3600).send().refused(403, "AccessDenied");
    assert!(xml::text(&text, "Message").unwrap().contains("Request has expired"), "{text}");
    assert_eq!(xml::text(&text, "X-Amz-Expires").as_deref(), Some("3600"), "{text}");
    assert!(xml::text(&text, "Expires").is_some() && xml::text(&text, "ServerTime").is_some(), "{text}");
    get(7260).send().ok(200);
}

#[test]
fn a_url_from_the_future_is_not_valid_yet() {
    let gateway = Gateway::shared();
    let get = |minutes: u64| {
        let time = SystemTime::now() + Duration::from_secs(minutes * 60);
        gateway.request("GET", "/").presigned(MINUTE).signer(|signer| signer.time = time).send()
    };
    get(14).ok(200);
    get(16).refused(403, "AccessDenied");
}

#[test]
fn a_url_lives_a_week_at_most() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let get = |seconds| bucket.get("k").presigned(Duration::from_secs(seconds));
    get(604_800).send().ok(200);
    get(604_801).send().refused(400, "AuthorizationQueryParametersError");
    for junk in ["-1", "x", "", "1.5", "99999999999999999999999"] {
        let answer = altered(&gateway, &get(60), "GET", |head| head.replace("Expires=60", &format!("Expires={junk}")));
        answer.refused(400, "AuthorizationQueryParametersError");
    }
}

#[test]
fn a_changed_url_is_worth_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    bucket.put("l", "v").send().ok(200);
    let get = bucket.get("k").query("response-content-type", "a/b").presigned(MINUTE);
    for (from, to) in [
        ("/k?", "/l?"),
        ("Expires=60", "Expires=600"),
        ("a%2Fb", "a%2Fc"),
        ("response-content-type=a%2Fb&", ""),
        ("GET ", "HEAD "),
        ("GET ", "DELETE "),
        (" HTTP/1.1", "&x-id=PutObject HTTP/1.1"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
    ] {
        assert!(get.head().contains(from), "{from}");
        let method = if to == "HEAD " { "HEAD" } else { "GET" };
        let answer = altered(&gateway, &get, method, |head| head.replacen(from, to, 1));
        match method {
            "HEAD" => drop(answer.ok(403)),
            _ => drop(answer.refused(403, "SignatureDoesNotMatch")),
        }
    }
    assert_eq!(bucket.keys(), ["k", "l"]);
}

#[test]
fn a_put_url_cannot_get_and_a_get_url_cannot_put() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let put = bucket.object("PUT", "k").own_framing().presigned(MINUTE);
    altered(&gateway, &put, "GET", |head| head.replace("PUT ", "GET ")).refused(403, "SignatureDoesNotMatch");
    let get = bucket.get("k").presigned(MINUTE).unsigned_header("content-length", "0");
    altered(&gateway, &get, "PUT", |head| head.replace("GET ", "PUT ")).refused(403, "SignatureDoesNotMatch");
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}

#[test]
fn half_a_set_of_parameters_is_no_set() {
    let gateway = Gateway::shared();
    let get = gateway.request("GET", "/").presigned(MINUTE);
    let head = get.head();
    let query = head.split_once('?').unwrap().1.split_once(' ').unwrap().0.to_owned();
    for parameter in query.split('&').filter(|pair| pair.starts_with("X-Amz-")) {
        let without = query.split('&').filter(|pair| *pair != parameter).collect::<Vec<_>>().join("&");
        let answer = altered(&gateway, &get, "GET", |head| head.replace(&query, &without));
        answer.refused(400, "AuthorizationQueryParametersError");
        let twice = format!("{query}&{parameter}");
        let answer = altered(&gateway, &get, "GET", |head| head.replace(&query, &twice));
        assert_eq!(answer.status, 400, "{parameter} twice: {}", answer.text());
    }
}

#[test]
fn two_sets_of_credentials_are_one_too_many() {
    let gateway = Gateway::shared();
    let get = gateway.request("GET", "/");
    let signed = get.head();
    let authorization = signed.lines().find(|line| line.starts_with("authorization: ")).unwrap();
    let get = get.presigned(MINUTE);
    let both = altered(&gateway, &get, "GET", |head| head.replace("\r\n\r\n", &format!("\r\n{authorization}\r\n\r\n")));
    both.refused(400, "InvalidArgument");
}

#[test]
fn other_credentials_in_a_url() {
    let gateway = Gateway::shared();
    let get = || gateway.request("GET", "/").presigned(MINUTE);
    get().signer(|signer| signer.secret_key.push('x')).send().refused(403, "SignatureDoesNotMatch");
    get().signer(|signer| signer.access_key = "nobody".to_owned()).send().refused(403, "InvalidAccessKeyId");
    let text = get().signer(|signer| signer.region = "eu-west-1".to_owned()).send();
    let text = text.refused(400, "AuthorizationQueryParametersError");
    assert_eq!(xml::text(&text, "Region").as_deref(), Some("us-east-1"), "{text}");
    let sneaked = get().unsigned_header("x-amz-meta-a", "b").send().refused(403, "AccessDenied");
    assert_eq!(xml::text(&sneaked, "HeadersNotSigned").as_deref(), Some("x-amz-meta-a"), "{sneaked}");
}

#[test]
fn a_signed_header_of_a_url_must_be_sent_as_signed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "v").header("content-type", "text/plain").presigned(MINUTE);
    put.send().ok(200);
    let head = put.head();
    for other in ["", "content-type: text/html\r\n"] {
        let mut connection = gateway.connect();
        connection.write(head.replace("content-type: text/plain\r\n", other) + "v");
        connection.read_answer("PUT").refused(403, "SignatureDoesNotMatch");
    }
}
