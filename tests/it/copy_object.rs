//! CopyObject: the same bytes under another name, with the source's attributes or others.

use std::time::{Duration, SystemTime};

use crate::bucket::Bucket;
use crate::digests::{bytes, checksum, composite, etag, etag_of_parts, http_date};
use crate::gateway::Gateway;
use crate::request::Request;
use crate::xml;

const MIB: usize = 1 << 20;

impl<'a> Bucket<'a> {
    /// A copy within the bucket.
    fn copy(&self, from: &str, to: &str) -> Request<'a> {
        self.put(to, "").header("x-amz-copy-source", &format!("{}/{from}", self.name))
    }
}

#[test]
fn bodies_of_every_kind_are_copied() {
    let gateway = Gateway::shared();
    let (bucket, other) = (gateway.bucket(), gateway.bucket());
    for size in [0, 1, 4096, 4097, 300_000] {
        let body = bytes(size, size as u64);
        bucket.put("k", body.clone()).header("content-type", "text/a").header("x-amz-meta-a", "1").send().ok(200);
        for to in [&bucket, &other] {
            let source = format!("/{}/k", bucket.name);
            let answer = to.put("copy", "").header("x-amz-copy-source", &source).send().ok(200);
            assert_eq!(answer.header("content-type"), Some("application/xml"));
            let text = answer.text();
            assert_eq!(xml::text(&text, "ETag"), Some(etag(&body)), "{text}");
            assert_eq!(xml::text(&text, "ChecksumCRC64NVME"), Some(checksum("crc64nvme", &body)), "{text}");
            assert_eq!(xml::text(&text, "ChecksumType").as_deref(), Some("FULL_OBJECT"));
            let got = to.get("copy").send().ok(200);
            assert!(got.body == body, "{size} bytes differ");
            assert_eq!((got.header("content-type"), got.header("x-amz-meta-a")), (Some("text/a"), Some("1")));
            assert_eq!(got.header("etag"), Some(etag(&body).as_str()));
        }
        // What is done to the one is not done to the other.
        bucket.put("k", "other").send().ok(200);
        other.delete("copy").send().ok(204);
        assert!(bucket.get("copy").send().ok(200).body == body, "{size} bytes differ");
    }
}

#[test]
fn objects_of_parts_keep_their_parts_and_checksum() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let parts = [bytes(5 * MIB, 1), bytes(1000, 2)];
    let create = bucket.create("parts").header("x-amz-checksum-algorithm", "SHA256");
    let upload = bucket.created("parts", &create);
    let listed = (1..).zip(&parts).map(|(number, part)| {
        let value = checksum("sha256", part);
        let answer = upload.part(number, part.clone()).header("x-amz-checksum-sha256", &value).send().ok(200);
        let etag = answer.header("etag").unwrap();
        format!(
            "<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber><ChecksumSHA256>{value}</ChecksumSHA256></Part>"
        )
    });
    let listed: Vec<_> = listed.collect();
    upload.complete_with(&listed.concat()).send().ok(200);
    let value = composite("sha256", parts.iter().map(Vec::as_slice));
    let text = bucket.copy("parts", "copy").send().ok(200).text();
    assert_eq!(xml::text(&text, "ETag"), Some(etag_of_parts(parts.iter().map(Vec::as_slice))), "{text}");
    assert_eq!(xml::text(&text, "ChecksumSHA256"), Some(value), "{text}");
    assert_eq!(xml::text(&text, "ChecksumType").as_deref(), Some("COMPOSITE"), "{text}");
    bucket.delete("parts").send().ok(204);
    let got = bucket.get("copy").header("range", "bytes=5242870-5242889").send().ok(206);
    assert_eq!(got.body, parts.concat()[5_242_870..5_242_890]);
    assert!(bucket.get("copy").send().ok(200).body == parts.concat());

    // Another checksum is computed over all bytes, and the parts stay what they are.
    let text = bucket.copy("copy", "crc").header("x-amz-checksum-algorithm", "CRC32C").send().ok(200).text();
    assert_eq!(xml::text(&text, "ChecksumCRC32C"), Some(checksum("crc32c", parts.concat())), "{text}");
    assert_eq!(xml::text(&text, "ChecksumType").as_deref(), Some("FULL_OBJECT"), "{text}");
    let head = bucket.head("crc").header("x-amz-checksum-mode", "ENABLED").send().ok(200);
    assert_eq!(head.header("x-amz-checksum-crc32c"), Some(checksum("crc32c", parts.concat()).as_str()));
    assert_eq!(head.header("etag"), Some(etag_of_parts(parts.iter().map(Vec::as_slice)).as_str()));
    bucket.copy("copy", "crc").header("x-amz-checksum-algorithm", "CRC99").send().refused(400, "InvalidRequest");
}

#[test]
fn metadata_is_kept_or_replaced() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let attributes = [("content-type", "text/a"), ("cache-control", "no-cache"), ("x-amz-meta-a", "source")];
    attributes.iter().fold(bucket.put("k", "v"), |put, (name, value)| put.header(name, value)).send().ok(200);
    for directive in [None, Some("COPY")] {
        let copy = bucket.copy("k", "copy").header("content-type", "text/b").header("x-amz-meta-b", "own");
        let copy = directive.map_or(copy.clone(), |directive| copy.header("x-amz-metadata-directive", directive));
        copy.send().ok(200);
        let head = bucket.head("copy").send().ok(200);
        attributes.iter().for_each(|(name, value)| assert_eq!(head.header(name), Some(*value), "{name}"));
        assert_eq!(head.header("x-amz-meta-b"), None);
    }
    let copy = bucket.copy("k", "copy").header("content-type", "text/b").header("x-amz-meta-b", "own");
    copy.header("x-amz-metadata-directive", "REPLACE").send().ok(200);
    let head = bucket.head("copy").send().ok(200);
    assert_eq!((head.header("content-type"), head.header("x-amz-meta-b")), (Some("text/b"), Some("own")));
    assert_eq!((head.header("cache-control"), head.header("x-amz-meta-a")), (None, None));
    let copy = bucket.copy("k", "refused");
    copy.clone().header("x-amz-metadata-directive", "MERGE").send().refused(400, "InvalidArgument");
    copy.clone().header("x-amz-tagging-directive", "MERGE").send().refused(400, "InvalidArgument");
    copy.header("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256")
        .send()
        .refused(501, "NotImplemented");
    bucket.get("refused").send().refused(404, "NoSuchKey");
}

#[test]
fn an_object_onto_itself() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for size in [10, 100_000] {
        let body = bytes(size, 3);
        bucket.put("k", body.clone()).header("x-amz-meta-a", "1").send().ok(200);
        let text = bucket.copy("k", "k").send().refused(400, "InvalidRequest");
        assert!(text.contains("without changing"), "{text}");
        let copy = bucket.copy("k", "k").header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-a", "2");
        copy.send().ok(200);
        let got = bucket.get("k").send().ok(200);
        assert_eq!(got.header("x-amz-meta-a"), Some("2"));
        assert!(got.body == body);
        // The source may be missing, too: that is said, and not that nothing changes.
        bucket.copy("nothing", "nothing").send().refused(404, "NoSuchKey");
    }
}

#[test]
fn sources_that_are_not_there_are_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let copy = |source: &str| bucket.put("copy", "").header("x-amz-copy-source", source).send();
    let text = copy(&format!("{}/nothing", bucket.name)).refused(404, "NoSuchKey");
    assert_eq!(xml::texts(&text, "Key"), ["nothing"], "{text}");
    let text = copy("nowhere-at-all/k").refused(404, "NoSuchBucket");
    assert_eq!(xml::texts(&text, "BucketName"), ["nowhere-at-all"], "{text}");
    let absent =
        gateway.request("PUT", "/nowhere-at-all/copy").header("x-amz-copy-source", &format!("{}/k", bucket.name));
    let text = absent.send().refused(404, "NoSuchBucket");
    assert_eq!(xml::texts(&text, "BucketName"), ["nowhere-at-all"], "{text}");
    for source in ["k", "/", &format!("{}/", bucket.name), &format!("{}/%zz", bucket.name)] {
        let text = copy(source).refused(400, "InvalidArgument");
        assert!(text.contains("sourcebucket/sourcekey"), "{text}");
    }
    copy(&format!("{}/k?versionId=abc", bucket.name)).refused(400, "InvalidArgument");
    copy("arn:aws:s3:us-east-1:123456789012:accesspoint/a/object/k").refused(501, "NotImplemented");
    bucket.get("copy").send().refused(404, "NoSuchKey");
    copy(&format!("{}/k?versionId=null", bucket.name)).ok(200);
}

#[test]
fn sources_with_awkward_keys() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (key, encoded) in [
        ("a b+c", "a%20b%2Bc"),
        ("a plus is a space", "a+plus+is+a+space"),
        ("50%25", "50%2525"),
        ("한글/é", "%ED%95%9C%EA%B8%80/%C3%A9"),
        ("/slash//", "/slash//"),
        ("what?versionId=null", "what%3FversionId=null"),
    ] {
        bucket.put(key, key).send().ok(200);
        let source = format!("{}/{encoded}", bucket.name);
        bucket.put("copy", "").header("x-amz-copy-source", &source).send().ok(200);
        assert_eq!(bucket.get("copy").send().ok(200).body, key.as_bytes(), "{key}");
    }
}

#[test]
fn conditions_on_the_source() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let hour = Duration::from_secs(3600);
    let (before, after) = (http_date(SystemTime::now() - hour), http_date(SystemTime::now() + hour));
    let own = etag("v");
    for (conditions, holds) in [
        (&[("if-match", own.as_str())][..], true),
        (&[("if-match", "ABCORZ")], false),
        (&[("if-none-match", "ABCORZ")], true),
        (&[("if-none-match", &own)], false),
        (&[("if-modified-since", &before)], true),
        (&[("if-modified-since", &after)], false),
        (&[("if-unmodified-since", &after)], true),
        (&[("if-unmodified-since", &before)], false),
        (&[("if-match", &own), ("if-unmodified-since", &before)], true),
        (&[("if-none-match", &own), ("if-modified-since", &before)], false),
    ] {
        let copy = conditions.iter().fold(bucket.copy("k", "copy"), |copy, (name, value)| {
            copy.header(&format!("x-amz-copy-source-{name}"), value)
        });
        let answer = copy.send();
        match holds {
            true => drop(answer.ok(200)),
            false => drop(answer.refused(412, "PreconditionFailed")),
        }
        bucket.delete("copy").send().ok(204);
    }
}

#[test]
fn conditions_on_the_target() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let copy = || bucket.copy("k", "copy");
    let text = copy().header("if-match", &etag("v")).send().refused(404, "NoSuchKey");
    assert_eq!(xml::texts(&text, "Key"), ["copy"], "{text}");
    copy().header("if-none-match", "*").send().ok(200);
    copy().header("if-none-match", "*").send().refused(412, "PreconditionFailed");
    copy().header("if-match", &etag("w")).send().refused(412, "PreconditionFailed");
    copy().header("if-match", &etag("v")).send().ok(200);
}

#[test]
fn strangers_copy_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    bucket.copy("k", "copy").anonymous().send().refused(403, "AccessDenied");
    bucket.get("copy").send().refused(404, "NoSuchKey");
}
