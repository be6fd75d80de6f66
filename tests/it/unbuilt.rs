//! What S3 has and wharf has not: 501 with the operation's name, never a wrong success.

use crate::digests::{base64, md5};
use crate::gateway::Gateway;

#[test]
fn operations_that_are_not_built_are_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let on_bucket = [
        ("PUT", "versioning", "PutBucketVersioning"),
        ("GET", "lifecycle", "GetBucketLifecycleConfiguration"),
        ("PUT", "lifecycle", "PutBucketLifecycleConfiguration"),
        ("DELETE", "lifecycle", "DeleteBucketLifecycle"),
        ("GET", "encryption", "GetBucketEncryption"),
        ("PUT", "encryption", "PutBucketEncryption"),
        ("GET", "website", "GetBucketWebsite"),
        ("PUT", "website", "PutBucketWebsite"),
        ("GET", "notification", "GetBucketNotificationConfiguration"),
        ("GET", "replication", "GetBucketReplication"),
        ("GET", "logging", "GetBucketLogging"),
        ("GET", "requestPayment", "GetBucketRequestPayment"),
        ("GET", "accelerate", "GetBucketAccelerateConfiguration"),
        ("GET", "object-lock", "GetObjectLockConfiguration"),
        ("GET", "inventory", "ListBucketInventoryConfigurations"),
        ("GET", "analytics&id=1", "GetBucketAnalyticsConfiguration"),
        ("GET", "session", "CreateSession"),
    ];
    let on_object = [
        ("GET", "retention", "GetObjectRetention"),
        ("PUT", "retention", "PutObjectRetention"),
        ("GET", "legal-hold", "GetObjectLegalHold"),
        ("GET", "torrent", "GetObjectTorrent"),
        ("POST", "restore", "RestoreObject"),
        ("POST", "select&select-type=2", "SelectObjectContent"),
    ];
    let bucket_path = format!("/{}", bucket.name);
    let object_path = format!("/{}/k", bucket.name);
    let on_bucket = on_bucket.into_iter().map(|row| (bucket_path.as_str(), row));
    let on_object = on_object.into_iter().map(|row| (object_path.as_str(), row));
    let mut connection = gateway.connect();
    for (path, (method, query, name)) in on_bucket.chain(on_object) {
        let answer = gateway.request(method, path).raw_query(query).send_on(&mut connection);
        let text = answer.refused(501, "NotImplemented");
        assert!(text.contains(name), "{method} ?{query}: {text}");
    }
    assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, b"v");
}

#[test]
fn headers_that_would_change_what_is_stored_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let key = base64([7; 32]);
    for headers in [
        vec![("x-amz-server-side-encryption", "AES256")],
        vec![("x-amz-server-side-encryption", "aws:kms"), ("x-amz-server-side-encryption-aws-kms-key-id", "1")],
        vec![
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-customer-key", &key),
            ("x-amz-server-side-encryption-customer-key-md5", &base64(md5([7; 32]))),
        ],
        vec![("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", "2099-01-01T00:00:00Z")],
        vec![("x-amz-object-lock-legal-hold", "ON")],
        vec![("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"")],
        vec![("x-amz-write-offset-bytes", "0")],
    ] {
        for request in [bucket.put("k", "v"), bucket.create("k")] {
            let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            request.send().refused(501, "NotImplemented");
        }
    }
    bucket.get("k").send().refused(404, "NoSuchKey");
    // What means the same as nothing is fine.
    bucket.put("k", "v").header("x-amz-acl", "private").header("x-amz-storage-class", "STANDARD").send().ok(200);
}

#[test]
fn versions_do_not_exist() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    for method in ["GET", "DELETE"] {
        let answer = bucket.object(method, "k").query("versionId", "3HL4kqtJlcpXroDTDmJ").send();
        answer.refused(400, "InvalidArgument");
    }
    bucket.put("k", "other").query("versionId", "null").send().refused(400, "InvalidArgument");
    assert_eq!(bucket.get("k").query("versionId", "null").send().ok(200).body, b"v");
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}

#[test]
fn methods_that_s3_does_not_have() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let mut connection = gateway.connect();
    for method in ["PATCH", "TRACE", "PROPFIND", "BREW"] {
        bucket.object(method, "k").send_on(&mut connection).refused(405, "MethodNotAllowed");
    }
    gateway.request("DELETE", "/").send_on(&mut connection).refused(405, "MethodNotAllowed");
    bucket.object("POST", "k").send_on(&mut connection).refused(405, "MethodNotAllowed");
    assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, b"v");
}

#[test]
fn a_sub_resource_of_another_target_never_touches_this_one() {
    // `DELETE /bucket?uploadId=x` is an abort whose key got lost; it deleted the bucket.
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for name in ["cors", "lifecycle", "website", "policy", "versions", "delete", "versioning", "notification"] {
        bucket.put("k", "v").send().ok(200);
        for method in ["DELETE", "PUT", "GET"] {
            let answer = bucket.object(method, "k").raw_query(name).body("").send();
            assert!(matches!(answer.status, 400 | 405 | 501), "{method} object?{name}: {answer:?}");
        }
        assert_eq!(bucket.get("k").send().ok(200).body, b"v", "{name}");
    }
    bucket.delete("k").send().ok(204);
    for (method, query) in
        [("DELETE", "uploadId=abc"), ("DELETE", "attributes"), ("PUT", "partNumber=1&uploadId=x"), ("PUT", "retention")]
    {
        let answer = bucket.request(method).raw_query(query).body("").send();
        assert!(matches!(answer.status, 400 | 405 | 501), "{method} bucket?{query}: {answer:?}");
    }
    bucket.request("HEAD").send().ok(200);
}
