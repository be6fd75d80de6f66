//! GetObject and HeadObject of one part.

use crate::bucket::Bucket;
use crate::digests::{CHECK, bytes, checksum, composite};
use crate::gateway::Gateway;
use crate::http::Answer;
use crate::xml;

const MIB: usize = 1 << 20;
const MODE: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");

/// Makes `k` of these parts under these numbers. Each part is sent with its checksum.
fn object(bucket: &Bucket<'_>, promise: Option<(&str, &str)>, parts: &[(u32, Vec<u8>)]) {
    let create = bucket.create("k");
    let create = match promise {
        Some((algorithm, kind)) => {
            create.header("x-amz-checksum-algorithm", &algorithm.to_uppercase()).header("x-amz-checksum-type", kind)
        }
        None => create,
    };
    let upload = bucket.created("k", &create);
    let algorithm = promise.map_or("crc32", |(algorithm, _)| algorithm);
    let listed: String = parts
        .iter()
        .map(|(number, part)| {
            let value = checksum(algorithm, part);
            let put = upload.part(*number, part.clone()).header(&format!("x-amz-checksum-{algorithm}"), &value);
            let etag = put.send().ok(200).header("etag").unwrap().to_owned();
            let named = format!("Checksum{}", algorithm.to_uppercase());
            let named = promise.map_or(String::new(), |_| format!("<{named}>{value}</{named}>"));
            format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber>{named}</Part>")
        })
        .collect();
    upload.complete_with(&listed).send().ok(200);
}

/// What both methods answer to `partNumber`, with checksums asked for.
fn get_and_head(bucket: &Bucket<'_>, number: &str, status: u16) -> [Answer; 2] {
    ["GET", "HEAD"].map(|method| {
        let request = bucket.object(method, "k").query("partNumber", number).header(MODE.0, MODE.1);
        request.send().ok(status)
    })
}

#[test]
fn each_part_by_its_place_in_the_object() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    // Of an upload the parts 2, 3 and 9 may be all there is; of an object they are the first, the second and the third.
    let parts = [(2, bytes(5 * MIB, 1)), (3, bytes(5 * MIB + 7, 2)), (9, bytes(1000, 3))];
    object(&bucket, None, &parts);
    let size: usize = parts.iter().map(|(_, part)| part.len()).sum();
    let etag = bucket.head("k").send().ok(200).header("etag").unwrap().to_owned();
    let mut start = 0;
    for (place, (_, part)) in (1..).zip(&parts) {
        let range = format!("bytes {start}-{}/{size}", start + part.len() - 1);
        start += part.len();
        let [got, head] = get_and_head(&bucket, &format!("{place}"), 206);
        assert!(got.body == *part, "part {place}");
        for answer in [&got, &head] {
            assert_eq!(answer.header("content-range"), Some(range.as_str()));
            assert_eq!(answer.header("content-length"), Some(part.len().to_string().as_str()));
            assert_eq!(answer.header("x-amz-mp-parts-count"), Some("3"));
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
            // The upload promised no checksum, so the object's is CRC64NVME, and so are its parts'.
            assert_eq!(answer.header("x-amz-checksum-crc64nvme"), Some(checksum("crc64nvme", part).as_str()));
        }
        let plain = bucket.get("k").query("partNumber", &place.to_string()).send().ok(206);
        assert!(!plain.headers.iter().any(|(name, _)| name.starts_with("x-amz-checksum")), "{plain:?}");
    }
    let text = bucket.get("k").query("partNumber", "4").send().refused(416, "InvalidPartNumber");
    assert!(text.contains("The requested partnumber is not satisfiable"), "{text}");
    assert_eq!(xml::text(&text, "PartNumberRequested").as_deref(), Some("4"), "{text}");
    assert_eq!(xml::text(&text, "ActualPartCount").as_deref(), Some("3"), "{text}");
    get_and_head(&bucket, "10000", 416);
    let whole = bucket.get("k").send().ok(200);
    assert!(whole.header("x-amz-mp-parts-count").is_none());
}

#[test]
fn a_part_has_its_own_checksum_and_a_range_has_none() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let parts = [(1, bytes(5 * MIB, 4)), (2, bytes(10, 5))];
    for (algorithm, kind) in [
        ("crc32", "COMPOSITE"),
        ("crc32", "FULL_OBJECT"),
        ("crc32c", "COMPOSITE"),
        ("crc64nvme", "FULL_OBJECT"),
        ("sha1", "COMPOSITE"),
        ("sha256", "COMPOSITE"),
    ] {
        object(&bucket, Some((algorithm, kind)), &parts);
        let header = format!("x-amz-checksum-{algorithm}");
        for (number, part) in &parts {
            for answer in get_and_head(&bucket, &number.to_string(), 206) {
                assert_eq!(answer.header(&header), Some(checksum(algorithm, part).as_str()), "{algorithm} {kind}");
                assert_eq!(answer.header("x-amz-checksum-type"), Some(kind));
            }
        }
        for method in ["GET", "HEAD"] {
            let range = bucket.object(method, "k").header("range", "bytes=0-5242879").header(MODE.0, MODE.1);
            let range = range.send().ok(206);
            assert!(range.header(&header).is_none(), "{algorithm} {kind}: {range:?}");
        }
    }
}

#[test]
fn an_object_of_one_part_keeps_the_parts_checksum() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (body, status) in [(CHECK.to_vec(), 206), (Vec::new(), 200)] {
        for (algorithm, kind) in [("sha256", "COMPOSITE"), ("crc32c", "COMPOSITE"), ("crc32", "FULL_OBJECT")] {
            object(&bucket, Some((algorithm, kind)), &[(1, body.clone())]);
            let header = format!("x-amz-checksum-{algorithm}");
            for answer in get_and_head(&bucket, "1", status) {
                assert_eq!(answer.header(&header), Some(checksum(algorithm, &body).as_str()), "{algorithm} {kind}");
                assert_eq!(answer.header("x-amz-checksum-type"), Some(kind));
                assert_eq!(answer.header("x-amz-mp-parts-count"), Some("1"));
                assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()));
            }
            get_and_head(&bucket, "2", 416);
            let whole = match kind {
                "COMPOSITE" => composite(algorithm, [body.as_slice()]),
                _ => checksum(algorithm, &body),
            };
            let head = bucket.head("k").header(MODE.0, MODE.1).send().ok(200);
            assert_eq!(head.header(&header), Some(whole.as_str()), "{algorithm} {kind}");
        }
    }
}

#[test]
fn an_object_without_parts_is_one() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", CHECK).header("x-amz-checksum-crc32", "y/Q5Jg==").send().ok(200);
    for answer in get_and_head(&bucket, "1", 206) {
        assert_eq!(answer.header("content-range"), Some("bytes 0-8/9"));
        assert_eq!(answer.header("x-amz-checksum-crc32"), Some("y/Q5Jg=="));
        assert_eq!(answer.header("x-amz-mp-parts-count"), None);
    }
    assert_eq!(bucket.get("k").query("partNumber", "1").send().ok(206).body, CHECK);
    let text = bucket.get("k").query("partNumber", "2").send().refused(416, "InvalidPartNumber");
    assert_eq!(xml::text(&text, "ActualPartCount").as_deref(), Some("1"), "{text}");
    bucket.put("k", "").send().ok(200);
    for answer in get_and_head(&bucket, "1", 200) {
        assert_eq!((answer.header("content-range"), answer.header("content-length")), (None, Some("0")));
    }
}

#[test]
fn requests_that_ask_for_no_part() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", CHECK).send().ok(200);
    for number in ["0", "-1", "10001", "x", "1.0", ""] {
        let text = bucket.get("k").query("partNumber", number).send().refused(400, "InvalidArgument");
        assert_eq!(xml::text(&text, "ArgumentName").as_deref(), Some("partNumber"), "{text}");
        bucket.head("k").query("partNumber", number).send().ok(400);
    }
    let both = bucket.get("k").query("partNumber", "1").header("range", "bytes=0-1");
    let text = both.send().refused(400, "InvalidRequest");
    assert!(text.contains("Cannot specify both Range header and partNumber query parameter"), "{text}");
    bucket.get("missing").query("partNumber", "1").send().refused(404, "NoSuchKey");
    bucket.get("k").header("x-amz-checksum-mode", "DISABLED").send().refused(400, "InvalidRequest");
}

#[test]
fn conditions_count_for_parts_too() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let etag = bucket.put("k", CHECK).send().ok(200).header("etag").unwrap().to_owned();
    let part = || bucket.get("k").query("partNumber", "1");
    part().header("if-none-match", &etag).send().ok(304);
    part().header("if-match", "\"00000000000000000000000000000000\"").send().refused(412, "PreconditionFailed");
    part().header("if-match", &etag).send().ok(206);
}
