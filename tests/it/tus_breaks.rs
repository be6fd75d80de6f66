//! Uploads by tus whose requests break off, meet, or end with the gateway: what HEAD says is there, and nothing else is.

use std::sync::Barrier;

use crate::bucket::Bucket;
use crate::digests::bytes;
use crate::gateway::{Gateway, Launch};
use crate::process::{directory, poll};

/// What is sealed at a time.
const PIECE: usize = 64 << 20;

#[test]
fn what_came_before_a_connection_broke_counts() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let body = bytes(300_000, 1);
    for chunked in [false, true] {
        let path = bucket.begun("k", body.len());
        let mut offset = 0;
        for upto in [100_000, 200_001] {
            let patch = gateway.patch(&path, offset, body[offset..].to_vec());
            let patch = if chunked { patch.chunked() } else { patch };
            let (head, wire) = patch.wire();
            let mut connection = patch.connect();
            connection.write(head);
            connection.write(&wire[..upto - offset]);
            connection.abandon();
            // A frame's own bytes are none of the upload's.
            let least = (upto - offset).saturating_sub(if chunked { 64 } else { 0 }) + offset;
            let now = poll("the bytes are counted", || {
                let now = usize::try_from(gateway.offset(&path)).unwrap();
                (now > offset).then_some(now)
            });
            assert!((least..=upto).contains(&now), "{now} of {upto}");
            offset = now;
        }
        gateway.patch(&path, offset, body[offset..].to_vec()).send().ok(204);
        assert!(bucket.get("k").send().ok(200).body == body, "chunked: {chunked}");
        bucket.delete("k").send().ok(204);
    }
}

/// With a checksum the whole request counts or nothing of it.
#[test]
fn what_has_a_checksum_breaks_off_as_a_whole() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 100_000);
    let patch =
        gateway.patch(&path, 0, bytes(100_000, 1)).header("Upload-Checksum", "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
    let (head, wire) = patch.wire();
    let mut connection = patch.connect();
    connection.write(head);
    connection.write(&wire[..50_000]);
    connection.end_writing();
    // The gateway has seen the end when it answers, or closes.
    let _ = connection.try_read_answer("PATCH");
    assert_eq!(gateway.offset(&path), 0);
}

#[test]
fn of_two_that_bring_the_same_bytes_one_wins() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for round in 0..10_u64 {
        let path = bucket.begun("k", 20_000);
        let mut expected = Vec::new();
        for offset in [0, 10_000] {
            let start = Barrier::new(3);
            let answers: Vec<_> = std::thread::scope(|scope| {
                let senders: Vec<_> = (0..3)
                    .map(|sender| {
                        let (gateway, path, start) = (&gateway, &path, &start);
                        scope.spawn(move || {
                            let body = bytes(10_000, round << 8 | sender);
                            let patch = gateway.patch(path, offset, body.clone());
                            let mut connection = patch.connect();
                            start.wait();
                            (patch.send_on(&mut connection).status, body)
                        })
                    })
                    .collect();
                senders.into_iter().map(|sender| sender.join().unwrap()).collect()
            });
            let winners: Vec<_> = answers.iter().filter(|(status, _)| *status == 204).collect();
            assert_eq!(winners.len(), 1, "{:?}", answers.iter().map(|(status, _)| status).collect::<Vec<_>>());
            assert!(answers.iter().all(|(status, _)| matches!(status, 204 | 409)));
            expected.extend_from_slice(&winners[0].1);
            assert_eq!(gateway.offset(&path), expected.len() as u64);
        }
        assert!(bucket.get("k").send().ok(200).body == expected);
    }
}

/// A long request is durable piece by piece.
#[test]
fn a_long_request_survives_the_end_of_the_gateway() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let bucket = gateway.bucket();
    let body = bytes(PIECE + (PIECE >> 2), 1);
    let path = bucket.begun("k", body.len());
    let patch = gateway.patch(&path, 0, body.clone());
    let (head, wire) = patch.wire();
    let mut connection = patch.connect();
    connection.write(head);
    connection.write(&wire[..PIECE + (PIECE >> 3)]);
    poll("a piece is sealed", || (gateway.offset(&path) > 0).then_some(()));
    gateway.kill();
    drop(connection);

    let again = Launch::on(&directory).start();
    let bucket = Bucket { gateway: &again, name: bucket.name.clone() };
    assert_eq!(again.offset(&path), PIECE as u64);
    bucket.get("k").send().refused(404, "NoSuchKey");
    again.patch(&path, PIECE, body[PIECE..].to_vec()).send().ok(204);
    assert!(bucket.get("k").send().ok(200).body == body);
}

/// Clients that stop the gateway in the middle of their bytes get as far as they came.
#[test]
fn a_short_request_survives_a_stop_of_the_gateway() {
    let directory = directory();
    let gateway = Launch::on(&directory).set("--drain-timeout", "1s").start();
    let bucket = gateway.bucket();
    let path = bucket.begun("k", 200_000);
    gateway.patch(&path, 0, bytes(100_000, 1)).send().ok(204);
    let patch = gateway.patch(&path, 100_000, bytes(100_000, 2));
    let (head, wire) = patch.wire();
    let mut connection = patch.connect();
    connection.write(head);
    connection.write(&wire[..50_000]);
    gateway.terminate();
    assert!(gateway.wait().status.success());
    drop(connection);
    let again = Launch::on(&directory).start();
    let offset = usize::try_from(again.offset(&path)).unwrap();
    assert!((100_000..=150_000).contains(&offset), "{offset}");
    let rest = bytes(100_000, 2)[offset - 100_000..].to_vec();
    again.patch(&path, offset, rest).send().ok(204);
    let bucket = Bucket { gateway: &again, name: bucket.name.clone() };
    assert!(bucket.get("k").send().ok(200).body == [bytes(100_000, 1), bytes(100_000, 2)].concat());
}
