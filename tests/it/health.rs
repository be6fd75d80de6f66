//! Health on both ports, and `/metrics`.

use crate::gateway::{Gateway, Launch};

#[test]
fn both_ports_say_how_it_is() {
    let gateway = Gateway::shared();
    for path in ["/health/live", "/health/ready"] {
        gateway.ask_api(path).ok(200);
    }
    let mut connection = gateway.connect();
    for path in ["/minio/health/live", "/minio/health/ready"] {
        for method in ["GET", "HEAD"] {
            let answer = gateway.request(method, path).anonymous().send_on(&mut connection).ok(200);
            assert!(method == "GET" || answer.body.is_empty());
        }
    }
    gateway.request("PUT", "/minio").send().refused(400, "InvalidBucketName");
    assert_eq!(gateway.ask_api("/nothing/here").status, 404);
}

#[test]
fn metrics_have_their_names() {
    let gateway = Gateway::shared();
    gateway.bucket().put("k", vec![b'x'; 10_000]).send().ok(200);
    let answer = gateway.ask_api("/metrics").ok(200);
    assert!(answer.header("content-type").unwrap().contains("text"), "{:?}", answer.headers);
    let text = answer.text();
    for name in [
        "wharf_requests_total",
        "wharf_request_seconds_bucket",
        "wharf_bytes_received_total",
        "wharf_bytes_sent_total",
        "wharf_open_uploads",
        "wharf_staged_bytes",
        "wharf_commit_batches_bucket",
        "wharf_commits_total",
        "wharf_fsyncs_total",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "no {name} in {text}");
    }
}

#[test]
fn requests_are_counted_by_operation_and_status() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    for n in 0..3 {
        bucket.put(&format!("k{n}"), "v").send().ok(200);
    }
    bucket.get("k0").send().ok(200);
    bucket.get("missing").send().refused(404, "NoSuchKey");
    bucket.get("k0").anonymous().send().refused(403, "AccessDenied");
    bucket.request("GET").raw_query("website").send().refused(501, "NotImplemented");
    let count = |operation: &str, status: u16| {
        gateway.metric(&format!("wharf_requests_total{{operation=\"{operation}\",status=\"{status}\"}}"))
    };
    // A request is counted when its answer has been sent, which may be a moment after it was read.
    let (get, put) = (("GetObject", 200), ("PutObject", 200));
    for ((operation, status), expected) in
        [(put, 3.0), (get, 1.0), (("GetObject", 404), 1.0), (("GetObject", 403), 1.0), (("GetBucketWebsite", 501), 1.0)]
    {
        crate::process::poll(&format!("{operation} {status}"), || (count(operation, status) == expected).then_some(()));
    }
}

#[test]
fn open_uploads_and_their_bytes_are_shown() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    upload.put_part(1, vec![b'x'; 1000]);
    let part = upload.put_part(2, vec![b'x'; 100_000]);
    assert_eq!((gateway.metric("wharf_open_uploads"), gateway.metric("wharf_staged_bytes")), (1.0, 101_000.0));
    upload.complete(&[(2, &part)]).send().ok(200);
    assert_eq!(gateway.metric("wharf_open_uploads"), 0.0);
    crate::process::poll("staged bytes", || (gateway.metric("wharf_staged_bytes") == 0.0).then_some(()));
}
