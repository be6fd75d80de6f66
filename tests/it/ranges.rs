//! GetObject and HeadObject with `Range` (RFC 9110 section 14).

use crate::digests::bytes;
use crate::gateway::Gateway;

/// Larger than a checksummed block and than one read of a blob.
const SIZE: usize = 600_000;

#[test]
fn every_form_of_one_range() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(SIZE, 7);
    bucket.put("blob", body.clone()).send().ok(200);
    bucket.put("inline", body[..100].to_vec()).send().ok(200);
    for (key, size) in [("blob", SIZE), ("inline", 100)] {
        for (range, first, last) in [
            ("bytes=0-0".to_owned(), 0, 0),
            ("bytes=0-9".to_owned(), 0, 9),
            ("bytes=50-".to_owned(), 50, size - 1),
            (format!("bytes={}-", size - 1), size - 1, size - 1),
            (format!("bytes=10-{}", size * 2), 10, size - 1),
            ("bytes=-1".to_owned(), size - 1, size - 1),
            ("bytes=-7".to_owned(), size - 7, size - 1),
            (format!("bytes=-{}", size * 2), 0, size - 1),
            ("bytes=5-99999999999999999999999999".to_owned(), 5, size - 1),
            (format!("bytes=0-{}", size - 1), 0, size - 1),
            (format!("bytes={}-{}", size / 3, size / 2), size / 3, size / 2),
        ] {
            let answer = bucket.get(key).header("range", &range).send().ok(206);
            assert!(answer.body == body[first..=last], "{key} {range}");
            let content_range = format!("bytes {first}-{last}/{size}");
            assert_eq!(answer.header("content-range"), Some(content_range.as_str()), "{key} {range}");
            let head = bucket.head(key).header("range", &range).send().ok(206);
            assert_eq!(head.header("content-range"), Some(content_range.as_str()));
            assert_eq!(head.header("content-length"), Some((last - first + 1).to_string().as_str()));
        }
    }
}

#[test]
fn ranges_across_the_edges_of_blocks() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(SIZE, 8);
    bucket.put("k", body.clone()).send().ok(200);
    let mut connection = gateway.connect();
    for edge in [65_536_usize, 131_072, 262_144, 524_288] {
        for (first, last) in [(edge - 1, edge - 1), (edge, edge), (edge - 1, edge), (edge - 60_000, edge + 70_000)] {
            let last = last.min(SIZE - 1);
            let range = format!("bytes={first}-{last}");
            let answer = bucket.get("k").header("range", &range).send_on(&mut connection).ok(206);
            assert!(answer.body == body[first..=last], "{range}");
        }
    }
}

#[test]
fn what_lies_outside_is_416() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "0123456789").send().ok(200);
    bucket.put("empty", "").send().ok(200);
    for (key, range, size) in [
        ("k", "bytes=10-", 10),
        ("k", "bytes=10-12", 10),
        ("k", "bytes=-0", 10),
        ("empty", "bytes=0-0", 0),
        ("empty", "bytes=0-", 0),
        ("empty", "bytes=-5", 0),
    ] {
        let answer = bucket.get(key).header("range", range).send();
        let content_range = format!("bytes */{size}");
        assert_eq!(answer.header("content-range"), Some(content_range.as_str()), "{key} {range}");
        let text = answer.refused(416, "InvalidRange");
        assert!(text.contains(&format!("<ActualObjectSize>{size}</ActualObjectSize>")), "{text}");
        let head = bucket.head(key).header("range", range).send().ok(416);
        assert!(head.body.is_empty());
    }
}

#[test]
fn what_is_no_range_is_ignored() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "0123456789").send().ok(200);
    for range in
        ["bytes=5-2", "bytes=a-b", "bytes=-", "bytes=", "lines=1-2", "bytes=0-1,3-4", "junk", "bytes=--1", "bytes 0-1"]
    {
        let answer = bucket.get("k").header("range", range).send().ok(200);
        assert_eq!(answer.body, b"0123456789", "{range}");
        assert!(answer.header("content-range").is_none(), "{range}");
    }
}

#[test]
fn if_range_decides_between_the_range_and_the_whole() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "0123456789").send().ok(200);
    let etag = put.header("etag").unwrap();
    let ranged = |validator: &str| bucket.get("k").header("range", "bytes=2-3").header("if-range", validator).send();
    assert_eq!(ranged(etag).ok(206).body, b"23");
    assert_eq!(ranged("\"0123456789abcdef0123456789abcdef\"").ok(200).body, b"0123456789");
}

#[test]
fn ranges_across_parts() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let parts = [bytes(5 << 20, 1), bytes((5 << 20) + 17, 2), bytes(3, 3)];
    let upload = bucket.upload("k");
    let etags: Vec<String> = (1..).zip(&parts).map(|(number, part)| upload.put_part(number, part.clone())).collect();
    upload.complete(&[(1, &etags[0]), (2, &etags[1]), (3, &etags[2])]).send().ok(200);
    let whole = parts.concat();
    let edges = [0, 1, (5 << 20) - 1, 5 << 20, (5 << 20) + 1, (10 << 20) + 16, (10 << 20) + 17, whole.len() - 1];
    let mut connection = gateway.connect();
    for first in edges {
        for last in edges.into_iter().filter(|last| *last >= first) {
            let range = format!("bytes={first}-{last}");
            let answer = bucket.get("k").header("range", &range).send_on(&mut connection).ok(206);
            assert!(answer.body == whole[first..=last], "{range}");
        }
    }
    let tail = bucket.get("k").header("range", "bytes=-5").send().ok(206);
    assert_eq!(tail.body, whole[whole.len() - 5..]);
}
