//! PostObject: what a form stores, how its success is told, and what its policy allows.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::digests::{CHECK, CHECK_VALUES, base64, bytes, etag, md5};
use crate::form::{Form, expiration, policy};
use crate::gateway::{Gateway, Launch};
use crate::xml;

#[test]
fn a_file_of_every_size() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for size in [0, 1, 4096, 4097, 100_000, 3 << 20] {
        let file = bytes(size, 7);
        let answer = Form::new(&bucket, "dir/a b.bin", file.clone()).signed().send().ok(204);
        assert_eq!(answer.header("etag"), Some(etag(&file).as_str()), "{size}");
        let location = format!("http://{}/{}/dir%2Fa%20b.bin", gateway.s3, bucket.name);
        assert_eq!(answer.header("location"), Some(location.as_str()));
        assert!(answer.header("x-amz-checksum-crc64nvme").is_some() && answer.body.is_empty());
        let got = bucket.get("dir/a b.bin").send().ok(200);
        assert!(got.body == file, "{size}");
        assert_eq!(got.header("content-type"), Some("binary/octet-stream"));
    }
}

#[test]
fn successes_are_told_as_the_form_wishes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let status =
        |value: &str| Form::new(&bucket, "k&\u{e9}/1", "v").field("success_action_status", value).signed().send();
    for (value, told) in [("200", 200), ("204", 204), ("404", 204), ("", 204), ("303", 204)] {
        assert!(status(value).ok(told).body.is_empty(), "{value}");
    }
    let answer = status("201").ok(201);
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    let document = answer.text();
    let location = format!("http://{}/{}/k%26%C3%A9%2F1", gateway.s3, bucket.name);
    for (name, expected) in
        [("Location", location.as_str()), ("Bucket", &bucket.name), ("Key", "k&\u{e9}/1"), ("ETag", &etag("v"))]
    {
        assert_eq!(xml::text(xml::block(&document, "PostResponse").unwrap(), name).as_deref(), Some(expected));
    }
    assert_eq!(answer.header("location"), Some(location.as_str()));

    let redirected = |field: &str, value: &str| Form::new(&bucket, "a b/c", "v").field(field, value).signed().send();
    let added = format!("bucket={}&key=a+b%2Fc&etag=%22{}%22", bucket.name, etag("v").trim_matches('"'));
    for (field, address, there) in [
        ("success_action_redirect", "http://x.example/ok", format!("http://x.example/ok?{added}")),
        ("redirect", "HTTPS://x.example?a=1 2", format!("HTTPS://x.example?a=1 2&{added}")),
        ("redirect", "http://x.example/\u{e9}", format!("http://x.example/%C3%A9?{added}")),
        ("Success_Action_Redirect", "http://x.example/#top", format!("http://x.example/?{added}#top")),
    ] {
        let answer = redirected(field, address).ok(303);
        assert_eq!(answer.header("location"), Some(there.as_str()));
        assert!(answer.body.is_empty());
    }
    for address in ["", "/relative", "http://", "javascript:alert(1)", "http://x.example/\r\nx-evil: 1"] {
        redirected("success_action_redirect", address).ok(204);
    }
}

#[test]
fn fields_are_headers_of_the_object() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v w</Value></Tag></TagSet></Tagging>";
    let form = Form::new(&bucket, "k", "v")
        .field("Content-Type", "image/bmp")
        .field("Cache-Control", "no-store")
        .field("Content-Disposition", "attachment; filename=\"${filename}\"")
        .field("Expires", "Fri, 24 May 2030 00:00:00 GMT")
        .field("x-amz-meta-Name", "1")
        .field("X-Amz-Meta-NAME", "\u{d55c}\u{ae00}")
        .field("x-amz-storage-class", "STANDARD_IA")
        .field("x-amz-website-redirect-location", "/other")
        .field("acl", "private")
        .field("tagging", tags)
        .field("x-ignore-me", "1")
        .field("If-None-Match", "*");
    for _ in 0..2 {
        form.clone().signed().send().ok(204);
    }
    let head = bucket.head("k").send().ok(200);
    for (name, value) in [
        ("content-type", "image/bmp"),
        ("cache-control", "no-store"),
        ("content-disposition", "attachment; filename=\"f.bin\""),
        ("expires", "Fri, 24 May 2030 00:00:00 GMT"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-website-redirect-location", "/other"),
        ("x-amz-tagging-count", "1"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    let metadata = head.header("x-amz-meta-name").unwrap().as_bytes().to_vec();
    assert!(metadata.starts_with(b"1,"), "{metadata:?}");
    let read = bucket.get("k").raw_query("tagging").send().ok(200).text();
    assert_eq!(xml::text(&read, "Value").as_deref(), Some("v w"));
    for (field, value, status, code) in [
        ("acl", "everyone", 400, "InvalidArgument"),
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-storage-class", "FAKE", 400, "InvalidStorageClass"),
        ("x-amz-meta-a", "line\r\nx-amz-acl: public-read", 400, "InvalidArgument"),
        ("x-amz-meta-a b", "1", 400, "InvalidArgument"),
        ("x-amz-meta-long", &"v".repeat(2048), 400, "MetadataTooLarge"),
        ("tagging", "not-xml", 400, "MalformedXML"),
    ] {
        Form::new(&bucket, "new", "v").field(field, value).signed().send().refused(status, code);
    }
    bucket.get("new").send().refused(404, "NoSuchKey");
}

#[test]
fn checksums_of_the_file() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (algorithm, value) in CHECK_VALUES {
        let field = format!("x-amz-checksum-{algorithm}");
        let form = Form::new(&bucket, "k", CHECK);
        let answer = form.clone().field(&field, value).signed().send().ok(204);
        assert_eq!(answer.header(&field), Some(value));
        // A checksum needs no condition.
        form.clone().signed().field(&field, value).send().ok(204);
        let other = Form { file: b"12345678".to_vec(), ..form.clone() };
        other.field(&field, value).signed().send().refused(400, "BadDigest");
        form.field(&field, "sailorjerry").signed().send().refused(400, "InvalidRequest");
    }
    let form = Form::new(&bucket, "md5", "v");
    form.clone().field("Content-MD5", &base64(md5("w"))).signed().send().refused(400, "BadDigest");
    form.clone().field("Content-MD5", "x").signed().send().refused(400, "InvalidDigest");
    form.clone().field("x-amz-checksum-algorithm", "CRC32").signed().send().refused(400, "InvalidRequest");
    bucket.get("md5").send().refused(404, "NoSuchKey");
    form.field("Content-MD5", &base64(md5("v"))).signed().send().ok(204);
}

#[test]
fn the_name_of_the_file_in_the_key() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for (written, key) in [
        ("\"plain.txt\"", "u/plain.txt"),
        ("token.txt", "u/token.txt"),
        ("\"C:\\dir\\file.txt\"", "u/file.txt"),
        ("\"../../up.txt\"", "u/up.txt"),
        ("\"a \\\"b\\\".txt\"", "u/a \"b\".txt"),
        ("\"\u{d55c}\u{ae00}.txt\"", "u/\u{d55c}\u{ae00}.txt"),
        ("\"..\"", "u/.."),
        ("\"\"", "u/"),
        ("\"${filename}\"", "u/${filename}"),
    ] {
        Form::new(&bucket, "u/${filename}", key).named(written).signed().send().ok(204);
        assert_eq!(bucket.get(key).send().ok(200).body, key.as_bytes(), "{written}");
    }
    let unnamed = Form { file_name: None, ..Form::new(&bucket, "n/${filename}", "v") };
    unnamed.signed().send().ok(204);
    bucket.get("n/${filename}").send().ok(200);
    // Conditions are about the name that comes out.
    let form = Form::new(&bucket, "${filename}", "v").named("\"evil.txt\"");
    form.signed_with(&[json!(["starts-with", "$key", "good"])]).send().refused(403, "AccessDenied");
    for key in ["../up", "a/../b", "/lead", "a//b"] {
        Form::new(&bucket, key, "v").signed().send().ok(204);
        assert!(bucket.keys().contains(&key.to_owned()), "{key}");
        bucket.object("HEAD", key).send().ok(200);
    }
    Form::new(&bucket, "", "v").signed().send().refused(400, "InvalidArgument");
    Form::new(&bucket, &"k".repeat(1025), "v").signed().send().refused(400, "KeyTooLongError");
    let growing = Form::new(&bucket, &"${filename}".repeat(1000), "v").named(&"n".repeat(1000));
    growing.signed().send().refused(400, "MaxPostPreDataLengthExceeded");
}

#[test]
fn policies_of_both_versions() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let named = json!({"bucket": bucket.name});
    let starts = json!(["starts-with", "$key", "a/"]);
    for (conditions, key, status) in [
        (vec![json!({"key": "a/1"})], "a/1", 204),
        (vec![json!({"key": "a/1"})], "a/2", 403),
        (vec![json!(["eq", "$key", "a/1"])], "a/1", 204),
        (vec![json!(["eq", "$key", "a/1"])], "A/1", 403),
        (vec![starts.clone()], "a/x", 204),
        (vec![starts.clone()], "b/x", 403),
        (vec![starts.clone(), json!({"x-amz-meta-a": "1"})], "a/x", 403),
        (vec![], "a/x", 403),
    ] {
        let form = Form::new(&bucket, key, "v");
        let all = [vec![named.clone()], conditions.clone()].concat();
        let (v4, v2) = (form.clone().signed_with(&conditions), form.signed_v2(&policy(&all)));
        for form in [v4, v2] {
            let answer = form.send();
            assert_eq!(answer.status, status, "{conditions:?} {key}: {}", answer.text());
            if status == 403 {
                let text = answer.refused(403, "AccessDenied");
                assert!(text.contains("Invalid according to Policy: "), "{text}");
            }
        }
    }
    let past =
        json!({"expiration": expiration(SystemTime::now() - Duration::from_secs(2)), "conditions": [named, starts]});
    let text = Form::new(&bucket, "a/x", "v").signed_v2(&past).send().refused(403, "AccessDenied");
    assert_eq!(xml::text(&text, "Message").as_deref(), Some("Invalid according to Policy: Policy expired."));
    let broken = json!({"expiration": "tomorrow", "conditions": [named]});
    Form::new(&bucket, "a/x", "v").signed_v2(&broken).send().refused(400, "InvalidPolicyDocument");
    let elsewhere = gateway.bucket();
    let text =
        Form::new(&elsewhere, "a/x", "v").signed_v2(&policy(&[named, starts])).send().refused(403, "AccessDenied");
    assert!(text.contains("$bucket"), "{text}");
    assert!(elsewhere.keys().is_empty());
}

#[test]
fn sizes_that_the_policy_allows() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let range = [json!(["starts-with", "$key", ""]), json!(["content-length-range", 5, 100_000])];
    for (size, code) in [
        (4, Some("EntityTooSmall")),
        (5, None),
        (100_000, None),
        (100_001, Some("EntityTooLarge")),
        (8 << 20, Some("EntityTooLarge")),
    ] {
        let key = format!("k{size}");
        let answer = Form::new(&bucket, &key, bytes(size, 3)).signed_with(&range).send();
        match code {
            None => drop(answer.ok(204)),
            Some(code) => {
                let text = answer.refused(400, code);
                let (bound, value) = if size < 5 { ("MinSizeAllowed", "5") } else { ("MaxSizeAllowed", "100000") };
                assert_eq!(xml::text(&text, bound).as_deref(), Some(value));
                bucket.get(&key).send().refused(404, "NoSuchKey");
            }
        }
    }
}

#[test]
fn credentials_that_are_none() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let good = Form::new(&bucket, "k", "v").signed();
    let v2 = Form::new(&bucket, "k", "v").signed_v2(&policy(&[json!({"bucket": bucket.name}), json!({"key": "k"})]));
    let change = |form: &Form<'_>, name: &str, value: &str| form.clone().without(name).field(name, value).send();
    let tampered = base64(policy(&[json!({"bucket": bucket.name}), json!({"key": "k"})]).to_string() + " ");
    for form in [&good, &v2] {
        change(form, "policy", &tampered).refused(403, "SignatureDoesNotMatch");
        form.clone().without("policy").send().refused(400, "InvalidPolicyDocument");
    }
    change(&good, "x-amz-signature", &"0".repeat(64)).refused(403, "SignatureDoesNotMatch");
    change(&v2, "signature", "AAAA").refused(403, "SignatureDoesNotMatch");
    change(&v2, "awsaccesskeyid", "nobody").refused(403, "InvalidAccessKeyId");
    good.clone().without("x-amz-signature").send().refused(400, "InvalidArgument");
    v2.clone().without("signature").send().refused(400, "InvalidArgument");
    v2.clone().without("awsaccesskeyid").send().refused(400, "InvalidArgument");
    v2.clone().field("x-amz-signature", "s").send().refused(400, "InvalidArgument");
    let text = good.clone().without("key").send().refused(400, "InvalidArgument");
    assert!(
        text.contains("Bucket POST must contain a field named &apos;key&apos;") || text.contains("named 'key'"),
        "{text}"
    );
    Form::new(&bucket, "k", "v").send().refused(403, "AccessDenied");
    let absent = crate::bucket::Bucket { gateway: &gateway, name: gateway.bucket_name() };
    Form::new(&absent, "k", "v").send().refused(404, "NoSuchBucket");
    Form::new(&absent, "k", "v").signed().send().refused(404, "NoSuchBucket");
    // Credentials of another kind do not help a form.
    let kind = format!("multipart/form-data; boundary={}", crate::form::BOUNDARY);
    let unsigned = Form::new(&bucket, "k", "v").bytes();
    let in_header = bucket.request("POST").header("content-type", &kind).body(unsigned);
    in_header.clone().send().refused(400, "InvalidRequest");
    in_header.presigned(Duration::from_secs(60)).send().refused(400, "InvalidRequest");
    assert!(bucket.keys().is_empty());
    good.send().ok(204);
    v2.send().ok(204);
}

#[test]
fn version_2_can_be_switched_off() {
    let gateway = Launch::new().set("--sigv2-presign", "off").start();
    let bucket = gateway.bucket();
    let form = Form::new(&bucket, "k", "v");
    let allowed = policy(&[json!({"bucket": bucket.name}), json!({"key": "k"})]);
    form.clone().signed_v2(&allowed).send().refused(501, "NotImplemented");
    form.signed().send().ok(204);
}

#[test]
fn a_bucket_in_the_host() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let host = format!("{}.localhost:{}", bucket.name, gateway.s3.port());
    let kind = format!("multipart/form-data; boundary={}", crate::form::BOUNDARY);
    let form = Form::new(&bucket, "k", "v").signed();
    let post = gateway.request("POST", "/").host(&host).anonymous().header("content-type", &kind).body(form.bytes());
    let answer = post.send().ok(204);
    assert_eq!(answer.header("location"), Some(format!("http://{host}/k").as_str()));
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
    let metric = gateway.metric("wharf_requests_total{operation=\"PostObject\",status=\"204\"}");
    assert!(metric > 0.0);
}
