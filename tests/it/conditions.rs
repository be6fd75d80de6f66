//! Conditional reads (RFC 9110 section 13) and conditional writes.

use std::time::{Duration, SystemTime};

use crate::digests::{etag, http_date};
use crate::gateway::Gateway;
use crate::xml;

const OTHER: &str = "\"0123456789abcdef0123456789abcdef\"";

#[test]
fn reads_by_etag() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let own = etag("v");
    let bare = own.trim_matches('"');
    for (name, value, status) in [
        ("if-match", own.as_str(), 200),
        ("if-match", bare, 200),
        ("if-match", "*", 200),
        ("if-match", &format!("{OTHER}, {own}"), 200),
        ("if-match", OTHER, 412),
        ("if-none-match", OTHER, 200),
        ("if-none-match", own.as_str(), 304),
        ("if-none-match", &format!("W/{own}"), 304),
        ("if-none-match", "*", 304),
        ("if-none-match", &format!("{OTHER},{own}"), 304),
    ] {
        let get = bucket.get("k").header(name, value).send();
        assert_eq!(get.status, status, "GET {name}: {value}");
        match status {
            412 => drop(get.refused(412, "PreconditionFailed")),
            304 => {
                assert_eq!(get.header("etag"), Some(own.as_str()));
                assert!(get.body.is_empty() && get.header("content-type").is_none_or(|kind| kind != "application/xml"));
            }
            _ => assert_eq!(get.body, b"v"),
        }
        bucket.head("k").header(name, value).send().ok(status);
    }
}

#[test]
fn reads_by_date() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let now = SystemTime::now();
    let (before, after) = (http_date(now - Duration::from_secs(3600)), http_date(now + Duration::from_secs(3600)));
    let written = bucket.head("k").send().ok(200).header("last-modified").unwrap().to_owned();
    for (name, value, status) in [
        ("if-modified-since", before.as_str(), 200),
        ("if-modified-since", &written, 304),
        ("if-modified-since", "junk", 200),
        ("if-unmodified-since", &before, 412),
        ("if-unmodified-since", &written, 200),
        ("if-unmodified-since", &after, 200),
        ("if-unmodified-since", "junk", 200),
    ] {
        bucket.get("k").header(name, value).send().ok(status);
        bucket.head("k").header(name, value).send().ok(status);
    }
}

#[test]
fn etags_win_over_dates() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let long_ago = "Fri, 24 May 2013 00:00:00 GMT";
    let own = etag("v");
    bucket.get("k").header("if-match", &own).header("if-unmodified-since", long_ago).send().ok(200);
    bucket.get("k").header("if-none-match", &own).header("if-modified-since", long_ago).send().ok(304);
}

#[test]
fn a_connection_stays_usable_after_304_and_412() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let mut connection = gateway.connect();
    for _ in 0..3 {
        bucket.get("k").header("if-none-match", "*").send_on(&mut connection).ok(304);
        bucket.get("k").header("if-match", OTHER).send_on(&mut connection).refused(412, "PreconditionFailed");
        bucket.get("k").send_on(&mut connection).ok(200);
    }
}

#[test]
fn a_write_only_where_nothing_stands() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "first").header("if-none-match", "*").send().ok(200);
    bucket.put("k", "second").header("if-none-match", "*").send().refused(412, "PreconditionFailed");
    assert_eq!(bucket.get("k").send().ok(200).body, b"first");
    bucket.delete("k").send().ok(204);
    bucket.put("k", "third").header("if-none-match", "*").send().ok(200);
    for value in [OTHER, "\"*\"", "*, *"] {
        let refused = bucket.put("k", "x").header("if-none-match", value).send().refused(501, "NotImplemented");
        assert_eq!(xml::text(&refused, "Header").as_deref(), Some("If-None-Match"));
    }
    let both = bucket.put("k", "x").header("if-none-match", "*").header("if-match", OTHER).send();
    assert_eq!(xml::text(&both.refused(501, "NotImplemented"), "Header").as_deref(), Some("If-Match,If-None-Match"));
    assert_eq!(bucket.get("k").send().ok(200).body, b"third");
}

#[test]
fn a_write_only_over_what_was_read() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for tag in [OTHER, "abcdef", "bad-char_/"] {
        let missing = bucket.put("absent", "x").header("if-match", tag).send().refused(404, "NoSuchKey");
        assert_eq!(xml::text(&missing, "Key").as_deref(), Some("absent"));
    }
    bucket.put("k", "first").send().ok(200);
    let first = etag("first");
    for tag in [OTHER, "nonsense", &format!("W/{first}"), &first.replace("\"", "\"\u{20}")] {
        let refused = bucket.put("k", "second").header("if-match", tag).send().refused(412, "PreconditionFailed");
        assert_eq!(xml::text(&refused, "Condition").as_deref(), Some("If-Match"), "{tag}");
    }
    assert_eq!(bucket.get("k").send().ok(200).body, b"first");
    bucket.put("k", "second").header("if-match", &first).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"second");
    bucket.put("k", "third").header("if-match", etag("second").trim_matches('"')).send().ok(200);
    for list in ["*", &format!("{OTHER}, {}", etag("third"))] {
        let refused = bucket.put("k", "x").header("if-match", list).send().refused(501, "NotImplemented");
        assert_eq!(xml::text(&refused, "Header").as_deref(), Some("If-Match"));
    }
    assert_eq!(bucket.get("k").send().ok(200).body, b"third");
}

#[test]
fn racing_to_write_first_has_one_winner() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for body_bytes in [10, 10_000] {
        let key = format!("k{body_bytes}");
        let racer = |n: u8| bucket.put(&key, vec![n; body_bytes]).header("if-none-match", "*").send();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8).map(|n| scope.spawn(move || racer(n))).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let winners: Vec<usize> = (0..8).filter(|n| answers[*n].status == 200).collect();
        assert_eq!(winners.len(), 1);
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409 | 412)));
        assert_eq!(bucket.get(&key).send().ok(200).body, vec![winners[0] as u8; body_bytes]);
    }
}

#[test]
fn a_condition_on_complete() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "first").send().ok(200);
    let upload = bucket.upload("k");
    let part = upload.put_part(1, "second");
    upload.complete(&[(1, &part)]).header("if-none-match", "*").send().refused(412, "PreconditionFailed");
    upload.complete(&[(1, &part)]).header("if-match", OTHER).send().refused(412, "PreconditionFailed");
    assert_eq!(bucket.get("k").send().ok(200).body, b"first");
    // The upload is still open and can be completed on other terms.
    upload.complete(&[(1, &part)]).header("if-match", &etag("first")).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"second");
}

/// As at AWS: whoever would replace an object by an upload begins the upload after it.
#[test]
fn an_object_written_during_the_upload_conflicts() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "first").send().ok(200);
    let upload = bucket.upload("k");
    let part = upload.put_part(1, "parts");
    let complete = upload.complete(&[(1, &part)]);
    bucket.put("k", "second").send().ok(200);
    complete.clone().header("if-match", &etag("first")).send().refused(412, "PreconditionFailed");
    let conflict = complete.clone().header("if-match", &etag("second")).send();
    let conflict = conflict.refused(409, "ConditionalRequestConflict");
    assert_eq!(xml::text(&conflict, "Condition").as_deref(), Some("If-Match"));
    assert_eq!(xml::text(&conflict, "Key").as_deref(), Some("k"));
    complete.clone().header("if-none-match", "*").send().refused(412, "PreconditionFailed");
    // The same bytes once more are a write as well.
    bucket.put("k", "first").send().ok(200);
    complete.clone().header("if-match", &etag("first")).send().refused(409, "ConditionalRequestConflict");
    let again = bucket.upload("k");
    let part = again.put_part(1, "parts");
    // Tags are no write.
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    bucket.object("PUT", "k").raw_query("tagging").body(tags).send().ok(200);
    let text = again.complete(&[(1, &part)]).header("if-match", &etag("first")).send().ok(200).text();
    let tag = xml::text(&text, "ETag").unwrap();
    bucket.put("k", "last").header("if-match", &tag).send().ok(200);
    complete.header("if-match", &tag).send().refused(412, "PreconditionFailed");
}
