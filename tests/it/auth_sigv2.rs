//! URLs presigned with signature version 2. Each test writes down itself what is signed.

use crate::bucket::Bucket;
use crate::digests::{CHECK, md5, now_seconds};
use crate::gateway::{ACCESS_KEY, Gateway, Launch, SECRET_KEY};
use crate::request::Request;
use crate::signer::{encode_query, signature_v2};
use crate::xml;

/// Adds the credentials to a request, whose signature is over these lines and resource.
fn presigned<'a>(request: Request<'a>, method: &str, expires: i64, headers: &str, resource: &str) -> Request<'a> {
    with_types(request, method, ("", ""), expires, headers, resource)
}

/// The same, with Content-MD5 and Content-Type.
fn with_types<'a>(
    request: Request<'a>,
    method: &str,
    (md5, media_type): (&str, &str),
    expires: i64,
    headers: &str,
    resource: &str,
) -> Request<'a> {
    let text = format!("{method}\n{md5}\n{media_type}\n{expires}\n{headers}{resource}");
    let signature = encode_query(signature_v2(SECRET_KEY, &text));
    let query = format!("AWSAccessKeyId={ACCESS_KEY}&Signature={signature}&Expires={expires}");
    request.anonymous().raw_query(&query)
}

fn soon() -> i64 {
    now_seconds() + 60
}

/// A URL of an object, named by bucket and encoded key.
fn url<'a>(bucket: &Bucket<'a>, method: &str, key: &str) -> Request<'a> {
    presigned(bucket.object(method, key), method, soon(), "", &format!("/{}/{key}", bucket.name))
}

#[test]
fn a_url_puts_gets_and_heads() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    url(&bucket, "PUT", "k").body("presigned").send().ok(200);
    assert_eq!(url(&bucket, "GET", "k").send().ok(200).body, b"presigned");
    assert_eq!(url(&bucket, "HEAD", "k").send().ok(200).header("content-length"), Some("9"));
    let ranged = url(&bucket, "GET", "k").unsigned_header("range", "bytes=0-2").send().ok(206);
    assert_eq!(ranged.body, b"pre");
    // The key is signed as it stands on the wire.
    let encoded = format!("/{}/a%20b%2Bc/%C3%A9", bucket.name);
    presigned(bucket.object("PUT", "a b+c/é"), "PUT", soon(), "", &encoded).body("v").send().ok(200);
    assert_eq!(bucket.get("a b+c/é").send().ok(200).body, b"v");
}

#[test]
fn in_the_host_style_the_resource_begins_with_the_bucket() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let host = format!("{}.localhost:{}", bucket.name, gateway.s3.port());
    let get = |resource: &str| presigned(gateway.request("GET", "/k").host(&host), "GET", soon(), "", resource).send();
    assert_eq!(get(&format!("/{}/k", bucket.name)).ok(200).body, b"v");
    get("/k").refused(403, "SignatureDoesNotMatch");
    let list = gateway.request("GET", "/").query("list-type", "2").host(&host);
    let text = presigned(list, "GET", soon(), "", &format!("/{}/", bucket.name)).send().ok(200).text();
    assert_eq!(xml::text(&text, "Key").as_deref(), Some("k"));
}

#[test]
fn sub_resources_and_overrides_are_signed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let get = bucket.get("k").query("response-content-type", "text/x y").query("response-cache-control", "no-store");
    let resource = format!("/{}/k?response-cache-control=no-store&response-content-type=text/x y", bucket.name);
    let got = presigned(get, "GET", soon(), "", &resource).send().ok(200);
    assert_eq!((got.header("content-type"), got.header("cache-control")), (Some("text/x y"), Some("no-store")));
    for added in ["response-content-type=text%2Fhtml", "acl", "tagging", "attributes", "versionId=1", "uploadId=x"] {
        let answer = url(&bucket, "GET", "k").raw_query(added).send();
        // A request that means nothing is refused as that, before anybody asks who sent it.
        assert!(matches!(answer.status, 400 | 403 | 405), "{added}: {}", answer.text());
    }
    let location = bucket.request("GET").raw_query("location");
    presigned(location, "GET", soon(), "", &format!("/{}?location", bucket.name)).send().ok(200);
}

#[test]
fn a_part_goes_up_through_a_url() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let resource = format!("/{}/k?partNumber=1&uploadId={}", bucket.name, upload.id);
    let put = presigned(upload.request("PUT").query("partNumber", "1"), "PUT", soon(), "", &resource);
    let etag = put.body("part").send().ok(200).header("etag").unwrap().to_owned();
    upload.complete(&[(1, &etag)]).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"part");
}

#[test]
fn headers_that_count_are_signed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let resource = format!("/{}/k", bucket.name);
    let digest = crate::digests::base64(md5(CHECK));
    let put = bucket.put("k", CHECK).header("content-md5", &digest).header("content-type", "image/bmp");
    let put = put.header("x-amz-meta-b", " 2 ").header("X-Amz-Meta-A", "1");
    let put = with_types(put, "PUT", (&digest, "image/bmp"), soon(), "x-amz-meta-a:1\nx-amz-meta-b:2\n", &resource);
    put.send().ok(200);
    let got = bucket.get("k").send().ok(200);
    assert_eq!((got.header("content-type"), got.header("x-amz-meta-b")), (Some("image/bmp"), Some("2")));
    put.clone().unsigned_header("x-amz-meta-c", "3").send().refused(403, "SignatureDoesNotMatch");
    // As boto3 puts them into the URL.
    let hoisted = bucket.put("k", CHECK).query("x-amz-meta-a", "1").query("x-amz-checksum-crc32", "y/Q5Jg==");
    let lines = "x-amz-checksum-crc32:y/Q5Jg==\nx-amz-meta-a:1\n";
    let hoisted = presigned(hoisted, "PUT", soon(), lines, &resource);
    hoisted.send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).header("x-amz-meta-a"), Some("1"));
    hoisted.clone().body("other").send().refused(400, "BadDigest");
    hoisted.raw_query("x-amz-meta-c=3").send().refused(403, "SignatureDoesNotMatch");
    let typed = url(&bucket, "PUT", "k").unsigned_header("content-type", "text/html");
    let text = typed.body("x").send().refused(403, "SignatureDoesNotMatch");
    assert!(xml::text(&text, "StringToSign").unwrap().starts_with("PUT\n\ntext/html\n"), "{text}");
    assert_eq!(bucket.get("k").send().ok(200).body, CHECK);
}

#[test]
fn a_url_expires() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let resource = format!("/{}/k", bucket.name);
    let text = presigned(bucket.get("k"), "GET", now_seconds() - 1, "", &resource).send().refused(403, "AccessDenied");
    assert_eq!(xml::text(&text, "Message").as_deref(), Some("Request has expired"), "{text}");
    assert!(xml::text(&text, "Expires").is_some() && xml::text(&text, "ServerTime").is_some(), "{text}");
    // Nothing limits how far off the end is.
    for expires in [now_seconds() + 50 * 366 * 24 * 3600, i64::MAX] {
        presigned(bucket.get("k"), "GET", expires, "", &resource).send().ok(200);
    }
}

#[test]
fn a_changed_url_is_worth_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    bucket.put("l", "v").send().ok(200);
    let head = url(&bucket, "GET", "k").head();
    for (from, to, code) in [
        ("/k?", "/l?", "SignatureDoesNotMatch"),
        ("GET ", "PUT ", "SignatureDoesNotMatch"),
        ("Expires=", "Expires=9", "SignatureDoesNotMatch"),
        ("Signature=", "Signature=A", "SignatureDoesNotMatch"),
        ("AWSAccessKeyId=", "AWSAccessKeyId=x", "InvalidAccessKeyId"),
        ("Expires=", "NoExpires=", "AccessDenied"),
    ] {
        let mut connection = gateway.connect();
        connection.write(head.replacen(from, to, 1).replace("\r\n\r\n", "\r\ncontent-length: 0\r\n\r\n"));
        connection.read_answer("GET").refused(403, code);
    }
    let delete = url(&bucket, "DELETE", "k").send().refused(501, "NotImplemented");
    assert!(delete.contains("s3v4"), "{delete}");
    assert_eq!(bucket.keys(), ["k", "l"]);
}

#[test]
fn bodies_come_plain() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let resource = format!("/{}/k", bucket.name);
    let framed = "9\r\n123456789\r\n0\r\n\r\n";
    for mode in ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        let put = bucket.put("k", framed).header("x-amz-content-sha256", mode);
        let put = presigned(put, "PUT", soon(), &format!("x-amz-content-sha256:{mode}\n"), &resource);
        put.send().refused(400, "InvalidRequest");
    }
    let put = url(&bucket, "PUT", "k").unsigned_header("content-encoding", "aws-chunked").body(framed);
    put.send().refused(400, "InvalidRequest");
    bucket.get("k").send().refused(404, "NoSuchKey");
    url(&bucket, "PUT", "k").body("in chunks of HTTP").chunked(3).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"in chunks of HTTP");
}

#[test]
fn it_can_be_switched_off() {
    let gateway = Launch::new().set("--sigv2-presign", "off").start();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let text = url(&bucket, "GET", "k").send().refused(501, "NotImplemented");
    assert!(text.contains("s3v4"), "{text}");
}

#[test]
fn in_the_header_it_is_never_accepted() {
    let gateway = Gateway::shared();
    let get = gateway.request("GET", "/").anonymous().header("authorization", &format!("AWS {ACCESS_KEY}:abc="));
    let text = get.send().refused(400, "InvalidRequest");
    assert!(text.contains("AWS4-HMAC-SHA256"), "{text}");
}
