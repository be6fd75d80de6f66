//! Checksums of multipart uploads: COMPOSITE and FULL_OBJECT.

use crate::bucket::{Bucket, Upload};
use crate::digests::{bytes, checksum, composite};
use crate::gateway::Gateway;
use crate::xml;

const MIB: usize = 1 << 20;

fn element(algorithm: &str) -> String {
    format!("Checksum{}", algorithm.to_uppercase())
}

fn header(algorithm: &str) -> String {
    format!("x-amz-checksum-{algorithm}")
}

fn begin<'a>(bucket: &'a Bucket<'a>, algorithm: &str, kind: Option<&str>) -> Upload<'a> {
    let create = bucket.create("k").header("x-amz-checksum-algorithm", &algorithm.to_uppercase());
    let create = kind.map_or(create.clone(), |kind| create.header("x-amz-checksum-type", kind));
    let answer = create.send().ok(200);
    assert_eq!(answer.header("x-amz-checksum-algorithm"), Some(algorithm.to_uppercase().as_str()));
    if let Some(kind) = kind {
        assert_eq!(answer.header("x-amz-checksum-type"), Some(kind));
    }
    Upload { bucket, key: "k".to_owned(), id: xml::text(&answer.text(), "UploadId").unwrap() }
}

/// Puts the parts with their checksums and gives the elements that list them.
fn put_parts(upload: &Upload<'_>, algorithm: &str, parts: &[Vec<u8>]) -> String {
    let listed = (1..).zip(parts).map(|(number, part)| {
        let value = checksum(algorithm, part);
        let answer = upload.part(number, part.clone()).header(&header(algorithm), &value).send().ok(200);
        assert_eq!(answer.header(&header(algorithm)), Some(value.as_str()));
        let (etag, name) = (answer.header("etag").unwrap(), element(algorithm));
        format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber><{name}>{value}</{name}></Part>")
    });
    listed.collect::<Vec<_>>().concat()
}

fn parts() -> [Vec<u8>; 2] {
    [bytes(5 * MIB, 1), bytes(1000, 2)]
}

#[test]
fn composites_are_digests_of_digests() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let parts = parts();
    for algorithm in ["crc32", "crc32c", "sha1", "sha256"] {
        let upload = begin(&bucket, algorithm, None);
        let listed = put_parts(&upload, algorithm, &parts);
        let text = upload.complete_with(&listed).send().ok(200).text();
        let value = composite(algorithm, parts.iter().map(Vec::as_slice));
        assert_eq!(xml::text(&text, &element(algorithm)), Some(value.clone()), "{text}");
        assert_eq!(xml::text(&text, "ChecksumType").as_deref(), Some("COMPOSITE"));
        let head = bucket.head("k").header("x-amz-checksum-mode", "ENABLED").send().ok(200);
        assert_eq!(head.header(&header(algorithm)), Some(value.as_str()));
        assert_eq!(head.header("x-amz-checksum-type"), Some("COMPOSITE"));
        let plain = bucket.head("k").send().ok(200);
        assert!(plain.header(&header(algorithm)).is_none());
    }
}

#[test]
fn full_object_checksums_are_those_of_the_whole() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let parts = parts();
    for algorithm in ["crc32", "crc32c", "crc64nvme"] {
        let upload = begin(&bucket, algorithm, Some("FULL_OBJECT"));
        let listed = put_parts(&upload, algorithm, &parts);
        let value = checksum(algorithm, parts.concat());
        let complete = upload.complete_with(&listed).header("x-amz-checksum-type", "FULL_OBJECT");
        let wrong = checksum(algorithm, "other");
        complete.clone().header(&header(algorithm), &wrong).send().refused(400, "BadDigest");
        let text = complete.header(&header(algorithm), &value).send().ok(200).text();
        assert_eq!(xml::text(&text, &element(algorithm)), Some(value.clone()), "{text}");
        assert_eq!(xml::text(&text, "ChecksumType").as_deref(), Some("FULL_OBJECT"));
        let get = bucket.get("k").header("x-amz-checksum-mode", "ENABLED").send().ok(200);
        assert!(get.body == parts.concat());
        assert_eq!(get.header(&header(algorithm)), Some(value.as_str()));
        assert_eq!(get.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    }
}

#[test]
fn an_upload_without_a_promise_has_crc64nvme_of_the_whole() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let parts = parts();
    let upload = bucket.upload("k");
    // Low-level clients promise nothing and send what they like, with gaps in the numbers.
    let first = upload.part(3, parts[0].clone()).header("x-amz-checksum-crc32", &checksum("crc32", &parts[0]));
    let first = first.send().ok(200).header("etag").unwrap().to_owned();
    let second = upload.put_part(8, parts[1].clone());
    let text = upload.complete(&[(3, &first), (8, &second)]).send().ok(200).text();
    let value = checksum("crc64nvme", parts.concat());
    assert_eq!(xml::text(&text, "ChecksumCRC64NVME"), Some(value.clone()), "{text}");
    let head = bucket.head("k").header("x-amz-checksum-mode", "ENABLED").send().ok(200);
    assert_eq!(head.header("x-amz-checksum-crc64nvme"), Some(value.as_str()));
}

#[test]
fn a_promise_binds_the_parts() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = begin(&bucket, "crc32", None);
    let wrong = upload.part(1, "x").header("x-amz-checksum-crc32c", &checksum("crc32c", "x"));
    let text = wrong.send().refused(400, "InvalidRequest");
    assert!(text.contains("crc32"), "{text}");
    upload.part(1, "x").send().refused(400, "InvalidRequest");
    let list = upload.list().send().ok(200).text();
    assert!(xml::blocks(&list, "Part").is_empty(), "{list}");
    assert_eq!(xml::text(&list, "ChecksumAlgorithm").as_deref(), Some("CRC32"), "{list}");
    assert_eq!(xml::text(&list, "ChecksumType").as_deref(), Some("COMPOSITE"), "{list}");
}

#[test]
fn a_composite_needs_the_checksum_of_every_part() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = begin(&bucket, "sha256", Some("COMPOSITE"));
    let listed = put_parts(&upload, "sha256", &[b"v".to_vec()]);
    let bare = listed.replace("ChecksumSHA256", "Unknown");
    let text = upload.complete_with(&bare).send().refused(400, "InvalidRequest");
    assert!(text.contains("It was missing for part 1 in the request."), "{text}");
    let other = format!("<ChecksumSHA1>{}</ChecksumSHA1></Part>", checksum("sha1", "v"));
    let text = upload.complete_with(&bare.replace("</Part>", &other)).send().refused(400, "BadDigest");
    assert!(text.contains("The sha1 you specified for part 1 did not match what we received."), "{text}");
    let wrong = listed.replace(&checksum("sha256", "v"), &checksum("sha256", "w"));
    upload.complete_with(&wrong).send().refused(400, "InvalidPart");
    let junk = listed.replace(&checksum("sha256", "v"), "junk");
    let answer = upload.complete_with(&junk).send();
    assert_eq!(answer.status, 400, "{}", answer.text());
    let text = upload.complete_with(&listed).header("x-amz-checksum-type", "FULL_OBJECT").send();
    let text = text.refused(400, "InvalidRequest");
    assert!(text.contains("The upload was created using the COMPOSITE checksum mode."), "{text}");
    let crc32 = checksum("crc32", "v");
    upload.complete_with(&listed).header("x-amz-checksum-crc32", &crc32).send().refused(400, "BadDigest");
    bucket.get("k").send().refused(404, "NoSuchKey");
    let right = composite("sha256", [b"v".as_slice()]);
    let wrong = composite("sha256", [b"w".as_slice()]);
    upload.complete_with(&listed).header("x-amz-checksum-sha256", &wrong).send().refused(400, "BadDigest");
    upload.complete_with(&listed).header("x-amz-checksum-sha256", &right).send().ok(200);
}

#[test]
fn types_that_do_not_exist_are_refused_at_create() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (algorithm, kind) in [
        ("SHA256", "FULL_OBJECT"),
        ("SHA1", "FULL_OBJECT"),
        ("CRC64NVME", "COMPOSITE"),
        ("CRC99", "COMPOSITE"),
        ("CRC32", "junk"),
        ("", "COMPOSITE"),
    ] {
        let create = bucket.create("k").header("x-amz-checksum-algorithm", algorithm);
        create.header("x-amz-checksum-type", kind).send().refused(400, "InvalidRequest");
    }
    bucket.create("k").header("x-amz-checksum-type", "COMPOSITE").send().refused(400, "InvalidRequest");
}
