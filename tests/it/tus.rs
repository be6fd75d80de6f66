//! tus 1.0.0 (<https://tus.io/protocols/resumable-upload>): each sentence of it that a client can see.

use crate::bucket::Bucket;
use crate::digests::{base64, bytes, checksum, md5, now_seconds, parse_http_date};
use crate::gateway::{ACCESS_KEY, Gateway, Launch, SECRET_KEY};
use crate::http::Answer;
use crate::process::poll;
use crate::tus_client::{Ask, code, metadata, number};

const WEEK: i64 = 7 * 24 * 3600;

fn refused(answer: &Answer, status: u16, expected: &str) {
    assert_eq!((answer.status, code(answer).as_str()), (status, expected), "{}", answer.text());
}

/// With another value of a header, or without it.
fn with<'a>(ask: Ask<'a>, name: &str, value: Option<&str>) -> Ask<'a> {
    match value {
        Some(value) => ask.header(name, value),
        None => ask.without(name),
    }
}

fn assert_expires_in_a_week(answer: &Answer) {
    let expires = parse_http_date(answer.header("upload-expires").unwrap());
    assert!((expires - now_seconds() - WEEK).abs() <= 5, "{answer:?}");
}

#[test]
fn whoever_asks_is_told_what_is_spoken() {
    let gateway = Gateway::shared();
    for path in ["/files", "/files/", "/files/x"] {
        let answer = Ask::plain(&gateway, "OPTIONS", path).anonymous().send().ok(204);
        assert_eq!(answer.header("tus-version"), Some("1.0.0"));
        assert_eq!(answer.header("tus-max-size"), Some("53687091200000"));
        assert_eq!(answer.header("tus-resumable"), None);
        let extensions: Vec<_> = answer.header("tus-extension").unwrap().split(',').collect();
        for extension in [
            "creation",
            "creation-with-upload",
            "creation-defer-length",
            "expiration",
            "checksum",
            "termination",
            "concatenation",
        ] {
            assert!(extensions.contains(&extension), "{extensions:?}");
        }
        assert!(answer.header("tus-checksum-algorithm").unwrap().split(',').any(|algorithm| algorithm == "sha1"));
        // A version that is not spoken here is no reason not to say which is.
        Ask::plain(&gateway, "OPTIONS", path).anonymous().header("Tus-Resumable", "9").send().ok(204);
    }
}

#[test]
fn an_upload_from_its_beginning_to_its_end() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (first, second) = (bytes(70_000, 1), bytes(30_000, 2));
    let said = format!(
        "{},is_confidential,raw {}",
        metadata(&[
            ("bucket", &bucket.name),
            ("key", "a/b"),
            ("filename", "b.txt"),
            ("filetype", "text/plain"),
            ("note", "x")
        ]),
        base64([0xff_u8])
    );
    let created = bucket.begin("").header("Upload-Metadata", &said).header("Upload-Length", "100000").send().ok(201);
    assert_expires_in_a_week(&created);
    let path = created.header("location").unwrap();
    assert!(path.starts_with("/files/"), "relative, so right behind every proxy: {path}");

    let look = |offset: &str| {
        let answer = gateway.tus("HEAD", path).send().ok(200);
        assert_eq!((answer.header("upload-offset"), answer.header("upload-length")), (Some(offset), Some("100000")));
        assert_eq!(answer.header("upload-metadata"), Some(said.as_str()));
        assert_eq!((answer.header("upload-defer-length"), answer.header("upload-concat")), (None, None));
        answer
    };
    assert_expires_in_a_week(&look("0"));
    let answer = gateway.patch(path, 0, first.clone()).send().ok(204);
    assert_eq!(number(&answer, "upload-offset"), Some(70_000));
    assert_expires_in_a_week(&answer);
    assert_expires_in_a_week(&look("70000"));
    bucket.get("a/b").send().refused(404, "NoSuchKey");
    let answer = gateway.patch(path, 70_000, second.clone()).send().ok(204);
    assert_eq!(number(&answer, "upload-offset"), Some(100_000));
    assert_eq!(answer.header("upload-expires"), None);
    assert_eq!(look("100000").header("upload-expires"), None);

    let object = bucket.get("a/b").send().ok(200);
    assert!(object.body == [first, second].concat());
    assert_eq!(object.header("content-type"), Some("text/plain"));
    assert_eq!(object.header("x-amz-meta-note"), Some("x"));
    assert_eq!(object.header("x-amz-meta-is_confidential"), Some(""));
    assert_eq!(object.header("x-amz-meta-raw"), None, "no header can carry it");

    // What is complete stays, and says so.
    gateway.patch(path, 100_000, "").send().ok(204);
    refused(&gateway.patch(path, 100_000, "x").send(), 413, "EntityTooLarge");
    refused(&gateway.patch(path, 100_000, "x").chunked().send(), 413, "EntityTooLarge");
    refused(&gateway.patch(path, 70_000, bytes(30_000, 2)).send(), 409, "Conflict");
    refused(&gateway.tus("DELETE", path).send(), 403, "AccessDenied");
    look("100000");
    bucket.head("a/b").send().ok(200);
}

#[test]
fn only_version_1_0_0_is_spoken() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 3);
    for version in [Some("0.2.2"), Some("1.0.1"), Some(""), None] {
        let mut asks = vec![gateway.tus("HEAD", &path), gateway.patch(&path, 0, "abc"), gateway.tus("DELETE", &path)];
        asks.extend(version.map(|_| bucket.begin("other").header("Upload-Length", "0")));
        for ask in asks {
            let answer = with(ask, "Tus-Resumable", version).send();
            assert_eq!((answer.status, answer.header("tus-version")), (412, Some("1.0.0")), "{version:?}");
        }
    }
    assert_eq!(gateway.offset(&path), 0, "nothing was done");
    bucket.get("other").send().refused(404, "NoSuchKey");
}

#[test]
fn a_header_may_name_the_method() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 6);
    let post = |method: &str| gateway.tus("POST", &path).header("X-HTTP-Method-Override", method);
    let answer = post("PATCH").header("Upload-Offset", "0").bytes("abc").send().ok(204);
    assert_eq!(answer.header("upload-offset"), Some("3"));
    assert_eq!(post("HEAD").send().ok(200).header("upload-offset"), Some("3"));
    // A request that only looks does nothing else, whatever it says.
    let disguised = |method: &str| gateway.tus(method, &path).header("X-HTTP-Method-Override", "DELETE").send();
    refused(&disguised("GET"), 405, "MethodNotAllowed");
    assert_eq!(disguised("HEAD").ok(200).header("upload-offset"), Some("3"));
    refused(&post("PUT").send(), 405, "MethodNotAllowed");
    refused(&post("P\u{40}T CH").send(), 405, "MethodNotAllowed");
    refused(&gateway.tus("GET", &path).send(), 405, "MethodNotAllowed");
    refused(&gateway.tus("PATCH", "/files/").send(), 405, "MethodNotAllowed");
    refused(&gateway.tus("POST", &format!("{path}/x")).send(), 404, "NotFound");
    post("DELETE").send().ok(204);
    assert_eq!(gateway.tus("HEAD", &path).send().status, 404);
}

#[test]
fn bytes_that_do_not_fit_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 10);
    gateway.patch(&path, 0, "abcd").send().ok(204);
    for offset in [0, 3, 5, 10] {
        refused(&gateway.patch(&path, offset, "").send(), 409, "Conflict");
        refused(&gateway.patch(&path, offset, "x").send(), 409, "Conflict");
    }
    // Blanks around a value are no part of it.
    gateway.patch(&path, 0, "x").header("Upload-Offset", "4 ").send().ok(204);
    for offset in ["", "-1", "x", "99999999999999999999"] {
        refused(&gateway.patch(&path, 0, "x").header("Upload-Offset", offset).send(), 400, "InvalidRequest");
    }
    assert_eq!(gateway.offset(&path), 5);
    refused(&gateway.patch(&path, 5, "x").without("Upload-Offset").send(), 400, "InvalidRequest");
    for kind in ["application/octet-stream", "text/plain", ""] {
        refused(&gateway.patch(&path, 5, "x").header("Content-Type", kind).send(), 415, "UnsupportedMediaType");
    }
    refused(&gateway.patch(&path, 5, "x").without("Content-Type").send(), 415, "UnsupportedMediaType");
    refused(&gateway.patch(&path, 5, "x").header("Upload-Length", "11").send(), 400, "InvalidRequest");
    // Too many bytes: said before one is asked for, where their number is known, and in any case not stored.
    let ask = gateway.patch(&path, 5, "abcdef").header("Expect", "100-continue");
    let mut connection = ask.connect();
    connection.write(ask.wire().0);
    let answer = ask.answer_on(&mut connection);
    assert!(answer.interim.is_empty());
    refused(&answer, 413, "EntityTooLarge");
    refused(&gateway.patch(&path, 5, "abcdef").chunked().send(), 413, "EntityTooLarge");
    assert_eq!(gateway.offset(&path), 5);
    gateway.patch(&path, 5, "").send().ok(204);
    gateway.patch(&path, 5, "vwxyz").chunked().header("Upload-Length", "10").send().ok(204);
    assert_eq!(bucket.get("k").send().ok(200).text(), "abcdxvwxyz");
}

#[test]
fn unknown_uploads_are_not_found() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let known = bucket.begun("k", 10);
    let other = known.replace(&known[known.len() - 1..], "0").replace("/files/", "");
    let s3 = bucket.upload("k").id;
    for id in ["x", "00000000000000000000000000000000", &other, &s3, "%2e%2e"] {
        let path = format!("/files/{id}");
        if path == known {
            continue;
        }
        let answer = gateway.tus("HEAD", &path).send();
        assert_eq!((answer.status, answer.header("upload-offset")), (404, None), "{id}");
        refused(&gateway.patch(&path, 0, "x").send(), 404, "NoSuchUpload");
        refused(&gateway.tus("DELETE", &path).send(), 404, "NoSuchUpload");
    }
}

#[test]
fn what_cannot_begin() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let begin = || bucket.begin("k");
    refused(&begin().send(), 400, "InvalidRequest");
    for length in ["", "-1", "1.5", "x", "99999999999999999999"] {
        refused(&begin().header("Upload-Length", length).send(), 400, "InvalidRequest");
    }
    refused(&begin().header("Upload-Length", "53687091200001").send(), 413, "EntityTooLarge");
    begin().header("Upload-Length", "53687091200000").send();
    for defer in ["0", "2", "true"] {
        refused(&begin().header("Upload-Defer-Length", defer).send(), 400, "InvalidRequest");
    }
    refused(&begin().header("Upload-Length", "1").header("Upload-Defer-Length", "1").send(), 400, "InvalidRequest");
    let long = metadata(&[("bucket", &bucket.name), ("key", &"x".repeat(1025))]);
    let huge = metadata(&[("bucket", &bucket.name), ("a", &"x".repeat(5000))]);
    for bad in ["a b c", "a,a", ",", "filename /w==", "bucket QQ==", "type YQo=", long.as_str(), huge.as_str()] {
        let answer = begin().header("Upload-Length", "1").header("Upload-Metadata", bad).send();
        refused(&answer, 400, "InvalidRequest");
    }
    let nowhere = metadata(&[("bucket", "no-such-bucket"), ("key", "k")]);
    refused(&begin().header("Upload-Length", "1").header("Upload-Metadata", &nowhere).send(), 404, "NoSuchBucket");
    refused(&begin().header("Upload-Length", "1").body("x").send(), 415, "UnsupportedMediaType");
    refused(&begin().header("Upload-Length", "1").bytes("xy").send(), 413, "EntityTooLarge");
    refused(&begin().header("Upload-Length", "1").bytes("xy").chunked().send(), 413, "EntityTooLarge");
    refused(&begin().header("Upload-Length", "1").header("Upload-Concat", "whole").send(), 400, "InvalidRequest");
    gateway.administer(&["bucket", "quota", &bucket.name, "1000"]);
    refused(&begin().header("Upload-Length", "1001").send(), 403, "QuotaExceeded");
    begin().header("Upload-Length", "1000").send().ok(201);
}

#[test]
fn an_upload_may_begin_with_bytes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let answer = bucket.begin("k").header("Upload-Length", "6").bytes("abc").send().ok(201);
    assert_eq!(answer.header("upload-offset"), Some("3"));
    assert_expires_in_a_week(&answer);
    let path = answer.header("location").unwrap();
    gateway.patch(path, 3, "def").send().ok(204);
    assert_eq!(bucket.get("k").send().ok(200).text(), "abcdef");

    let whole = bucket.begin("whole").header("Upload-Length", "3").bytes("abc").header("Expect", "100-continue");
    let mut connection = whole.connect();
    let (head, body) = whole.wire();
    connection.write(head);
    assert_eq!(connection.read_interim(), 100);
    connection.write(body);
    let answer = whole.answer_on(&mut connection).ok(201);
    assert_eq!((answer.header("upload-offset"), answer.header("upload-expires")), (Some("3"), None));
    assert_eq!(bucket.get("whole").send().ok(200).text(), "abc");

    let answer = bucket.begin("empty").header("Upload-Length", "0").send().ok(201);
    assert_eq!(gateway.offset(answer.header("location").unwrap()), 0);
    assert_eq!(bucket.get("empty").send().ok(200).text(), "");
}

#[test]
fn a_length_may_be_said_later() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let begin = |key| {
        let answer = bucket.begin(key).header("Upload-Defer-Length", "1").send().ok(201);
        answer.header("location").unwrap().to_owned()
    };
    let look = |path: &str| {
        let answer = gateway.tus("HEAD", path).send().ok(200);
        (answer.header("upload-length").map(str::to_owned), answer.header("upload-defer-length").map(str::to_owned))
    };
    let path = begin("k");
    assert_eq!(look(&path), (None, Some("1".to_owned())));
    gateway.patch(&path, 0, "abc").send().ok(204);
    assert_eq!(look(&path), (None, Some("1".to_owned())));
    refused(&gateway.patch(&path, 3, "x").header("Upload-Length", "2").send(), 400, "InvalidRequest");
    refused(&gateway.patch(&path, 3, "x").header("Upload-Length", "53687091200001").send(), 413, "EntityTooLarge");
    gateway.patch(&path, 3, "de").header("Upload-Length", "6").send().ok(204);
    assert_eq!(look(&path), (Some("6".to_owned()), None));
    refused(&gateway.patch(&path, 5, "x").header("Upload-Length", "7").send(), 400, "InvalidRequest");
    gateway.patch(&path, 5, "f").send().ok(204);
    assert_eq!(bucket.get("k").send().ok(200).text(), "abcdef");

    // Said when all is there already, without a byte, and at once with the last.
    let path = begin("later");
    gateway.patch(&path, 0, "abc").send().ok(204);
    gateway.patch(&path, 3, "").header("Upload-Length", "3").send().ok(204);
    assert_eq!(bucket.get("later").send().ok(200).text(), "abc");
    assert_eq!(look(&path), (Some("3".to_owned()), None));
    let path = begin("at-once");
    gateway.patch(&path, 0, "abc").header("Upload-Length", "3").send().ok(204);
    assert_eq!(bucket.get("at-once").send().ok(200).text(), "abc");
}

#[test]
fn checksums_are_verified_before_anything_counts() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(100_000, 1);
    let mut path = String::new();
    for (algorithm, value) in [
        ("sha1", checksum("sha1", &body)),
        ("md5", base64(md5(&body))),
        ("sha256", checksum("sha256", &body)),
        ("crc32", checksum("crc32", &body)),
        ("crc32c", checksum("crc32c", &body)),
        ("crc64nvme", checksum("crc64nvme", &body)),
    ] {
        path = bucket.begun("k", 200_000);
        let patch =
            |body: Vec<u8>| gateway.patch(&path, 0, body).header("Upload-Checksum", &format!("{algorithm} {value}"));
        refused(&patch(bytes(100_000, 2)).send(), 460, "ChecksumMismatch");
        refused(&patch(body[..99_999].to_vec()).chunked().send(), 460, "ChecksumMismatch");
        assert_eq!(gateway.offset(&path), 0, "{algorithm}");
        patch(body.clone()).send().ok(204);
        assert_eq!(gateway.offset(&path), 100_000, "{algorithm}");
    }
    for bad in ["", "sha1", "sha1 !", "sha1 AA==", "sha512 AA==", "SHA1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="] {
        let answer = gateway.patch(&path, 100_000, body.clone()).header("Upload-Checksum", bad).send();
        refused(&answer, 400, "InvalidRequest");
    }
    let sha1 = format!("sha1 {}", checksum("sha1", &body));
    gateway.patch(&path, 100_000, body.clone()).header("Upload-Checksum", &sha1).send().ok(204);
    assert!(bucket.get("k").send().ok(200).body == [body.clone(), body.clone()].concat());
    // The same holds for the bytes an upload begins with; of one that is refused nothing stays.
    let begin = |length: &str| bucket.begin("k2").header("Upload-Length", length).header("Upload-Checksum", &sha1);
    refused(&begin("100000").bytes(bytes(100_000, 2)).send(), 460, "ChecksumMismatch");
    bucket.get("k2").send().refused(404, "NoSuchKey");
    begin("100000").bytes(body.clone()).send().ok(201);
    assert!(bucket.get("k2").send().ok(200).body == body);
}

#[test]
fn an_upload_can_be_ended() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 100_000);
    gateway.patch(&path, 0, bytes(50_000, 1)).send().ok(204);
    gateway.tus("DELETE", &path).send().ok(204);
    assert_eq!(gateway.tus("HEAD", &path).send().status, 404);
    refused(&gateway.patch(&path, 50_000, "x").send(), 404, "NoSuchUpload");
    refused(&gateway.tus("DELETE", &path).send(), 404, "NoSuchUpload");
    poll("nothing is left", || (gateway.metric("wharf_staged_bytes") == 0.0).then_some(()));
}

#[test]
fn an_idle_upload_expires() {
    let gateway = Launch::new().set("--expire-uploads", "1s").start();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 10);
    let answer = gateway.patch(&path, 0, "x").send().ok(204);
    let expires = parse_http_date(answer.header("upload-expires").unwrap());
    assert!((expires - now_seconds() - 1).abs() <= 5, "{answer:?}");
    poll("it expires", || (gateway.tus("HEAD", &path).send().status == 404).then_some(()));
    refused(&gateway.patch(&path, 1, "x").send(), 404, "NoSuchUpload");
}

fn partial(bucket: &Bucket<'_>, body: &str) -> String {
    let begin = bucket.begin("part").header("Upload-Concat", "partial");
    let answer = begin.header("Upload-Length", &body.len().to_string()).send().ok(201);
    let path = answer.header("location").unwrap().to_owned();
    if !body.is_empty() {
        bucket.gateway.patch(&path, 0, body).send().ok(204);
    }
    let look = bucket.gateway.tus("HEAD", &path).send().ok(200);
    assert_eq!(look.header("upload-concat"), Some("partial"));
    assert_eq!(number(&look, "upload-offset"), Some(body.len() as u64));
    path
}

#[test]
fn partial_uploads_become_one_in_the_order_they_are_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (key, order) in [("forth", [0, 1, 2]), ("back", [2, 1, 0])] {
        let bodies = ["first", "", "second"];
        let paths = bodies.map(|body| partial(&bucket, body));
        bucket.get("part").send().refused(404, "NoSuchKey");
        // One by an absolute URL, as clients that got one name it.
        let urls =
            order.map(|at| if at == 0 { format!("http://{}{}", gateway.api, paths[at]) } else { paths[at].clone() });
        let concat = format!("final;{}", urls.join(" "));
        let answer = bucket.begin(key).header("Upload-Concat", &concat).send().ok(201);
        let path = answer.header("location").unwrap();
        let look = gateway.tus("HEAD", path).send().ok(200);
        assert_eq!(look.header("upload-concat"), Some(concat.as_str()));
        assert_eq!((look.header("upload-offset"), look.header("upload-length")), (Some("11"), Some("11")));
        assert_eq!(look.header("upload-metadata"), Some(metadata(&[("bucket", &bucket.name), ("key", key)]).as_str()));
        assert_eq!(bucket.get(key).send().ok(200).text(), order.map(|at| bodies[at]).concat());
        for at in [0, 11] {
            refused(&gateway.patch(path, at, "x").send(), 403, "AccessDenied");
        }
        refused(&gateway.tus("DELETE", path).send(), 403, "AccessDenied");
        // They are used up.
        assert_eq!(gateway.tus("HEAD", &paths[0]).send().status, 404);
        refused(&bucket.begin(key).header("Upload-Concat", &concat).send(), 404, "NoSuchUpload");
    }
}

#[test]
fn what_cannot_be_made_of_partial_uploads() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let whole = bucket.begun("whole", 1);
    let half = bucket.begin("part").header("Upload-Concat", "partial").header("Upload-Length", "2").send().ok(201);
    let half = half.header("location").unwrap();
    gateway.patch(half, 0, "x").send().ok(204);
    let done = partial(&bucket, "abc");
    let last = |concat: &str| bucket.begin("k").header("Upload-Concat", concat);
    for bad in
        ["final", "final;", "final; ", "final;x", &format!("final;{done} {done}"), &format!("final;{done} {half}")]
    {
        refused(&last(bad).send(), 400, "InvalidRequest");
    }
    refused(&last(&format!("final;{done} {whole}")).send(), 400, "InvalidRequest");
    let unknown = "/files/00000000000000000000000000000000";
    refused(&last(&format!("final;{done} {unknown}")).send(), 404, "NoSuchUpload");
    let good = last(&format!("final;{done}"));
    refused(&good.clone().header("Upload-Length", "3").send(), 400, "InvalidRequest");
    refused(&good.clone().bytes("x").send(), 400, "InvalidRequest");
    good.send().ok(201);
    assert_eq!(bucket.get("k").send().ok(200).text(), "abc");
    // A length that is known later.
    let begin = bucket.begin("part").header("Upload-Concat", "partial").header("Upload-Defer-Length", "1");
    let late = begin.bytes("de").send().ok(201).header("location").unwrap().to_owned();
    refused(&last(&format!("final;{late}")).send(), 400, "InvalidRequest");
    gateway.patch(&late, 2, "").header("Upload-Length", "2").send().ok(204);
    last(&format!("final;{late}")).send().ok(201);
    assert_eq!(bucket.get("k").send().ok(200).text(), "de");
}

/// Who makes something of a partial upload reads it and takes it away: the right to put objects is not enough for another's.
#[test]
fn partial_uploads_are_theirs_who_began_them() {
    let gateway = Gateway::shared();
    let (bucket, elsewhere) = (gateway.bucket(), gateway.bucket());
    let basic = |policy| {
        let key = gateway.key(policy);
        format!("Basic {}", base64(format!("{}:{}", key.id, key.secret)))
    };
    let (alice, bob, reader) = (basic("writeonly"), basic("writeonly"), basic("readwrite"));
    let begun = |by: &str| {
        let begin = bucket.begin("part").header("Upload-Concat", "partial").header("Upload-Length", "3");
        let answer = begin.bytes("abc").header("Authorization", by).send().ok(201);
        answer.header("location").unwrap().to_owned()
    };
    let made = |into: &Bucket<'_>, by: &str, path: &str| {
        let concat = format!("final;{path}");
        into.begin("k").header("Upload-Concat", &concat).without("Content-Type").header("Authorization", by).send()
    };
    let path = begun(&alice);
    refused(&made(&bucket, &bob, &path), 403, "AccessDenied");
    refused(&made(&elsewhere, &bob, &path), 403, "AccessDenied");
    refused(&made(&elsewhere, &alice, &path), 403, "AccessDenied");
    assert_eq!(gateway.offset(&path), 3, "it is still there");
    made(&bucket, &alice, &path).ok(201);
    assert_eq!(bucket.get("k").send().ok(200).text(), "abc");
    // With the rights to read it and to take it away it may be done.
    made(&elsewhere, &reader, &begun(&alice)).ok(201);
    assert_eq!(elsewhere.get("k").send().ok(200).text(), "abc");
}

/// Where nobody says before how many bytes come, they are counted as they come.
#[test]
fn a_quota_holds_for_bytes_of_unknown_number() {
    const PIECE: usize = 64 << 20;
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let quota = |bytes: usize| gateway.administer(&["bucket", "quota", &bucket.name, &bytes.to_string()]);
    let begin = || bucket.begin("k").header("Upload-Defer-Length", "1");
    quota(1000);
    refused(&begin().bytes(bytes(1001, 1)).send(), 403, "QuotaExceeded");
    refused(&begin().bytes(bytes(1001, 1)).chunked().send(), 403, "QuotaExceeded");
    let path = begin().send().ok(201).header("location").unwrap().to_owned();
    gateway.patch(&path, 0, bytes(600, 1)).chunked().send().ok(204);
    refused(&gateway.patch(&path, 600, bytes(401, 1)).send(), 403, "QuotaExceeded");
    let more = gateway.patch(&path, 600, bytes(401, 1)).chunked();
    refused(&more.send(), 403, "QuotaExceeded");
    let sha1 = format!("sha1 {}", checksum("sha1", bytes(401, 1)));
    refused(&more.header("Upload-Checksum", &sha1).send(), 403, "QuotaExceeded");
    assert_eq!(gateway.offset(&path), 600);
    gateway.patch(&path, 600, bytes(400, 2)).chunked().send().ok(204);
    gateway.patch(&path, 1000, "").header("Upload-Length", "1000").send().ok(204);
    assert!(bucket.get("k").send().ok(200).body == [bytes(600, 1), bytes(400, 2)].concat());
    // Pieces that were sealed before stay.
    quota(1000 + PIECE);
    let path = bucket.begin("k2").header("Upload-Defer-Length", "1").send().ok(201);
    let path = path.header("location").unwrap();
    refused(&gateway.patch(path, 0, vec![0; PIECE + 1]).chunked().send(), 403, "QuotaExceeded");
    assert_eq!(gateway.offset(path), PIECE as u64);
}

#[test]
fn files_of_one_name_do_not_meet() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for name in ["filename", "name", "other"] {
        let said = metadata(&[("bucket", &bucket.name), (name, "a.txt")]);
        for _ in 0..2 {
            bucket.begin("").header("Upload-Metadata", &said).header("Upload-Length", "1").bytes("x").send().ok(201);
        }
    }
    let listed = bucket.list().send().ok(200).text();
    let keys = crate::xml::texts(&listed, "Key");
    assert_eq!(keys.len(), 6, "{keys:?}");
    assert_eq!(keys.iter().filter(|key| key.ends_with("-a.txt")).count(), 4, "{keys:?}");
    // Without a bucket it is the first of the settings.
    let path = bucket.begin("").without("Upload-Metadata").header("Upload-Length", "1").send().ok(201);
    assert_eq!(gateway.tus("HEAD", path.header("location").unwrap()).send().ok(200).header("upload-metadata"), None);
}

#[test]
fn who_may_what() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 10);
    let basic = |access: &str, secret: &str| format!("Basic {}", base64(format!("{access}:{secret}")));
    let reader = gateway.key("readonly");
    let writer = gateway.key("readwrite");
    let (reader, writer) = (basic(&reader.id, &reader.secret), basic(&writer.id, &writer.secret));
    for authorization in [None, Some(&reader)] {
        let authorization = authorization.map(String::as_str);
        let by = |ask| with(ask, "Authorization", authorization);
        refused(&by(bucket.begin("k").header("Upload-Length", "1")).send(), 403, "AccessDenied");
        refused(&by(gateway.patch(&path, 0, "x")).send(), 403, "AccessDenied");
        refused(&by(gateway.tus("DELETE", &path)).send(), 403, "AccessDenied");
    }
    assert_eq!(gateway.tus("HEAD", &path).anonymous().send().status, 403);
    let wrong = basic(ACCESS_KEY, &format!("{SECRET_KEY}x"));
    refused(&gateway.patch(&path, 0, "x").header("Authorization", &wrong).send(), 401, "Unauthorized");
    gateway.patch(&path, 0, "x").header("Authorization", &writer).send().ok(204);
    gateway.tus("DELETE", &path).header("Authorization", &writer).send().ok(204);
}

#[test]
fn locations_are_as_the_settings_say() {
    let gateway = Launch::new().set("--api-public-url", "https://uploads.example:8443").start();
    let bucket = gateway.bucket();
    let location = bucket.begun("k", 3);
    let path = location.strip_prefix("https://uploads.example:8443").unwrap();
    gateway.patch(path, 0, "abc").send().ok(204);
    assert_eq!(bucket.get("k").send().ok(200).text(), "abc");
}
