//! PutObject and HeadObject: what goes in comes back.

use crate::digests::{bytes, etag};
use crate::gateway::Gateway;

#[test]
fn bodies_around_the_inline_limit_come_back_whole() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for size in [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1 << 20, (5 << 20) + 1] {
        let body = bytes(size, size as u64);
        let put = bucket.put("k", body.clone()).send().ok(200);
        assert_eq!(put.header("etag"), Some(etag(&body).as_str()), "{size}");
        assert!(put.body.is_empty(), "{size}");
        let got = bucket.get("k").send().ok(200);
        assert!(got.body == body, "{size} bytes differ");
        assert_eq!(got.header("etag"), Some(etag(&body).as_str()), "{size}");
        let head = bucket.head("k").send().ok(200);
        assert_eq!(head.header("content-length"), Some(size.to_string().as_str()));
        assert_eq!(head.header("etag"), got.header("etag"));
        assert_eq!(head.header("accept-ranges"), Some("bytes"));
        assert_eq!(head.header("last-modified"), got.header("last-modified"));
    }
}

#[test]
fn an_overwrite_replaces_bytes_and_attributes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", bytes(10_000, 1)).header("x-amz-meta-a", "1").header("content-type", "text/a").send().ok(200);
    bucket.put("k", "short").header("x-amz-meta-b", "2").send().ok(200);
    let got = bucket.get("k").send().ok(200);
    assert_eq!(got.body, b"short");
    assert_eq!((got.header("x-amz-meta-a"), got.header("x-amz-meta-b")), (None, Some("2")));
    assert_eq!(got.header("content-type"), Some("binary/octet-stream"));
    assert_eq!(bucket.keys(), ["k"]);
}

#[test]
fn content_headers_and_metadata_come_back() {
    let headers = [
        ("content-type", "image/bmp; x=\"y\""),
        ("cache-control", "max-age=60, public"),
        ("content-disposition", "attachment; filename=\"a b.bmp\""),
        ("content-encoding", "gzip"),
        ("content-language", "ko, en"),
        ("expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
        ("x-amz-meta-plain", "value with  inner blanks"),
        ("x-amz-meta-empty", ""),
        ("x-amz-meta-with-dash_and_underscore", "=?UTF-8?Q?=C3=A9?="),
    ];
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    // Signatures fold inner blanks, so this value is written without them.
    let headers = headers.map(|(name, value)| (name, value.replace("  ", " ")));
    let put = headers.iter().fold(bucket.put("k", "v"), |put, (name, value)| put.header(name, value));
    put.send().ok(200);
    for answer in [bucket.get("k").send().ok(200), bucket.head("k").send().ok(200)] {
        for (name, value) in &headers {
            assert_eq!(answer.header(name), Some(value.as_str()), "{name}");
        }
    }
}

#[test]
fn unicode_metadata_comes_back_as_it_was() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let value = "청크 é \u{1f980}";
    bucket.put("k", "v").header("x-amz-meta-name", value).send().ok(200);
    assert_eq!(bucket.head("k").send().ok(200).header("x-amz-meta-name"), Some(value));
    assert_eq!(bucket.get("k").send().ok(200).header("x-amz-meta-name"), Some(value));
}

#[test]
fn metadata_above_two_kib_is_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    // Names count without their prefix, as AWS counts them.
    let fits = "v".repeat(2048 - "a".len());
    bucket.put("k", "v").header("x-amz-meta-a", &fits).send().ok(200);
    let text = bucket.put("l", "v").header("x-amz-meta-a", &format!("{fits}v")).send().refused(400, "MetadataTooLarge");
    assert!(text.contains("2048"), "{text}");
    bucket.create("m").header("x-amz-meta-a", &format!("{fits}v")).send().refused(400, "MetadataTooLarge");
    assert_eq!(bucket.keys(), ["k"]);
}

#[test]
fn aws_chunked_is_no_content_encoding() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (sent, kept) in [
        ("aws-chunked", None),
        ("gzip,aws-chunked", Some("gzip")),
        ("aws-chunked, gzip", Some("gzip")),
        ("gzip,AWS-Chunked,deflate", Some("gzip,deflate")),
    ] {
        bucket.put("k", "v").header("content-encoding", sent).send().ok(200);
        assert_eq!(bucket.head("k").send().ok(200).header("content-encoding"), kept, "{sent}");
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let mut connection = gateway.connect();
    for round in 0..20_u64 {
        let body = bytes(round as usize * 500, round);
        bucket.put("k", body.clone()).send_on(&mut connection).ok(200);
        assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, body);
        bucket.get("missing").send_on(&mut connection).refused(404, "NoSuchKey");
        bucket.head("missing").send_on(&mut connection).ok(404);
    }
}

#[test]
fn what_is_not_there_is_said_in_the_right_code() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let text = bucket.get("a/missing key").send().refused(404, "NoSuchKey");
    assert!(text.contains("a/missing key"), "the key is named: {text}");
    for method in ["GET", "DELETE"] {
        gateway.request(method, "/it-no-such-bucket/k").send().refused(404, "NoSuchBucket");
    }
    gateway.request("PUT", "/it-no-such-bucket/k").body("v").send().refused(404, "NoSuchBucket");
    let head = bucket.head("missing").send().ok(404);
    assert!(head.body.is_empty());
}

#[test]
fn a_put_needs_a_length_or_an_end() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "hello").unsigned_payload();
    let mut connection = gateway.connect();
    let neither = put.clone().own_framing();
    connection.write(neither.head());
    neither.answer_on(&mut connection).refused(411, "MissingContentLength");
    let told = |length: &str| put.clone().chunked(2).header("x-amz-decoded-content-length", length).send();
    told("6").refused(400, "IncompleteBody");
    assert_eq!(told("4").status, 400);
    bucket.get("k").send().refused(404, "NoSuchKey");
    told("5").ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"hello");
}

/// What `curl -T -` sends: nobody knows beforehand how much will come.
#[test]
fn a_body_of_unknown_length() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("m");
    for size in [0, 1, 4096, 4097, 3 << 20] {
        let body = bytes(size, size as u64);
        for put in [bucket.put("k", body.clone()), bucket.put("k", body.clone()).unsigned_payload()] {
            put.chunked(5000).send().ok(200);
            assert!(bucket.get("k").send().ok(200).body == body, "{size}");
        }
        let part = upload.part(1, body.clone()).chunked(100_000).send().ok(200);
        assert_eq!(part.header("etag"), Some(etag(&body).as_str()));
    }
    let wrong = bucket.put("k", "other").payload_hash(&crate::digests::sha256_hex("hello")).chunked(2);
    wrong.send().refused(400, "XAmzContentSHA256Mismatch");
    let checked = bucket.put("k", "other").chunked(2).header("x-amz-checksum-crc32", "y/Q5Jg==");
    checked.send().refused(400, "BadDigest");
    let mut connection = gateway.connect();
    let whole = bucket.put("k", "cut off").unsigned_payload().chunked(2).bytes();
    connection.write(&whole[..whole.len() - 5]);
    connection.end_writing();
    connection.read_answer("PUT").refused(400, "IncompleteBody");
    assert!(bucket.get("k").send().ok(200).body == bytes(3 << 20, 3 << 20));
}

#[test]
fn more_than_five_gib_is_refused_before_the_body() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let mut connection = gateway.connect();
    let length = (5_u64 << 30) + 1;
    let put = bucket.object("PUT", "k").unsigned_payload().own_framing();
    let put = put.unsigned_header("content-length", &length.to_string());
    connection.write(put.head());
    put.answer_on(&mut connection).refused(400, "EntityTooLarge");
    connection.assert_closes();
}

#[test]
fn racing_writers_leave_one_whole_body() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let bodies: Vec<Vec<u8>> = (0..8).map(|seed| bytes(100_000, seed)).collect();
    std::thread::scope(|scope| {
        for body in &bodies {
            scope.spawn(|| bucket.put("k", body.clone()).send().ok(200));
        }
    });
    let got = bucket.get("k").send().ok(200);
    assert!(bodies.contains(&got.body));
    assert_eq!(got.header("etag"), Some(etag(&got.body).as_str()));
}
