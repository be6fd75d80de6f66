//! `kill -9`: what was acknowledged is there, what was not is not half there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bucket::{Bucket, Upload};
use crate::digests::{bytes, md5};
use crate::gateway::{Gateway, Launch};
use crate::http::Connection;
use crate::process::{directory, poll};
use crate::request::Request;

/// The status of a request to a gateway that may die at any moment; none without an answer.
fn attempt(connection: &mut Connection, request: &Request<'_>) -> Option<u16> {
    connection.try_write(request.bytes()).ok()?;
    connection.try_read_answer("PUT").ok().map(|answer| answer.status)
}

#[test]
fn acknowledged_objects_survive() {
    let directory = directory();
    let mut gateway = Launch::on(&directory).start();
    let name = gateway.bucket().name;
    let mut acknowledged: Vec<(String, u64, usize)> = Vec::new();
    for round in 0..3_u64 {
        let written = Mutex::new(Vec::new());
        let dying = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for worker in 0..4_u64 {
                let (gateway, written, dying, name) = (&gateway, &written, &dying, &name);
                scope.spawn(move || {
                    let bucket = Bucket { gateway, name: name.clone() };
                    let mut connection = gateway.connect();
                    for n in 0_u64.. {
                        // Small, inline and large bodies, some of them over older ones.
                        let size = [100, 4096, 5000, 200_000][n as usize % 4];
                        let (key, seed) = (format!("{worker}/{}", n % 20), round << 32 | worker << 16 | n);
                        let put = bucket.put(&key, bytes(size, seed)).unsigned_payload();
                        match attempt(&mut connection, &put) {
                            Some(status) => {
                                assert_eq!(status, 200);
                                written.lock().unwrap().push((key, seed, size));
                            }
                            None => {
                                assert!(dying.load(Ordering::SeqCst), "the gateway died by itself");
                                // Whether this one was stored is open, so it must not be checked.
                                written.lock().unwrap().push((key, 0, 0));
                                return;
                            }
                        }
                    }
                });
            }
            poll("enough is written", || (written.lock().unwrap().len() >= 60).then_some(()));
            dying.store(true, Ordering::SeqCst);
            gateway.kill();
        });
        acknowledged.extend(written.into_inner().unwrap());
        gateway = Launch::on(&directory).start();
        check(&gateway, &name, &acknowledged);
    }
}

fn check(gateway: &Gateway, name: &str, acknowledged: &[(String, u64, usize)]) {
    let bucket = Bucket { gateway, name: name.to_owned() };
    let latest: std::collections::BTreeMap<_, _> =
        acknowledged.iter().map(|(key, seed, size)| (key.clone(), (*seed, *size))).collect();
    for (key, (seed, size)) in latest {
        let answer = bucket.get(&key).send();
        if size > 0 {
            assert!(answer.ok(200).body == bytes(size, seed), "{key}");
        } else if answer.status == 200 {
            // Old or new, but whole.
            let etag = format!("\"{}\"", crate::digests::hex(&md5(&answer.body)));
            assert_eq!(answer.header("etag"), Some(etag.as_str()), "{key}");
        }
    }
}

#[test]
fn acknowledged_parts_survive_and_nothing_else_stays() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let first = upload.put_part(1, bytes(5 << 20, 1));
    let doomed = bucket.upload("doomed");
    doomed.put_part(1, bytes(100_000, 9));
    // Parts in the middle of their bodies when the end comes.
    let mut cut: Vec<Connection> = (0..4)
        .map(|number| {
            let whole = upload.part(10 + number, bytes(1 << 20, 2)).bytes();
            let mut connection = gateway.connect();
            connection.write(&whole[..whole.len() / 2]);
            connection
        })
        .collect();
    doomed.abort().send().ok(204);
    gateway.kill();
    cut.clear();

    let again = Launch::on(&directory).start();
    let bucket = Bucket { gateway: &again, name: bucket.name.clone() };
    let upload = Upload { bucket: &bucket, key: upload.key.clone(), id: upload.id.clone() };
    let listed = upload.list().send().ok(200).text();
    assert_eq!(crate::xml::texts(&listed, "PartNumber"), ["1"]);
    let second = upload.put_part(2, "end");
    upload.complete(&[(1, &first), (2, &second)]).send().ok(200);
    assert!(bucket.get("k").send().ok(200).body == [bytes(5 << 20, 1), b"end".to_vec()].concat());
    bucket.delete("k").send().ok(204);
    poll("no bytes are left", || (again.metric("wharf_staged_bytes") == 0.0 && blobs(&again) == 0).then_some(()));
}

fn blobs(gateway: &Gateway) -> usize {
    let directories = std::fs::read_dir(gateway.data_dir.join("blobs")).unwrap().map(Result::unwrap);
    let directories = directories.filter(|entry| entry.file_type().unwrap().is_dir());
    directories.map(|entry| std::fs::read_dir(entry.path()).unwrap().count()).sum()
}

#[test]
fn a_completed_upload_survives_and_answers_again() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.put_part(1, bytes(50_000, 1));
    let answer = upload.complete(&[(1, &part)]).send().ok(200);
    let etag = crate::xml::text(&answer.text(), "ETag");
    gateway.kill();
    let again = Launch::on(&directory).start();
    let bucket = Bucket { gateway: &again, name: bucket.name.clone() };
    let upload = Upload { bucket: &bucket, key: upload.key.clone(), id: upload.id.clone() };
    let text = upload.complete(&[(1, &part)]).send().ok(200).text();
    assert_eq!(crate::xml::text(&text, "ETag"), etag);
    assert!(bucket.get("k").send().ok(200).body == bytes(50_000, 1));
}
