//! Signed chunks with signed trailers behind them: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.

use crate::bucket::Bucket;
use crate::certificate::Certificate;
use crate::digests::{CHECK, CHECK_VALUES, bytes, checksum, etag};
use crate::gateway::{Gateway, Launch};
use crate::process::directory;
use crate::request::Request;
use crate::signed_chunks::{chunks, framed};
use crate::xml;

const MODE: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const CRC32: &str = "x-amz-checksum-crc32";

/// The PUT of such a body, still without it.
fn put<'a>(bucket: &Bucket<'a>, length: usize, announced: &str) -> Request<'a> {
    let put = bucket.put("k", "").payload_hash(MODE).header("content-encoding", "aws-chunked");
    put.header("x-amz-decoded-content-length", &length.to_string()).header("x-amz-trailer", announced)
}

/// Its chunks, and this signed trailer.
fn whole(put: &Request<'_>, body: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut signer = put.chunk_signer();
    let chunks = chunks(&mut signer, body, 65_536);
    let signature = signer.trailers(&format!("{name}:{value}\n"));
    framed(&chunks, &format!("{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n"))
}

#[test]
fn every_algorithm_as_a_signed_trailer() {
    let (directory, plain) = (directory(), Gateway::shared());
    let tls = Launch::on(&directory).tls(&Certificate::new(&directory, "own")).start();
    for bucket in [plain.bucket(), tls.bucket()] {
        for (algorithm, value) in CHECK_VALUES {
            let name = format!("x-amz-checksum-{algorithm}");
            let put = put(&bucket, CHECK.len(), &name);
            let body = whole(&put, CHECK, &name, value);
            for put in [put.clone(), put.chunked(100)] {
                let answer = put.body(body.clone()).send().ok(200);
                assert_eq!((answer.header(&name), answer.header("etag")), (Some(value), Some(etag(CHECK).as_str())));
            }
            let got = bucket.get("k").header("x-amz-checksum-mode", "ENABLED").send().ok(200);
            assert_eq!((got.body.as_slice(), got.header(&name)), (CHECK, Some(value)));
            assert_eq!(got.header("content-encoding"), None);
        }
    }
}

#[test]
fn a_wrong_checksum_that_was_duly_signed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = put(&bucket, CHECK.len(), CRC32);
    let wrong = whole(&put, CHECK, CRC32, &checksum("crc32", b"other"));
    put.clone().body(wrong).send().refused(400, "BadDigest");
    let junk = whole(&put, CHECK, CRC32, "junk");
    put.clone().body(junk).send().refused(400, "InvalidRequest");
    let other = whole(&put, CHECK, "x-amz-checksum-crc32c", &checksum("crc32c", CHECK));
    put.body(other).send().refused(400, "MalformedTrailerError");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn trailers_that_were_not_signed_so_store_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(200_000, 1);
    let put = put(&bucket, body.len(), CRC32);
    let value = checksum("crc32", &body);
    let good = whole(&put, &body, CRC32, &value);
    let (head, tail) = good.split_at(good.len() - 150);
    let tail = String::from_utf8(tail.to_vec()).unwrap();
    let line = format!("{CRC32}:{value}\r\n");
    let signature = &tail[tail.find("x-amz-trailer-signature:").unwrap()..tail.len() - 2];
    let zeros = format!("x-amz-trailer-signature:{}\r\n", "0".repeat(64));
    for (case, changed, status, code) in [
        ("another value", tail.replace(&value, &checksum("crc32", b"x")), 403, "SignatureDoesNotMatch"),
        ("no signature", tail.replace(signature, ""), 403, "SignatureDoesNotMatch"),
        ("another signature", tail.replace(signature, &zeros), 403, "SignatureDoesNotMatch"),
        ("no trailer", tail.replace(&line, ""), 400, "MalformedTrailerError"),
        ("a trailer more", tail.replace(&line, &format!("{line}x-amz-meta-a:b\r\n")), 400, "MalformedTrailerError"),
        ("a trailer behind", tail.replace(signature, &format!("{signature}{line}")), 400, "MalformedTrailerError"),
        ("no end", tail.replace("\r\n\r\n", "\r\n"), 400, "IncompleteBody"),
        ("no trailers at all", "\r\n".to_owned(), 400, "MalformedTrailerError"),
    ] {
        assert_ne!(changed, tail, "{case}");
        let start =
            if case == "no trailers at all" { &good[..good.len() - line.len() - signature.len() - 2] } else { head };
        let answer = put.clone().body([start, changed.as_bytes()].concat()).send();
        let found = xml::text(&answer.text(), "Code").unwrap_or_default();
        assert_eq!((answer.status, found.as_str()), (status, code), "{case}");
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
    // minio-go ends the value with a line feed of its own; blanks around it are no part of it either.
    for spelt in [format!("{CRC32}:{value}\n\r\n"), format!("X-Amz-Checksum-Crc32: {value} \r\n")] {
        put.clone().body([head, tail.replace(&line, &spelt).as_bytes()].concat()).send().ok(200);
    }
    assert!(bucket.get("k").send().ok(200).body == body);
}

#[test]
fn trailers_need_signed_chunks_before_them() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = put(&bucket, CHECK.len(), CRC32);
    let good = whole(&put, CHECK, CRC32, &checksum("crc32", CHECK));
    let text = String::from_utf8(good).unwrap();
    let tampered = text.replace("123456789", "123456780");
    put.clone().body(tampered).send().refused(403, "SignatureDoesNotMatch");
    let unsigned = format!("9\r\n123456789\r\n0\r\n{CRC32}:{}\r\n\r\n", checksum("crc32", CHECK));
    put.clone().body(unsigned).send().refused(403, "SignatureDoesNotMatch");
    bucket.get("k").send().refused(404, "NoSuchKey");
    put.body(text).send().ok(200);
}

#[test]
fn parts_have_signed_trailers_too() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("m");
    let body = bytes(100_000, 8);
    let part = upload.request("PUT").query("partNumber", "3").payload_hash(MODE);
    let part = part.header("x-amz-decoded-content-length", "100000").header("x-amz-trailer", CRC32);
    let value = checksum("crc32", &body);
    let framed = whole(&part, &body, CRC32, &value);
    let answer = part.body(framed).send().ok(200);
    assert_eq!(answer.header(CRC32), Some(value.as_str()));
    upload.complete(&[(3, answer.header("etag").unwrap())]).send().ok(200);
    assert!(bucket.get("m").send().ok(200).body == body);
}
