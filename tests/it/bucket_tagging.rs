//! Tags of buckets: `?tagging`.

use crate::digests::{base64, md5};
use crate::gateway::{Gateway, Launch};
use crate::xml;

fn document(tags: impl IntoIterator<Item = (String, String)>) -> String {
    let tag = |(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let tags: String = tags.into_iter().map(tag).collect();
    format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
}

fn one(key: &str, value: &str) -> String {
    document([(key.to_owned(), value.to_owned())])
}

#[test]
fn tags_are_put_and_gone() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let tagging = |method: &str| bucket.request(method).raw_query("tagging");
    let none = tagging("GET").send().refused(404, "NoSuchTagSet");
    assert_eq!(xml::text(&none, "BucketName").as_deref(), Some(bucket.name.as_str()));
    tagging("DELETE").send().ok(204);
    assert!(tagging("PUT").body(one("Hello", "World")).send().ok(204).body.is_empty());
    let text = tagging("GET").send().ok(200).text();
    assert!(text.contains("<TagSet><Tag><Key>Hello</Key><Value>World</Value></Tag></TagSet>"), "{text}");
    tagging("PUT").body(one("a", "b")).send().ok(204);
    assert_eq!(xml::texts(&tagging("GET").send().ok(200).text(), "Key"), ["a"]);
    tagging("DELETE").send().ok(204);
    tagging("GET").send().refused(404, "NoSuchTagSet");
    tagging("PUT").body(one("a", "b")).send().ok(204);
    tagging("PUT").body("<Tagging><TagSet/></Tagging>").send().ok(204);
    tagging("GET").send().refused(404, "NoSuchTagSet");
    bucket.request("HEAD").send().ok(200);
}

#[test]
fn tags_belong_to_this_bucket_and_not_to_the_next_of_its_name() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let tagging = |method: &str| bucket.request(method).raw_query("tagging");
    tagging("PUT").body(one("a", "b")).send().ok(204);
    // Making one's own bucket again changes nothing.
    bucket.request("PUT").send().ok(200);
    tagging("GET").send().ok(200);
    bucket.request("DELETE").send().ok(204);
    for (method, body) in [("GET", String::new()), ("PUT", one("a", "b")), ("DELETE", String::new())] {
        tagging(method).body(body).send().refused(404, "NoSuchBucket");
    }
    bucket.request("PUT").send().ok(200);
    tagging("GET").send().refused(404, "NoSuchTagSet");
}

#[test]
fn tags_survive_a_crash() {
    let first = Launch::new().start();
    let name = first.bucket().name;
    let path = format!("/{name}");
    first.request("PUT", &path).raw_query("tagging").body(one("a", "b")).send().ok(204);
    first.kill();
    let second = Launch::on(&first.directory()).start();
    let text = second.request("GET", &path).raw_query("tagging").send().ok(200).text();
    assert_eq!(xml::text(&text, "Value").as_deref(), Some("b"));
}

#[test]
fn limits_and_documents() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = |body: String| bucket.request("PUT").raw_query("tagging").body(body);
    let many = |count: usize| document((0..count).map(|n| (format!("k{n}"), "v".repeat(256))));
    put(many(50)).send().ok(204);
    put(many(51)).send().refused(400, "BadRequest");
    put(one(&"k".repeat(128), "")).send().ok(204);
    put(one(&"k".repeat(129), "")).send().refused(400, "InvalidTag");
    put(one("aws:k", "")).send().refused(400, "InvalidTag");
    put(document([("k", "1"), ("k", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()))))
        .send()
        .refused(400, "InvalidTag");
    put(String::new()).send().refused(400, "MissingRequestBodyError");
    put(one("a", "b")).header("content-md5", &base64(md5("x"))).send().refused(400, "BadDigest");
    let text = bucket.request("GET").raw_query("tagging").send().ok(200).text();
    assert_eq!(xml::text(&text, "Key"), Some("k".repeat(128)), "the refused ones changed nothing");
}
