//! Request documents that are hostile: too large, too deep, too clever.

use crate::bucket::Bucket;
use crate::digests::{base64, md5};
use crate::gateway::Gateway;
use crate::request::Request;
use crate::xml;

fn delete<'a>(bucket: &Bucket<'a>, body: &str) -> Request<'a> {
    bucket.request("POST").raw_query("delete").body(body).header("content-md5", &base64(md5(body)))
}

fn assert_refused(request: &Request<'_>, what: &str) {
    let answer = request.send();
    let code = xml::text(&answer.text(), "Code").unwrap();
    let fine = matches!(code.as_str(), "MalformedXML" | "MaxMessageLengthExceeded" | "EntityTooLarge");
    assert!(answer.status == 400 && fine, "{what}: {} {code}", answer.status);
}

#[test]
fn entities_are_not_expanded() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("lol", "v").send().ok(200);
    let mut laughs = "<!DOCTYPE lolz [<!ENTITY lol0 \"lol\">".to_owned();
    for n in 1..10 {
        laughs += &format!("<!ENTITY lol{n} \"{}\">", format!("&lol{};", n - 1).repeat(10));
    }
    let bomb = format!("{laughs}]><Delete><Object><Key>&lol9;</Key></Object></Delete>");
    let file =
        "<!DOCTYPE d [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><Delete><Object><Key>&f;</Key></Object></Delete>";
    let unknown = "<Delete><Object><Key>&lol;</Key></Object></Delete>";
    for body in [bomb.as_str(), file, unknown] {
        assert_refused(&delete(&bucket, body), body);
    }
    assert_eq!(bucket.get("lol").send().ok(200).body, b"v");
}

#[test]
fn depth_is_limited() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for depth in [100, 100_000] {
        let body = format!("<Delete>{}{}</Delete>", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_refused(&delete(&bucket, &body), "deep");
        assert_refused(&delete(&bucket, &format!("<Delete>{}", "<a>".repeat(depth))), "deep and open");
    }
}

#[test]
fn size_is_limited() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let blanks = " ".repeat(9 << 20);
    for request in [
        delete(&bucket, &format!("<Delete>{blanks}</Delete>")),
        upload.complete_with(&blanks),
        gateway
            .request("PUT", "/it-too-large")
            .body(format!("<CreateBucketConfiguration>{blanks}</CreateBucketConfiguration>")),
    ] {
        let mut connection = gateway.connect();
        let mut writer = connection.writer();
        let bytes = request.bytes();
        std::thread::scope(|scope| {
            scope.spawn(move || drop(std::io::Write::write_all(&mut writer, &bytes)));
            let answer = request.answer_on(&mut connection);
            let code = xml::text(&answer.text(), "Code").unwrap();
            let fine = matches!(code.as_str(), "MalformedXML" | "MaxMessageLengthExceeded" | "EntityTooLarge");
            assert!(answer.status == 400 && fine, "{} {code}", answer.status);
        });
    }
    gateway.request("HEAD", "/it-too-large").send().ok(404);
}

#[test]
fn many_elements_are_no_way_around_the_limits() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.put_part(1, "x");
    let element = format!("<Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part>");
    let answer = upload.complete_with(&element.repeat(10_001)).send();
    let code = xml::text(&answer.text(), "Code").unwrap();
    assert!(answer.status == 400 && matches!(code.as_str(), "MalformedXML" | "InvalidPartOrder"), "{code}");
    let attributes: String = (0..10_000).map(|n| format!(" a{n}=\"x\"")).collect();
    let body = format!("<Delete{attributes}><Object><Key>k</Key></Object></Delete>");
    let status = delete(&bucket, &body).send().status;
    assert!(status == 200 || status == 400, "{status}");
}

#[test]
fn bytes_that_are_no_text() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for body in [
        b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>".to_vec(),
        b"\xff\xfe<\0D\0e\0l\0e\0t\0e\0>\0".to_vec(),
        b"<Delete><Object><Key>a\0b</Key></Object></Delete>".to_vec(),
        vec![0; 1000],
        vec![0xff; 1000],
    ] {
        let request = bucket.request("POST").raw_query("delete").body(body.clone());
        let answer = request.header("content-md5", &base64(md5(&body))).send();
        assert!(matches!(answer.status, 200 | 400), "{}", answer.status);
        assert!(answer.status == 400 || body.contains(&0), "{}", answer.text());
    }
}
