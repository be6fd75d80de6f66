//! DeleteObject.

use crate::digests::bytes;
use crate::gateway::Gateway;

#[test]
fn a_delete_is_done_once_and_said_always() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for size in [1, 5000, 300_000] {
        bucket.put("k", bytes(size, 1)).send().ok(200);
        for _ in 0..2 {
            let answer = bucket.delete("k").send().ok(204);
            assert!(answer.body.is_empty() && answer.header("content-length").is_none_or(|length| length == "0"));
        }
        bucket.get("k").send().refused(404, "NoSuchKey");
        bucket.head("k").send().ok(404);
    }
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn only_the_named_key_goes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for key in ["a", "a/", "a/b", "ab"] {
        bucket.put(key, "v").send().ok(200);
    }
    bucket.delete("a/").send().ok(204);
    assert_eq!(bucket.keys(), ["a", "a/b", "ab"]);
}

#[test]
fn a_sub_resource_never_deletes_the_object() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    for parameter in ["acl", "versionId=x", "uploadId", "uploadId=", "retention", "torrent"] {
        let status = bucket.delete("k").raw_query(parameter).send().status;
        assert!(status >= 400, "DELETE ?{parameter} answered {status}");
        assert_eq!(bucket.get("k").send().ok(200).body, b"v", "after DELETE ?{parameter}");
    }
}
