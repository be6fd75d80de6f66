//! UploadPartCopy: parts made of objects, whole or by range.

use crate::bucket::Upload;
use crate::digests::{bytes, checksum, composite, etag, etag_of_parts};
use crate::gateway::Gateway;
use crate::request::Request;
use crate::xml;

const MIB: usize = 1 << 20;

impl<'a> Upload<'a> {
    /// The copy of an object of the upload's bucket as a part.
    fn copy(&self, number: u32, from: &str) -> Request<'a> {
        self.part(number, "").header("x-amz-copy-source", &format!("/{}/{from}", self.bucket.name))
    }
}

#[test]
fn parts_of_whole_objects_and_of_ranges() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let source = bytes(12 * MIB, 1);
    bucket.put("source", source.clone()).send().ok(200);
    bucket.put("small", "small").send().ok(200);
    let upload = bucket.upload("k");
    let pieces = [&source[..], &source[7..5 * MIB + 8], &source[12 * MIB - 1..], b"small"];
    let ranges =
        [None, Some(format!("bytes=7-{}", 5 * MIB + 7)), Some(format!("bytes={}-{}", 12 * MIB - 1, 12 * MIB - 1))];
    let mut etags = Vec::new();
    for (number, (piece, range)) in (1..).zip(pieces.iter().zip(ranges.into_iter().chain([None]))) {
        let copy = upload.copy(number, if number == 4 { "small" } else { "source" });
        let copy = range.map_or(copy.clone(), |range| copy.header("x-amz-copy-source-range", &range));
        let text = copy.send().ok(200).text();
        assert_eq!(xml::text(&text, "ETag"), Some(etag(piece)), "{text}");
        assert_eq!(xml::text(&text, "ChecksumCRC64NVME"), Some(checksum("crc64nvme", piece)), "{text}");
        assert!(text.contains("<CopyPartResult") && xml::text(&text, "LastModified").is_some(), "{text}");
        etags.push(etag(piece));
    }
    // Only the last part may be as small as the third.
    let parts = [(1, etags[0].as_str()), (2, &etags[1]), (4, &etags[3])];
    let text = upload.complete(&parts).send().ok(200).text();
    let whole = [pieces[0], pieces[1], pieces[3]];
    assert_eq!(xml::text(&text, "ETag"), Some(etag_of_parts(whole)), "{text}");
    bucket.delete("source").send().ok(204);
    assert!(bucket.get("k").send().ok(200).body == whole.concat());
}

#[test]
fn the_promised_checksum_is_computed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(100_000, 2);
    bucket.put("source", body.clone()).send().ok(200);
    for algorithm in ["crc32", "crc32c", "sha1", "sha256", "crc64nvme"] {
        let create = bucket.create("k").header("x-amz-checksum-algorithm", &algorithm.to_uppercase());
        let upload = bucket.created("k", &create);
        let text = upload.copy(1, "source").send().ok(200).text();
        let element = format!("Checksum{}", algorithm.to_uppercase());
        let value = checksum(algorithm, &body);
        assert_eq!(xml::text(&text, &element), Some(value.clone()), "{text}");
        let tag = etag(&body);
        let listed = format!("<Part><ETag>{tag}</ETag><PartNumber>1</PartNumber><{element}>{value}</{element}></Part>");
        let text = upload.complete_with(&listed).send().ok(200).text();
        let whole = if algorithm == "crc64nvme" { value } else { composite(algorithm, [body.as_slice()]) };
        assert_eq!(xml::text(&text, &element), Some(whole), "{text}");
    }
}

#[test]
fn ranges_that_are_none() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("source", "12345").send().ok(200);
    let upload = bucket.upload("k");
    for range in ["0-2", "bytes=0", "bytes=hello-world", "bytes=0-", "bytes=-3", "bytes=0-2,3-5", "bytes=3-2"] {
        let text =
            upload.copy(1, "source").header("x-amz-copy-source-range", range).send().refused(400, "InvalidArgument");
        assert!(text.contains("bytes=first-last"), "{text}");
    }
    let text =
        upload.copy(1, "source").header("x-amz-copy-source-range", "bytes=0-5").send().refused(416, "InvalidRange");
    assert!(text.contains("source object of size: 5"), "{text}");
    assert!(xml::blocks(&upload.list().send().ok(200).text(), "Part").is_empty());
}

#[test]
fn refusals() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("source", "12345").send().ok(200);
    let upload = bucket.upload("k");
    let text = upload.copy(1, "nothing").send().refused(404, "NoSuchKey");
    assert_eq!(xml::texts(&text, "Key"), ["nothing"], "{text}");
    upload.part(1, "").header("x-amz-copy-source", "nowhere-at-all/k").send().refused(404, "NoSuchBucket");
    upload.part(1, "").header("x-amz-copy-source", "junk").send().refused(400, "InvalidArgument");
    upload.copy(0, "source").send().refused(400, "InvalidArgument");
    let copy = upload.copy(1, "source");
    copy.clone().header("x-amz-copy-source-if-match", "\"x\"").send().refused(412, "PreconditionFailed");
    copy.clone().header("x-amz-copy-source-if-none-match", &etag("12345")).send().refused(412, "PreconditionFailed");
    copy.clone().anonymous().send().refused(403, "AccessDenied");
    upload.abort().send().ok(204);
    copy.send().refused(404, "NoSuchUpload");
}
