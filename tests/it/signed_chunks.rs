//! Bodies whose every chunk is signed: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.

use crate::bucket::Bucket;
use crate::certificate::Certificate;
use crate::digests::{CHECK, bytes, checksum, etag};
use crate::gateway::{Gateway, Launch};
use crate::process::directory;
use crate::request::Request;
use crate::signer::ChunkSigner;
use crate::xml;

const MODE: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

/// One chunk with its signature. The framing around it may be changed before it is sent.
#[derive(Clone)]
pub(crate) struct Chunk {
    pub size: String,
    pub signature: String,
    pub data: Vec<u8>,
}

impl Chunk {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let line = format!("{};chunk-signature={}\r\n", self.size, self.signature);
        let end: &[u8] = if self.data.is_empty() { b"" } else { b"\r\n" };
        [line.as_bytes(), &self.data, end].concat()
    }
}

/// `body` in chunks of at most `size` bytes, the empty one at the end included.
pub(crate) fn chunks(signer: &mut ChunkSigner, body: &[u8], size: usize) -> Vec<Chunk> {
    let chunks = body.chunks(size).chain([b"".as_slice()]);
    chunks
        .map(|data| Chunk { size: format!("{:x}", data.len()), signature: signer.chunk(data), data: data.to_vec() })
        .collect()
}

/// The chunks on the wire, and what follows them.
pub(crate) fn framed(chunks: &[Chunk], end: &str) -> Vec<u8> {
    let mut out = chunks.iter().flat_map(Chunk::bytes).collect::<Vec<u8>>();
    out.extend_from_slice(end.as_bytes());
    out
}

/// The PUT of a body of `length` bytes in signed chunks, still without them.
fn put<'a>(bucket: &Bucket<'a>, length: usize) -> Request<'a> {
    let put = bucket.put("k", "").payload_hash(MODE).header("content-encoding", "aws-chunked");
    put.header("x-amz-decoded-content-length", &length.to_string())
}

/// The same with them.
fn whole<'a>(bucket: &Bucket<'a>, body: &[u8], size: usize) -> Request<'a> {
    let put = put(bucket, body.len());
    let chunks = chunks(&mut put.chunk_signer(), body, size);
    put.body(framed(&chunks, "\r\n"))
}

#[test]
fn bodies_of_any_size_with_and_without_http_chunking() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (size, chunk) in [(0, 8192), (1, 8192), (8192, 8192), (8193, 8192), (66_560, 65_536), (3_000_000, 81_920)] {
        let body = bytes(size, size as u64);
        let put = whole(&bucket, &body, chunk);
        let answer = put.send().ok(200);
        assert_eq!(answer.header("etag"), Some(etag(&body).as_str()), "{size}");
        let got = bucket.get("k").send().ok(200);
        assert!(got.body == body && got.header("content-encoding").is_none(), "{size}");
        put.chunked(4099).send().ok(200);
        assert!(bucket.get("k").send().ok(200).body == body, "{size} within HTTP's chunks");
    }
}

#[test]
fn one_chunk_as_large_as_the_body_is_streamed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(20 << 20, 3);
    whole(&bucket, &body, body.len()).send().ok(200);
    assert!(bucket.get("k").send().ok(200).body == body);
}

#[test]
fn a_body_split_at_every_byte_is_the_same_body() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let request = whole(&bucket, CHECK, 8192);
    let (head, whole) = (request.head(), request.bytes());
    let mut connection = gateway.connect();
    for at in (head.len()..whole.len()).step_by(3) {
        connection.write(&whole[..at]);
        connection.write(&whole[at..]);
        request.answer_on(&mut connection).ok(200);
    }
    for byte in &whole {
        connection.write([*byte]);
    }
    request.answer_on(&mut connection).ok(200);
    request.chunked(1).send_on(&mut connection).ok(200);
    assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, CHECK);
}

#[test]
fn parts_come_in_signed_chunks_too() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("m");
    let body = bytes(100_000, 7);
    let part = upload.request("PUT").query("partNumber", "1").payload_hash(MODE);
    let part = part.header("x-amz-decoded-content-length", "100000");
    let signed = chunks(&mut part.chunk_signer(), &body, 65_536);
    let answer = part.body(framed(&signed, "\r\n")).send().ok(200);
    upload.complete(&[(1, answer.header("etag").unwrap())]).send().ok(200);
    assert!(bucket.get("m").send().ok(200).body == body);
}

#[test]
fn documents_come_in_signed_chunks_too() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let document = b"<Delete><Object><Key>k</Key></Object></Delete>";
    let request = bucket.request("POST").raw_query("delete").payload_hash(MODE);
    let request = request.header("x-amz-decoded-content-length", &document.len().to_string());
    let request = request.header("x-amz-checksum-crc32", &checksum("crc32", document));
    let signed = chunks(&mut request.chunk_signer(), document, 8192);
    let mut wrong = signed.clone();
    wrong[0].data[20] ^= 1;
    request.clone().body(framed(&wrong, "\r\n")).send().refused(403, "SignatureDoesNotMatch");
    assert_eq!(bucket.keys(), ["k"]);
    request.body(framed(&signed, "\r\n")).send().ok(200);
    assert!(bucket.keys().is_empty());
}

/// A signed body whose first, middle and last chunks are changed, one at a time; none may leave a trace.
#[test]
fn a_chunk_that_was_not_signed_so_stores_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(3 << 20, 9);
    let put = put(&bucket, body.len());
    let good = chunks(&mut put.chunk_signer(), &body, 65_536);
    let last = good.len() - 1;
    let mut bodies = Vec::new();
    for at in [0, 1, last / 2, last - 1] {
        let mut data = good.clone();
        data[at].data[1000] ^= 1;
        bodies.push((format!("a bit of chunk {at}"), data));
    }
    for at in [0, last / 2, last - 1, last] {
        let mut signature = good.clone();
        signature[at].signature = good[(at + 1) % good.len()].signature.clone();
        bodies.push((format!("the signature of chunk {at}"), signature));
        let mut none = good.clone();
        none[at].signature.clear();
        bodies.push((format!("no signature at chunk {at}"), none));
    }
    let mut swapped = good.clone();
    swapped.swap(1, 2);
    bodies.push(("two chunks swapped".to_owned(), swapped));
    let mut repeated = good.clone();
    repeated[2] = good[1].clone();
    bodies.push(("a chunk repeated".to_owned(), repeated));
    for (case, chunks) in bodies {
        let text = put.clone().body(framed(&chunks, "\r\n")).send().refused(403, "SignatureDoesNotMatch");
        let signed = xml::text(&text, "StringToSign").unwrap();
        assert!(signed.starts_with("AWS4-HMAC-SHA256-PAYLOAD\n"), "{case}: {signed}");
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
    put.body(framed(&good, "\r\n")).send().ok(200);
}

#[test]
fn the_chunks_of_another_request_are_not_this_ones() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let other = put(&bucket, CHECK.len()).header("x-amz-meta-a", "b");
    let signed = chunks(&mut other.chunk_signer(), CHECK, 8192);
    let put = put(&bucket, CHECK.len());
    put.clone().body(framed(&signed, "\r\n")).send().refused(403, "SignatureDoesNotMatch");
    let mut stranger = put.clone().signer(|signer| signer.secret_key.push('x')).chunk_signer();
    let signed = chunks(&mut stranger, CHECK, 8192);
    put.body(framed(&signed, "\r\n")).send().refused(403, "SignatureDoesNotMatch");
    bucket.get("k").send().refused(404, "NoSuchKey");
    other.clone().body(framed(&chunks(&mut other.chunk_signer(), CHECK, 8192), "\r\n")).send().ok(200);
}

#[test]
fn a_body_without_its_end_stores_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(20_000, 2);
    let put = put(&bucket, body.len());
    let good = chunks(&mut put.chunk_signer(), &body, 8192);
    for (case, body) in [
        ("no last chunk", framed(&good[..3], "")),
        ("no chunk at all", Vec::new()),
        ("two chunks", framed(&good[..2], "")),
        ("the last chunk early", framed(&[good[0].clone(), good[3].clone()], "\r\n")),
        ("cut within a chunk", framed(&good, "")[..9000].to_vec()),
        ("cut within a signature", framed(&good, "")[..40].to_vec()),
        ("no empty line", framed(&good, "")),
    ] {
        for put in [put.clone(), put.clone().chunked(5000)] {
            let text = String::from_utf8_lossy(&put.body(body.clone()).send().body).into_owned();
            let code = xml::text(&text, "Code").unwrap();
            assert_eq!(code, "IncompleteBody", "{case}: {text}");
            bucket.get("k").send().refused(404, "NoSuchKey");
        }
    }
}

#[test]
fn framing_as_clients_write_it_and_as_none_does() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(10_000, 4);
    let put = put(&bucket, body.len());
    let good = chunks(&mut put.chunk_signer(), &body, 10_000);
    for (size, end) in [("2710", "\r\n"), ("2710", "\r\n\r\n"), ("00002710", "\r\n")] {
        let mut spelt = good.clone();
        spelt[0].size = size.to_owned();
        put.clone().body(framed(&spelt, end)).send().ok(200);
    }
    bucket.delete("k").send().ok(204);
    for (change, with) in [
        (";chunk-signature=", ";signature="),
        (";chunk-signature=", "; chunk-signature="),
        (";chunk-signature=", ";x=y;chunk-signature="),
        ("2710;", "0x2710;"),
        ("2710;", "-2710;"),
        ("2710;", ";"),
    ] {
        let line = format!("2710;chunk-signature={}\r\n", good[0].signature);
        let mut wrong = line.replacen(change, with, 1).into_bytes();
        wrong.extend_from_slice(&framed(&good, "\r\n")[line.len()..]);
        put.clone().body(wrong).send().refused(400, "InvalidRequest");
    }
    put.clone().body(framed(&good, "\r\nmore")).send().refused(400, "InvalidRequest");
    put.body(framed(&good, "x-amz-meta-a:b\r\n\r\n")).send().refused(400, "MalformedTrailerError");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn lengths_and_sizes_are_held_to() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(20_000, 5);
    for (length, code) in [(19_999, "InvalidRequest"), (20_001, "IncompleteBody"), (0, "InvalidRequest")] {
        let put = put(&bucket, length);
        let signed = chunks(&mut put.chunk_signer(), &body, 20_000);
        put.body(framed(&signed, "\r\n")).send().refused(400, code);
    }
    whole(&bucket, &body, 8191).send().refused(400, "InvalidChunkSizeError");
    let bare = bucket.put("k", "").payload_hash(MODE);
    bare.clone().send().refused(411, "MissingContentLength");
    bare.clone().chunked(10).send().refused(411, "MissingContentLength");
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn a_checksum_in_a_header_is_verified_beside_the_signatures() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for algorithm in ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] {
        let name = format!("x-amz-checksum-{algorithm}");
        for (value, good) in [(checksum(algorithm, CHECK), true), (checksum(algorithm, b"other"), false)] {
            let put = put(&bucket, CHECK.len()).header(&name, &value);
            let signed = chunks(&mut put.chunk_signer(), CHECK, 8192);
            let answer = put.body(framed(&signed, "\r\n")).send();
            match good {
                true => assert_eq!(answer.ok(200).header(&name), Some(value.as_str())),
                false => drop(answer.refused(400, "BadDigest")),
            }
        }
    }
    let put = put(&bucket, CHECK.len()).header("x-amz-trailer", "x-amz-checksum-crc32");
    put.body("").send().refused(400, "InvalidRequest");
}

#[test]
fn nobody_is_anonymous_in_signed_chunks() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = put(&bucket, 9).header("x-amz-content-sha256", MODE).anonymous();
    put.body("9;chunk-signature=0\r\n123456789\r\n0;chunk-signature=0\r\n\r\n").send().refused(400, "InvalidRequest");
}

#[test]
fn the_same_over_tls() {
    let directory = directory();
    let gateway = Launch::on(&directory).tls(&Certificate::new(&directory, "own")).start();
    let bucket = gateway.bucket();
    let body = bytes(1 << 20, 6);
    whole(&bucket, &body, 65_536).send().ok(200);
    whole(&bucket, &body, 81_920).chunked(1 << 17).send().ok(200);
    assert!(bucket.get("k").send().ok(200).body == body);
    let mut wrong = whole(&bucket, &body, 65_536).bytes();
    let at = wrong.len() - 1000;
    wrong[at] ^= 1;
    let mut connection = gateway.connect();
    connection.write(wrong);
    connection.read_answer("PUT").refused(403, "SignatureDoesNotMatch");
    assert!(bucket.get("k").send().ok(200).body == body);
}
