//! HTTP framing by raw bytes: bodies cut off, lengths that lie, heads that are none.

use std::net::Shutdown;

use crate::digests::bytes;
use crate::gateway::Gateway;
use crate::http::Connection;
use crate::request::Request;

/// The status of the answer, or none when the gateway just closes.
fn status(connection: &mut Connection) -> Option<u16> {
    let answer = connection.try_read_answer("GET").ok()?;
    assert!(answer.header("date").is_some(), "{answer:?}");
    Some(answer.status)
}

/// A PUT of `k` whose framing headers are these lines, and behind its head these bytes.
fn with_framing(put: &Request<'_>, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = put.clone().own_framing().head();
    let head = head.strip_suffix("\r\n").unwrap();
    [format!("{head}{lines}\r\n").as_bytes(), body].concat()
}

#[test]
fn a_truncated_body_stores_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "old").send().ok(200);
    for size in [10, 5000, 3 << 20] {
        for unsigned in [false, true] {
            let put = bucket.put("k", bytes(size, 1));
            let put = if unsigned { put.unsigned_payload() } else { put };
            let whole = put.bytes();
            for missing in [1, size / 2, size] {
                let mut connection = gateway.connect();
                connection.write(&whole[..whole.len() - missing]);
                connection.end_writing();
                // The client still reads, so it is told.
                match connection.try_read_answer("PUT") {
                    Ok(answer) => drop(answer.refused(400, "IncompleteBody")),
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof),
                }
                assert_eq!(bucket.get("k").send().ok(200).body, b"old", "{missing} of {size} missing");
            }
        }
    }
}

#[test]
fn a_truncated_chunked_body_stores_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = b"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    let put = bucket.put("k", body).payload_hash("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let put = put.header("x-amz-decoded-content-length", "9").header("x-amz-trailer", "x-amz-checksum-crc32");
    let put = put.chunked(16);
    let (head, whole) = (put.head().len(), put.bytes());
    // Even when only HTTP's own last chunk is missing: what is not ended was cut off.
    for end in (head..whole.len()).step_by(7).chain([whole.len() - 1, whole.len() - 5]) {
        let mut connection = gateway.connect();
        connection.write(&whole[..end]);
        connection.end_writing();
        match connection.try_read_answer("PUT") {
            Ok(answer) => assert_eq!(answer.status, 400, "{}", answer.text()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof),
        }
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
    put.send().ok(200);
}

#[test]
fn lengths_that_are_none() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "hello").unsigned_payload();
    for lines in [
        "content-length: x\r\n",
        "content-length: -5\r\n",
        "content-length: +5\r\n",
        "content-length: 5.0\r\n",
        "content-length: 0x5\r\n",
        "content-length: \r\n",
        "content-length: 5 5\r\n",
        "content-length: 99999999999999999999999\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
    ] {
        let mut connection = gateway.connect();
        connection.write(with_framing(&put, lines, b"hello"));
        assert_eq!(status(&mut connection), Some(400), "{lines:?}");
        connection.assert_closes();
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
}

#[test]
fn codings_that_frame_nothing_smuggle_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "hello").unsigned_payload();
    let smuggled = bucket.put("smuggled", "").head();
    for (lines, statuses) in [
        // The coding wins over the length, RFC 9112 section 6.3: an empty body.
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n", [200].as_slice()),
        ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", &[200]),
        ("transfer-encoding: identity\r\n", &[400, 501]),
        ("transfer-encoding: chunked, identity\r\n", &[400, 501]),
        ("transfer-encoding: gzip\r\n", &[400, 501]),
        ("transfer-encoding: xchunked\r\ncontent-length: 5\r\n", &[400, 501]),
        ("transfer-encoding : chunked\r\ncontent-length: 5\r\n", &[400, 501]),
    ] {
        let mut connection = gateway.connect();
        let body = format!("0\r\n\r\n{smuggled}");
        // The gateway may answer and close before all of it was sent.
        let _ = connection.try_write(with_framing(&put, lines, body.as_bytes()));
        let answer = connection.try_read_answer("PUT");
        let status = answer.as_ref().map(|answer| answer.status).unwrap_or_default();
        assert!(statuses.contains(&status), "{lines:?}: {answer:?}");
        connection.assert_closes();
        bucket.get("smuggled").send().refused(404, "NoSuchKey");
    }
}

/// RFC 9112 section 6.3: such a request may be an attempt at smuggling; whatever the answer, the connection ends with it.
#[test]
fn after_a_length_beside_a_coding_the_connection_ends() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let payload = "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    let put = bucket.put("k", payload).payload_hash("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let put = put.header("x-amz-decoded-content-length", "9").header("x-amz-trailer", "x-amz-checksum-crc32");
    let chunked = format!("{:x}\r\n{payload}\r\n0\r\n\r\n", payload.len());
    let smuggled = bucket.put("smuggled", "").head();
    let lines = format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", chunked.len() + smuggled.len());
    let mut connection = gateway.connect();
    connection.write(with_framing(&put, &lines, format!("{chunked}{smuggled}").as_bytes()));
    let status = connection.read_answer("PUT").status;
    assert!(matches!(status, 200 | 400), "{status}");
    connection.assert_closes();
    bucket.get("smuggled").send().refused(404, "NoSuchKey");
}

#[test]
fn http_chunks_that_lie() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.put("k", "").payload_hash("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let put = put.header("x-amz-decoded-content-length", "9").header("x-amz-trailer", "x-amz-checksum-crc32");
    for body in [
        "zz\r\n9\r\n123456789\r\n0\r\n\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nx",
        "3\r\n9\r\nMORE\r\n0\r\n\r\n",
        "3;ext=\"\n\"\r\n9\r\n\r\n0\r\n\r\n",
        "\r\n\r\n",
    ] {
        let mut connection = gateway.connect();
        let _ = connection.try_write(with_framing(&put, "transfer-encoding: chunked\r\n", body.as_bytes()));
        connection.end_writing();
        let answer = connection.try_read_answer("PUT");
        let status = answer.as_ref().map_or(400, |answer| answer.status);
        assert_eq!(status, 400, "{body:?}: {answer:?}");
        bucket.get("k").send().refused(404, "NoSuchKey");
    }
}

#[test]
fn heads_that_are_none() {
    let gateway = Gateway::shared();
    for head in [
        "junk\r\n\r\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nna me: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: x\r\n\r\n",
        "G\0T / HTTP/1.1\r\nhost: x\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}",
    ] {
        let mut connection = gateway.connect();
        connection.write(head);
        connection.end_writing();
        let status = status(&mut connection);
        assert!(status.is_none_or(|status| status == 400 || status == 505), "{head:?}: {status:?}");
        connection.assert_closes();
    }
}

#[test]
fn heads_that_are_too_long() {
    let gateway = Gateway::shared();
    let get = || gateway.request("GET", "/");
    // What AWS takes is taken.
    get().header("x-amz-meta-a", &"a".repeat(7000)).send().ok(200);
    // Up to a limit there is an error document, and the connection goes on.
    let mut connection = gateway.connect();
    let many = (0..3).fold(get(), |get, n| get.header(&format!("x-filler-{n}"), &"a".repeat(7000)));
    let answer = many.send_on(&mut connection);
    assert!(answer.status == 400 || answer.status == 431, "{answer:?}");
    for head in [
        get().header("x-filler", &"a".repeat(100_000)).head(),
        (0..500).fold(get(), |get, n| get.header(&format!("x-filler-{n}"), "a")).head(),
        get().head().replacen(" HTTP/1.1", &format!("?x-filler={} HTTP/1.1", "a".repeat(100_000)), 1),
        format!("GET / HTTP/1.1\r\nhost: {}\r\nx-never-ending: {}", gateway.s3, "a".repeat(1 << 20)),
        "A".repeat(1 << 20),
    ] {
        let mut connection = gateway.connect();
        // The gateway may refuse before all of it was sent.
        let _ = connection.try_write(&head);
        let status = status(&mut connection);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{:.60}: {status:?}", head);
    }
    get().send().ok(200);
}

#[test]
fn requests_in_a_row_are_answered_in_order() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let requests = [
        ("PUT", bucket.put("a", "one")),
        ("GET", bucket.get("a")),
        ("HEAD", bucket.head("a")),
        ("GET", bucket.get("missing")),
        ("PUT", bucket.put("a", bytes(20_000, 1))),
        ("GET", bucket.get("a")),
        ("DELETE", bucket.delete("a")),
        ("GET", bucket.get("a")),
    ];
    let mut connection = gateway.connect();
    connection.write(requests.iter().flat_map(|(_, request)| request.bytes()).collect::<Vec<_>>());
    let answers: Vec<_> = requests.iter().map(|(method, _)| connection.read_answer(method)).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 404, 200, 200, 204, 404]);
    assert_eq!(answers[1].body, b"one");
    assert_eq!(answers[5].body, bytes(20_000, 1));
}

#[test]
fn an_early_refusal_reaches_a_client_that_keeps_sending() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(8 << 20, 1);
    let put = |path: &str| gateway.request("PUT", path).unsigned_payload().body(body.clone());
    let own = format!("/{}/k", bucket.name);
    for (request, status, code) in [
        (put(&own).anonymous(), 403, "AccessDenied"),
        (put(&own).signer(|signer| signer.secret_key.push('x')), 403, "SignatureDoesNotMatch"),
        (put("/it-no-such-bucket/k"), 404, "NoSuchBucket"),
        (put(&own).header("x-amz-storage-class", "GLACIER"), 501, "NotImplemented"),
        (put(&own).header("content-md5", "junk"), 400, "InvalidDigest"),
        (put(&own).query("partNumber", "1").query("uploadId", "junk"), 404, "NoSuchUpload"),
    ] {
        let mut connection = gateway.connect();
        let mut writer = connection.writer();
        let bytes = request.bytes();
        std::thread::scope(|scope| {
            let sending = scope.spawn(move || std::io::Write::write_all(&mut writer, &bytes));
            let answer = request.answer_on(&mut connection);
            assert!(answer.closes(), "{code}: unread bytes may follow: {answer:?}");
            answer.refused(status, code);
            // Whether all of it was taken is the gateway's business; that the answer came through is ours.
            drop(sending.join().unwrap());
        });
    }
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn a_small_body_left_unread_does_not_become_the_next_request() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let smuggled = bucket.put("smuggled", "").head();
    let put = gateway.request("PUT", "/it-no-such-bucket/k").unsigned_payload().body(smuggled);
    let mut connection = gateway.connect();
    let answer = put.send_on(&mut connection);
    let closes = answer.closes();
    answer.refused(404, "NoSuchBucket");
    if closes {
        connection.assert_closes();
    } else {
        bucket.get("smuggled").send_on(&mut connection).refused(404, "NoSuchKey");
    }
    bucket.get("smuggled").send().refused(404, "NoSuchKey");
}

#[test]
fn clients_that_go_away_at_any_point_hurt_nobody() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let whole = bucket.put("k", bytes(300, 1)).bytes();
    for end in (0..whole.len()).step_by(17) {
        let mut connection = gateway.connect();
        connection.write(&whole[..end]);
        connection.writer().shutdown(Shutdown::Both).unwrap();
    }
    bucket.get("k").send().refused(404, "NoSuchKey");
    bucket.put("k", "v").send().ok(200);
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let mut connection = gateway.connect();
    connection.write(bucket.get("k").head().replace("HTTP/1.1", "HTTP/1.0"));
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut connection.writer(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("HTTP/1.0 200") || text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.ends_with("\r\n\r\nv"), "{text}");
}

#[test]
fn a_body_where_none_belongs_is_read_away() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let smuggled = bucket.put("smuggled", "").head();
    let mut connection = gateway.connect();
    for (request, status) in [(bucket.get("k"), 200), (bucket.delete("missing"), 204), (bucket.list(), 200)] {
        let answer = request.body(smuggled.clone()).send_on(&mut connection).ok(status);
        assert!(!answer.closes(), "so small a body is no reason to close: {answer:?}");
    }
    assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, b"v");
    bucket.get("smuggled").send().refused(404, "NoSuchKey");
}
