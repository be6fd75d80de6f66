//! Tags of objects: `?tagging`, and the header that brings them with the object.

use crate::bucket::Bucket;
use crate::digests::{base64, bytes, checksum, etag, md5};
use crate::gateway::Gateway;
use crate::request::Request;
use crate::xml;

fn document(tags: &[(&str, &str)]) -> String {
    let tag = |(key, value): &(&str, &str)| {
        format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", xml::escape(key), xml::escape(value))
    };
    let tags: String = tags.iter().map(tag).collect();
    format!("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>")
}

fn tagging<'a>(bucket: &Bucket<'a>, method: &str, key: &str) -> Request<'a> {
    bucket.object(method, key).raw_query("tagging")
}

fn put_tags<'a>(bucket: &Bucket<'a>, key: &str, tags: &[(&str, &str)]) -> Request<'a> {
    tagging(bucket, "PUT", key).body(document(tags))
}

fn tags(bucket: &Bucket<'_>, key: &str) -> Vec<(String, String)> {
    let text = tagging(bucket, "GET", key).send().ok(200).text();
    assert!(text.contains("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>"), "{text}");
    let tag = |tag: &&str| (xml::text(tag, "Key").unwrap(), xml::text(tag, "Value").unwrap());
    xml::blocks(&text, "Tag").iter().map(tag).collect()
}

fn owned(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn tags_change_and_nothing_else_does() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for size in [0, 100, 300_000] {
        let body = bytes(size, 1);
        bucket.put("k", body.clone()).header("x-amz-meta-a", "b").send().ok(200);
        assert_eq!(tags(&bucket, "k"), []);
        let before = bucket.head("k").send().ok(200);
        assert_eq!(before.header("x-amz-tagging-count"), None);
        let given = [("b", "2 é"), ("a", ""), ("+-=._:/@", "청크")];
        let answer = put_tags(&bucket, "k", &given).send().ok(200);
        assert!(answer.body.is_empty(), "{answer:?}");
        assert_eq!(tags(&bucket, "k"), owned(&[("+-=._:/@", "청크"), ("a", ""), ("b", "2 é")]));
        let after = bucket.get("k").send().ok(200);
        assert_eq!(after.header("x-amz-tagging-count"), Some("3"));
        assert!(after.body == body, "{size} bytes changed");
        for name in ["etag", "last-modified", "x-amz-meta-a", "content-type"] {
            assert_eq!(after.header(name), before.header(name), "{name}");
        }
        put_tags(&bucket, "k", &[("c", "3")]).send().ok(200);
        assert_eq!(tags(&bucket, "k"), owned(&[("c", "3")]), "the set is replaced");
        let answer = tagging(&bucket, "DELETE", "k").send().ok(204);
        assert!(answer.body.is_empty());
        assert_eq!(tags(&bucket, "k"), []);
        tagging(&bucket, "DELETE", "k").send().ok(204);
        assert_eq!(bucket.head("k").send().ok(200).header("x-amz-tagging-count"), None);
        put_tags(&bucket, "k", &[("c", "3")]).send().ok(200);
        put_tags(&bucket, "k", &[]).send().ok(200);
        assert_eq!(tags(&bucket, "k"), []);
        assert!(bucket.get("k").send().ok(200).body == body);
    }
}

#[test]
fn tags_come_with_the_object_and_go_with_it() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").header("x-amz-tagging", "foo=bar&bar&two%20words=a%3Db").send().ok(200);
    assert_eq!(tags(&bucket, "k"), owned(&[("bar", ""), ("foo", "bar"), ("two words", "a=b")]));
    assert_eq!(bucket.head("k").send().ok(200).header("x-amz-tagging-count"), Some("3"));
    bucket.put("k", "v").send().ok(200);
    assert_eq!(tags(&bucket, "k"), []);
    let upload = bucket.created("k", &bucket.create("k").header("x-amz-tagging", "Hello=World&foo=bar"));
    let part = upload.put_part(1, "parts");
    upload.complete(&[(1, &part)]).send().ok(200);
    assert_eq!(tags(&bucket, "k"), owned(&[("Hello", "World"), ("foo", "bar")]));
    put_tags(&bucket, "k", &[("a", "b")]).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"parts");
    bucket.delete("k").send().ok(204);
    bucket.put("k", "v").send().ok(200);
    assert_eq!(tags(&bucket, "k"), []);
}

#[test]
fn what_is_not_there_has_no_tags() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for method in ["GET", "PUT", "DELETE"] {
        let body = if method == "PUT" { document(&[("a", "b")]) } else { String::new() };
        let missing = tagging(&bucket, method, "k").body(body.as_str()).send().refused(404, "NoSuchKey");
        assert_eq!(xml::text(&missing, "Key").as_deref(), Some("k"));
        let nowhere = gateway.request(method, "/no-such-bucket-at-all/k").raw_query("tagging").body(body);
        nowhere.send().refused(404, "NoSuchBucket");
    }
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn limits() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let (key, value) = ("é".repeat(128), "é".repeat(256));
    let names: Vec<String> = (0..11).map(|n| format!("{n:02}{}", &key[4..])).collect();
    let full: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    put_tags(&bucket, "k", &full[..10]).send().ok(200);
    assert_eq!(tags(&bucket, "k"), owned(&full[..10]));
    tagging(&bucket, "DELETE", "k").send().ok(204);
    for (tags, code) in [
        (full.clone(), "BadRequest"),
        (vec![(format!("{key}x").as_str(), "v")], "InvalidTag"),
        (vec![("k", format!("{value}x").as_str())], "InvalidTag"),
        (vec![("k", "1"), ("k", "2")], "InvalidTag"),
        (vec![("aws:k", "1")], "InvalidTag"),
        (vec![("a,b", "1")], "InvalidTag"),
        (vec![("", "1")], "InvalidTag"),
        (vec![("k", "1;2")], "InvalidTag"),
    ] {
        put_tags(&bucket, "k", &tags).send().refused(400, code);
    }
    for header in ["a=1&a=2", "a=b=c", "a=%zz"] {
        bucket.put("k", "x").header("x-amz-tagging", header).send().refused(400, "InvalidArgument");
    }
    assert_eq!(tags(&bucket, "k"), []);
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}

#[test]
fn documents_are_verified_before_they_count() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let body = document(&[("a", "b")]);
    let put = tagging(&bucket, "PUT", "k").body(body.as_str());
    put.clone().header("content-md5", &base64(md5("other"))).send().refused(400, "BadDigest");
    put.clone().header("content-md5", "junk").send().refused(400, "InvalidDigest");
    put.clone().header("x-amz-checksum-crc32", &checksum("crc32", "other")).send().refused(400, "BadDigest");
    for document in ["<Tagging>", "<TagSet/>", "<Tagging><Tag><Key>a</Key><Value>b</Value></Tag></Tagging>"] {
        tagging(&bucket, "PUT", "k").body(document).send().refused(400, "MalformedXML");
    }
    tagging(&bucket, "PUT", "k").body(" ".repeat(70_000)).send().refused(400, "MaxMessageLengthExceeded");
    assert_eq!(tags(&bucket, "k"), []);
    put.clone().header("content-md5", &base64(md5(&body))).send().ok(200);
    put.header("x-amz-checksum-sha256", &checksum("sha256", &body)).send().ok(200);
    assert_eq!(tags(&bucket, "k"), owned(&[("a", "b")]));
}

/// Whoever changes tags reads the object's record and writes it again: a body that came in between must not be lost.
#[test]
fn tags_and_bodies_that_change_at_once() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "0").send().ok(200);
    std::thread::scope(|scope| {
        let bucket = &bucket;
        for tagger in 0..3 {
            scope.spawn(move || {
                let mut connection = bucket.gateway.connect();
                for n in 0..100 {
                    let answer = put_tags(bucket, "k", &[("t", &format!("{tagger} {n}"))]).send_on(&mut connection);
                    assert!(matches!(answer.status, 200 | 409), "{answer:?}");
                }
            });
        }
        let mut connection = bucket.gateway.connect();
        for n in 0..100 {
            let body = format!("body {n}");
            bucket.put("k", body.as_str()).send_on(&mut connection).ok(200);
            let head = bucket.head("k").send_on(&mut connection).ok(200);
            assert_eq!(head.header("etag"), Some(etag(&body).as_str()), "a tagger brought an old body back");
        }
    });
    assert_eq!(bucket.get("k").send().ok(200).body, b"body 99");
}
