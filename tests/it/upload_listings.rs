//! ListParts and ListMultipartUploads.

use crate::bucket::Bucket;
use crate::digests::{checksum, etag};
use crate::gateway::Gateway;
use crate::signer::decode;
use crate::xml;

#[test]
fn parts_come_in_order_and_in_pages() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("dir/k");
    let numbers = [10_000, 7, 1, 300, 2];
    for number in numbers {
        upload.put_part(number, vec![b'x'; number as usize % 100]);
    }
    upload.put_part(7, "sent again");
    let text = upload.list().send().ok(200).text();
    assert!(text.contains("<ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    for (name, value) in [
        ("Bucket", bucket.name.as_str()),
        ("Key", "dir/k"),
        ("UploadId", &upload.id),
        ("MaxParts", "1000"),
        ("IsTruncated", "false"),
        ("StorageClass", "STANDARD"),
    ] {
        assert_eq!(xml::text(&text, name).as_deref(), Some(value), "{name}: {text}");
    }
    assert_eq!(xml::texts(&text, "PartNumber"), ["1", "2", "7", "300", "10000"]);
    let seventh = xml::blocks(&text, "Part")[2];
    assert_eq!(xml::text(seventh, "ETag"), Some(etag("sent again")));
    assert_eq!(xml::text(seventh, "Size").as_deref(), Some("10"));
    assert!(xml::text(seventh, "LastModified").is_some_and(|date| date.len() == 24), "{seventh}");

    let mut marker = "0".to_owned();
    for (listed, truncated) in [(vec!["1", "2"], "true"), (vec!["7", "300"], "true"), (vec!["10000"], "false")] {
        let page = upload.list().query("max-parts", "2").query("part-number-marker", &marker).send().ok(200).text();
        assert_eq!(xml::texts(&page, "PartNumber"), listed, "{page}");
        assert_eq!(xml::text(&page, "IsTruncated").as_deref(), Some(truncated));
        assert_eq!(xml::text(&page, "PartNumberMarker"), Some(marker));
        assert_eq!(xml::text(&page, "MaxParts").as_deref(), Some("2"));
        marker = xml::text(&page, "NextPartNumberMarker").unwrap_or_default();
    }
}

#[test]
fn pages_of_parts_have_limits() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    upload.put_part(1, "x");
    let text = upload.list().query("max-parts", "5000").send().ok(200).text();
    assert_eq!(xml::text(&text, "MaxParts").as_deref(), Some("1000"));
    let none = upload.list().query("max-parts", "0").send().ok(200).text();
    assert!(xml::blocks(&none, "Part").is_empty(), "{none}");
    for junk in ["-1", "x", "99999999999"] {
        upload.list().query("max-parts", junk).send().refused(400, "InvalidArgument");
        upload.list().query("part-number-marker", junk).send().refused(400, "InvalidArgument");
    }
    let behind = upload.list().query("part-number-marker", "10000").send().ok(200).text();
    assert!(xml::blocks(&behind, "Part").is_empty(), "{behind}");
    bucket.get("k").query("uploadId", "junk").send().refused(404, "NoSuchUpload");
}

#[test]
fn a_part_list_shows_checksums() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let create = bucket.create("k").header("x-amz-checksum-algorithm", "CRC32C");
    let upload = bucket.created("k", &create);
    let value = checksum("crc32c", "x");
    upload.part(1, "x").header("x-amz-checksum-crc32c", &value).send().ok(200);
    let text = upload.list().send().ok(200).text();
    assert_eq!(xml::text(xml::block(&text, "Part").unwrap(), "ChecksumCRC32C"), Some(value), "{text}");
}

/// Keys and upload ids of one page, its common prefixes, and its document.
fn uploads(bucket: &Bucket<'_>, parameters: &[(&str, &str)]) -> (Vec<(String, String)>, Vec<String>, String) {
    let request = bucket.request("GET").raw_query("uploads");
    let request = parameters.iter().fold(request, |request, (name, value)| request.query(name, value));
    let text = request.send().ok(200).text();
    let pair = |block: &&str| (xml::text(block, "Key").unwrap(), xml::text(block, "UploadId").unwrap());
    let pairs = xml::blocks(&text, "Upload").iter().map(pair).collect();
    let prefix = |block: &&str| xml::text(block, "Prefix").unwrap();
    let prefixes = xml::blocks(&text, "CommonPrefixes").iter().map(prefix).collect();
    (pairs, prefixes, text)
}

#[test]
fn open_uploads_are_listed_by_key_and_age() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let made = ["b/2", "a", "b/1", "b/1", "c d", "b/1"].map(|key| (key.to_owned(), bucket.upload(key).id));
    let expected: Vec<_> = [1, 2, 3, 5, 0, 4].map(|index: usize| made[index].clone()).to_vec();
    let (pairs, _, text) = uploads(&bucket, &[]);
    assert_eq!(pairs, expected, "{text}");
    assert!(text.contains("<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    assert_eq!(xml::text(&text, "MaxUploads").as_deref(), Some("1000"));
    assert_eq!(xml::text(&text, "IsTruncated").as_deref(), Some("false"));
    assert!(xml::text(&text, "Initiated").is_some_and(|date| date.len() == 24), "{text}");

    assert_eq!(uploads(&bucket, &[("prefix", "b/")]).0, expected[1..5]);
    assert_eq!(uploads(&bucket, &[("prefix", "b/1")]).0, expected[1..4]);
    let (pairs, prefixes, text) = uploads(&bucket, &[("delimiter", "/")]);
    assert_eq!((pairs, prefixes), (vec![expected[0].clone(), expected[5].clone()], vec!["b/".to_owned()]));
    assert_eq!(xml::text(&text, "Delimiter").as_deref(), Some("/"));
    let (pairs, _, _) = uploads(&bucket, &[("key-marker", "b/1")]);
    assert_eq!(pairs, expected[4..]);
    let (pairs, _, _) = uploads(&bucket, &[("key-marker", "b/1"), ("upload-id-marker", &expected[1].1)]);
    assert_eq!(pairs, expected[2..]);
}

#[test]
fn pages_of_uploads_hold_each_upload_once() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for key in ["a", "a", "a", "b", "c/1", "c/2", "d"] {
        bucket.upload(key);
    }
    let all = uploads(&bucket, &[]).0;
    for max in ["1", "2", "3"] {
        let (mut seen, mut key, mut id) = (Vec::new(), String::new(), String::new());
        loop {
            let markers = [("max-uploads", max), ("key-marker", key.as_str()), ("upload-id-marker", id.as_str())];
            let given = if key.is_empty() { &markers[..1] } else { &markers[..] };
            let (pairs, _, text) = uploads(&bucket, given);
            seen.extend(pairs);
            if xml::text(&text, "IsTruncated").as_deref() == Some("false") {
                break;
            }
            key = xml::text(&text, "NextKeyMarker").unwrap();
            id = xml::text(&text, "NextUploadIdMarker").unwrap();
        }
        assert_eq!(seen, all, "pages of {max}");
    }
    let (mut folded, mut key) = (Vec::new(), String::new());
    loop {
        let markers = [("max-uploads", "1"), ("delimiter", "/"), ("prefix", "c"), ("key-marker", key.as_str())];
        let (pairs, prefixes, text) = uploads(&bucket, &markers);
        assert!(pairs.is_empty());
        folded.extend(prefixes);
        if xml::text(&text, "IsTruncated").as_deref() == Some("false") {
            break;
        }
        key = xml::text(&text, "NextKeyMarker").unwrap();
    }
    assert_eq!(folded, ["c/"]);
}

#[test]
fn bad_parameters_of_upload_listings() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.upload("k");
    let list = bucket.request("GET").raw_query("uploads");
    for junk in ["-1", "x", "99999999999"] {
        list.clone().query("max-uploads", junk).send().refused(400, "InvalidArgument");
    }
    list.clone().query("key-marker", "k").query("upload-id-marker", "junk").send().refused(400, "InvalidArgument");
    list.query("encoding-type", "junk").send().refused(400, "InvalidArgument");
    let none = uploads(&bucket, &[("max-uploads", "0")]);
    assert_eq!((none.0.len(), xml::text(&none.2, "IsTruncated").as_deref()), (0, Some("false")));
    // As AWS answers: the markers are there, prefix and delimiter only when they were given.
    for name in ["KeyMarker", "UploadIdMarker", "NextKeyMarker", "NextUploadIdMarker"] {
        assert_eq!(xml::text(&none.2, name).as_deref(), Some(""), "{name}");
    }
    assert!(!none.2.contains("<Prefix>") && !none.2.contains("<Delimiter>"), "{}", none.2);
    let text = uploads(&bucket, &[("max-uploads", "5000")]).2;
    assert_eq!(xml::text(&text, "MaxUploads").as_deref(), Some("1000"));
}

#[test]
fn upload_keys_are_encoded_when_asked() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.upload("é \u{1}");
    let text = uploads(&bucket, &[("encoding-type", "url")]).2;
    let key = xml::text(xml::block(&text, "Upload").unwrap(), "Key").unwrap();
    assert_eq!((decode(&key).as_str(), key.is_ascii()), ("é \u{1}", true));
    assert_eq!(xml::text(&text, "EncodingType").as_deref(), Some("url"));
}
