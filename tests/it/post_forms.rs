//! PostObject: forms as no decent client sends them, and forms cut up by the network.

use crate::digests::bytes;
use crate::form::{BOUNDARY, Form, posted};
use crate::gateway::Gateway;
use crate::xml;

#[test]
fn a_form_that_comes_byte_by_byte() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = format!("\r\n--{BOUNDARY}x\r\n--{BOUNDARY}-\r\n\r\n--{}", &BOUNDARY[..20]);
    let form = Form::new(&bucket, "k", file.clone()).signed();
    let request = form.request();
    let mut connection = gateway.connect();
    connection.write(request.head());
    for byte in form.bytes() {
        connection.write([byte]);
    }
    request.answer_on(&mut connection).ok(204);
    assert_eq!(bucket.get("k").send_on(&mut connection).ok(200).body, file.as_bytes());
}

#[test]
fn a_form_in_chunks_of_http() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = bytes(300_000, 5);
    for chunk in [1000, 70_000] {
        let form = Form::new(&bucket, "k", file.clone()).signed();
        form.request().chunked(chunk).send().ok(204);
        assert!(bucket.get("k").send().ok(200).body == file);
    }
}

#[test]
fn order_and_number_of_fields() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let mut form = Form::new(&bucket, "k", "v").field("x-amz-meta-a", "1").signed();
    form.fields.reverse();
    form.send().ok(204);
    // What stands behind the file counts for nothing.
    let field = |name: &str, value: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let behind = field("x-amz-meta-b", "2") + &field("submit", "Upload");
    Form { behind, ..Form::new(&bucket, "k", "v").signed() }.send().ok(204);
    assert_eq!(bucket.head("k").send().ok(200).header("x-amz-meta-b"), None);
    let second =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"File\"; filename=\"b\"\r\n\r\nsecond\r\n");
    let twice = Form { behind: second, ..Form::new(&bucket, "twice", "v").signed() };
    let text = twice.send().refused(400, "InvalidArgument");
    assert!(text.contains("POST requires exactly one file upload per request."), "{text}");
    let late = Form { behind: field("key", "late"), ..Form::new(&bucket, "late", "v").signed().without("key") };
    late.send().refused(400, "InvalidArgument");
    // A key given twice is both, which no condition about one of them allows.
    let keys = Form::new(&bucket, "a", "v").signed_with(&[serde_json::json!({"key": "a"})]).field("key", "b");
    keys.send().refused(403, "AccessDenied");
    for (name, value, count) in
        [("x-ignore-a", "", 5000), ("x-ignore-b", "v", 400), ("x-ignore-c", &"v".repeat(20_480), 1)]
    {
        let many = (0..count).fold(Form::new(&bucket, "many", "v").signed(), |form, _| form.field(name, value));
        let text = many.send().refused(400, "MaxPostPreDataLengthExceeded");
        assert_eq!(xml::text(&text, "MaxPostPreDataLengthBytes").as_deref(), Some("20480"));
    }
    Form { behind: field("x", &"v".repeat(20_480)), ..Form::new(&bucket, "many", "v").signed() }
        .send()
        .refused(400, "MaxPostPreDataLengthExceeded");
    Form::new(&bucket, "many", "v").signed().field("x-ignore", "\u{e9}").send().refused(403, "AccessDenied");
    assert_eq!(bucket.keys(), ["k"]);
}

#[test]
fn forms_that_are_none() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let form = Form::new(&bucket, "k", bytes(10_000, 1)).signed();
    let whole = form.bytes();
    let text = String::from_utf8_lossy(&whole).into_owned();
    let end = whole.len() - format!("--{BOUNDARY}--\r\n").len();
    for cut in [0, 10, 300, whole.len() - 5000, end, end + 5, whole.len() - 3] {
        let answer = posted(&bucket, &whole[..cut]).send();
        answer.refused(400, "MalformedPOSTRequest");
    }
    for body in [
        "x".repeat(1000),
        text.replacen("Content-Disposition", "Content Disposition", 1),
        text.replacen("form-data;", "file;", 1),
        text.replacen("name=\"key\"", "title=\"key\"", 1),
        text.replacen("\r\n\r\n", "\n\n", 1).replacen("\r\n", "\n", 1),
        text.replacen("Content-Type: image/bmp", "Content-Transfer-Encoding: base64", 1),
    ] {
        let status = posted(&bucket, body.clone()).send();
        assert!(matches!(status.status, 400), "{}: {}", status.text(), &body[..200]);
    }
    let huge = text.replacen("\r\n\r\n", &format!("\r\nX-Header: {}\r\n\r\n", "v".repeat(30_000)), 1);
    posted(&bucket, huge).send().refused(400, "MaxPostPreDataLengthExceeded");
    posted(&bucket, format!("--{BOUNDARY}--\r\n")).send().refused(400, "InvalidArgument");
    let other = bucket.request("POST").anonymous().body(whole.clone());
    let text = other.clone().send().refused(412, "PreconditionFailed");
    assert!(text.contains("Bucket POST must be of the enclosure-type multipart/form-data"), "{text}");
    other.clone().header("content-type", "text/html").send().refused(412, "PreconditionFailed");
    other.clone().header("content-type", "multipart/form-data").send().refused(400, "MalformedPOSTRequest");
    other.header("content-type", "multipart/form-data; boundary=other").send().refused(400, "MalformedPOSTRequest");
    assert!(bucket.keys().is_empty());
}

#[test]
fn lengths_that_are_wrong() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let form = Form::new(&bucket, "k", bytes(10_000, 1)).signed();
    let length = form.bytes().len();
    let with_length = |length: String| form.request().own_framing().unsigned_header("content-length", &length);
    let mut connection = gateway.connect();
    // Cut off: what follows is not the form's.
    let short = with_length((length - 20).to_string());
    connection.write(&short.bytes()[..short.bytes().len() - 20]);
    short.answer_on(&mut connection).refused(400, "MalformedPOSTRequest");
    let mut connection = gateway.connect();
    let long = with_length((length + 20).to_string());
    connection.write(long.bytes());
    connection.end_writing();
    long.answer_on(&mut connection).refused(400, "IncompleteBody");
    let mut connection = gateway.connect();
    let none = form.request().own_framing();
    connection.write(none.head());
    none.answer_on(&mut connection).refused(411, "MissingContentLength");
    let huge = with_length((6_u64 << 30).to_string());
    let mut connection = gateway.connect();
    connection.write(huge.head());
    huge.answer_on(&mut connection).refused(400, "EntityTooLarge");
    assert!(bucket.keys().is_empty());
}

#[test]
fn a_waiting_client_is_told_to_go_on() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let form = Form::new(&bucket, "k", "v").signed();
    let request = form.request().unsigned_header("expect", "100-continue");
    let mut connection = gateway.connect();
    connection.write(request.head());
    assert_eq!(connection.read_interim(), 100);
    connection.write(form.bytes());
    request.answer_on(&mut connection).ok(204);
    let other = bucket.request("POST").anonymous().body("x").unsigned_header("expect", "100-continue");
    let mut connection = gateway.connect();
    connection.write(other.head());
    let answer = other.answer_on(&mut connection);
    assert!(answer.interim.is_empty(), "{answer:?}");
    answer.refused(412, "PreconditionFailed");
}
