//! CreateMultipartUpload, UploadPart and AbortMultipartUpload.

use crate::digests::{base64, bytes, checksum, etag, md5, sha256_hex};
use crate::gateway::{Gateway, Launch};
use crate::process::poll;
use crate::xml;

#[test]
fn an_upload_names_its_bucket_key_and_id() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for query in ["uploads", "uploads="] {
        let text = bucket.object("POST", "a/b&c").raw_query(query).send().ok(200).text();
        assert!(
            text.contains("<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"),
            "{text}"
        );
        assert_eq!(xml::text(&text, "Bucket"), Some(bucket.name.clone()));
        assert_eq!(xml::text(&text, "Key").as_deref(), Some("a/b&c"));
        assert!(xml::text(&text, "UploadId").is_some_and(|id| !id.is_empty()), "{text}");
    }
    bucket.get("a/b&c").send().refused(404, "NoSuchKey");
}

#[test]
fn a_part_answers_its_etag_and_checksum() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    for (number, size) in [(1, 0), (2, 1), (9_999, 4096), (10_000, 70_000)] {
        let body = bytes(size, 1);
        let answer = upload.part(number, body.clone()).send().ok(200);
        assert_eq!(answer.header("etag"), Some(etag(&body).as_str()));
        assert_eq!(answer.header("x-amz-checksum-crc64nvme"), Some(checksum("crc64nvme", &body).as_str()));
    }
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn part_numbers_are_one_to_ten_thousand() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    for number in ["0", "10001", "-1", "x", "1.0", "", "99999999999999999999", "+1"] {
        upload.request("PUT").query("partNumber", number).body("x").send().refused(400, "InvalidArgument");
    }
    let list = upload.list().send().ok(200).text();
    assert!(xml::blocks(&list, "Part").is_empty(), "{list}");
}

#[test]
fn a_parameter_given_twice_is_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    upload.part(1, "x").query("partNumber", "2").send().refused(400, "InvalidArgument");
    upload.part(1, "x").query("uploadId", &upload.id).send().refused(400, "InvalidArgument");
    let list = upload.list().send().ok(200).text();
    assert!(xml::blocks(&list, "Part").is_empty(), "{list}");
}

#[test]
fn idle_uploads_expire() {
    let gateway = Launch::new().set("--expire-uploads", "1s").start();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    upload.put_part(1, bytes(100_000, 1));
    poll("the upload expires", || (upload.list().send().status == 404).then_some(()));
    upload.part(2, "x").send().refused(404, "NoSuchUpload");
    poll("its bytes are freed", || (gateway.metric("wharf_staged_bytes") == 0.0).then_some(()));
}

#[test]
fn parts_of_unknown_uploads_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let flipped: String = upload.id.chars().rev().collect();
    for id in ["junk", &flipped, &"0".repeat(32), &"f".repeat(32), &"x".repeat(5000), "\u{0}", "../1"] {
        let put = bucket.put("k", "x").query("partNumber", "1").query("uploadId", id);
        put.send().refused(404, "NoSuchUpload");
    }
    // The id belongs to its key and to its bucket.
    bucket.put("other", "x").query("partNumber", "1").query("uploadId", &upload.id).send().refused(404, "NoSuchUpload");
    let elsewhere = gateway.bucket();
    elsewhere.put("k", "x").query("partNumber", "1").query("uploadId", &upload.id).send().refused(404, "NoSuchUpload");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn a_wrong_part_is_not_staged() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = |size: usize| upload.part(1, vec![b'x'; size]);
    for size in [10, 100_000] {
        part(size).header("content-md5", &base64(md5("other"))).send().refused(400, "BadDigest");
        part(size).header("x-amz-checksum-crc32", &checksum("crc32", "other")).send().refused(400, "BadDigest");
        part(size).payload_hash(&sha256_hex("other")).send().refused(400, "XAmzContentSHA256Mismatch");
        part(size).header("x-amz-checksum-crc32", "junk").send().refused(400, "InvalidRequest");
    }
    let list = upload.list().send().ok(200).text();
    assert!(xml::blocks(&list, "Part").is_empty(), "{list}");
}

#[test]
fn after_an_abort_nothing_is_left_to_ask() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.put_part(1, bytes(100_000, 1));
    let answer = upload.abort().send().ok(204);
    assert!(answer.body.is_empty());
    upload.part(2, "x").send().refused(404, "NoSuchUpload");
    upload.list().send().refused(404, "NoSuchUpload");
    upload.complete(&[(1, &part)]).send().refused(404, "NoSuchUpload");
    upload.abort().send().refused(404, "NoSuchUpload");
    let uploads = bucket.request("GET").raw_query("uploads").send().ok(200).text();
    assert!(xml::blocks(&uploads, "Upload").is_empty(), "{uploads}");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn parts_racing_with_an_abort_leave_nothing_behind() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    for round in 0..5_u64 {
        let upload = bucket.upload("k");
        let body = bytes(200_000, round);
        std::thread::scope(|scope| {
            for number in 1..=8 {
                let (upload, body) = (&upload, &body);
                scope.spawn(move || {
                    let answer = upload.part(number, body.clone()).send();
                    assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
                });
            }
            scope.spawn(|| upload.abort().send().ok(204));
        });
        upload.list().send().refused(404, "NoSuchUpload");
    }
    assert_eq!(gateway.metric("wharf_open_uploads"), 0.0);
    poll("staged bytes are freed", || (gateway.metric("wharf_staged_bytes") == 0.0).then_some(()));
    poll("blob files are unlinked", || (blob_files(&gateway.data_dir.join("blobs")) == 0).then_some(()));
}

fn blob_files(directory: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.file_type().unwrap().is_dir() { blob_files(&entry.path()) } else { 1 }).sum()
}

#[test]
fn overwritten_and_deleted_bytes_are_freed() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    for round in 0..4 {
        bucket.put("k", bytes(50_000, round)).send().ok(200);
    }
    poll("one blob is left", || (blob_files(&gateway.data_dir.join("blobs")) == 1).then_some(()));
    bucket.delete("k").send().ok(204);
    poll("no blob is left", || (blob_files(&gateway.data_dir.join("blobs")) == 0).then_some(()));
}

#[test]
fn a_part_cut_off_is_not_there() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    for size in [1000, 2 << 20] {
        let bytes = upload.part(1, vec![b'x'; size]).bytes();
        let mut connection = gateway.connect();
        connection.write(&bytes[..bytes.len() - 1]);
        connection.abandon();
    }
    let part = upload.put_part(2, "y");
    let list = upload.list().send().ok(200).text();
    assert_eq!(xml::texts(&list, "PartNumber"), ["2"], "{list}");
    upload.complete(&[(2, &part)]).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"y");
}
