//! Attacks that were tried, and what each got: tables of one change to a good request and the refusal it must meet.
//!
//! Nothing may be stored, deleted or shown by any row, which is looked at after each table. What needs more than a row stands
//! elsewhere: clocks, malformed and foreign credentials in `auth_header` and `auth_presigned`, version 2 in `auth_sigv2`, chunks
//! swapped, repeated, cut off or signed for another request in `signed_chunks`, forged trailers in `signed_trailers`, policies and
//! their conditions in `post_object` and `post_forms`, lengths that contradict each other and smuggled requests in `framing`, keys
//! that look like paths in `bad_keys`.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::bucket::Bucket;
use crate::digests::bytes;
use crate::form::{Form, posted};
use crate::gateway::{ACCESS_KEY, Gateway, SECRET_KEY};
use crate::request::Request;
use crate::signed_chunks::{chunks, framed};
use crate::signer::encode_query;
use crate::xml;

const MINUTE: Duration = Duration::from_secs(60);
/// The body that no attack may read or change.
const HIDDEN: &str = "for the eyes of those who may";

/// Two keys in one bucket, of which the attacker holds credentials for the first alone, and an empty bucket beside it.
struct Stage<'a> {
    gateway: &'a Gateway,
    bucket: Bucket<'a>,
    other: Bucket<'a>,
    /// What was not refused as it must be.
    failures: RefCell<Vec<String>>,
}

impl<'a> Stage<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        let (bucket, other) = (gateway.bucket(), gateway.bucket());
        let stage = Self { gateway, bucket, other, failures: RefCell::default() };
        stage.bucket.put("pub/k", "shown").send().ok(200);
        stage.bucket.put("secret", HIDDEN).send().ok(200);
        stage
    }

    /// Sends bytes and notes an answer that is not this refusal.
    fn refused(&self, attack: &str, method: &str, bytes: impl AsRef<[u8]>, (status, code): (u16, &str)) {
        let mut connection = self.gateway.connect();
        // The gateway may answer before all of it was sent.
        let _ = connection.try_write(bytes);
        let answer = connection.read_answer(method);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let found = if method == "HEAD" { code.to_owned() } else { xml::text(&text, "Code").unwrap_or_default() };
        let shown = text.contains(HIDDEN) || text.contains(SECRET_KEY);
        if shown || (answer.status, found.as_str()) != (status, code) {
            self.failures.borrow_mut().push(format!("{attack}: not {status} {code} but {} {text}", answer.status));
        }
    }

    /// Wants one refusal for each change of a request: what is replaced in its head, and by what.
    fn each_refused(&self, request: &Request<'_>, attacks: &[(&str, &str, &str, (u16, &str))]) {
        let whole = request.bytes();
        let (head, body) = whole.split_at(request.head().len());
        let head = String::from_utf8(head.to_vec()).unwrap();
        for (attack, from, to, refusal) in attacks {
            assert!(head.contains(from), "{attack}: no {from:?} in {head}");
            let changed = head.replacen(from, to, 1);
            assert_ne!(changed, head, "{attack}");
            let method = changed.split_once(' ').unwrap().0.to_owned();
            self.refused(attack, &method, [changed.as_bytes(), body].concat(), *refusal);
        }
    }

    /// Asserts that every attack got its refusal and that everything is as it was.
    fn assert_untouched(&self) {
        let failures = self.failures.borrow();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert_eq!(self.bucket.keys(), ["pub/k", "secret"]);
        assert_eq!(self.bucket.get("pub/k").send().ok(200).body, b"shown");
        let secret = self.bucket.get("secret").send().ok(200);
        assert_eq!((secret.body.as_slice(), secret.header("x-amz-tagging-count")), (HIDDEN.as_bytes(), None));
        assert_eq!(self.other.keys(), Vec::<String>::new());
        let uploads = self.bucket.request("GET").raw_query("uploads").send().ok(200).text();
        assert!(xml::blocks(&uploads, "Upload").is_empty(), "{uploads}");
    }
}

/// What stands between the first `start` and the next `end`.
fn between(text: &str, start: &str, end: &str) -> String {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0.to_owned()
}

/// The same time, `20130524T000000`, with another second.
fn put_off(date: &str) -> String {
    let (kept, second) = date.split_at(date.len() - 1);
    format!("{kept}{}", (second.parse::<u32>().unwrap() + 1) % 10)
}

const MISMATCH: (u16, &str) = (403, "SignatureDoesNotMatch");
const DENIED: (u16, &str) = (403, "AccessDenied");
const TWICE: (u16, &str) = (400, "InvalidArgument");
const IN_HEADER: (u16, &str) = (400, "AuthorizationHeaderMalformed");
const IN_QUERY: (u16, &str) = (400, "AuthorizationQueryParametersError");
const NO_URI: (u16, &str) = (400, "InvalidURI");

#[test]
fn a_url_for_one_thing_used_for_another() {
    let gateway = Gateway::shared();
    let stage = Stage::new(&gateway);
    let (bucket, other) = (format!("/{}/", stage.bucket.name), format!("/{}/", stage.other.name));
    let host = format!("host: {}\r\n", gateway.s3);
    let get = stage.bucket.get("pub/k").presigned(MINUTE);
    get.send().ok(200);
    let date = between(&get.head(), "X-Amz-Date=", "Z&");
    stage.each_refused(
        &get,
        &[
            ("HEAD", "GET ", "HEAD ", MISMATCH),
            ("DELETE", "GET ", "DELETE ", MISMATCH),
            ("PUT of nothing", "GET /", "PUT /", MISMATCH),
            ("a method in small letters", "GET ", "get ", (405, "MethodNotAllowed")),
            ("another key", "pub/k?", "secret?", MISMATCH),
            ("another bucket", &bucket, &other, MISMATCH),
            ("another host", &host, "host: s3.example.com\r\n", MISMATCH),
            ("the bucket moved to the host", &host, "host: pub.localhost\r\n", MISMATCH),
            ("tags", "k?", "k?tagging&", MISMATCH),
            ("the ACL", "k?", "k?acl&", MISMATCH),
            ("attributes", "k?", "k?attributes&", MISMATCH),
            ("the bucket's policy", "pub/k?", "?policy&", MISMATCH),
            ("the bucket's listing", "pub/k?", "?list-type=2&", MISMATCH),
            ("every bucket", &format!("{bucket}pub/k?"), "/?", MISMATCH),
            ("a media type that browsers run", "k?", "k?response-content-type=text/html&", MISMATCH),
            ("an old version", "k?", "k?versionId=null&", MISMATCH),
            ("a longer life", "Expires=60", "Expires=604800", MISMATCH),
            ("no life", "Expires=60", "Expires=0", DENIED),
            ("a date put off", &date, &put_off(&date), MISMATCH),
            ("a parameter twice", "Expires=60", "Expires=60&X-Amz-Expires=604800", TWICE),
            ("a parameter twice in two spellings", "Expires=60", "Expires=60&X%2DAmz-Expires=604800", TWICE),
            ("no signature", "X-Amz-Signature=", "X-Amz-Signature=&x=", MISMATCH),
            ("the signature's name in small letters", "X-Amz-Signature=", "x-amz-signature=", IN_QUERY),
            ("another algorithm", "AWS4-HMAC-SHA256", "none", IN_QUERY),
            ("SigV4A", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", IN_QUERY),
            ("no signed header", "SignedHeaders=host", "SignedHeaders=", IN_QUERY),
            ("another signed header", "SignedHeaders=host", "SignedHeaders=range", DENIED),
            ("a parameter of version 2 more", "k?", "k?AWSAccessKeyId=x&", TWICE),
        ],
    );
    stage.assert_untouched();
}

#[test]
fn a_url_for_an_upload_used_for_more() {
    let gateway = Gateway::shared();
    let stage = Stage::new(&gateway);
    let source = format!("x-amz-copy-source: {}/secret\r\n\r\n", stage.bucket.name);
    let hoisted = format!("k?x-amz-copy-source={}%2Fsecret&", stage.bucket.name);
    let (forged, length) = (bytes(5, 1), "content-length");
    let put = stage.other.put("k", forged.clone()).header(length, "5").own_framing().presigned(MINUTE);
    stage.each_refused(
        &put,
        &[
            ("a copy", "\r\n\r\n", &format!("\r\n{source}"), DENIED),
            ("a copy by the query", "k?", &hoisted, MISMATCH),
            ("tags of the object", "k?", "k?tagging&", MISMATCH),
            ("the object's ACL", "k?", "k?acl&", MISMATCH),
            ("an ACL beside", "\r\n\r\n", "\r\nx-amz-acl: public-read\r\n\r\n", DENIED),
            ("an ACL in the query", "k?", "k?x-amz-acl=public-read&", MISMATCH),
            ("tags beside", "\r\n\r\n", "\r\nx-amz-tagging: a=b\r\n\r\n", DENIED),
            ("metadata in the query", "k?", "k?x-amz-meta-a=b&", MISMATCH),
            ("the bucket's policy", "/k?", "?policy&", MISMATCH),
            ("a part", "k?", "k?partNumber=1&uploadId=x&", MISMATCH),
            ("more bytes than were signed", "content-length: 5", "content-length: 6", MISMATCH),
            ("fewer bytes than were signed", "content-length: 5", "content-length: 4", MISMATCH),
            ("no length", "content-length: 5", "transfer-encoding: chunked", MISMATCH),
            ("a body said to be signed", "\r\n\r\n", "\r\nx-amz-content-sha256: junk\r\n\r\n", TWICE),
        ],
    );
    stage.assert_untouched();
    put.send().ok(200);
    assert_eq!(stage.other.get("k").send().ok(200).body, forged);
}

#[test]
fn a_url_for_one_part_used_for_another() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (upload, neighbour) = (bucket.upload("k"), bucket.upload("k"));
    let stage = Stage::new(&gateway);
    let part = upload.request("PUT").query("partNumber", "1").body("part").presigned(MINUTE);
    let (id, neighbours) = (encode_query(&upload.id), encode_query(&neighbour.id));
    stage.each_refused(
        &part,
        &[
            ("another number", "partNumber=1", "partNumber=2", MISMATCH),
            ("the same number, spelt otherwise", "partNumber=1", "partNumber=01", MISMATCH),
            ("another upload", &id, &neighbours, MISMATCH),
            ("another key", "/k?", "/l?", MISMATCH),
            ("the whole object", &format!("uploadId={id}&partNumber=1&"), "", MISMATCH),
            ("an end of the upload", "PUT ", "DELETE ", (405, "MethodNotAllowed")),
            ("a list of its parts", "PUT ", "GET ", (405, "MethodNotAllowed")),
            ("a completion", "PUT ", "POST ", (405, "MethodNotAllowed")),
        ],
    );
    stage.assert_untouched();
    for upload in [&upload, &neighbour] {
        let parts = upload.list().send().ok(200).text();
        assert!(xml::blocks(&parts, "Part").is_empty(), "{parts}");
    }
    part.send().ok(200);
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn a_signed_request_changed_on_its_way() {
    let gateway = Gateway::shared();
    let stage = Stage::new(&gateway);
    let put = stage.bucket.put("pub/k", "shown").header("content-type", "text/plain").header("x-amz-meta-a", "1");
    let head = put.head();
    let authorization = head.lines().find(|line| line.starts_with("authorization: ")).unwrap().to_owned() + "\r\n";
    let day = between(&head, &format!("Credential={ACCESS_KEY}/"), "/");
    let (today, yesterday) = (format!("/{day}/"), format!("/{}/", day.parse::<u32>().unwrap() - 1));
    let key = format!("Credential={ACCESS_KEY}/");
    stage.each_refused(
        &put,
        &[
            ("another key", "pub/k ", "secret ", MISMATCH),
            ("a parameter more", "pub/k ", "pub/k?x=1 ", MISMATCH),
            ("a signed header less", "x-amz-meta-a: 1\r\n", "", MISMATCH),
            ("a signed header twice", "x-amz-meta-a: 1\r\n", "x-amz-meta-a: 1\r\nx-amz-meta-a: 1\r\n", MISMATCH),
            ("a header off the list", "x-amz-meta-a,", "x-amz-meta-b,", DENIED),
            ("the list shortened", ";x-amz-meta-a,", ",", DENIED),
            ("a type off the list", "content-type;", "", MISMATCH),
            ("the host off the list", "host;", "", DENIED),
            ("the list in another order", "content-type;host;", "host;content-type;", MISMATCH),
            ("a copy", "\r\n\r\n", "\r\nx-amz-copy-source: a/b\r\n\r\n", DENIED),
            ("another media type", "text/plain", "text/html", MISMATCH),
            ("another region", "/us-east-1/", "/us-east-2/", IN_HEADER),
            ("another service", "/s3/", "/sts/", IN_HEADER),
            ("yesterday's scope", &today, &yesterday, IN_HEADER),
            ("a key nobody has", &key, "Credential=nobody/", (403, "InvalidAccessKeyId")),
            ("a key with a slash more", &key, &format!("{key}/"), (403, "InvalidAccessKeyId")),
            ("the header twice", &authorization, &authorization.repeat(2), TWICE),
            (
                "a second header of another kind",
                &authorization,
                &format!("{authorization}authorization: Basic eDp5\r\n"),
                TWICE,
            ),
            ("credentials in the query too", "pub/k ", "pub/k?X-Amz-Signature=0 ", TWICE),
            ("no credentials", &authorization, "", DENIED),
            (
                "the body left unsigned",
                "x-amz-content-sha256: ",
                "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-ignored: ",
                MISMATCH,
            ),
        ],
    );
    let mut other_body = put.bytes();
    *other_body.last_mut().unwrap() ^= 1;
    stage.refused("another body", "PUT", other_body, (400, "XAmzContentSHA256Mismatch"));
    stage.assert_untouched();
}

/// The path a client was given for `pub/k`, bent towards `secret`, with the URL's signature and without any.
#[test]
fn paths_that_lead_elsewhere() {
    let gateway = Gateway::shared();
    let stage = Stage::new(&gateway);
    let name = &stage.bucket.name;
    let get = stage.bucket.get("pub/k").presigned(MINUTE).head();
    let line = get.lines().next().unwrap();
    let query = line.split_once('?').unwrap().1.split_once(' ').unwrap().0;
    let here = gateway.s3;
    for (target, with_url, without) in [
        (format!("/{name}/pub/../secret"), MISMATCH, DENIED),
        (format!("/{name}/pub/%2e%2e/secret"), MISMATCH, DENIED),
        (format!("/{name}/pub/%2E%2E%2Fsecret"), MISMATCH, DENIED),
        (format!("/{name}/pub%2F..%2fsecret"), MISMATCH, DENIED),
        (format!("/{name}/pub/..\\secret"), MISMATCH, DENIED),
        (format!("/{name}/pub/..%5csecret"), MISMATCH, DENIED),
        (format!("/{name}/pub/..;/secret"), MISMATCH, DENIED),
        (format!("/{name}/./secret"), MISMATCH, DENIED),
        (format!("/{name}//secret"), MISMATCH, DENIED),
        (format!("/{name}/secret/"), MISMATCH, DENIED),
        (format!("/{name}/secret%20"), MISMATCH, DENIED),
        (format!("/{name}/%73ecret"), MISMATCH, DENIED),
        (format!("/{name}/%2573ecret"), MISMATCH, DENIED),
        (format!("/{name}/secret%00"), MISMATCH, DENIED),
        (format!("/{name}/secret%00pub/k"), MISMATCH, DENIED),
        (format!("/{name}/pub/k%0d%0ahost:%20x"), MISMATCH, DENIED),
        (format!("/{name}/pub/k%3F/secret"), MISMATCH, DENIED),
        (format!("/%{:02x}{}/secret", name.as_bytes()[0], &name[1..]), MISMATCH, DENIED),
        (format!("/{name}/pub/%c0%ae%c0%ae/secret"), NO_URI, NO_URI),
        (format!("/{name}/pub/%e0%80%ae%e0%80%ae/secret"), NO_URI, NO_URI),
        (format!("/{name}/pub/%u002e%u002e/secret"), NO_URI, NO_URI),
        (format!("/{name}/pub/%2"), NO_URI, NO_URI),
        (format!("//{name}/secret"), (400, "InvalidBucketName"), (400, "InvalidBucketName")),
        (format!("/../{name}/secret"), (400, "InvalidBucketName"), (400, "InvalidBucketName")),
        (format!("/{name}%2fsecret"), (400, "InvalidBucketName"), (400, "InvalidBucketName")),
        (format!("/{}/secret", name.to_uppercase()), (400, "InvalidBucketName"), (400, "InvalidBucketName")),
        (format!("http://{here}/{name}/secret"), MISMATCH, DENIED),
        (format!("http://s3.example.com/{name}/pub/k"), (400, "InvalidRequest"), (400, "InvalidRequest")),
        (format!("http://{name}.localhost/secret"), (400, "InvalidRequest"), (400, "InvalidRequest")),
        (format!("http://user@{here}/{name}/secret"), (400, "InvalidRequest"), (400, "InvalidRequest")),
    ] {
        let signed = get.replacen(line, &format!("GET {target}?{query} HTTP/1.1"), 1);
        stage.refused(&format!("{target} with a URL for another key"), "GET", signed, with_url);
        let anonymous = format!("GET {target} HTTP/1.1\r\nhost: {here}\r\n\r\n");
        stage.refused(&format!("{target} without credentials"), "GET", anonymous, without);
    }
    stage.assert_untouched();
}

#[test]
fn chunks_taken_out_of_a_signed_body() {
    let gateway = Gateway::shared();
    let stage = Stage::new(&gateway);
    let body = bytes(40_000, 4);
    let length = body.len().to_string();
    let put = stage.other.put("k", "").payload_hash("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    let put = put.header("content-encoding", "aws-chunked").header("x-amz-decoded-content-length", &length);
    let good = chunks(&mut put.chunk_signer(), &body, 8192);
    for (attack, kept, refusal) in [
        ("the first dropped", [1, 2, 3, 4, 5].as_slice(), MISMATCH),
        ("one in the middle dropped", &[0, 1, 3, 4, 5], MISMATCH),
        ("the last with data dropped", &[0, 1, 2, 3, 5], (400, "IncompleteBody")),
        ("the empty one dropped", &[0, 1, 2, 3, 4], (400, "IncompleteBody")),
        ("two changed places", &[0, 2, 1, 3, 4, 5], MISMATCH),
        ("one repeated in place of the next", &[0, 1, 1, 3, 4, 5], MISMATCH),
        ("backwards", &[4, 3, 2, 1, 0, 5], MISMATCH),
    ] {
        let kept: Vec<_> = kept.iter().map(|index| good[*index].clone()).collect();
        let end = if kept.last().is_some_and(|chunk| chunk.data.is_empty()) { "\r\n" } else { "" };
        stage.refused(attack, "PUT", put.clone().body(framed(&kept, end)).bytes(), refusal);
    }
    let whole = put.clone().body(framed(&good, "\r\n"));
    stage.each_refused(
        &whole,
        &[
            ("another length of the data", "length: 40000", "length: 39999", MISMATCH),
            (
                "chunks said to be unsigned",
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                MISMATCH,
            ),
            ("a trailer announced", "\r\n\r\n", "\r\nx-amz-trailer: x-amz-checksum-crc32\r\n\r\n", DENIED),
        ],
    );
    stage.assert_untouched();
    whole.send().ok(200);
}

#[test]
fn a_form_reused_for_what_its_policy_does_not_allow() {
    let gateway = Gateway::shared();
    let stage = Stage::new(&gateway);
    let form = |key: &str| Form::new(&stage.other, key, "v").field("Content-Type", "image/png");
    let allowed =
        [json!({"key": "mine"}), json!({"Content-Type": "image/png"}), json!(["content-length-range", 1, 10])];
    let good = form("mine").signed_with(&allowed);
    let signature = good.fields.iter().find(|(name, _)| name == "x-amz-signature").unwrap().1.clone();
    let change = |name: &str, value: &str| good.clone().without(name).field(name, value);
    let twice = format!("{signature}{signature}");
    let yesterday = good.fields.iter().find(|(name, _)| name == "x-amz-date").unwrap().1.replacen("20", "19", 1);
    let policy = crate::digests::base64(r#"{"expiration": "2099-01-01T00:00:00Z", "conditions": []}"#);
    for (attack, form, refusal) in [
        ("another key", change("key", "secret"), DENIED),
        ("two keys", good.clone().field("key", "secret"), DENIED),
        ("another type", change("Content-Type", "text/html"), DENIED),
        ("a field the policy does not name", good.clone().field("x-amz-meta-a", "b"), DENIED),
        ("an ACL", good.clone().field("acl", "public-read"), DENIED),
        ("tags", good.clone().field("tagging", "<Tagging/>"), DENIED),
        ("a redirect", good.clone().field("success_action_redirect", "http://x.example/"), DENIED),
        ("another policy", change("policy", &policy), MISMATCH),
        ("another signature", change("x-amz-signature", &signature.replace(['0', '1'], "2")), MISMATCH),
        ("two signatures in one", change("x-amz-signature", &twice), MISMATCH),
        ("another date", change("x-amz-date", &yesterday), (400, "InvalidArgument")),
        ("no policy", good.clone().without("policy"), (400, "InvalidPolicyDocument")),
        ("no credentials", form("mine"), DENIED),
        ("too large a file", Form { file: vec![0; 11], ..good.clone() }, (400, "EntityTooLarge")),
        ("an empty file", Form { file: Vec::new(), ..good.clone() }, (400, "EntityTooSmall")),
        ("another bucket", Form { bucket: &stage.bucket, ..good.clone() }, DENIED),
    ] {
        stage.refused(attack, "POST", form.request().bytes(), refusal);
    }
    let at_key = gateway.request("POST", &format!("/{}/secret", stage.bucket.name)).anonymous();
    let kind = format!("multipart/form-data; boundary={}", crate::form::BOUNDARY);
    let at_key = at_key.header("content-type", &kind).body(good.bytes());
    stage.refused("a form sent to a key", "POST", at_key.bytes(), (405, "MethodNotAllowed"));
    // A query is no part of a form: whatever becomes of the upload, nobody else may read it.
    posted(&stage.other, good.bytes()).raw_query("x-amz-acl=public-read").send().ok(204);
    stage.other.get("mine").anonymous().send().refused(403, "AccessDenied");
    stage.other.delete("mine").send().ok(204);
    stage.assert_untouched();
}

/// SigV4 has no nonce: within its quarter of an hour a request is good as often as it is sent, as at AWS. Then it is not.
#[test]
fn a_request_sent_again() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let delete = |age: u64| {
        let time = SystemTime::now() - Duration::from_secs(age * 60);
        bucket.delete("k").signer(|signer| signer.time = time).bytes()
    };
    let (now, old) = (delete(0), delete(16));
    let send = |bytes: &[u8]| {
        let mut connection = gateway.connect();
        connection.write(bytes);
        connection.read_answer("DELETE")
    };
    for _ in 0..2 {
        bucket.put("k", "v").send().ok(200);
        send(&now).ok(204);
        assert_eq!(bucket.keys(), Vec::<String>::new());
    }
    bucket.put("k", "v").send().ok(200);
    send(&old).refused(403, "RequestTimeTooSkewed");
    // A condition is what makes a replay harmless: the object it was meant for is gone.
    let etag = bucket.head("k").send().ok(200).header("etag").unwrap().to_owned();
    let conditional = bucket.delete("k").header("if-match", &etag).bytes();
    send(&conditional).ok(204);
    bucket.put("k", "another").send().ok(200);
    send(&conditional).refused(412, "PreconditionFailed");
    assert_eq!(bucket.keys(), ["k"]);
}
