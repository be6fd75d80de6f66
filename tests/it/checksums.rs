//! Checksums, digests and MD5 of single bodies: verified, stored, echoed.

use crate::digests::{CHECK, CHECK_VALUES, base64, checksum, md5, sha256_hex};
use crate::gateway::Gateway;

#[test]
fn every_algorithm_is_verified_stored_and_echoed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (algorithm, value) in CHECK_VALUES {
        let name = format!("x-amz-checksum-{algorithm}");
        let put = bucket.put(algorithm, CHECK).header(&name, value).send().ok(200);
        assert_eq!(put.header(&name), Some(value), "{algorithm}");
        assert_eq!(put.header("x-amz-checksum-type"), Some("FULL_OBJECT"), "{algorithm}");
        for method in ["GET", "HEAD"] {
            let plain = bucket.object(method, algorithm).send().ok(200);
            assert!(!plain.headers.iter().any(|(name, _)| name.starts_with("x-amz-checksum")), "{plain:?}");
            let asked = bucket.object(method, algorithm).header("x-amz-checksum-mode", "ENABLED").send().ok(200);
            assert_eq!(asked.header(&name), Some(value), "{method} {algorithm}");
            assert_eq!(asked.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
        }
        let ranged = bucket.get(algorithm).header("x-amz-checksum-mode", "ENABLED").header("range", "bytes=0-3");
        let ranged = ranged.send().ok(206);
        assert!(ranged.header(&name).is_none(), "a part of the body with the whole's checksum: {ranged:?}");
        let all = bucket.get(algorithm).header("x-amz-checksum-mode", "ENABLED").header("range", "bytes=0-100");
        assert_eq!(all.send().ok(206).header(&name), Some(value), "a range that is the whole body");
    }
}

#[test]
fn without_one_the_gateway_computes_crc64nvme() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", CHECK).send().ok(200);
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), Some("rosUhgp5mIg="));
    let head = bucket.head("k").header("x-amz-checksum-mode", "ENABLED").send().ok(200);
    assert_eq!(head.header("x-amz-checksum-crc64nvme"), Some("rosUhgp5mIg="));
}

#[test]
fn a_wrong_checksum_stores_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "old").send().ok(200);
    for (algorithm, value) in CHECK_VALUES {
        let name = format!("x-amz-checksum-{algorithm}");
        let text = bucket.put("k", "987654321").header(&name, value).send().refused(400, "BadDigest");
        assert!(text.to_lowercase().contains(algorithm), "{text}");
        for junk in ["junk", "", "AAAA", &format!("{value}{value}"), &value.replace('=', "")] {
            let answer = bucket.put("k", CHECK).header(&name, junk).send();
            answer.refused(400, "InvalidRequest");
        }
    }
    assert_eq!(bucket.get("k").send().ok(200).body, b"old");
}

#[test]
fn one_checksum_is_enough() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", CHECK).header("x-amz-checksum-crc32", &checksum("crc32", CHECK));
    put.clone().header("x-amz-checksum-sha256", &checksum("sha256", CHECK)).send().refused(400, "InvalidRequest");
    put.clone().header("x-amz-checksum-crc32", &checksum("crc32", CHECK)).send().refused(400, "InvalidRequest");
    put.header("x-amz-sdk-checksum-algorithm", "CRC32").send().ok(200);
}

#[test]
fn an_announced_algorithm_needs_its_checksum() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", CHECK).header("x-amz-sdk-checksum-algorithm", "CRC32");
    let text = put.send().refused(400, "InvalidRequest");
    assert!(text.contains("x-amz-sdk-checksum-algorithm"), "{text}");
    bucket.put("k", CHECK).header("x-amz-sdk-checksum-algorithm", "CRC99").send().refused(400, "InvalidRequest");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn content_md5() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", CHECK).header("content-md5", &base64(md5(CHECK))).send().ok(200);
    bucket.put("l", CHECK).header("content-md5", &base64(md5("other"))).send().refused(400, "BadDigest");
    for junk in ["junk", "", "AAAA", &base64([0; 17]), &base64(md5(CHECK)).replace('=', "")] {
        bucket.put("l", CHECK).header("content-md5", junk).send().refused(400, "InvalidDigest");
    }
    bucket.get("l").send().refused(404, "NoSuchKey");
}

#[test]
fn the_signed_hash_must_be_the_bodys() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for size in [9, 100_000] {
        let put = bucket.put("k", vec![b'x'; size]).payload_hash(&sha256_hex("other"));
        put.send().refused(400, "XAmzContentSHA256Mismatch");
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
    // A hash of an empty body over one that is not, as when a proxy adds bytes.
    bucket.put("k", "x").payload_hash(&sha256_hex("")).send().refused(400, "XAmzContentSHA256Mismatch");
    // An XML body is covered just as well.
    let body = "<CreateBucketConfiguration></CreateBucketConfiguration>";
    let name = gateway.bucket_name();
    let create = gateway.request("PUT", &format!("/{name}")).body(body).payload_hash(&sha256_hex("other"));
    create.send().refused(400, "XAmzContentSHA256Mismatch");
    gateway.request("HEAD", &format!("/{name}")).send().ok(404);
}

#[test]
fn several_digests_of_one_body_are_all_verified() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = |crc: &str, md5_of: &str| {
        bucket
            .put("k", CHECK)
            .header("x-amz-checksum-crc32", &checksum("crc32", crc))
            .header("content-md5", &base64(md5(md5_of)))
            .send()
    };
    put("123456789", "other").refused(400, "BadDigest");
    put("other", "123456789").refused(400, "BadDigest");
    put("123456789", "123456789").ok(200);
}
