//! DeleteObjects: `POST ?delete`.

use crate::bucket::Bucket;
use crate::digests::{base64, checksum, md5};
use crate::gateway::Gateway;
use crate::request::Request;
use crate::xml;

fn document(keys: &[&str], quiet: bool) -> String {
    let objects: String = keys.iter().map(|key| format!("<Object><Key>{}</Key></Object>", xml::escape(key))).collect();
    format!("<Delete><Quiet>{quiet}</Quiet>{objects}</Delete>")
}

fn delete<'a>(bucket: &Bucket<'a>, body: &str) -> Request<'a> {
    let request = bucket.request("POST").raw_query("delete").body(body);
    request.header("content-md5", &base64(md5(body)))
}

#[test]
fn many_keys_go_at_once_and_each_is_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let keys = ["a", "b/c", "b&<d>", "é 청크", "missing"];
    for key in &keys[..4] {
        bucket.put(key, "v").send().ok(200);
    }
    bucket.put("stays", "v").send().ok(200);
    let text = delete(&bucket, &document(&keys, false)).send().ok(200).text();
    assert!(text.contains("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    let mut deleted: Vec<String> =
        xml::blocks(&text, "Deleted").iter().map(|entry| xml::text(entry, "Key").unwrap()).collect();
    deleted.sort();
    let mut expected = keys;
    expected.sort_unstable();
    assert_eq!(deleted, expected);
    assert_eq!(bucket.keys(), ["stays"]);
}

#[test]
fn quiet_names_only_what_failed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("a", "v").send().ok(200);
    let text = delete(&bucket, &document(&["a", "missing"], true)).send().ok(200).text();
    assert!(!text.contains("<Deleted>") && !text.contains("<Error>"), "{text}");
    bucket.get("a").send().refused(404, "NoSuchKey");
}

#[test]
fn an_integrity_header_is_required_and_any_will_do() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = document(&["k"], false);
    let bare = bucket.request("POST").raw_query("delete").body(body.as_str());
    bucket.put("k", "v").send().ok(200);
    let text = bare.send().refused(400, "InvalidRequest");
    assert!(text.contains("Content-MD5"), "{text}");
    bare.clone().header("content-md5", &base64(md5("other"))).send().refused(400, "BadDigest");
    bare.clone().header("content-md5", "junk").send().refused(400, "InvalidDigest");
    bare.clone().header("x-amz-checksum-crc32", &checksum("crc32", "other")).send().refused(400, "BadDigest");
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
    for algorithm in ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] {
        let name = format!("x-amz-checksum-{algorithm}");
        bare.clone().header(&name, &checksum(algorithm, &body)).send().ok(200);
    }
}

#[test]
fn a_thousand_keys_and_not_one_more() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let keys: Vec<String> = (0..1001).map(|n| format!("key-{n:04}")).collect();
    bucket.put(&keys[0], "v").send().ok(200);
    bucket.put(&keys[999], "v").send().ok(200);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    delete(&bucket, &document(&keys, false)).send().refused(400, "MalformedXML");
    assert_eq!(bucket.keys(), ["key-0000", "key-0999"]);
    let text = delete(&bucket, &document(&keys[..1000], false)).send().ok(200).text();
    assert_eq!(xml::blocks(&text, "Deleted").len(), 1000);
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn documents_that_are_none_delete_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let key = "<Object><Key>k</Key></Object>";
    for body in [
        "".to_owned(),
        "<Delete></Delete>".to_owned(),
        "<Delete>".to_owned(),
        format!("<Delete>{key}"),
        format!("<Delite>{key}</Delite>"),
        format!("<Delete>{key}<Object></Object></Delete>"),
        format!("<Delete>{key}</Delete><Delete>{key}</Delete>"),
        format!("<!DOCTYPE d [<!ENTITY k \"k\">]><Delete>{key}</Delete>"),
        "{\"Objects\":[{\"Key\":\"k\"}]}".to_owned(),
    ] {
        let answer = delete(&bucket, &body).send();
        let code = xml::text(&answer.text(), "Code");
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(matches!(code.as_deref(), Some("MalformedXML" | "MissingRequestBodyError")), "{body}: {code:?}");
        assert_eq!(bucket.get("k").send().ok(200).body, b"v", "{body}");
    }
}

#[test]
fn keys_that_cannot_be_are_said_one_by_one() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let long = "x".repeat(1025);
    let answer = delete(&bucket, &document(&["k", &long], false)).send();
    let text = answer.ok(200).text();
    assert_eq!(xml::texts(xml::block(&text, "Deleted").unwrap(), "Key"), ["k"]);
    let error = xml::block(&text, "Error").unwrap();
    assert_eq!(xml::text(error, "Code").as_deref(), Some("KeyTooLongError"));
    assert_eq!(xml::text(error, "Key").as_deref(), Some(long.as_str()));
}
