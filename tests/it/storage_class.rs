//! Storage classes and website redirects: kept with the object and said again.

use crate::gateway::Gateway;
use crate::xml;

#[test]
fn a_class_is_said_wherever_the_object_is_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for class in ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY"] {
        bucket.put("k", "v").header("x-amz-storage-class", class).send().ok(200);
        assert_eq!(bucket.get("k").send().ok(200).header("x-amz-storage-class"), Some(class));
        assert_eq!(bucket.head("k").send().ok(200).header("x-amz-storage-class"), Some(class));
        let listed = bucket.list().send().ok(200).text();
        assert_eq!(xml::texts(&listed, "StorageClass"), [class]);
    }
    for request in [bucket.put("k", "v"), bucket.put("k", "v").header("x-amz-storage-class", "STANDARD")] {
        request.send().ok(200);
        assert_eq!(bucket.head("k").send().ok(200).header("x-amz-storage-class"), None);
        assert_eq!(xml::texts(&bucket.list().send().ok(200).text(), "StorageClass"), ["STANDARD"]);
    }
}

#[test]
fn an_upload_has_the_class_of_its_object() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let create = bucket.create("k").header("x-amz-storage-class", "STANDARD_IA");
    let upload = bucket.created("k", &create.header("x-amz-website-redirect-location", "/other"));
    let part = upload.put_part(1, "v");
    let uploads = bucket.request("GET").raw_query("uploads").send().ok(200).text();
    for text in [upload.list().send().ok(200).text(), uploads] {
        assert_eq!(xml::texts(&text, "StorageClass"), ["STANDARD_IA"], "{text}");
    }
    upload.complete(&[(1, &part)]).send().ok(200);
    let head = bucket.head("k").send().ok(200);
    assert_eq!(head.header("x-amz-storage-class"), Some("STANDARD_IA"));
    assert_eq!(head.header("x-amz-website-redirect-location"), Some("/other"));
}

#[test]
fn classes_that_are_not_stored_at_once() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (class, status, code) in [
        ("GLACIER", 501, "NotImplemented"),
        ("DEEP_ARCHIVE", 501, "NotImplemented"),
        ("OUTPOSTS", 400, "InvalidStorageClass"),
        ("EXPRESS_ONEZONE", 400, "InvalidStorageClass"),
        ("BEST", 400, "InvalidStorageClass"),
    ] {
        for request in [bucket.put("k", "v"), bucket.create("k")] {
            request.header("x-amz-storage-class", class).send().refused(status, code);
        }
    }
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn redirects() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for location in ["/other page?a=b", "http://example.com/", "https://example.com/x"] {
        bucket.put("k", "v").header("x-amz-website-redirect-location", location).send().ok(200);
        let get = bucket.get("k").send().ok(200);
        assert_eq!(get.header("x-amz-website-redirect-location"), Some(location));
        assert_eq!(get.body, b"v");
    }
    for location in ["other", "ftp://example.com/", &format!("/{}", "x".repeat(2048))] {
        let put = bucket.put("k", "x").header("x-amz-website-redirect-location", location);
        put.send().refused(400, "InvalidRedirectLocation");
    }
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}
