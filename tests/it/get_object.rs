//! GetObject beyond its bytes: overriding response headers, dates, many readers.

use std::time::Duration;

use crate::digests::{bytes, now_seconds, parse_http_date};
use crate::gateway::Gateway;

#[test]
fn last_modified_is_the_time_of_the_write() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let answer = bucket.get("k").send().ok(200);
    let modified = parse_http_date(answer.header("last-modified").unwrap());
    assert!((now_seconds() - modified).abs() <= 5);
}

#[test]
fn response_headers_can_be_overridden_by_signed_requests_only() {
    let overrides = [
        ("response-content-type", "content-type", "text/x-other"),
        ("response-content-disposition", "content-disposition", "attachment; filename=\"x\""),
        ("response-cache-control", "cache-control", "no-cache"),
        ("response-content-encoding", "content-encoding", "identity"),
        ("response-content-language", "content-language", "ko"),
        ("response-expires", "expires", "Thu, 01 Dec 1994 16:00:00 GMT"),
    ];
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").header("content-type", "text/own").send().ok(200);
    let get = overrides.iter().fold(bucket.get("k"), |get, (parameter, _, value)| get.query(parameter, value));
    for answer in [get.send().ok(200), get.clone().presigned(Duration::from_secs(60)).send().ok(200)] {
        for (_, name, value) in overrides {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
    assert_eq!(bucket.get("k").send().ok(200).header("content-type"), Some("text/own"));
}

#[test]
fn an_overridden_header_cannot_break_the_answer() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let answer = bucket.get("k").query("response-content-type", "a\r\nx-injected: 1").send();
    assert!(answer.header("x-injected").is_none(), "{answer:?}");
    answer.refused(400, "InvalidArgument");
}

#[test]
fn a_reader_keeps_the_bytes_it_began_with() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (old, new) = (bytes(8 << 20, 1), bytes(8 << 20, 2));
    bucket.put("k", old.clone()).unsigned_payload().send().ok(200);
    let get = bucket.get("k");
    let mut connection = gateway.connect();
    connection.write(get.bytes());
    // The answer has begun when its first bytes are here; most of the body cannot have left the gateway yet.
    let begun = connection.peek();
    assert!(begun > 0);
    bucket.put("k", new.clone()).unsigned_payload().send().ok(200);
    bucket.delete("k").send().ok(204);
    assert!(get.answer_on(&mut connection).ok(200).body == old);
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn a_reader_that_goes_away_hurts_nobody() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(8 << 20, 3);
    bucket.put("k", body.clone()).unsigned_payload().send().ok(200);
    for _ in 0..4 {
        let mut connection = gateway.connect();
        connection.write(bucket.get("k").bytes());
        assert!(connection.peek() > 0);
        connection.abandon();
    }
    assert!(bucket.get("k").send().ok(200).body == body);
}
