//! FilePond's chunks (<https://github.com/pqina/filepond>, `src/js/app/utils/processFileChunked.js`), as it sends them.

use crate::bucket::Bucket;
use crate::digests::bytes;
use crate::gateway::Gateway;
use crate::http::Answer;
use crate::tus_client::{Ask, code, number};

/// A form with these parts: name, file name, content.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"\r\nContent-Type: text/plain")).unwrap_or_default();
        form.extend_from_slice(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--b--\r\n");
    form
}

fn post<'a>(gateway: &'a Gateway, parts: &[(&str, Option<&str>, &[u8])]) -> Ask<'a> {
    let ask = Ask::plain(gateway, "POST", "/files/").header("Content-Type", "multipart/form-data; boundary=b");
    ask.body(form(parts))
}

/// An id for a file that comes in chunks, with this metadata.
fn begun(gateway: &Gateway, length: usize, metadata: &str) -> String {
    let ask = post(gateway, &[("filepond", None, metadata.as_bytes())]);
    let answer = ask.header("Upload-Length", &length.to_string()).send().ok(201);
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    let id = answer.text();
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "no escaping needed: {id}");
    id
}

fn into(bucket: &Bucket<'_>, key: &str) -> String {
    format!("{{\"bucket\":\"{}\",\"key\":\"{key}\",\"crop\":{{\"zoom\":1}}}}", bucket.name)
}

fn chunk<'a>(gateway: &'a Gateway, id: &str, (offset, length): (usize, usize), body: impl Into<Vec<u8>>) -> Ask<'a> {
    Ask::plain(gateway, "PATCH", &format!("/files/{id}"))
        .header("Upload-Offset", &offset.to_string())
        .header("Upload-Length", &length.to_string())
        .header("Upload-Name", "a file.txt")
        .bytes(body)
}

fn head<'a>(gateway: &'a Gateway, id: &str) -> Ask<'a> {
    Ask::plain(gateway, "HEAD", &format!("/files/?patch={id}"))
}

fn refused(answer: &Answer, status: u16, expected: &str) {
    assert_eq!((answer.status, code(answer).as_str()), (status, expected), "{}", answer.text());
}

#[test]
fn a_file_comes_in_chunks() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(25_000, 1);
    let id = begun(&gateway, body.len(), &into(&bucket, "k"));
    assert_eq!(number(&head(&gateway, &id).send().ok(200), "upload-offset"), Some(0));
    for (at, piece) in body.chunks(10_000).enumerate() {
        bucket.get("k").send().refused(404, "NoSuchKey");
        let answer = chunk(&gateway, &id, (at * 10_000, body.len()), piece).send().ok(204);
        let offset = (at * 10_000 + piece.len()) as u64;
        assert_eq!(number(&answer, "upload-offset"), Some(offset));
        assert_eq!(number(&head(&gateway, &id).send().ok(200), "upload-offset"), Some(offset));
    }
    assert!(bucket.get("k").send().ok(200).body == body);
    assert_eq!(number(&head(&gateway, &id).send().ok(200), "upload-length"), Some(25_000));
}

/// A file whose length is a multiple of the chunks' ends with a chunk of no bytes, and one of no bytes has only that.
#[test]
fn the_last_chunk_may_be_empty() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let id = begun(&gateway, 6, &into(&bucket, "k"));
    for (offset, piece) in [(0, "abc"), (3, "def"), (6, "")] {
        chunk(&gateway, &id, (offset, 6), piece).send().ok(204);
    }
    assert_eq!(bucket.get("k").send().ok(200).text(), "abcdef");
    let id = begun(&gateway, 0, &into(&bucket, "empty"));
    chunk(&gateway, &id, (0, 0), "").send().ok(204);
    assert_eq!(bucket.get("empty").send().ok(200).text(), "");
}

#[test]
fn a_chunk_whose_answer_was_lost_comes_again() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let pieces = [bytes(5_000, 1), bytes(100, 2), bytes(5_000, 3)];
    let length = 10_100;
    let id = begun(&gateway, length, &into(&bucket, "k"));
    let mut offset = 0;
    for piece in &pieces {
        for _ in 0..2 {
            chunk(&gateway, &id, (offset, length), piece.clone()).send().ok(204);
        }
        refused(&chunk(&gateway, &id, (offset, length), bytes(piece.len(), 9)).send(), 409, "Conflict");
        refused(&chunk(&gateway, &id, (offset, length), &piece[1..]).send(), 409, "Conflict");
        refused(&chunk(&gateway, &id, (offset + 1, length), "x").send(), 409, "Conflict");
        offset += piece.len();
    }
    assert!(bucket.get("k").send().ok(200).body == pieces.concat());
}

/// FilePond sends a chunk again from its beginning: half of one must not count.
#[test]
fn a_chunk_that_breaks_off_does_not_count() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let id = begun(&gateway, 200_000, &into(&bucket, "k"));
    chunk(&gateway, &id, (0, 200_000), bytes(100_000, 1)).send().ok(204);
    let broken = chunk(&gateway, &id, (100_000, 200_000), bytes(100_000, 2));
    let (head_of, wire) = broken.wire();
    let mut connection = broken.connect();
    connection.write(head_of);
    connection.write(&wire[..50_000]);
    connection.end_writing();
    let _ = connection.try_read_answer("PATCH");
    assert_eq!(number(&head(&gateway, &id).send().ok(200), "upload-offset"), Some(100_000));
    broken.send().ok(204);
    assert!(bucket.get("k").send().ok(200).body == [bytes(100_000, 1), bytes(100_000, 2)].concat());
}

#[test]
fn names_come_with_the_first_chunk() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let place = format!("{{\"bucket\":\"{}\",\"note\":\"x\"}}", bucket.name);
    for name in ["a%20b.txt", "%ED%95%9C.txt", "plain"] {
        let id = begun(&gateway, 1, &place);
        chunk(&gateway, &id, (0, 1), "x").header("Upload-Name", name).send().ok(204);
    }
    let keys = crate::xml::texts(&bucket.list().send().ok(200).text(), "Key");
    for name in ["-a b.txt", "-\u{d55c}.txt", "-plain"] {
        assert!(keys.iter().any(|key| key.ends_with(name)), "{name}: {keys:?}");
    }
    assert_eq!(bucket.head(&keys[0]).send().ok(200).header("x-amz-meta-note"), Some("x"));
}

#[test]
fn a_whole_file_comes_in_one_form() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (body, metadata) = (bytes(100_000, 1), into(&bucket, "k"));
    let ask = post(&gateway, &[("filepond", None, metadata.as_bytes()), ("filepond", Some("a.txt"), &body)]);
    let id = ask.send().ok(201).text();
    assert!(bucket.get("k").send().ok(200).body == body);
    assert_eq!(number(&head(&gateway, &id).send().ok(200), "upload-offset"), Some(100_000));
    let two = post(&gateway, &[("filepond", Some("a"), b"x"), ("filepond", Some("b"), b"y")]);
    refused(&two.send(), 400, "InvalidRequest");
    refused(&post(&gateway, &[("filepond", None, metadata.as_bytes())]).send(), 400, "InvalidRequest");
}

#[test]
fn an_upload_is_reverted() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let revert = |id: &str| Ask::plain(&gateway, "DELETE", "/files/").header("Content-Type", "text/plain").body(id);
    for path in [false, true] {
        let id = begun(&gateway, 6, &into(&bucket, "k"));
        revert(&id).send().ok(204);
        chunk(&gateway, &id, (0, 6), "abc").send().ok(204);
        match path {
            true => Ask::plain(&gateway, "DELETE", &format!("/files/{id}")).send().ok(204),
            false => revert(&id).send().ok(204),
        };
        refused(&chunk(&gateway, &id, (3, 6), "def").send(), 409, "Conflict");
        assert_eq!(number(&head(&gateway, &id).send().ok(200), "upload-offset"), Some(0), "it may begin again");
    }
    let id = begun(&gateway, 3, &into(&bucket, "k"));
    chunk(&gateway, &id, (0, 3), "abc").send().ok(204);
    refused(&revert(&id).send(), 403, "AccessDenied");
    bucket.head("k").send().ok(200);
    refused(&revert("nonsense").send(), 404, "NoSuchUpload");
    refused(&revert(&"x".repeat(5000)).send(), 413, "EntityTooLarge");
}

#[test]
fn what_is_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let id = begun(&gateway, 6, &into(&bucket, "k"));
    refused(&chunk(&gateway, &id, (0, 7), "abc").send(), 400, "InvalidRequest");
    refused(&chunk(&gateway, &id, (0, 6), "abcdefg").send(), 413, "EntityTooLarge");
    refused(&chunk(&gateway, &id, (3, 6), "abc").send(), 409, "Conflict");
    refused(
        &chunk(&gateway, &id, (0, 6), "abc").header("Content-Type", "text/plain").send(),
        415,
        "UnsupportedMediaType",
    );
    refused(&chunk(&gateway, &id, (0, 6), "abc").without("Upload-Offset").send(), 400, "InvalidRequest");
    refused(&chunk(&gateway, &id, (0, 6), "abc").anonymous().send(), 403, "AccessDenied");
    refused(&chunk(&gateway, "nonsense", (0, 6), "abc").send(), 404, "NoSuchUpload");
    assert_eq!(head(&gateway, "nonsense").send().status, 404);
    refused(&post(&gateway, &[]).header("Upload-Length", "53687091200001").send(), 413, "EntityTooLarge");
    refused(
        &post(&gateway, &[("filepond", Some("a"), b"x")]).header("Upload-Length", "1").send(),
        400,
        "InvalidRequest",
    );
    refused(&post(&gateway, &[]).anonymous().header("Upload-Length", "1").send(), 403, "AccessDenied");
    refused(&Ask::plain(&gateway, "GET", "/files/?load=x").send(), 501, "NotImplemented");
    refused(&Ask::plain(&gateway, "PUT", "/files/x").send(), 405, "MethodNotAllowed");
    let answer = Ask::plain(&gateway, "POST", "/files/").send();
    assert_eq!((answer.status, answer.header("tus-version")), (412, Some("1.0.0")), "neither tus nor a form");
    // An id is its holder's own: another finds nothing by it.
    chunk(&gateway, &id, (0, 6), "abc").send().ok(204);
    let other = gateway.key("readwrite");
    let basic = format!("Basic {}", crate::digests::base64(format!("{}:{}", other.id, other.secret)));
    let answer = head(&gateway, &id).header("Authorization", &basic).send().ok(200);
    assert_eq!(number(&answer, "upload-offset"), Some(0));
    assert_eq!(number(&head(&gateway, &id).send(), "upload-offset"), Some(3));
}
