//! A Content-Length that is signed is a limit: a body of another length is refused, whatever frames it.

use std::time::Duration;

use crate::gateway::Gateway;

/// What a body may be sent with in place of the signed five bytes.
const OTHERS: [(&str, &str); 6] = [
    ("content-length: 4\r\n", "hell"),
    ("content-length: 6\r\n", "hello!"),
    ("content-length: 0\r\n", ""),
    ("transfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    // The length that was signed is there, but frames nothing (RFC 9112 section 6.3): it is no header of the request.
    ("content-length: 5\r\ntransfer-encoding: chunked\r\n", "6\r\nhello!\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "6\r\nhello!\r\n0\r\n\r\n"),
];

#[test]
fn a_signed_length_admits_no_other() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let put = bucket.object("PUT", "k").own_framing().unsigned_payload().header("content-length", "5");
    for put in [put.clone().presigned(Duration::from_secs(60)), put] {
        let head = put.head();
        assert!(head.contains("content-length%3Bhost") || head.contains("content-length;host"), "{head}");
        let send = |framing: &str, body: &str| {
            let mut connection = gateway.connect();
            connection.write(head.replace("content-length: 5\r\n", framing) + body);
            put.answer_on(&mut connection)
        };
        for (framing, body) in OTHERS {
            send(framing, body).refused(403, "SignatureDoesNotMatch");
            bucket.get("k").send().refused(404, "NoSuchKey");
        }
        // More than was promised belongs to no request.
        send("content-length: 5\r\n", "hello!").ok(200);
        assert_eq!(bucket.get("k").send().ok(200).body, b"hello");
        bucket.delete("k").send().ok(204);
    }
}

#[test]
fn a_url_for_a_part_of_one_length_takes_no_other() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.request("PUT").query("partNumber", "1").own_framing().header("content-length", "5");
    let part = part.presigned(Duration::from_secs(60));
    for (framing, body) in OTHERS {
        let mut connection = gateway.connect();
        connection.write(part.head().replace("content-length: 5\r\n", framing) + body);
        part.answer_on(&mut connection).refused(403, "SignatureDoesNotMatch");
    }
    let mut connection = gateway.connect();
    connection.write(part.head() + "hello");
    part.answer_on(&mut connection).ok(200);
}
