//! `wharf presign`: URLs of every operation are accepted by a gateway that shares only the settings, also behind a proxy that
//! rewrites Host; and explanations of those that are not.

use crate::gateway::{ACCESS_KEY, Gateway, Launch, SECRET_KEY};
use crate::http::Answer;
use crate::process::{Ended, run, wharf};
use crate::xml;

/// Runs `wharf presign` with the keys of every gateway here.
fn presign(arguments: &[&str]) -> Ended {
    let mut command = wharf(&["presign"]);
    command.args(arguments).env("WHARF_ACCESS_KEY", ACCESS_KEY).env("WHARF_SECRET_KEY", SECRET_KEY);
    run(command)
}

/// The URL it prints, and nothing else.
fn minted(arguments: &[&str]) -> String {
    let ended = presign(arguments);
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
    let [url] = ended.stdout.as_slice() else { panic!("{:?}", ended.stdout) };
    url.clone()
}

/// Sends a request to the URL's path and query over a connection to this gateway.
fn send(gateway: &Gateway, method: &str, url: &str, host: Option<&str>, head: &str, body: &str) -> Answer {
    let (_, rest) = url.split_once("://").unwrap();
    let (authority, target) = rest.split_once('/').unwrap();
    let host = host.unwrap_or(authority);
    let length =
        if method == "PUT" || method == "POST" { format!("content-length: {}\r\n", body.len()) } else { String::new() };
    let mut connection = gateway.connect();
    connection.write(format!("{method} /{target} HTTP/1.1\r\nhost: {host}\r\n{length}{head}\r\n{body}"));
    let answer = connection.read_answer(method);
    answer.check(method);
    answer
}

#[test]
fn a_url_of_every_operation_is_accepted() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let base = format!("http://{}", gateway.s3);
    let object = format!("s3://{}/dir/a b+é", bucket.name);
    let url = |operation: &str, more: &[&str]| {
        minted(&[&[operation, &object, "--public-url", &base, "--expires", "1m"][..], more].concat())
    };
    let ask = |method: &str, url: &str, body: &str| send(&gateway, method, url, None, "", body);
    ask("PUT", &url("put", &[]), "content").ok(200);
    assert_eq!(ask("GET", &url("get", &[]), "").ok(200).body, b"content");
    let named = ask("GET", &url("get", &["--query", "response-content-type=text/x; a=\"b\""]), "").ok(200);
    assert_eq!(named.header("content-type"), Some("text/x; a=\"b\""));
    assert_eq!(ask("HEAD", &url("head", &[]), "").ok(200).header("content-length"), Some("7"));
    let created = ask("POST", &url("create", &[]), "").ok(200).text();
    let upload = xml::text(&created, "UploadId").unwrap();
    let of_upload = ["--upload-id", upload.as_str()];
    let part = ask("PUT", &url("part", &["--upload-id", &upload, "--part", "1"]), "part").ok(200);
    let listed = ask("GET", &url("list-parts", &of_upload), "").ok(200).text();
    assert_eq!(xml::text(&listed, "PartNumber").as_deref(), Some("1"));
    let etag = part.header("etag").unwrap();
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    ask("POST", &url("complete", &of_upload), &document).ok(200);
    assert_eq!(ask("GET", &url("get", &[]), "").ok(200).body, b"part");
    let listed = minted(&["list", &format!("s3://{}/dir/", bucket.name), "--public-url", &base]);
    assert_eq!(xml::text(&ask("GET", &listed, "").ok(200).text(), "KeyCount").as_deref(), Some("1"));
    let created = ask("POST", &url("create", &[]), "").ok(200).text();
    let upload = xml::text(&created, "UploadId").unwrap();
    ask("DELETE", &url("abort", &["--upload-id", &upload]), "").ok(204);
    ask("DELETE", &url("delete", &[]), "").ok(204);
    ask("GET", &url("get", &[]), "").refused(404, "NoSuchKey");
}

#[test]
fn headers_and_virtual_hosts_are_signed() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let base = format!("http://localhost:{}", gateway.s3.port());
    let object = format!("s3://{}/k", bucket.name);
    let typed = minted(&["put", &object, "--public-url", &base, "--virtual-host", "--header", "Content-Type: text/x"]);
    assert!(typed.starts_with(&format!("http://{}.localhost:", bucket.name)), "{typed}");
    send(&gateway, "PUT", &typed, None, "content-type: text/html\r\n", "x").refused(403, "SignatureDoesNotMatch");
    send(&gateway, "PUT", &typed, None, "content-type: text/x\r\n", "x").ok(200);
    assert_eq!(bucket.head("k").send().ok(200).header("content-type"), Some("text/x"));
}

/// A proxy in front of the gateway sends its own name for us as Host, and nothing that says what the client asked for.
#[test]
fn a_public_url_is_accepted_whatever_host_a_proxy_sends() {
    let urls = "https://cdn.example.com,https://files.example.com";
    let behind = Launch::new().set("--public-url", urls).start();
    let bucket = behind.bucket();
    bucket.put("k", "v").send().ok(200);
    let object = format!("s3://{}/k", bucket.name);
    let host = behind.s3.to_string();
    for public in ["https://cdn.example.com", "https://files.example.com"] {
        let url = minted(&["get", &object, "--public-url", public]);
        assert!(url.starts_with(public), "{url}");
        assert_eq!(send(&behind, "GET", &url, Some(&host), "", "").ok(200).body, b"v");
        send(&behind, "GET", &url, None, "", "").ok(200);
        send(&behind, "PUT", &url, Some(&host), "", "v").refused(403, "SignatureDoesNotMatch");
    }
    let header = bucket.get("k").host("files.example.com");
    let rewritten = header.head().replace("host: files.example.com", &format!("host: {host}"));
    let mut connection = behind.connect();
    connection.write(rewritten);
    connection.read_answer("GET").ok(200);
    let stranger = minted(&["get", &object, "--public-url", "https://other.example.com"]);
    let text = send(&behind, "GET", &stranger, Some(&host), "", "").refused(403, "SignatureDoesNotMatch");
    let canonical = xml::text(&text, "CanonicalRequest").unwrap();
    assert!(canonical.contains(&format!("host:{host}")), "the request as it came: {canonical}");
    // In virtual-host style the host says what the request is for.
    let by_name = minted(&["get", &object, "--public-url", "https://files.example.com", "--virtual-host"]);
    send(&behind, "GET", &by_name, Some(&format!("{}.localhost", bucket.name)), "", "")
        .refused(403, "SignatureDoesNotMatch");

    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let url = minted(&["get", &format!("s3://{}/k", bucket.name), "--public-url", "https://files.example.com"]);
    send(&gateway, "GET", &url, Some(&gateway.s3.to_string()), "", "").refused(403, "SignatureDoesNotMatch");
}

#[test]
fn an_explanation_names_the_check() {
    let url = minted(&["put", "s3://bkt/k", "--header", "x-amz-meta-a: b"]);
    let good = presign(&["--explain", &url, "--method", "PUT", "--header", "x-amz-meta-a: b"]);
    assert_eq!((good.status.code(), good.stderr.as_str()), (Some(0), ""), "{:?}", good.stdout);
    assert!(good.stdout.iter().take(8).all(|line| line.starts_with("ok      ")), "{:?}", good.stdout);
    assert!(good.stdout.iter().any(|line| line.contains("x-amz-meta-a: b")), "{:?}", good.stdout);
    let bad = presign(&["--explain", &url]);
    assert_eq!(bad.status.code(), Some(1), "{}", bad.stderr);
    assert!(bad.stdout.iter().any(|line| line.starts_with("FAILED  signature: ")), "{:?}", bad.stdout);
    for (arguments, code) in [
        (&["--explain", "http://127.0.0.1:9000/bkt/k"][..], 1),
        (&["--explain", "http://127.0.0.1:9000/B_T/k"], 1),
        (&["--explain", "not a url"], 2),
        (&["--explain", "http://user@h/bkt/k"], 2),
        (&["get", "s3://bkt/k", "--expires", "8d"], 2),
        (&["get", "s3://bkt/k", "--data-dir"], 2),
    ] {
        let ended = presign(arguments);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {} {:?}", ended.stderr, ended.stdout);
        assert_eq!(ended.stderr.lines().count(), usize::from(code == 2), "{}", ended.stderr);
    }
}
