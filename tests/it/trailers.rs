//! aws-chunked bodies with a checksum in the trailer: `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.

use std::io::Write as _;

use crate::bucket::Bucket;
use crate::digests::{CHECK, CHECK_VALUES, bytes, checksum, etag};
use crate::gateway::Gateway;
use crate::request::Request;

const MODE: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// The framing of `body` in chunks of at most `size` bytes, and behind it these trailer lines.
fn framed(body: &[u8], size: usize, trailers: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        write!(out, "{:x}\r\n", chunk.len()).unwrap();
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    for trailer in trailers {
        write!(out, "{trailer}\r\n").unwrap();
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A PUT whose body is framed like this and decodes to `length` bytes.
fn put<'a>(bucket: &Bucket<'a>, framed: impl Into<Vec<u8>>, length: usize, announced: &str) -> Request<'a> {
    let put = bucket.put("k", framed).payload_hash(MODE);
    let put = put.header("content-encoding", "aws-chunked").header("x-amz-trailer", announced);
    put.header("x-amz-decoded-content-length", &length.to_string())
}

fn crc32_line(body: &[u8]) -> String {
    format!("x-amz-checksum-crc32:{}", checksum("crc32", body))
}

#[test]
fn every_algorithm_as_a_trailer() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (algorithm, value) in CHECK_VALUES {
        let name = format!("x-amz-checksum-{algorithm}");
        let body = framed(CHECK, 8192, &[&format!("{name}:{value}")]);
        let answer = put(&bucket, body, CHECK.len(), &name).send().ok(200);
        assert_eq!(answer.header(&name), Some(value), "{algorithm}");
        assert_eq!(answer.header("etag"), Some(etag(CHECK).as_str()));
        let got = bucket.get("k").header("x-amz-checksum-mode", "ENABLED").send().ok(200);
        assert_eq!((got.body.as_slice(), got.header(&name)), (CHECK, Some(value)));
        assert_eq!(got.header("content-encoding"), None);
    }
}

#[test]
fn bodies_of_many_chunks_with_and_without_http_chunking() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (size, chunk) in [(0, 8192), (1, 8192), (8192, 8192), (8193, 8192), (100_000, 65_536), (3_000_000, 1 << 20)] {
        let body = bytes(size, size as u64);
        let request = put(&bucket, framed(&body, chunk, &[&crc32_line(&body)]), size, "x-amz-checksum-crc32");
        request.send().ok(200);
        assert!(bucket.get("k").send().ok(200).body == body, "{size}");
        for http_chunk in [1 << 17, 4099] {
            request.clone().chunked(http_chunk).send().ok(200);
            assert!(bucket.get("k").send().ok(200).body == body, "{size} in {http_chunk}");
        }
    }
}

#[test]
fn what_clients_really_send_is_read() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let line = "x-amz-checksum-crc64nvme:jSnVw/bqjr4=";
    for (body, announced) in [
        // Recorded from the C++ SDK: upper-case size, and one line break more at the end.
        (format!("B\r\nhello world\r\n0\r\n{line}\r\n\r\n"), "x-amz-checksum-crc64nvme"),
        (format!("B\r\nhello world\r\n0\r\n{line}\r\n\r\n\r\n"), "x-amz-checksum-crc64nvme"),
        (format!("0b\r\nhello world\r\n0\r\n{line}\r\n\r\n"), "X-Amz-Checksum-Crc64nvme"),
        (
            "b\r\nhello world\r\n0\r\nX-Amz-Checksum-CRC64NVME: jSnVw/bqjr4=\r\n\r\n".to_owned(),
            "x-amz-checksum-crc64nvme",
        ),
    ] {
        let answer = put(&bucket, body.as_str(), 11, announced).send().ok(200);
        assert_eq!(answer.header("x-amz-checksum-crc64nvme"), Some("jSnVw/bqjr4="), "{body}");
        assert_eq!(bucket.get("k").send().ok(200).body, b"hello world");
        bucket.delete("k").send().ok(204);
    }
}

#[test]
fn a_body_split_at_every_byte_is_the_same_body() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let request = put(&bucket, framed(CHECK, 8192, &[&crc32_line(CHECK)]), CHECK.len(), "x-amz-checksum-crc32");
    let (head, whole) = (request.head(), request.bytes());
    let mut connection = gateway.connect();
    for at in head.len()..whole.len() {
        connection.write(&whole[..at]);
        connection.write(&whole[at..]);
        request.answer_on(&mut connection).ok(200);
    }
    for byte in &whole {
        connection.write([*byte]);
    }
    request.answer_on(&mut connection).ok(200);
    // And in HTTP chunks of one byte, so that every byte of the framing comes by itself.
    let answer = request.chunked(1).send_on(&mut connection).ok(200);
    assert_eq!(answer.header("etag"), Some(etag(CHECK).as_str()));
    assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, CHECK);
}

#[test]
fn trailers_that_are_not_as_announced() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let right = crc32_line(CHECK);
    let (wrong, junk) = (crc32_line(b"other"), "x-amz-checksum-crc32:junk");
    let other = format!("x-amz-checksum-crc32c:{}", checksum("crc32c", CHECK));
    let crc32 = "x-amz-checksum-crc32";
    for (trailers, announced, code) in [
        (vec![wrong.as_str()], crc32, "BadDigest"),
        (vec![junk], crc32, "InvalidRequest"),
        (vec![], crc32, "MalformedTrailerError"),
        (vec![&other], crc32, "MalformedTrailerError"),
        (vec![&right, &other], crc32, "MalformedTrailerError"),
        (vec![&right, &right], crc32, "MalformedTrailerError"),
        (vec!["no colon"], crc32, "MalformedTrailerError"),
        (vec![&right], "x-amz-checksum-crc99", "InvalidRequest"),
        (vec![&right], "content-length", "InvalidRequest"),
    ] {
        let body = framed(CHECK, 8192, &trailers);
        put(&bucket, body, CHECK.len(), announced).send().refused(400, code);
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
    let unannounced = bucket.put("k", framed(CHECK, 8192, &[&right])).payload_hash(MODE);
    unannounced.header("x-amz-decoded-content-length", "9").send().refused(400, "MalformedTrailerError");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn framing_that_lies() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let trailer = format!("{}\r\n\r\n", crc32_line(CHECK));
    for (body, length, codes) in [
        (format!("9\r\n123456789\r\n0\r\n{trailer}"), 10, ["IncompleteBody"].as_slice()),
        (format!("9\r\n123456789\r\n0\r\n{trailer}"), 8, &["InvalidRequest", "IncompleteBody"]),
        (format!("a\r\n123456789\r\n0\r\n{trailer}"), 9, &["InvalidRequest", "IncompleteBody"]),
        (format!("8\r\n123456789\r\n0\r\n{trailer}"), 9, &["InvalidRequest", "IncompleteBody"]),
        ("9\r\n123456789\r\n".to_owned(), 9, &["IncompleteBody"]),
        ("9\r\n12345".to_owned(), 9, &["IncompleteBody"]),
        ("9\r\n123456789\r\n0\r\n".to_owned(), 9, &["IncompleteBody", "MalformedTrailerError"]),
        (format!("-9\r\n123456789\r\n0\r\n{trailer}"), 9, &["InvalidRequest", "IncompleteBody"]),
        (format!("x\r\n123456789\r\n0\r\n{trailer}"), 9, &["InvalidRequest", "IncompleteBody"]),
        (format!("ffffffffffffffffff\r\n123456789\r\n0\r\n{trailer}"), 9, &["InvalidRequest", "IncompleteBody"]),
        (format!("{}9\r\n123456789\r\n0\r\n{trailer}", "0".repeat(4000)), 9, &["InvalidRequest"]),
        (format!("9\n123456789\n0\n{trailer}"), 9, &["InvalidRequest", "IncompleteBody"]),
        (format!("9\r\n123456789\r\n0\r\n{trailer}more"), 9, &["InvalidRequest", "MalformedTrailerError"]),
        ("123456789".to_owned(), 9, &["InvalidRequest", "IncompleteBody"]),
        (String::new(), 9, &["IncompleteBody"]),
        (String::new(), 0, &["IncompleteBody"]),
        (
            format!("9\r\n123456789\r\n0\r\n{}: {}\r\n\r\n", "x".repeat(5000), "y"),
            9,
            &["MalformedTrailerError", "InvalidRequest"],
        ),
    ] {
        let answer = put(&bucket, body.as_str(), length, "x-amz-checksum-crc32").send();
        let code = crate::xml::text(&answer.text(), "Code").unwrap_or_default();
        assert!(answer.status == 400 && codes.contains(&code.as_str()), "{} {code}: {body:.60}", answer.status);
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
}

#[test]
fn chunks_below_eight_kib_are_refused_but_for_the_last() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(20_000, 5);
    let request = |size| put(&bucket, framed(&body, size, &[&crc32_line(&body)]), body.len(), "x-amz-checksum-crc32");
    request(8191).send().refused(400, "InvalidChunkSizeError");
    request(1).send().refused(400, "InvalidChunkSizeError");
    bucket.get("k").send().refused(404, "NoSuchKey");
    request(8192).send().ok(200);
}

#[test]
fn the_decoded_length_is_needed_and_must_be_a_number() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = framed(CHECK, 8192, &[&crc32_line(CHECK)]);
    let bare = bucket.put("k", body).payload_hash(MODE).header("x-amz-trailer", "x-amz-checksum-crc32");
    bare.send().refused(411, "MissingContentLength");
    for junk in ["x", "-1", "", "9.0", "99999999999999999999999"] {
        bare.clone().header("x-amz-decoded-content-length", junk).send().refused(400, "InvalidArgument");
    }
    let huge = ((5_u64 << 30) + 1).to_string();
    bare.header("x-amz-decoded-content-length", &huge).send().refused(400, "EntityTooLarge");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn a_header_and_a_trailer_are_one_checksum_too_many() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let request = put(&bucket, framed(CHECK, 8192, &[&crc32_line(CHECK)]), 9, "x-amz-checksum-crc32");
    request.header("x-amz-checksum-sha256", &checksum("sha256", CHECK)).send().refused(400, "InvalidRequest");
}

#[test]
fn chunks_signed_with_ecdsa_are_not_built_and_say_so() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for mode in ["STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"] {
        bucket.put("k", "x").payload_hash(mode).send().refused(501, "NotImplemented");
    }
}

/// The mode says that nobody signs: a signature that nobody checks is refused, not believed.
#[test]
fn a_chunk_signature_has_no_place_in_an_unsigned_body() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = format!("9;chunk-signature={}\r\n123456789\r\n0\r\n{}\r\n\r\n", "a".repeat(64), crc32_line(CHECK));
    put(&bucket, body, CHECK.len(), "x-amz-checksum-crc32").send().refused(400, "InvalidRequest");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

/// What decides is x-amz-content-sha256: without a framed mode the bytes are the object, whatever the encoding says.
#[test]
fn the_encoding_alone_frames_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (encoding, stored) in [("aws-chunked", None), ("gzip, aws-chunked", Some("gzip"))] {
        bucket.put("k", "9\r\n123456789\r\n0\r\n\r\n").header("content-encoding", encoding).send().ok(200);
        let got = bucket.get("k").send().ok(200);
        assert_eq!(got.body, b"9\r\n123456789\r\n0\r\n\r\n");
        assert_eq!(got.header("content-encoding"), stored);
    }
}
