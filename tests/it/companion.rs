//! The S3 routes of Uppy's Companion, and the signer of single URLs beside them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Call, Multipart};
use crate::bucket::{Bucket, Upload};
use crate::digests::{bytes, etag};
use crate::form::BOUNDARY;
use crate::gateway::{Gateway, Launch};
use crate::key::Key;
use crate::xml;

/// What a file may be called that is in nobody's alphabet.
const ODD: &str = "a b&c=d?e#f%2F+g/ü한글'\"(1)~.bmp";

fn call<'a>(bucket: &Bucket<'a>, method: &str, path: &str) -> Call<'a> {
    bucket.gateway.api(method, path).query("bucket", &bucket.name)
}

/// An upload that Companion's route began.
fn begin<'a>(bucket: &'a Bucket<'a>, filename: &str) -> Upload<'a> {
    let fields = json!({"filename": filename, "type": "image/bmp", "bucket": bucket.name});
    let begun = bucket.gateway.api("POST", "/s3/multipart").json(&fields).send().ok(200).json();
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();
    assert_eq!(text("bucket"), bucket.name);
    Upload { bucket, key: text("key"), id: text("uploadId") }
}

/// A request below an upload.
fn below<'a>(upload: &Upload<'a>, method: &str, more: &str) -> Call<'a> {
    call(upload.bucket, method, &format!("/s3/multipart/{}{more}", upload.id)).query("key", &upload.key)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[test]
fn a_form_of_params_is_taken_by_the_s3_port() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let params = call(&bucket, "GET", "/s3/params").query("filename", ODD).query("type", "image/bmp");
    let params = params.query("metadata[Titel]", "Grüße").query("metadata[size]", "5");
    let given = params.send().ok(200).json();
    assert_eq!((&given["method"], &given["expires"]), (&json!("POST"), &json!(3600)));
    assert_eq!(given["url"], format!("http://{}/{}/", gateway.s3, bucket.name));
    let key = text(&given["fields"]["key"]).to_owned();
    assert!(key.ends_with(&format!("-{ODD}")) && key.len() > ODD.len() + 10, "{key}");
    assert_eq!(given["fields"]["success_action_status"], "201");
    let send = |change: &dyn Fn(&str, &str) -> String| {
        let fields = given["fields"].as_object().unwrap();
        let form =
            fields.iter().fold(Multipart::default(), |form, (name, value)| form.field(name, change(name, text(value))));
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        bucket.request("POST").anonymous().header("content-type", &kind).body(form.file("hello").bytes()).send()
    };
    send(&|name, value| if name == "key" { "another".to_owned() } else { value.to_owned() })
        .refused(403, "AccessDenied");
    send(&|_, value| value.to_owned()).ok(201);
    let head = bucket.head(&key).send().ok(200);
    assert_eq!((head.header("content-type"), head.header("x-amz-meta-size")), (Some("image/bmp"), Some("5")));
    assert_eq!(head.header("x-amz-meta-titel"), Some("=?UTF-8?B?R3LDvMOfZQ==?="));
    assert_eq!(bucket.get(&key).send().ok(200).body, b"hello");
    // Two files of one name do not meet.
    assert_ne!(call(&bucket, "GET", "/s3/params").query("filename", ODD).send().ok(200).json()["fields"]["key"], key);
    for wrong in ["/s3/params", "/s3/params?filename="] {
        gateway.api("GET", wrong).send().fails(400, "InvalidRequest");
    }
    let long = "f".repeat(1020);
    call(&bucket, "GET", "/s3/params").query("filename", &long).send().blames("filename");
    call(&bucket, "GET", "/s3/params").query("filename", "f").query("metadata[a b]", "x").send().blames("metadata");
    call(&bucket, "GET", "/s3/params").query("filename", "f").query("type", "a\nb").send().blames("type");
}

#[test]
fn a_file_goes_through_companions_routes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = begin(&bucket, ODD);
    assert!(upload.key.ends_with(&format!("-{ODD}")), "{}", upload.key);
    assert!(upload.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{}", upload.id);
    assert_eq!(below(&upload, "GET", "").send().ok(200).json(), json!([]));

    let content = [bytes(5 << 20, 1), bytes(1000, 2)];
    let one = below(&upload, "GET", "/1").send().ok(200).json();
    assert_eq!(one["expires"], 3600);
    let first = gateway.visit("PUT", text(&one["url"]), &content[0]).ok(200).header("etag").unwrap().to_owned();
    // "batch" is no part number.
    let batch = below(&upload, "GET", "/batch").query("partNumbers", "2,4, 10000").send().ok(200).json();
    let urls = batch["presignedUrls"].as_object().unwrap();
    assert_eq!(urls.keys().collect::<Vec<_>>(), ["10000", "2", "4"]);
    let second = gateway.visit("PUT", text(&urls["2"]), &content[1]).ok(200).header("etag").unwrap().to_owned();

    let listed = below(&upload, "GET", "").send().ok(200).json();
    assert_eq!(
        (&listed[0]["PartNumber"], &listed[0]["ETag"], &listed[0]["Size"]),
        (&json!(1), &json!(first), &json!(5 << 20))
    );
    assert_eq!(
        (&listed[1]["PartNumber"], &listed[1]["ETag"], &listed[1]["Size"]),
        (&json!(2), &json!(second), &json!(1000))
    );
    assert!(text(&listed[0]["LastModified"]).ends_with('Z') && listed.as_array().unwrap().len() == 2);

    // Its newer clients strip the quotes.
    let parts = json!({"parts": [
        {"PartNumber": 1, "ETag": first.trim_matches('"')}, {"PartNumber": 2, "ETag": second.trim_matches('"')},
    ]});
    for _ in 0..2 {
        let done = below(&upload, "POST", "/complete").json(&parts).send().ok(200).json();
        assert_eq!((text(&done["key"]), text(&done["bucket"])), (&*upload.key, &*bucket.name));
        assert!(gateway.visit("GET", text(&done["location"]), "").ok(200).body == content.concat());
    }
    assert_eq!(bucket.head(&upload.key).send().ok(200).header("content-type"), Some("image/bmp"));
    below(&upload, "GET", "").send().fails(404, "NoSuchUpload");

    let doomed = begin(&bucket, "doomed");
    assert_eq!(below(&doomed, "DELETE", "").send().ok(200).json(), json!({}));
    below(&doomed, "DELETE", "").send().fails(404, "NoSuchUpload");
    below(&doomed, "GET", "/1").send().fails(404, "NoSuchUpload");
    below(&doomed, "GET", "/batch").query("partNumbers", "1").send().fails(404, "NoSuchUpload");
}

#[test]
fn what_is_wrong_is_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let begin_with = |fields: Value| gateway.api("POST", "/s3/multipart").json(&fields).send();
    begin_with(json!({"type": "x/y"})).blames("filename");
    begin_with(json!({"filename": 1, "type": "x/y"})).blames("filename");
    begin_with(json!({"filename": "f"})).blames("type");
    begin_with(json!({"filename": "f", "type": 1})).blames("type");
    begin_with(json!({"filename": "f", "type": "x/y", "metadata": []})).blames("metadata");
    begin_with(json!({"filename": "f", "type": "x/y", "bucket": "it-no-such-bucket"})).fails(404, "NoSuchBucket");

    let upload = begin(&bucket, "f");
    for number in ["0", "10001", "x", "-1", "+1"] {
        below(&upload, "GET", &format!("/{number}")).send().blames("partNumber");
        below(&upload, "GET", "/batch").query("partNumbers", &format!("1,{number}")).send().blames("partNumber");
    }
    below(&upload, "GET", "/batch").send().fails(400, "InvalidRequest");
    below(&upload, "POST", "/complete").json(&json!({})).send().blames("parts");
    below(&upload, "POST", "/complete")
        .json(&json!({"parts": [{"partNumber": 1, "eTag": "x"}]}))
        .send()
        .blames("parts");
    let wrong = json!({"parts": [{"PartNumber": 1, "ETag": etag("x")}]});
    below(&upload, "POST", "/complete").json(&wrong).send().fails(400, "InvalidPart");
    for path in ["", "/1", "/batch?partNumbers=1"] {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let target = format!("/s3/multipart/{}{path}?bucket={}&{query}", upload.id, bucket.name);
        let error = gateway.api("GET", &target).send().fails(400, "InvalidRequest");
        assert!(text(&error["message"]).contains("key"), "{error}");
    }
    let stranger = Upload { bucket: &bucket, key: "other".to_owned(), id: upload.id.clone() };
    below(&stranger, "GET", "").send().fails(404, "NoSuchUpload");
    for (method, path) in [
        ("POST", "/s3/params"),
        ("POST", "/s3/sts"),
        ("GET", "/s3/multipart"),
        ("GET", "/s3/presign"),
        ("PUT", "/s3/multipart/x"),
        ("POST", "/s3/multipart/x/1"),
        ("GET", "/s3/multipart/x/complete/more"),
    ] {
        let status = if path.ends_with("more") { (404, "NotFound") } else { (405, "MethodNotAllowed") };
        gateway.api(method, path).send().fails(status.0, status.1);
    }
}

#[test]
fn temporary_credentials_are_the_callers_own() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("in/k", "v").send().ok(200);
    let user = gateway.key("readwrite");
    let inside = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::{}/in/*", bucket.name),
    }});
    let ask = || call(&bucket, "GET", "/s3/sts");
    for (asked, narrowed) in [
        (ask(), false),
        (ask().by(&user), false),
        (ask().bearer(&gateway.token(&user.id, &[])), false),
        (ask().bearer(&gateway.token(&user.id, &["--policy", &inside.to_string()])), true),
    ] {
        let given = asked.send().ok(200).json();
        assert_eq!((&given["bucket"], &given["region"]), (&json!(bucket.name), &json!("us-east-1")));
        let part = |name: &str| text(&given["credentials"][name]).to_owned();
        let key = Key { id: part("AccessKeyId"), secret: part("SecretAccessKey"), token: Some(part("SessionToken")) };
        assert!(part("Expiration").ends_with('Z'));
        assert_eq!(bucket.get("in/k").by(&key).send().ok(200).body, b"v");
        bucket.get("in/k").by(&key).presigned(Duration::from_secs(60)).send().ok(200);
        let status = bucket.put("out", "x").by(&key).send().status;
        assert_eq!(status, if narrowed { 403 } else { 200 });
        let bare = Key { token: None, ..key };
        bucket.get("in/k").by(&bare).send().refused(403, "InvalidAccessKeyId");
    }
    ask().anonymous().send().fails(403, "AccessDenied");
    gateway.api("GET", "/s3/sts?bucket=it-no-such-bucket").send().fails(404, "NoSuchBucket");
}

#[test]
fn a_url_is_signed_for_each_kind_of_request() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let presign = |fields: Value| {
        let mut fields = fields;
        fields["bucket"] = json!(bucket.name);
        gateway.api("POST", "/s3/presign").json(&fields)
    };
    let url = |fields: Value| text(&presign(fields).send().ok(200).json()["url"]).to_owned();
    // A simple PUT.
    gateway.visit("PUT", &url(json!({"method": "PUT", "key": ODD})), "whole").ok(200);
    assert_eq!(bucket.get(ODD).send().ok(200).body, b"whole");
    let typed = url(json!({"method": "PUT", "key": "typed", "contentType": "image/bmp"}));
    gateway.visit("PUT", &typed, "x").refused(403, "SignatureDoesNotMatch");
    // The whole life of an upload.
    let begun = gateway.visit("POST", &url(json!({"method": "POST", "key": ODD})), "").ok(200).text();
    let id = xml::text(&begun, "UploadId").unwrap();
    let part = url(json!({"method": "PUT", "key": ODD, "uploadId": id, "partNumber": 1}));
    let tag = gateway.visit("PUT", &part, "in parts").ok(200).header("etag").unwrap().to_owned();
    let list = gateway.visit("GET", &url(json!({"method": "GET", "key": ODD, "uploadId": id})), "").ok(200).text();
    assert_eq!(xml::texts(&list, "PartNumber"), ["1"]);
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    );
    let done = gateway.visit("POST", &url(json!({"method": "POST", "key": ODD, "uploadId": id})), parts).ok(200).text();
    assert_eq!(xml::text(&done, "Key").as_deref(), Some(ODD));
    let read = presign(json!({"method": "GET", "key": ODD})).send().ok(200).json();
    assert_eq!(read["expires"], 3600);
    assert_eq!(gateway.visit("GET", text(&read["url"]), "").ok(200).body, b"in parts");
    let doomed = bucket.upload("doomed");
    let abort = url(json!({"method": "DELETE", "key": "doomed", "uploadId": doomed.id}));
    gateway.visit("DELETE", &abort, "").ok(204);
    doomed.list().send().refused(404, "NoSuchUpload");

    for (fields, field) in [
        (json!({"key": "k"}), "method"),
        (json!({"method": "PATCH", "key": "k"}), "method"),
        (json!({"method": "HEAD", "key": "k"}), "method"),
        (json!({"method": "PUT"}), "key"),
        (json!({"method": "PUT", "key": "k".repeat(1025)}), "key"),
        (json!({"method": "PUT", "key": "k", "uploadId": id}), "partNumber"),
        (json!({"method": "PUT", "key": "k", "uploadId": id, "partNumber": 0}), "partNumber"),
        (json!({"method": "PUT", "key": "k", "uploadId": id, "partNumber": "1"}), "partNumber"),
        (json!({"method": "PUT", "key": "k", "contentType": "a\nb"}), "contentType"),
        (json!({"method": "DELETE", "key": "k"}), "uploadId"),
    ] {
        presign(fields).send().blames(field);
    }
    presign(json!({"method": "PUT", "key": "k", "uploadId": "x", "partNumber": 1})).send().fails(404, "NoSuchUpload");
    // Nobody signs what he may not do himself.
    let (reader, writer) = (gateway.key("readonly"), gateway.key("writeonly"));
    for (key, fields, status) in [
        (&reader, json!({"method": "GET", "key": "k"}), 200),
        (&reader, json!({"method": "PUT", "key": "k"}), 403),
        (&reader, json!({"method": "POST", "key": "k"}), 403),
        (&reader, json!({"method": "DELETE", "key": "k", "uploadId": id}), 403),
        (&writer, json!({"method": "PUT", "key": "k"}), 200),
        (&writer, json!({"method": "GET", "key": "k"}), 403),
    ] {
        assert_eq!(presign(fields.clone()).by(key).send().status, status, "{fields}");
    }
}

#[test]
fn urls_live_as_long_as_the_setting_says() {
    let gateway = Launch::new().set("--presign-expires", "10m").start();
    let bucket = gateway.bucket();
    let upload = begin(&bucket, "f");
    let one = below(&upload, "GET", "/1").send().ok(200).json();
    assert!(text(&one["url"]).contains("X-Amz-Expires=600&") && one["expires"] == 600, "{one}");
    let asked = below(&upload, "GET", "/1").query("expiresIn", "60").send().ok(200).json();
    assert!(text(&asked["url"]).contains("X-Amz-Expires=60&") && asked["expires"] == 60, "{asked}");
    for expires in ["0", "604801", "x"] {
        below(&upload, "GET", "/1").query("expiresIn", expires).send().fails(400, "InvalidRequest");
    }
    // A token's URLs end with it, and it says so.
    let token = gateway.token(crate::gateway::ACCESS_KEY, &["--expires", "2m"]);
    let brief = below(&upload, "GET", "/1").bearer(&token).send().ok(200).json();
    let expires = brief["expires"].as_u64().unwrap();
    assert!((100..=120).contains(&expires), "{brief}");
    assert!(text(&brief["url"]).contains(&format!("X-Amz-Expires={expires}&")), "{brief}");
}
