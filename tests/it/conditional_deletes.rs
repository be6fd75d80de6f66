//! Deletes under a condition: `If-Match` on DeleteObject, an `ETag` for each key of DeleteObjects.
//!
//! Expected is what Amazon S3 was recorded to answer for general purpose buckets.

use crate::bucket::Bucket;
use crate::digests::{base64, etag, md5};
use crate::gateway::Gateway;
use crate::xml;

const OTHER: &str = "\"0123456789abcdef0123456789abcdef\"";

#[test]
fn only_the_object_that_was_named_goes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let own = etag("v");
    for tag in [own.as_str(), own.trim_matches('"'), "*"] {
        bucket.put("k", "v").send().ok(200);
        for wrong in [OTHER, "nonsense", &format!("W/{own}"), "\"*\""] {
            let refused = bucket.delete("k").header("if-match", wrong).send().refused(412, "PreconditionFailed");
            assert_eq!(xml::text(&refused, "Condition").as_deref(), Some("If-Match"), "{wrong}");
        }
        assert_eq!(bucket.get("k").send().ok(200).body, b"v");
        bucket.delete("k").header("if-match", tag).send().ok(204);
        let gone = bucket.delete("k").header("if-match", tag).send().refused(404, "NoSuchKey");
        assert_eq!(xml::text(&gone, "Key").as_deref(), Some("k"));
    }
    bucket.delete("k").send().ok(204);
}

#[test]
fn the_tag_of_an_upload_counts_with_its_parts() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.put_part(1, "v");
    let completed = upload.complete(&[(1, &part)]).send().ok(200).text();
    let tag = xml::text(&completed, "ETag").unwrap();
    assert!(tag.ends_with("-1\""), "{tag}");
    bucket.delete("k").header("if-match", &part).send().refused(412, "PreconditionFailed");
    bucket.delete("k").header("if-match", &tag.replace("-1\"", "-2\"")).send().refused(412, "PreconditionFailed");
    bucket.delete("k").header("if-match", &tag).send().ok(204);
}

#[test]
fn forms_that_s3_does_not_take_delete_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let own = etag("v");
    for (name, value) in [
        ("if-match", format!("{OTHER}, {own}").as_str()),
        ("if-none-match", "*"),
        ("if-none-match", OTHER),
        ("x-amz-if-match-size", "1"),
        ("x-amz-if-match-last-modified-time", "Fri, 24 May 2013 00:00:00 GMT"),
    ] {
        let refused = bucket.delete("k").header(name, value).send().refused(501, "NotImplemented");
        assert_eq!(xml::text(&refused, "Header").unwrap().to_ascii_lowercase(), name);
    }
    bucket.delete("k").query("versionId", "null").header("if-match", &own).send().refused(501, "NotImplemented");
    bucket.delete("k").header("if-match", &own).header("if-match", &own).send().refused(400, "InvalidRequest");
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}

fn delete_objects(bucket: &Bucket<'_>, objects: &str) -> String {
    let body = format!("<Delete>{objects}</Delete>");
    let request = bucket.request("POST").raw_query("delete").header("content-md5", &base64(md5(&body)));
    request.body(body).send().ok(200).text()
}

#[test]
fn each_key_has_its_own_condition() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for key in ["named", "any", "plain", "other", "list", "sized", "version"] {
        bucket.put(key, "v").send().ok(200);
    }
    let own = xml::escape(&etag("v"));
    let object = |key: &str, more: &str| format!("<Object><Key>{key}</Key>{more}</Object>");
    let text = delete_objects(
        &bucket,
        &[
            object("named", &format!("<ETag>{own}</ETag>")),
            object("any", "<ETag>*</ETag>"),
            object("plain", ""),
            object("other", "<ETag>0123456789abcdef0123456789abcdef</ETag>"),
            object("list", &format!("<ETag>{own}, {own}</ETag>")),
            object("sized", "<Size>1</Size>"),
            object("version", "<VersionId>HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD</VersionId>"),
            object("absent", &format!("<ETag>{own}</ETag>")),
            object("absent-too", ""),
        ]
        .concat(),
    );
    let deleted: Vec<_> = xml::blocks(&text, "Deleted").iter().map(|entry| xml::text(entry, "Key").unwrap()).collect();
    assert_eq!(deleted, ["named", "any", "plain", "absent-too"]);
    let error = |entry: &&str| (xml::text(entry, "Key").unwrap(), xml::text(entry, "Code").unwrap());
    let errors: Vec<_> = xml::blocks(&text, "Error").iter().map(error).collect();
    let expected = [
        ("other", "PreconditionFailed"),
        ("list", "NotImplemented"),
        ("sized", "NotImplemented"),
        ("version", "NoSuchVersion"),
        ("absent", "NoSuchKey"),
    ];
    assert_eq!(errors, expected.map(|(key, code)| (key.to_owned(), code.to_owned())));
    assert_eq!(bucket.keys(), ["list", "other", "sized", "version"]);
}

#[test]
fn the_unnamed_version_is_named_back_and_a_key_may_come_twice() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let text = delete_objects(
        &bucket,
        "<Object><Key>k</Key><VersionId>null</VersionId></Object><Object><Key>k</Key></Object>",
    );
    let deleted = xml::blocks(&text, "Deleted");
    assert_eq!(deleted.len(), 2, "{text}");
    assert_eq!(xml::text(deleted[0], "VersionId").as_deref(), Some("null"));
    assert_eq!(xml::text(deleted[1], "VersionId"), None);
    assert_eq!(bucket.keys(), Vec::<String>::new());
}
