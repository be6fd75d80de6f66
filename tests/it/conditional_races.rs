//! Many conditional writers of one key at the same moment: in each round exactly one wins, and the winners make a chain, each
//! replacing what the one before it left.

use std::sync::Barrier;

use crate::bucket::Bucket;
use crate::digests::etag;
use crate::gateway::{Gateway, Launch};
use crate::http::{Answer, Connection};
use crate::request::Request;

const WRITERS: usize = 16;
/// Rounds of plain PUTs.
const ROUNDS: usize = 1000;
/// Rounds in which uploads are completed: each writer creates one and stages a part before.
const UPLOAD_ROUNDS: usize = 40;

/// A gateway that does not wait for the disk, which has no say in who wins.
fn gateway() -> Gateway {
    Launch::new().set("--durability", "relaxed").start()
}

fn connections(gateway: &Gateway) -> Vec<Connection> {
    (0..WRITERS).map(|_| gateway.connect()).collect()
}

/// Sends each writer's request at the same moment.
fn race<'a>(
    gateway: &Gateway,
    connections: &mut [Connection],
    request: impl Fn(usize) -> Request<'a> + Sync,
) -> Vec<Answer> {
    let start = Barrier::new(connections.len());
    std::thread::scope(|scope| {
        let racers: Vec<_> = connections
            .iter_mut()
            .enumerate()
            .map(|(writer, connection)| {
                let (start, request) = (&start, &request);
                scope.spawn(move || {
                    let request = request(writer);
                    let bytes = request.bytes();
                    start.wait();
                    connection.write(bytes);
                    let answer = request.answer_on(connection);
                    if answer.header("connection") == Some("close") {
                        *connection = gateway.connect();
                    }
                    answer
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

/// The condition of a writer did not hold, or others were faster.
const LOST: [u16; 2] = [409, 412];
/// ... or a delete left nothing that the condition could be about.
const LOST_TO_DELETES: [u16; 3] = [404, 409, 412];

/// The one who won; everybody else was told that they have `lost`.
fn winner(round: usize, answers: &[Answer], lost: &[u16]) -> usize {
    let winners = winners(round, answers, 0..answers.len(), lost);
    assert_eq!(winners.len(), 1, "round {round}: {winners:?} won");
    winners[0]
}

/// Those of `writers` who won.
fn winners(round: usize, answers: &[Answer], writers: impl Iterator<Item = usize>, lost: &[u16]) -> Vec<usize> {
    let (winners, others): (Vec<_>, Vec<_>) = writers.partition(|writer| matches!(answers[*writer].status, 200 | 204));
    for other in others.into_iter().map(|writer| &answers[writer]) {
        assert!(lost.contains(&other.status), "round {round}: {other:?}");
    }
    winners
}

fn body(round: usize, writer: usize) -> String {
    format!("round {round}, writer {writer}")
}

#[test]
fn one_of_sixteen_creates_the_object_in_each_round() {
    let gateway = gateway();
    let bucket = gateway.bucket();
    let mut connections = connections(&gateway);
    for round in 0..ROUNDS {
        let answers = race(&gateway, &mut connections, |writer| {
            bucket.put("k", body(round, writer)).header("if-none-match", "*")
        });
        let winner = winner(round, &answers, &LOST);
        let stands = bucket.get("k").send_on(&mut connections[0]).ok(200);
        assert_eq!(stands.text(), body(round, winner));
        // Whoever would remove what somebody else wrote does not.
        let other = etag(body(round, winner + 1));
        bucket.delete("k").header("if-match", &other).send_on(&mut connections[0]).refused(412, "PreconditionFailed");
        bucket.delete("k").header("if-match", &etag(body(round, winner))).send_on(&mut connections[0]).ok(204);
    }
}

/// Each round all writers replace what the winner of the last one wrote. A success that names anything else would be a second
/// winner of some round.
#[test]
fn compare_and_swap_makes_a_chain() {
    let gateway = gateway();
    let bucket = gateway.bucket();
    let mut connections = connections(&gateway);
    let mut stands = bucket.put("k", "first").send().ok(200).header("etag").unwrap().to_owned();
    for round in 0..ROUNDS {
        let answers =
            race(&gateway, &mut connections, |writer| bucket.put("k", body(round, writer)).header("if-match", &stands));
        let winner = winner(round, &answers, &LOST);
        stands = answers[winner].header("etag").unwrap().to_owned();
        assert_eq!(stands, etag(body(round, winner)));
        let head = bucket.head("k").send_on(&mut connections[0]).ok(200);
        assert_eq!(head.header("etag"), Some(stands.as_str()), "round {round}");
    }
}

/// Without rounds: each writer reads and replaces as fast as it can. Every success names the tag it replaced, and following
/// them from the first tag passes every success once.
#[test]
fn a_history_of_free_writers_is_a_chain() {
    const WINS: usize = 20;
    let gateway = gateway();
    let bucket = gateway.bucket();
    let first = bucket.put("k", "first").send().ok(200).header("etag").unwrap().to_owned();
    let (bucket, start) = (&bucket, &Barrier::new(WRITERS));
    let write = move |writer: usize| {
        let mut connection = bucket.gateway.connect();
        let mut won = Vec::new();
        start.wait();
        while won.len() < WINS {
            let read = bucket.head("k").send_on(&mut connection).ok(200).header("etag").unwrap().to_owned();
            let put = bucket.put("k", body(won.len(), writer)).header("if-match", &read);
            let answer = put.send_on(&mut connection);
            match answer.status {
                200 => won.push((read, answer.header("etag").unwrap().to_owned())),
                status => assert!(matches!(status, 409 | 412), "{answer:?}"),
            }
            if answer.header("connection") == Some("close") {
                connection = bucket.gateway.connect();
            }
        }
        won
    };
    let mut history: Vec<(String, String)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(history.len(), WRITERS * WINS);
    let mut stands = first;
    while let Some(next) = history.iter().position(|(replaced, _)| *replaced == stands) {
        stands = history.swap_remove(next).1;
    }
    assert!(history.is_empty(), "not in the chain: {history:?}");
    assert_eq!(bucket.head("k").send().ok(200).header("etag"), Some(stands.as_str()));
}

/// An upload of one part, ready to be completed.
fn ready<'a>(bucket: &'a Bucket<'a>, content: &str) -> Request<'a> {
    let upload = bucket.upload("k");
    let part = upload.put_part(1, content);
    upload.complete(&[(1, &part)])
}

#[test]
fn one_of_sixteen_completes_creates_the_object() {
    let gateway = gateway();
    let bucket = gateway.bucket();
    let mut connections = connections(&gateway);
    for round in 0..UPLOAD_ROUNDS {
        let completes: Vec<_> = (0..WRITERS).map(|writer| ready(&bucket, &body(round, writer))).collect();
        let answers = race(&gateway, &mut connections, |writer| completes[writer].clone().header("if-none-match", "*"));
        let winner = winner(round, &answers, &LOST);
        assert_eq!(bucket.get("k").send().ok(200).text(), body(round, winner));
        // The winner hears the same again; the others' uploads are still there and still refused.
        completes[winner].clone().send().ok(200);
        let other = (winner + 1) % WRITERS;
        completes[other].clone().header("if-none-match", "*").send().refused(412, "PreconditionFailed");
        bucket.delete("k").header("if-match", "*").send().ok(204);
    }
}

/// Puts, completes and deletes that all name the object that stands there, and copies that want to find nothing: one of the
/// former wins, and a copy only where a delete made room for it.
#[test]
fn one_of_puts_completes_and_deletes_wins_and_a_copy_what_a_delete_left() {
    let gateway = gateway();
    let bucket = gateway.bucket();
    let mut connections = connections(&gateway);
    let source = |writer: usize| format!("source {writer}");
    (0..WRITERS).for_each(|writer| drop(bucket.put(&format!("source/{writer}"), source(writer)).send().ok(200)));
    let is_copy = |writer: &usize| writer % 4 == 3;
    let (mut put, mut completed, mut deleted, mut copied) = (0, 0, 0, 0);
    for round in 0..UPLOAD_ROUNDS * 2 {
        let stands = bucket.put("k", format!("before {round}")).send().ok(200).header("etag").unwrap().to_owned();
        let requests: Vec<_> = (0..WRITERS)
            .map(|writer| match writer % 4 {
                0 => ready(&bucket, &body(round, writer)).header("if-match", &stands),
                1 => bucket.delete("k").header("if-match", &stands),
                2 => bucket.put("k", body(round, writer)).header("if-match", &stands),
                _ => bucket
                    .put("k", "")
                    .header("x-amz-copy-source", &format!("/{}/source/{writer}", bucket.name))
                    .header("if-none-match", "*"),
            })
            .collect();
        let answers = race(&gateway, &mut connections, |writer| requests[writer].clone());
        let won = winners(round, &answers, (0..WRITERS).filter(|writer| !is_copy(writer)), &LOST_TO_DELETES);
        assert_eq!(won.len(), 1, "round {round}: {won:?} won");
        let copies = winners(round, &answers, (0..WRITERS).filter(is_copy), &LOST);
        let found = bucket.get("k").send();
        match (won[0] % 4, copies.as_slice()) {
            (1, []) => {
                deleted += 1;
                found.refused(404, "NoSuchKey");
            }
            (1, [copy]) => {
                copied += 1;
                assert_eq!(found.ok(200).text(), source(*copy));
            }
            (kind @ (0 | 2), []) => {
                *(if kind == 0 { &mut completed } else { &mut put }) += 1;
                assert_eq!(found.ok(200).text(), body(round, won[0]));
            }
            _ => panic!("round {round}: {won:?} and the copies {copies:?} won"),
        }
    }
    println!("won: {put} puts, {completed} completes, {deleted} deletes alone, {copied} deletes and a copy each");
    assert!(put > 0 && completed + deleted + copied > 0, "no race");
}
