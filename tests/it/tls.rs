//! Over TLS everything is as without.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::certificate::Certificate;
use crate::digests::{bytes, checksum};
use crate::gateway::Launch;
use crate::process::directory;

#[test]
fn objects_and_uploads_go_over_tls() {
    let directory = directory();
    let gateway = Launch::on(&directory).tls(&Certificate::new(&directory, "own")).start();
    assert!(gateway.ready["s3"].as_str().unwrap().starts_with("https://"));
    let bucket = gateway.bucket();
    let body = bytes(3 << 20, 1);
    let mut connection = gateway.connect();
    bucket.put("k", body.clone()).unsigned_payload().send_on(&mut connection).ok(200);
    assert!(bucket.get("k").send_on(&mut connection).ok(200).body == body);
    let upload = bucket.upload("m");
    let (first, second) = (upload.put_part(1, bytes(5 << 20, 2)), upload.put_part(2, "end"));
    let text = upload.complete(&[(1, &first), (2, &second)]).send().ok(200).text();
    assert!(crate::xml::text(&text, "Location").unwrap().starts_with("https://"), "{text}");
    assert!(bucket.get("m").send().ok(200).body == [bytes(5 << 20, 2), b"end".to_vec()].concat());
    // What SDKs send over TLS: chunked twice, without a length.
    let framed = format!("b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:{}\r\n\r\n", checksum("crc32", "hello world"));
    let put = bucket.put("t", framed).payload_hash("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let put = put.header("x-amz-decoded-content-length", "11").header("x-amz-trailer", "x-amz-checksum-crc32");
    put.chunked(1 << 17).header("content-encoding", "aws-chunked").send().ok(200);
    assert_eq!(bucket.get("t").send().ok(200).body, b"hello world");
    gateway.ask_api("/health/ready").ok(200);
}

#[test]
fn refusals_reach_the_client_over_tls() {
    let directory = directory();
    let gateway = Launch::on(&directory).tls(&Certificate::new(&directory, "own")).start();
    let bucket = gateway.bucket();
    let put = bucket.put("k", bytes(200_000, 1)).unsigned_payload().anonymous();
    let mut connection = gateway.connect();
    connection.write(put.head());
    put.answer_on(&mut connection).refused(403, "AccessDenied");
    let waiting = bucket.put("k", "v").unsigned_header("expect", "100-continue");
    let mut connection = gateway.connect();
    connection.write(waiting.head());
    assert_eq!(connection.read_interim(), 100);
    connection.write("v");
    waiting.answer_on(&mut connection).ok(200);
}

#[test]
fn a_body_cut_off_within_tls_stores_nothing() {
    let directory = directory();
    let gateway = Launch::on(&directory).tls(&Certificate::new(&directory, "own")).start();
    let bucket = gateway.bucket();
    let whole = bucket.put("k", bytes(100_000, 1)).unsigned_payload().bytes();
    let mut connection = gateway.connect();
    connection.write(&whole[..whole.len() - 1]);
    connection.abandon();
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn plain_bytes_on_a_tls_port_do_no_harm() {
    let directory = directory();
    let gateway = Launch::on(&directory).tls(&Certificate::new(&directory, "own")).start();
    for bytes in [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".as_slice(), b"\x16\x03\x01\xff\xff", b"\0\0\0\0"] {
        let mut socket = TcpStream::connect(gateway.s3).unwrap();
        socket.set_read_timeout(Some(crate::http::PATIENCE)).unwrap();
        socket.write_all(bytes).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // An alert, or nothing; a reset is an answer too.
        let _ = socket.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
    gateway.request("GET", "/").send().ok(200);
}
