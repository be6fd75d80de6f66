//! The reserve: below it writes are refused before their body, and everything that frees room still works.

use crate::bucket::{Bucket, Upload};
use crate::digests::bytes;
use crate::form::Form;
use crate::gateway::Launch;
use crate::process::directory;

/// More than any disk has.
const EVERYTHING: &str = "1000000000GiB";

#[test]
fn below_the_reserve_nothing_is_written_and_everything_can_go() {
    let directory = directory();
    let gateway = Launch::on(&directory).set("--reserve", "1MiB").start();
    let bucket = gateway.bucket();
    bucket.put("inline", "v").send().ok(200);
    bucket.put("blob", bytes(100_000, 1)).send().ok(200);
    let upload = bucket.upload("k");
    let part = upload.put_part(1, bytes(100_000, 2));
    let doomed = bucket.upload("doomed");
    doomed.put_part(1, "x");
    gateway.terminate();
    gateway.wait();

    let full = Launch::on(&directory).set("--reserve", EVERYTHING).start();
    let bucket = Bucket { gateway: &full, name: bucket.name.clone() };
    let upload = Upload { bucket: &bucket, key: upload.key.clone(), id: upload.id.clone() };
    let doomed = Upload { bucket: &bucket, key: doomed.key.clone(), id: doomed.id.clone() };
    full.ask_api("/health/ready").ok(200);
    for body in [bytes(10, 1), bytes(100_000, 1)] {
        let form = Form::new(&bucket, "new", body.clone()).signed().request();
        for put in [bucket.put("new", body.clone()), upload.part(2, body.clone()), form] {
            // The head alone is answered: the body is not waited for, let alone read.
            let mut connection = full.connect();
            let waiting = put.clone().unsigned_header("expect", "100-continue");
            connection.write(waiting.head());
            let answer = put.answer_on(&mut connection);
            assert!(answer.interim.is_empty(), "{answer:?}");
            answer.refused(507, "InsufficientStorage");
            let mut connection = full.connect();
            connection.write(put.head());
            put.answer_on(&mut connection).refused(507, "InsufficientStorage");
        }
    }
    bucket.get("new").send().refused(404, "NoSuchKey");
    assert!(bucket.get("blob").send().ok(200).body == bytes(100_000, 1));
    assert_eq!(bucket.get("inline").send().ok(200).body, b"v");
    doomed.abort().send().ok(204);
    upload.complete(&[(1, &part)]).send().ok(200);
    for key in ["inline", "blob", "k"] {
        bucket.delete(key).send().ok(204);
    }
    bucket.request("DELETE").send().ok(204);
}

#[test]
fn a_share_of_the_filesystem_can_be_kept_back() {
    let gateway = Launch::new().set("--reserve", "0%").start();
    gateway.bucket().put("k", "v").send().ok(200);
}
