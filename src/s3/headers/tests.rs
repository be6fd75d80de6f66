//! Attributes of objects on their way in and out.

use super::*;
use crate::base::clock::Timestamp;
use crate::base::digest::{Checksum, ChecksumAlgorithm};
use crate::s3::query::Query;
use crate::store::types::{ETag, ObjectKey};

fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn given_back(attributes: Attributes) -> HeaderMap {
    let info = ObjectInfo {
        key: ObjectKey::parse("k").unwrap(),
        revision: 1,
        size: 3,
        etag: ETag::of_body([0xab; 16]),
        modified: Timestamp(1_440_938_160_007),
        attributes,
        checksum: ObjectChecksum {
            value: Checksum::of(ChecksumAlgorithm::Crc32, b"abc"),
            kind: ChecksumType::FullObject,
            parts: None,
        },
        parts: None,
    };
    let mut out = HeaderMap::new();
    describe(&mut out, &info);
    out
}

#[test]
fn attributes_come_back_byte_for_byte() {
    let sent = headers(&[
        ("content-type", b"text/plain; charset=utf-8"),
        ("expires", b"0"),
        ("cache-control", b"no-cache"),
        ("x-amz-meta-utf8", "Grüße".as_bytes()),
        ("x-amz-meta-latin1", b"Hello World\xe9"),
        ("x-amz-meta-twice", b"1"),
        ("x-amz-meta-twice", b"2"),
        ("x-amz-meta-empty", b""),
    ]);
    let back = given_back(attributes(&sent).unwrap());
    for name in ["content-type", "expires", "cache-control", "x-amz-meta-utf8", "x-amz-meta-latin1", "x-amz-meta-empty"]
    {
        assert_eq!(back.get(name), sent.get(name), "{name}");
    }
    assert_eq!(back["x-amz-meta-twice"], "1,2");
    assert_eq!(back["etag"], "\"abababababababababababababababab\"");
    assert_eq!(back["last-modified"], "Sun, 30 Aug 2015 12:36:00 GMT");
}

#[test]
fn defaults() {
    let back = given_back(attributes(&HeaderMap::new()).unwrap());
    assert_eq!(back["content-type"], "binary/octet-stream");
    assert!(!back.contains_key("content-encoding"));
}

#[test]
fn aws_chunked_is_not_the_objects() {
    for (sent, stored) in [
        ("aws-chunked", None),
        ("gzip, aws-chunked", Some("gzip")),
        ("AWS-Chunked,gzip,br", Some("gzip,br")),
        ("deflate, gzip,aws-chunked", Some("deflate, gzip")),
        ("aws-chunked, gzip", Some("gzip")),
        ("gzip, br", Some("gzip, br")),
    ] {
        let back = given_back(attributes(&headers(&[("content-encoding", sent.as_bytes())])).unwrap());
        assert_eq!(back.get("content-encoding").map(|value| value.to_str().unwrap()), stored);
    }
}

#[test]
fn two_kib_of_metadata() {
    let sized = |size: usize| attributes(&headers(&[("x-amz-meta-k", "v".repeat(size).as_bytes())])).map(drop);
    assert!(sized(2047).is_ok());
    assert_eq!(sized(2048).unwrap_err().code(), Code::METADATA_TOO_LARGE);
}

#[test]
fn storage_classes() {
    let class = |name: &'static str| {
        let attributes = attributes(&headers(&[("x-amz-storage-class", name.as_bytes())]));
        let attributes = attributes.map_err(|error| error.code().name)?;
        let named = storage_class(&attributes).to_owned();
        let echoed = given_back(attributes).get("x-amz-storage-class").map(|class| class.to_str().unwrap().to_owned());
        Ok((named, echoed))
    };
    assert_eq!(class("STANDARD"), Ok(("STANDARD".to_owned(), None)));
    assert_eq!(storage_class(&Attributes::default()), "STANDARD");
    for name in ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY"] {
        assert_eq!(class(name), Ok((name.to_owned(), Some(name.to_owned()))));
    }
    for (name, code) in [
        ("GLACIER", "NotImplemented"),
        ("DEEP_ARCHIVE", "NotImplemented"),
        ("OUTPOSTS", "InvalidStorageClass"),
        ("standard_ia", "InvalidStorageClass"),
        ("BEST", "InvalidStorageClass"),
    ] {
        assert_eq!(class(name), Err(code), "{name}");
    }
}

#[test]
fn redirect_locations() {
    let long = |len: usize| format!("/{}", "x".repeat(len - 1));
    for (location, good) in [
        ("/other", true),
        ("http://example.com/", true),
        ("https://example.com/?a=b", true),
        (long(2048).as_str(), true),
        (long(2049).as_str(), false),
        ("other", false),
        ("ftp://example.com/", false),
        ("HTTP://example.com/", false),
    ] {
        let read = attributes(&headers(&[("x-amz-website-redirect-location", location.as_bytes())]));
        match read {
            Ok(attributes) => {
                assert!(good, "{location}");
                assert_eq!(given_back(attributes)["x-amz-website-redirect-location"], location);
            }
            Err(error) => {
                assert!(!good && error.code() == Code::INVALID_REDIRECT_LOCATION, "{location}: {error:?}")
            }
        }
    }
}

#[test]
fn tags_are_counted() {
    let tagged = attributes(&headers(&[("x-amz-tagging", b"b=1&a")])).unwrap();
    assert_eq!(given_back(tagged)["x-amz-tagging-count"], "2");
    assert!(!given_back(Attributes::default()).contains_key("x-amz-tagging-count"));
}

#[test]
fn overrides_need_a_signature() {
    let query = Query::parse("response-content-type=text%2Fhtml&response-expires=x").unwrap();
    let mut out = HeaderMap::new();
    override_response(&mut out, &query, true).unwrap();
    assert_eq!(
        (&out["content-type"], &out["expires"]),
        (&HeaderValue::from_static("text/html"), &HeaderValue::from_static("x"))
    );
    assert!(override_response(&mut out, &query, false).is_err());
    let split = Query::parse("response-content-type=a%0d%0ab").unwrap();
    assert_eq!(override_response(&mut out, &split, true).unwrap_err().code(), Code::INVALID_ARGUMENT);
}
