//! Virtual-host style addressing, beside path style.

use crate::gateway::{Gateway, Launch};
use crate::xml;

#[test]
fn a_bucket_in_the_host() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let port = gateway.s3.port();
    for host in [format!("{}.localhost:{port}", bucket.name), format!("{}.LOCALHOST", bucket.name.to_uppercase())] {
        let at = |method: &str, path: &str| gateway.request(method, path).host(&host);
        at("PUT", "/a//b").body("v").send().ok(200);
        assert_eq!(bucket.get("a//b").send().ok(200).body, b"v");
        assert_eq!(at("GET", "/a//b").send().ok(200).body, b"v");
        let listed = at("GET", "/").query("list-type", "2").send().ok(200).text();
        assert_eq!(xml::text(&listed, "Name"), Some(bucket.name.clone()));
        at("HEAD", "/").send().ok(200);
        // The first segment is the key's, even if it looks like the bucket.
        at("GET", &format!("/{}/a", bucket.name)).send().refused(404, "NoSuchKey");
        at("DELETE", "/a//b").send().ok(204);
    }
    gateway
        .request("GET", "/")
        .host(&format!("it-no-such-bucket.localhost:{port}"))
        .query("list-type", "2")
        .send()
        .refused(404, "NoSuchBucket");
}

#[test]
fn an_upload_in_the_host_style() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let host = format!("{}.localhost", bucket.name);
    let text = gateway.request("POST", "/k").host(&host).raw_query("uploads").send().ok(200).text();
    let id = xml::text(&text, "UploadId").unwrap();
    let put = gateway.request("PUT", "/k").host(&host).query("uploadId", &id).query("partNumber", "1").body("v");
    let part = put.send().ok(200).header("etag").unwrap().to_owned();
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part></CompleteMultipartUpload>"
    );
    gateway.request("POST", "/k").host(&host).query("uploadId", &id).body(body).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
}

#[test]
fn localhost_itself_and_foreign_hosts_are_path_style() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let path = format!("/{}/k", bucket.name);
    for host in ["localhost", "localhost:1", "notlocalhost", "s3.example.com", "10.1.2.3:9000", "[::1]:9000", "wharf"] {
        assert_eq!(gateway.request("GET", &path).host(host).send().ok(200).body, b"v", "{host}");
    }
}

#[test]
fn other_domains_are_set() {
    let gateway = Launch::new().set("--domain", "s3.example.com").set("--domain", "example.org").start();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    for domain in ["s3.example.com:9000", "example.org", "localhost"] {
        let host = format!("{}.{domain}", bucket.name);
        assert_eq!(gateway.request("GET", "/k").host(&host).send().ok(200).body, b"v", "{host}");
    }
    gateway.request("GET", "/").host("s3.example.com").send().ok(200);
    gateway.request("GET", "/").host("UPPER_case.example.org").send().refused(400, "InvalidBucketName");
}

#[test]
fn hosts_that_are_none() {
    let gateway = Gateway::shared();
    let good = gateway.request("GET", "/").head();
    let line = format!("host: {}\r\n", gateway.s3);
    for bad in [String::new(), format!("{line}{line}"), "host: a b\r\n".to_owned(), "host: a/b\r\n".to_owned()] {
        let mut connection = gateway.connect();
        connection.write(good.replace(&line, &bad));
        let answer = connection.read_answer("GET");
        assert_eq!(answer.status, 400, "{bad:?}: {}", answer.text());
    }
}

#[test]
fn a_bucket_of_its_own_host_has_the_probes_paths_as_keys() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let host = format!("{}.localhost", bucket.name);
    let at = |method: &str| gateway.request(method, "/minio/health/live").host(&host);
    at("GET").anonymous().send().refused(403, "AccessDenied");
    at("PUT").body("v").send().ok(200);
    assert_eq!(at("GET").send().ok(200).body, b"v");
    gateway.request("GET", "/minio/health/live").anonymous().send().ok(200);
}
