//! Behind a proxy: what it says of the client counts when it is trusted, and from nobody else.

use std::time::Duration;

use crate::gateway::{Gateway, Launch};
use crate::http::Answer;
use crate::process::poll;
use crate::request::Request;
use crate::xml;

const OUTER: &str = "files.example.com";
const BY_PROXY: &str = "x-forwarded-host: files.example.com\r\nx-forwarded-proto: https\r\n";

fn behind_proxy() -> Gateway {
    Launch::new().set("--trusted-proxy", "192.0.2.1,127.0.0.0/8").start()
}

/// Sends a request that was made for the outer host as a proxy passes it on: to our own host, with these lines added.
fn pass_on(gateway: &Gateway, request: &Request<'_>, method: &str, lines: &str) -> Answer {
    let whole = request.bytes();
    let outer = format!("host: {OUTER}\r\n");
    let inner = format!("host: {}\r\n{lines}", gateway.s3);
    let at = whole.windows(outer.len()).position(|window| window == outer.as_bytes()).unwrap();
    let mut connection = gateway.connect();
    connection.write([&whole[..at], inner.as_bytes(), &whole[at + outer.len()..]].concat());
    let answer = connection.read_answer(method);
    answer.check(method);
    answer
}

#[test]
fn a_url_made_for_the_outer_host_is_good_behind_a_trusted_proxy_alone() {
    let (trusting, plain) = (behind_proxy(), Gateway::shared());
    for (gateway, trusts) in [(&trusting, true), (&*plain, false)] {
        let bucket = gateway.bucket();
        bucket.put("k", "v").send().ok(200);
        let get = || bucket.get("k").host(OUTER);
        for get in [get().presigned(Duration::from_secs(60)), get()] {
            let standard = format!("forwarded: for=203.0.113.9;host={OUTER};proto=https\r\n");
            for lines in [BY_PROXY, &standard] {
                let answer = pass_on(gateway, &get, "GET", lines);
                match trusts {
                    true => assert_eq!(answer.ok(200).body, b"v"),
                    false => drop(answer.refused(403, "SignatureDoesNotMatch")),
                }
            }
            pass_on(gateway, &get, "GET", "").refused(403, "SignatureDoesNotMatch");
            let other = "x-forwarded-host: other.example.com\r\n";
            pass_on(gateway, &get, "GET", other).refused(403, "SignatureDoesNotMatch");
        }
        // Who asks without a proxy is served as ever.
        bucket.get("k").send().ok(200);
    }
}

#[test]
fn urls_in_answers_are_the_outer_ones() {
    for (gateway, prefix) in
        [(&behind_proxy(), "https://files.example.com/"), (&*Gateway::shared(), "http://127.0.0.1:")]
    {
        let bucket = gateway.bucket();
        let upload = bucket.upload("dir/k");
        let tag = upload.put_part(1, "v");
        // Without a trusted proxy the request must be signed for the host it comes to.
        let complete = upload.complete(&[(1, &tag)]);
        let complete = if prefix.starts_with("https") { complete.host(OUTER) } else { complete };
        let answer = if prefix.starts_with("https") {
            pass_on(gateway, &complete, "POST", BY_PROXY)
        } else {
            complete.unsigned_header("x-forwarded-host", OUTER).unsigned_header("x-forwarded-proto", "https").send()
        };
        let location = xml::text(&answer.ok(200).text(), "Location").unwrap();
        assert!(location.starts_with(prefix) && location.ends_with("/dir/k"), "{location}");
    }
}

#[test]
fn a_bucket_in_the_outer_host_is_found() {
    let gateway = behind_proxy();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let host = format!("{}.localhost", bucket.name);
    let head = gateway.request("GET", "/k").host(&host).presigned(Duration::from_secs(60)).head();
    let passed = head.replace(&format!("host: {host}\r\n"), &format!("host: backend\r\nx-forwarded-host: {host}\r\n"));
    let mut connection = gateway.connect();
    connection.write(passed);
    assert_eq!(connection.read_answer("GET").ok(200).body, b"v");
}

#[test]
fn what_a_trusted_proxy_garbles_is_refused() {
    let (trusting, plain) = (behind_proxy(), Gateway::shared());
    for (name, value) in [
        ("x-forwarded-host", "a b"),
        ("x-forwarded-host", "http://files.example.com"),
        ("x-forwarded-proto", "gopher"),
        ("forwarded", "host=\"open"),
        ("forwarded", "proto=gopher"),
    ] {
        let text = trusting.request("GET", "/").unsigned_header(name, value).send().refused(400, "InvalidRequest");
        assert!(text.to_ascii_lowercase().contains(name), "{text}");
        plain.request("GET", "/").unsigned_header(name, value).send().ok(200);
    }
    // An address that is none changes nothing but the log.
    trusting.request("GET", "/").unsigned_header("x-forwarded-for", "nobody").send().ok(200);
}

#[test]
fn a_client_cannot_choose_its_address() {
    let (trusting, plain) = (behind_proxy(), Launch::new().start());
    let chain = "6.6.6.6, 203.0.113.9, 192.0.2.1";
    for (gateway, expected, never) in [(&trusting, "203.0.113.9:0", "6.6.6.6"), (&plain, "127.0.0.1:", "203.0.113.9")] {
        gateway.request("GET", "/").unsigned_header("x-forwarded-for", chain).send().ok(200);
        let line = poll("the line of the access log", || {
            let log = gateway.stderr();
            log.lines().find(|line| line.contains("ListBuckets")).map(str::to_owned)
        });
        assert!(line.contains(&format!("\"peer\":\"{expected}")) && !line.contains(never), "{line}");
    }
}
