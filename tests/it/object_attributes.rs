//! GetObjectAttributes.

use crate::bucket::Bucket;
use crate::digests::{CHECK, bytes, checksum, etag, now_seconds, parse_http_date};
use crate::gateway::Gateway;
use crate::request::Request;
use crate::xml;

const MIB: usize = 1 << 20;
const ATTRIBUTES: &str = "x-amz-object-attributes";
const ALL: &str = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";

fn attributes<'a>(bucket: &Bucket<'a>, key: &str) -> Request<'a> {
    bucket.get(key).raw_query("attributes")
}

#[test]
fn of_an_object_without_parts() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", CHECK).header("x-amz-checksum-sha256", &checksum("sha256", CHECK)).send().ok(200);
    let answer = attributes(&bucket, "k").header(ATTRIBUTES, ALL).send().ok(200);
    let modified = parse_http_date(answer.header("last-modified").unwrap());
    assert!((now_seconds() - modified).abs() <= 5);
    let text = answer.text();
    assert!(text.contains("<GetObjectAttributesResponse xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    assert_eq!(xml::text(&text, "ETag").as_deref(), Some(etag(CHECK).trim_matches('"')), "{text}");
    assert_eq!(xml::text(&text, "ObjectSize").as_deref(), Some("9"));
    assert_eq!(xml::text(&text, "StorageClass").as_deref(), Some("STANDARD"));
    assert_eq!(xml::text(&text, "ChecksumSHA256"), Some(checksum("sha256", CHECK)));
    assert_eq!(xml::text(&text, "ChecksumType").as_deref(), Some("FULL_OBJECT"));
    assert!(xml::block(&text, "ObjectParts").is_none(), "{text}");
}

#[test]
fn only_what_is_asked_for() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", CHECK).send().ok(200);
    for name in ["ETag", "Checksum", "StorageClass", "ObjectSize"] {
        let text = attributes(&bucket, "k").header(ATTRIBUTES, name).send().ok(200).text();
        for known in ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"] {
            assert_eq!(xml::block(&text, known).is_some(), known == name, "{name}: {text}");
        }
    }
    let two = attributes(&bucket, "k").header(ATTRIBUTES, "ETag").header(ATTRIBUTES, "ObjectSize").send().ok(200);
    assert!(xml::block(&two.text(), "ETag").is_some() && xml::block(&two.text(), "ObjectSize").is_some());
}

#[test]
fn what_is_no_attribute() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", CHECK).send().ok(200);
    attributes(&bucket, "k").send().refused(400, "InvalidRequest");
    let text = attributes(&bucket, "k").header(ATTRIBUTES, "ETag,Owner").send().refused(400, "InvalidArgument");
    assert_eq!(xml::text(&text, "ArgumentName").as_deref(), Some(ATTRIBUTES), "{text}");
    assert_eq!(xml::text(&text, "ArgumentValue").as_deref(), Some("Owner"), "{text}");
    attributes(&bucket, "missing").header(ATTRIBUTES, ALL).send().refused(404, "NoSuchKey");
    attributes(&bucket, "k").header(ATTRIBUTES, "ObjectParts").anonymous().send().refused(403, "AccessDenied");
    for name in ["x-amz-max-parts", "x-amz-part-number-marker"] {
        attributes(&bucket, "k").header(ATTRIBUTES, ALL).header(name, "-1").send().refused(400, "InvalidArgument");
    }
}

#[test]
fn parts_page_by_page() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let parts: Vec<Vec<u8>> = (1..=5).map(|seed| bytes(5 * MIB + usize::try_from(seed).unwrap(), seed)).collect();
    let create = bucket.create("k").header("x-amz-checksum-algorithm", "CRC32C");
    let upload = bucket.created("k", &create);
    let listed: String = (1..)
        .zip(&parts)
        .map(|(number, part)| {
            let value = checksum("crc32c", part);
            let put = upload.part(number, part.clone()).header("x-amz-checksum-crc32c", &value).send().ok(200);
            let etag = put.header("etag").unwrap();
            format!(
                "<Part><ETag>{etag}</ETag><ChecksumCRC32C>{value}</ChecksumCRC32C><PartNumber>{number}</PartNumber></Part>"
            )
        })
        .collect();
    let completed = upload.complete_with(&listed).send().ok(200).text();
    let page = |after: &str, max: &str| {
        let request = attributes(&bucket, "k").header(ATTRIBUTES, ALL);
        let request = request.header("x-amz-part-number-marker", after).header("x-amz-max-parts", max);
        request.send().ok(200).text()
    };
    for (after, max, expected, truncated) in
        [("0", "2", 1..3, true), ("2", "2", 3..5, true), ("4", "2", 5..6, false), ("0", "1000", 1..6, false)]
    {
        let text = page(after, max);
        let list = xml::block(&text, "ObjectParts").unwrap();
        assert_eq!(xml::text(list, "PartsCount").as_deref(), Some("5"));
        assert_eq!(xml::text(list, "PartNumberMarker").as_deref(), Some(after));
        assert_eq!(xml::text(list, "NextPartNumberMarker"), Some((expected.end - 1).to_string()));
        assert_eq!(xml::text(list, "MaxParts").as_deref(), Some(max));
        assert_eq!(xml::text(list, "IsTruncated"), Some(truncated.to_string()), "{text}");
        let entries = xml::blocks(list, "Part");
        assert_eq!(entries.len(), expected.len(), "{text}");
        for (number, entry) in expected.zip(entries) {
            let part = &parts[number - 1];
            assert_eq!(xml::text(entry, "PartNumber"), Some(number.to_string()));
            assert_eq!(xml::text(entry, "Size"), Some(part.len().to_string()));
            assert_eq!(xml::text(entry, "ChecksumCRC32C"), Some(checksum("crc32c", part)));
        }
    }
    let text = page("5", "2");
    assert!(xml::blocks(&text, "Part").is_empty() && text.contains("<IsTruncated>false</IsTruncated>"), "{text}");
    // Here the count that the composite carries everywhere else is left out.
    let whole = xml::text(&completed, "ChecksumCRC32C").unwrap();
    let own = xml::block(&text, "Checksum").unwrap();
    assert_eq!(xml::text(own, "ChecksumCRC32C").as_deref(), whole.strip_suffix("-5"), "{text}");
    assert_eq!(xml::text(own, "ChecksumType").as_deref(), Some("COMPOSITE"));
    let size: usize = parts.iter().map(Vec::len).sum();
    assert_eq!(xml::text(&text, "ObjectSize"), Some(size.to_string()));
    assert_eq!(xml::text(&text, "ETag").as_deref().map(|tag| tag.ends_with("-5")), Some(true));
}

#[test]
fn an_object_of_one_part_has_one() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.put_part(7, CHECK);
    upload.complete(&[(7, &part)]).send().ok(200);
    let text = attributes(&bucket, "k").header(ATTRIBUTES, "ObjectParts").send().ok(200).text();
    let [entry] = xml::blocks(&text, "Part")[..] else { panic!("{text}") };
    assert_eq!(xml::text(entry, "PartNumber").as_deref(), Some("1"));
    assert_eq!(xml::text(entry, "ChecksumCRC64NVME").as_deref(), Some("rosUhgp5mIg="));
    assert_eq!(xml::text(&text, "PartsCount").as_deref(), Some("1"));
}
