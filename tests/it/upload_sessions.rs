//! Presigned sessions: `/s3/init`, `/s3/part-urls`, `/s3/parts`, `/s3/complete`, `/s3/abort`; the bytes go to port 9000.

use serde_json::{Value, json};

use crate::api::Call;
use crate::bucket::{Bucket, Upload};
use crate::digests::{bytes, etag, etag_of_parts};
use crate::gateway::{Gateway, Launch};
use crate::process::{directory, poll};

const PART: usize = 5 << 20;

/// An upload that the API began.
struct Session<'a> {
    bucket: &'a Bucket<'a>,
    name: String,
    id: String,
}

fn post<'a>(bucket: &Bucket<'a>, path: &str, fields: &Value) -> Call<'a> {
    let mut fields = fields.clone();
    fields["bucket"] = json!(bucket.name);
    bucket.gateway.api("POST", path).json(&fields)
}

fn init<'a>(bucket: &'a Bucket<'a>, fields: &Value) -> (Session<'a>, Value) {
    let begun = post(bucket, "/s3/init", fields).send().ok(200).json();
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();
    (Session { bucket, name: text("objectName"), id: text("uploadId") }, begun)
}

impl<'a> Session<'a> {
    /// A request that names the upload, with these fields besides.
    fn call(&self, path: &str, more: &Value) -> Call<'a> {
        let mut fields = json!({"objectName": self.name, "uploadId": self.id});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(self.bucket, path, &fields)
    }

    fn urls(&self, more: &Value) -> Vec<String> {
        let answer = self.call("/s3/part-urls", more).send().ok(200).json();
        answer["urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect()
    }

    fn parts(&self) -> Call<'a> {
        let call = self.bucket.gateway.api("GET", "/s3/parts").query("bucket", &self.bucket.name);
        call.query("objectName", &self.name).query("uploadId", &self.id)
    }

    fn complete(&self, parts: &[Value]) -> Call<'a> {
        self.call("/s3/complete", &json!({"parts": parts}))
    }

    /// Puts a part by its URL and gives it as a complete lists it.
    fn put(&self, number: u32, content: &[u8]) -> Value {
        let urls = self.urls(&json!({"partNumbers": [number]}));
        let answer = self.bucket.gateway.visit("PUT", &urls[0], content).ok(200);
        json!({"partNumber": number, "eTag": answer.header("etag").unwrap()})
    }

    /// The same upload, as S3 calls it.
    fn upload(&self) -> Upload<'_> {
        Upload { bucket: self.bucket, key: self.name.clone(), id: self.id.clone() }
    }
}

#[test]
fn a_file_goes_from_init_to_complete() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let content = [bytes(PART, 1), bytes(PART, 2), bytes(1000, 3)];
    let size = content.concat().len();
    let fields = json!({
        "prefix": "images/", "fileName": "a b+ü.bmp", "contentType": "image/bmp", "size": size, "partSize": PART,
        "metadata": {"Titel": "Grüße", "from": "tests"}, "unknown": {"fields": ["are ignored"]},
    });
    let (session, begun) = init(&bucket, &fields);
    assert_eq!((&*session.name, &begun["bucket"]), ("images/a b+ü.bmp", &json!(bucket.name)));
    assert_eq!((&begun["partSize"], &begun["partCount"]), (&json!(PART), &json!(3)));
    assert!(session.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{}", session.id);
    // The image's URL is good once the image is there.
    let early = begun["imageUrl"].as_str().unwrap();
    gateway.visit("GET", early, "").refused(404, "NoSuchKey");

    let urls = session.urls(&json!({"partCount": 3}));
    let mut parts: Vec<Value> = (1..)
        .zip(urls.iter().zip(&content))
        .map(|(number, (url, part))| {
            assert!(url.contains(&format!("partNumber={number}&")), "{url}");
            let answer = gateway.visit("PUT", url, part).ok(200);
            json!({"partNumber": number, "eTag": answer.header("etag").unwrap()})
        })
        .collect();
    let listed = session.parts().send().ok(200).json();
    let expected: Vec<Value> = parts
        .iter()
        .zip(&content)
        .map(|(part, content)| json!({"partNumber": part["partNumber"], "eTag": part["eTag"], "size": content.len()}))
        .collect();
    assert_eq!(listed["parts"], json!(expected));

    // Their order is the client's own affair, and so are quotes.
    parts.reverse();
    parts[0]["eTag"] = json!(parts[0]["eTag"].as_str().unwrap().trim_matches('"'));
    let done = session.complete(&parts).send().ok(200).json();
    let whole = etag_of_parts(content.iter().map(Vec::as_slice));
    assert_eq!(
        (&done["objectName"], &done["eTag"], &done["size"]),
        (&json!(session.name), &json!(whole), &json!(size))
    );
    // The answer was lost: the same again.
    let again = session.complete(&parts).send().ok(200).json();
    for member in ["objectName", "eTag", "size", "bucket"] {
        assert_eq!(again[member], done[member], "{member}");
    }
    session.complete(&parts[1..]).send().fails(409, "Conflict");
    for url in [early, done["imageUrl"].as_str().unwrap(), again["imageUrl"].as_str().unwrap()] {
        assert!(gateway.visit("GET", url, "").ok(200).body == content.concat());
    }
    let head = bucket.head(&session.name).send().ok(200);
    for (name, value) in [
        ("content-type", "image/bmp"),
        ("x-amz-meta-titel", "=?UTF-8?B?R3LDvMOfZQ==?="),
        ("x-amz-meta-from", "tests"),
        ("etag", &whole),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    // It is over.
    session.parts().send().fails(404, "NoSuchUpload");
    session.call("/s3/part-urls", &json!({"partCount": 1})).send().fails(404, "NoSuchUpload");
    session.call("/s3/abort", &json!({})).send().fails(404, "NoSuchUpload");
    assert!(bucket.get(&session.name).send().ok(200).body == content.concat());
}

#[test]
fn every_part_is_listed_however_many() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (session, _) = init(&bucket, &json!({"fileName": "f"}));
    let urls = session.urls(&json!({"partCount": 1050}));
    std::thread::scope(|scope| {
        for share in urls.chunks(132) {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for url in share {
                    let (_, rest) = url.split_once("://").unwrap();
                    let (host, target) = rest.split_once('/').unwrap();
                    connection.write(format!("PUT /{target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\nx"));
                    connection.read_answer("PUT").ok(200);
                }
            });
        }
    });
    let listed = session.parts().send().ok(200).json();
    let expected: Vec<Value> =
        (1..=1050).map(|number| json!({"partNumber": number, "eTag": etag("x"), "size": 1})).collect();
    assert_eq!(listed["parts"], json!(expected));
    // S3's own rule holds.
    let parts: Vec<Value> = expected.iter().take(2).cloned().collect();
    session.complete(&parts).send().fails(400, "EntityTooSmall");
    assert_eq!(session.complete(&parts[..1]).send().ok(200).json()["size"], 1);
}

#[test]
fn urls_are_signed_again_whenever_asked_for() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (session, _) = init(&bucket, &json!({"fileName": "f"}));
    let brief = session.call("/s3/part-urls", &json!({"partNumbers": [7, 3], "expiresIn": 1})).send().ok(200).json();
    let url = brief["urls"][0].as_str().unwrap();
    assert!(url.contains("partNumber=7&") && url.contains("X-Amz-Expires=1&"), "{url}");
    assert!(brief["urls"][1].as_str().unwrap().contains("partNumber=3&"), "{brief}");
    poll("the end of the URL", || Some(gateway.visit("PUT", url, "late")).filter(|answer| answer.status != 200))
        .refused(403, "AccessDenied");
    let part = session.put(3, b"in time");
    // It is good for the part that it names, and for nothing else.
    let urls = session.urls(&json!({"partCount": 1}));
    for (changed, other) in [("partNumber=1", "partNumber=2"), ("/f?", "/g?")] {
        gateway.visit("PUT", &urls[0].replace(changed, other), "x").refused(403, "SignatureDoesNotMatch");
    }
    assert!(gateway.visit("GET", &urls[0], "").status >= 400);
    assert_eq!(session.complete(&[part]).send().ok(200).json()["size"], 7);
}

#[test]
fn what_is_wrong_is_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let long = "k".repeat(1025);
    let tib = 1_u64 << 40;
    for (fields, field) in [
        (json!({}), "fileName"),
        (json!({"fileName": ""}), "fileName"),
        (json!({"fileName": null}), "fileName"),
        (json!({"fileName": 5}), "fileName"),
        (json!({"fileName": long}), "fileName"),
        (json!({"fileName": "f", "prefix": ["p"]}), "prefix"),
        (json!({"fileName": "f", "prefix": long}), "prefix"),
        (json!({"fileName": "f", "contentType": 1}), "contentType"),
        (json!({"fileName": "f", "contentType": "a\nb"}), "contentType"),
        (json!({"fileName": "f", "size": "1"}), "size"),
        (json!({"fileName": "f", "size": -1}), "size"),
        (json!({"fileName": "f", "size": 1.5}), "size"),
        (json!({"fileName": "f", "size": 100 * tib}), "size"),
        (json!({"fileName": "f", "partSize": true}), "partSize"),
        (json!({"fileName": "f", "partSize": (5 << 20) - 1}), "partSize"),
        (json!({"fileName": "f", "partSize": (5_u64 << 30) + 1}), "partSize"),
        (json!({"fileName": "f", "partSize": 5 << 20, "size": tib}), "partSize"),
        (json!({"fileName": "f", "metadata": "x"}), "metadata"),
        (json!({"fileName": "f", "metadata": {"a": ["x"]}}), "metadata"),
        (json!({"fileName": "f", "metadata": {"a b": "x"}}), "metadata"),
        (json!({"fileName": "f", "metadata": {"a": "x".repeat(2048)}}), "metadata"),
    ] {
        post(&bucket, "/s3/init", &fields).send().blames(field);
    }
    for name in [json!(5), json!("No_Bucket")] {
        gateway.api("POST", "/s3/init").json(&json!({"fileName": "f", "bucket": name})).send().blames("bucket");
    }
    let nowhere = json!({"fileName": "f", "bucket": "it-no-such-bucket"});
    gateway.api("POST", "/s3/init").json(&nowhere).send().fails(404, "NoSuchBucket");
    assert!(!bucket.request("GET").raw_query("uploads").send().ok(200).text().contains("<Upload>"));

    let (session, _) = init(&bucket, &json!({"fileName": "f"}));
    for (fields, field) in [
        (json!({}), "partCount"),
        (json!({"partCount": 0}), "partCount"),
        (json!({"partCount": 10_001}), "partCount"),
        (json!({"partCount": "3"}), "partCount"),
        (json!({"partNumbers": [0]}), "partNumbers"),
        (json!({"partNumbers": [10_001]}), "partNumbers"),
        (json!({"partNumbers": ["1"]}), "partNumbers"),
        (json!({"partNumbers": 1}), "partNumbers"),
        (json!({"partNumbers": vec![1; 10_001]}), "partNumbers"),
        (json!({"partCount": 1, "expiresIn": 0}), "expiresIn"),
        (json!({"partCount": 1, "expiresIn": 604_801}), "expiresIn"),
        (json!({"partCount": 1, "expiresIn": "60"}), "expiresIn"),
        (json!({"partCount": 1, "uploadId": 7}), "uploadId"),
        (json!({"partCount": 1, "uploadId": ""}), "uploadId"),
        (json!({"partCount": 1, "objectName": null}), "objectName"),
        (json!({"partCount": 1, "objectName": "k".repeat(1025)}), "objectName"),
    ] {
        session.call("/s3/part-urls", &fields).send().blames(field);
    }
    let longest = session.call("/s3/part-urls", &json!({"partCount": 10_000, "expiresIn": 604_800})).send().ok(200);
    assert_eq!(longest.json()["urls"].as_array().unwrap().len(), 10_000);
    for parts in [json!(null), json!("x"), json!({}), json!([1]), json!([{"partNumber": 1}]), json!([{"eTag": "x"}])] {
        session.call("/s3/complete", &json!({"parts": parts})).send().blames("parts");
    }
    for part in [json!({"partNumber": "1", "eTag": etag("x")}), json!({"partNumber": 0, "eTag": etag("x")})] {
        session.complete(&[part]).send().blames("parts");
    }
    session.complete(&[]).send().fails(400, "InvalidRequest");
    for tag in [etag("x"), "not an ETag".to_owned()] {
        session.complete(&[json!({"partNumber": 1, "eTag": tag})]).send().fails(400, "InvalidPart");
    }
    let part = session.put(1, b"x");
    session.complete(&[json!({"partNumber": 1, "eTag": etag("y")})]).send().fails(400, "InvalidPart");
    session.complete(&[part.clone(), part.clone()]).send().fails(400, "InvalidRequest");
    let missing = gateway.api("GET", "/s3/parts").query("bucket", &bucket.name);
    for call in [missing.clone(), missing.clone().query("objectName", "f"), missing.query("uploadId", &session.id)] {
        call.send().fails(400, "InvalidRequest");
    }
    session.complete(&[part]).send().ok(200);
}

#[test]
fn uploads_that_are_none_and_bodies_that_are_none() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (session, _) = init(&bucket, &json!({"fileName": "f"}));
    let strangers = [
        Session { id: "x".to_owned(), ..init(&bucket, &json!({"fileName": "g"})).0 },
        Session { name: "other".to_owned(), ..init(&bucket, &json!({"fileName": "g"})).0 },
        Session { id: format!("{}x", session.id), ..init(&bucket, &json!({"fileName": "g"})).0 },
    ];
    for stranger in &strangers {
        stranger.parts().send().fails(404, "NoSuchUpload");
        stranger.call("/s3/part-urls", &json!({"partCount": 1})).send().fails(404, "NoSuchUpload");
        stranger.call("/s3/abort", &json!({})).send().fails(404, "NoSuchUpload");
        stranger.complete(&[json!({"partNumber": 1, "eTag": etag("x")})]).send().fails(404, "NoSuchUpload");
    }
    for body in ["[]", "{", "\"x\"", "\u{0}"] {
        gateway.api("POST", "/s3/init").body(body).send().fails(400, "InvalidRequest");
    }
    gateway.api("POST", "/s3/init").send().blames("fileName");
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(4 << 20));
    gateway.api("POST", "/s3/init").body(long).send().fails(413, "EntityTooLarge");
    for (method, path) in
        [("GET", "/s3/init"), ("PUT", "/s3/part-urls"), ("POST", "/s3/parts"), ("DELETE", "/s3/abort")]
    {
        gateway.api(method, path).send().fails(405, "MethodNotAllowed");
    }
    for path in ["/s3", "/s3/", "/s3/other", "/s3/init/more"] {
        gateway.api("POST", path).send().fails(404, "NotFound");
    }
    gateway.api("GET", "/s3/%ff").send().fails(400, "InvalidRequest");

    // An abort ends it, parts and all; so does one of S3.
    session.put(1, b"x");
    let url = session.urls(&json!({"partCount": 1})).remove(0);
    assert_eq!(session.call("/s3/abort", &json!({})).send().ok(200).json(), json!({}));
    session.parts().send().fails(404, "NoSuchUpload");
    gateway.visit("PUT", &url, "x").refused(404, "NoSuchUpload");
    let (session, _) = init(&bucket, &json!({"fileName": "f"}));
    session.upload().abort().send().ok(204);
    session.parts().send().fails(404, "NoSuchUpload");
}

#[test]
fn what_s3_begins_goes_on_here_and_the_other_way_round() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("begun-there");
    let session = Session { bucket: &bucket, name: upload.key.clone(), id: upload.id.clone() };
    let part = session.put(1, b"there and here");
    assert_eq!(session.complete(&[part]).send().ok(200).json()["size"], 14);
    let (session, _) = init(&bucket, &json!({"fileName": "begun-here", "size": 0}));
    let tag = session.upload().put_part(1, "here and there");
    session.upload().complete(&[(1, &tag)]).send().ok(200);
    // What S3 completed is completed here too.
    let again = session.complete(&[json!({"partNumber": 1, "eTag": tag})]).send().ok(200).json();
    assert_eq!(again["size"], 14);
}

#[test]
fn a_quota_is_looked_at_before_the_first_byte() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    gateway.administer(&["bucket", "quota", &bucket.name, "6MiB"]);
    post(&bucket, "/s3/init", &json!({"fileName": "f", "size": (6 << 20) + 1})).send().fails(403, "QuotaExceeded");
    let (session, _) = init(&bucket, &json!({"fileName": "f"}));
    let parts = [session.put(1, &bytes(PART, 1)), session.put(2, &bytes(2 << 20, 2))];
    session.complete(&parts).send().fails(403, "QuotaExceeded");
    bucket.get("f").send().refused(404, "NoSuchKey");
    let directory = directory();
    let roomy = Launch::on(&directory).start();
    roomy.terminate();
    roomy.wait();
    let full = Launch::on(&directory).set("--reserve", "1000000000GiB").start();
    full.api("POST", "/s3/init").json(&json!({"fileName": "f"})).send().fails(507, "InsufficientStorage");
}

#[test]
fn urls_lead_where_the_client_can_go() {
    let fields = json!({"fileName": "f"});
    let begun = |call: Call<'_>| call.json(&fields).send().ok(200).json()["imageUrl"].as_str().unwrap().to_owned();
    let shared = Gateway::shared();
    let own = format!("http://{}/uploads/f?", shared.s3);
    // Whatever a client says of its host: the listener has one address.
    let call = || shared.api("POST", "/s3/init");
    for call in [call(), call().host("files.lan:80"), call().header("x-forwarded-host", "evil.example")] {
        let url = begun(call);
        assert!(url.starts_with(&own), "{url}");
    }

    let public = Launch::new().set("--public-url", "https://files.example.com").start();
    let url = begun(public.api("POST", "/s3/init"));
    assert!(url.starts_with("https://files.example.com/uploads/f?X-Amz-"), "{url}");

    let everywhere = wildcard(None);
    let port = everywhere.s3.port();
    let call = || everywhere.api("POST", "/s3/init");
    for (call, host) in [
        (call().host("localhost:9001"), "localhost"),
        (call().host("127.0.0.1"), "127.0.0.1"),
        (call().host("files.lan").header("x-forwarded-host", "evil.example"), "files.lan"),
    ] {
        let url = begun(call);
        assert!(url.starts_with(&format!("http://{host}:{port}/uploads/f?")), "{url}");
    }
    // The URL is signed for that very host, and works.
    let url = begun(call().host("localhost:1"));
    everywhere.visit("GET", &url, "").refused(404, "NoSuchKey");
    let behind = wildcard(Some("127.0.0.0/8"));
    let url = begun(behind.api("POST", "/s3/init").host("inner").header("x-forwarded-host", "outer.example"));
    assert!(url.starts_with(&format!("http://outer.example:{}/uploads/f?", behind.s3.port())), "{url}");
    behind.api("POST", "/s3/init").header("x-forwarded-host", "a b").send().fails(400, "InvalidRequest");
}

/// A gateway that listens on every address, behind a proxy that it trusts.
fn wildcard(proxy: Option<&str>) -> Gateway {
    let launch = Launch::listening(&directory(), "0.0.0.0:0");
    match proxy {
        Some(proxy) => launch.set("--trusted-proxy", proxy).start(),
        None => launch.start(),
    }
}
