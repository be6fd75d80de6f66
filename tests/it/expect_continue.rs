//! `Expect: 100-continue`: the body is asked for only when it will be read.

use crate::digests::bytes;
use crate::gateway::Gateway;
use crate::request::Request;

fn waiting<'a>(request: &Request<'a>) -> Request<'a> {
    request.clone().unsigned_header("expect", "100-continue")
}

#[test]
fn an_empty_body_that_waits_ends_its_connection() {
    // botocore takes a final status in place of the 100 and misreads the next answer on the connection.
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let mut connection = gateway.connect();
    let put = waiting(&bucket.put("k", ""));
    connection.write(put.head());
    let answer = put.answer_on(&mut connection).ok(200);
    assert!(answer.interim.is_empty(), "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn a_good_request_is_told_to_go_on() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let mut connection = gateway.connect();
    for size in [1, 5000, 3 << 20] {
        let body = bytes(size, 1);
        let put = waiting(&bucket.put("k", body.clone()));
        connection.write(put.head());
        assert_eq!(connection.read_interim(), 100, "{size}");
        connection.write(&body);
        let answer = put.answer_on(&mut connection).ok(200);
        assert!(answer.interim.is_empty(), "{answer:?}");
        assert!(bucket.get("k").send_on(&mut connection).ok(200).body == body);
    }
}

#[test]
fn a_client_that_does_not_wait_is_served_too() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = waiting(&bucket.put("k", "hello"));
    let mut connection = gateway.connect();
    connection.write(put.bytes());
    put.answer_on(&mut connection).ok(200);
    assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, b"hello");
}

#[test]
fn a_part_is_asked_for_too() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let put = waiting(&upload.part(1, "hello"));
    let mut connection = gateway.connect();
    connection.write(put.head());
    assert_eq!(connection.read_interim(), 100);
    connection.write("hello");
    put.answer_on(&mut connection).ok(200);
}

#[test]
fn a_refused_request_gets_its_answer_and_no_100() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("gone");
    upload.abort().send().ok(204);
    let put = bucket.put("k", bytes(100_000, 1)).unsigned_payload();
    for (request, status, code) in [
        (put.clone().anonymous(), 403, "AccessDenied"),
        (put.clone().signer(|signer| signer.secret_key.push('x')), 403, "SignatureDoesNotMatch"),
        (put.clone().signer(|signer| signer.access_key = "nobody".to_owned()), 403, "InvalidAccessKeyId"),
        (gateway.request("PUT", "/it-no-such-bucket/k").body("v"), 404, "NoSuchBucket"),
        (upload.part(1, "v"), 404, "NoSuchUpload"),
        (put.clone().header("x-amz-copy-source", "no-key"), 400, "InvalidArgument"),
        (put.clone().header("x-amz-write-offset-bytes", "0"), 501, "NotImplemented"),
        (put.clone().header("content-md5", "junk"), 400, "InvalidDigest"),
        (put.clone().header("x-amz-checksum-crc32", "junk"), 400, "InvalidRequest"),
        (put.clone().header("x-amz-meta-a", &"v".repeat(3000)), 400, "MetadataTooLarge"),
        (put.clone().header("if-none-match", "\"x\""), 501, "NotImplemented"),
    ] {
        let mut connection = gateway.connect();
        connection.write(waiting(&request).head());
        let answer = request.answer_on(&mut connection);
        assert!(answer.interim.is_empty(), "{code}: {answer:?}");
        // The body may or may not follow, so nothing behind the answer can be told apart.
        assert!(answer.closes(), "{code}: {answer:?}");
        answer.refused(status, code);
        connection.assert_closes();
    }
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn a_body_after_the_refusal_is_no_request() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let smuggled = bucket.put("smuggled", "").head();
    let put = bucket.put("k", smuggled.clone()).anonymous();
    let mut connection = gateway.connect();
    connection.write(waiting(&put).head());
    put.answer_on(&mut connection).refused(403, "AccessDenied");
    // The gateway may have closed already.
    let _ = connection.try_write(smuggled);
    connection.assert_closes();
    bucket.get("smuggled").send().refused(404, "NoSuchKey");
}

#[test]
fn other_expectations_are_not_met() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "hello").unsigned_header("expect", "a-miracle");
    let mut connection = gateway.connect();
    connection.write(put.bytes());
    let status = connection.read_answer("PUT").status;
    assert!(matches!(status, 200 | 417), "{status}");
}
