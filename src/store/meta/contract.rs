//! What every catalog engine does, as checks that run.
//!
//! An engine's tests call [`check`] with an engine of their own and a way to let it make progress. The checks use keys
//! of their own, so they run one after the other on one engine, and on one that holds other data. They expect nothing
//! about the order of commits that are under way at the same time.

#![expect(clippy::expect_used, clippy::panic, reason = "a failed assumption is the answer of a check")]

use std::ops::ControlFlow;
use std::task::{Context, Poll, Waker};

use super::schema::size_of;
use super::{
    Batch, CommitError, CommitFuture, Meta, Require, Snapshot, Space, Tally, Visit, Write, prefix_end, revision_of,
};

/// Steps after which a commit that has not answered counts as hanging.
const STEPS_MAX: usize = 100_000;

/// Runs every check. `drive` lets the engine do a bit of work; an engine with threads of its own may just yield.
///
/// # Panics
/// When the engine does not do what it must.
pub fn check(meta: &dyn Meta, drive: &mut dyn FnMut()) {
    let mut subject = Subject { meta, drive };
    for check in [
        atomicity,
        refusal_leaves_nothing,
        presence,
        revisions,
        empty_ranges,
        burial,
        counted_burial,
        counters,
        counter_limits,
        order_of_writes,
        order_and_bounds,
        seeking_and_stopping,
        snapshots_stand_still,
        awkward_bytes,
        large_records,
        answers_in_a_crowd,
        one_winner,
        dropped_futures,
    ] {
        check(&mut subject);
    }
}

struct Subject<'a> {
    meta: &'a dyn Meta,
    drive: &'a mut dyn FnMut(),
}

impl Subject<'_> {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        self.commit_all(vec![batch]).pop().expect("one batch has one answer")
    }

    /// Commits batches at the same time; the answers are in the order of the batches.
    fn commit_all(&mut self, batches: Vec<Batch>) -> Vec<Result<(), CommitError>> {
        let mut commits: Vec<_> = batches.into_iter().map(|batch| Err(self.meta.commit(batch))).collect();
        for _ in 0..STEPS_MAX {
            commits.iter_mut().for_each(poll);
            if commits.iter().all(Result::is_ok) {
                return commits.into_iter().filter_map(Result::ok).collect();
            }
            (self.drive)();
        }
        panic!("a commit never answered");
    }

    fn snapshot(&self) -> Box<dyn Snapshot> {
        self.meta.snapshot().expect("a healthy engine gives snapshots")
    }

    fn get(&self, space: Space, key: &[u8]) -> Option<Vec<u8>> {
        self.snapshot().get(space, key).expect("a healthy engine reads")
    }

    fn counter(&self, name: &[u8]) -> i64 {
        self.snapshot().counter(name).expect("a healthy engine reads")
    }
}

/// A commit that is under way, or its answer.
fn poll(commit: &mut Result<Result<(), CommitError>, CommitFuture>) {
    if let Err(future) = commit
        && let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    {
        *commit = Ok(answer);
    }
}

/// The keys of a range, in the order a scan visits them.
fn keys(snapshot: &dyn Snapshot, space: Space, start: &[u8], end: &[u8]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let scanned = snapshot.scan(space, start, end, &mut |key, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(Visit::Next)
    });
    assert_eq!(scanned, Ok(()), "a healthy engine scans");
    keys
}

fn put(space: Space, key: impl Into<Vec<u8>>, record: impl Into<Vec<u8>>) -> Write {
    Write::Put(space, key.into(), record.into())
}

/// A record of this revision: a format byte, the revision, a byte more.
fn revised(revision: u64) -> Vec<u8> {
    [&[1], revision.to_be_bytes().as_slice(), b"x"].concat()
}

fn atomicity(subject: &mut Subject<'_>) {
    let batch = Batch::default()
        .write(put(Space::Current, *b"atom/1", *b"one"))
        .write(put(Space::Blobs, *b"atom/2", *b"two"))
        .write(Write::Add(b"atom".to_vec(), 3));
    assert_eq!(subject.commit(batch), Ok(()));
    assert_eq!(subject.get(Space::Current, b"atom/1").as_deref(), Some(&b"one"[..]));
    assert_eq!(subject.get(Space::Blobs, b"atom/2").as_deref(), Some(&b"two"[..]));
    assert_eq!(subject.get(Space::Blobs, b"atom/1"), None, "tables are apart");
    assert_eq!(subject.counter(b"atom"), 3);
    assert_eq!(subject.commit(Batch::default()), Ok(()), "a batch may be empty");
}

fn refusal_leaves_nothing(subject: &mut Subject<'_>) {
    assert_eq!(subject.commit(Batch::default().write(put(Space::Runs, *b"refuse/kept", *b"old"))), Ok(()));
    let batch = Batch::default()
        .require(Require::Present(Space::Runs, b"refuse/kept".to_vec()))
        .require(Require::Absent(Space::Runs, b"refuse/kept".to_vec()))
        .require(Require::Present(Space::Runs, b"refuse/never".to_vec()))
        .write(put(Space::Runs, *b"refuse/kept", *b"new"))
        .write(put(Space::Current, *b"refuse/new", *b"new"))
        .write(Write::Bury(Space::Runs, b"refuse/kept".to_vec(), 77))
        .write(Write::Add(b"refuse".to_vec(), 1));
    assert_eq!(subject.commit(batch), Err(CommitError::Refused(1)), "the first that does not hold is named");
    assert_eq!(subject.get(Space::Runs, b"refuse/kept").as_deref(), Some(&b"old"[..]));
    assert_eq!(subject.get(Space::Current, b"refuse/new"), None);
    assert_eq!(subject.get(Space::Grave, &77_u64.to_be_bytes()), None);
    assert_eq!(subject.counter(b"refuse"), 0);
}

fn presence(subject: &mut Subject<'_>) {
    let key = b"presence".to_vec();
    let absent = Batch::default().require(Require::Absent(Space::Uploads, key.clone()));
    let present = Batch::default().require(Require::Present(Space::Uploads, key.clone()));
    assert_eq!(subject.commit(absent.clone()), Ok(()));
    assert_eq!(subject.commit(present.clone()), Err(CommitError::Refused(0)));
    assert_eq!(subject.commit(Batch::default().write(put(Space::Uploads, key.clone(), *b""))), Ok(()));
    assert_eq!(subject.get(Space::Uploads, &key), Some(Vec::new()), "an empty record is a record");
    assert_eq!(subject.commit(absent.clone()), Err(CommitError::Refused(0)));
    assert_eq!(subject.commit(present.clone()), Ok(()));
    let delete = Batch::default().write(Write::Delete(Space::Uploads, key));
    assert_eq!(subject.commit(delete.clone()), Ok(()));
    assert_eq!(subject.commit(delete), Ok(()), "deleting what is not there is no error");
    assert_eq!(subject.commit(absent), Ok(()));
    assert_eq!(subject.commit(present), Err(CommitError::Refused(0)));
}

fn revisions(subject: &mut Subject<'_>) {
    let key = b"revision".to_vec();
    let at = |revision| Batch::default().require(Require::Revision(Space::Buckets, key.clone(), revision));
    assert_eq!(revision_of(&revised(7)), Some(7));
    assert_eq!(subject.commit(at(0)), Err(CommitError::Refused(0)), "nothing has no revision, not even zero");
    assert_eq!(subject.commit(Batch::default().write(put(Space::Buckets, key.clone(), revised(7)))), Ok(()));
    assert_eq!(subject.commit(at(6)), Err(CommitError::Refused(0)));
    assert_eq!(subject.commit(at(7).write(put(Space::Buckets, key.clone(), revised(8)))), Ok(()));
    assert_eq!(subject.commit(at(7)), Err(CommitError::Refused(0)));
    assert_eq!(subject.commit(at(8).write(put(Space::Buckets, key.clone(), *b"short"))), Ok(()));
    assert_eq!(subject.commit(at(8)), Err(CommitError::Refused(0)), "a short record has no revision");
}

fn empty_ranges(subject: &mut Subject<'_>) {
    let empty = |start: &[u8], end: &[u8]| {
        Batch::default().require(Require::RangeEmpty(Space::Completed, start.to_vec(), end.to_vec()))
    };
    assert_eq!(subject.commit(empty(b"range/", b"range0")), Ok(()));
    assert_eq!(subject.commit(Batch::default().write(put(Space::Completed, *b"range/m", *b""))), Ok(()));
    assert_eq!(subject.commit(empty(b"range/", b"range0")), Err(CommitError::Refused(0)));
    assert_eq!(subject.commit(empty(b"range/m", b"range/n")), Err(CommitError::Refused(0)), "the start is inside");
    assert_eq!(subject.commit(empty(b"range/a", b"range/m")), Ok(()), "the end is outside");
    assert_eq!(subject.commit(empty(b"range/n", b"range0")), Ok(()));
    assert_eq!(subject.commit(empty(b"range/z", b"range/a")), Ok(()), "a range that ends before it starts is empty");
    assert_eq!(subject.commit(empty(b"range/a", b"")), Err(CommitError::Refused(0)), "no end is the table's end");
    assert_eq!(subject.commit(empty(b"\xff\xff\xff", b"")), Ok(()));
}

fn burial(subject: &mut Subject<'_>) {
    let bury = |number| Batch::default().write(Write::Bury(Space::Manifests, b"bury".to_vec(), number));
    assert_eq!(subject.commit(bury(1001)), Ok(()), "burying nothing is no error");
    assert_eq!(subject.get(Space::Grave, &1001_u64.to_be_bytes()), None);
    assert_eq!(subject.commit(Batch::default().write(put(Space::Manifests, *b"bury", *b"body"))), Ok(()));
    assert_eq!(subject.commit(bury(1002)), Ok(()));
    assert_eq!(subject.get(Space::Manifests, b"bury"), None);
    let grave = subject.get(Space::Grave, &1002_u64.to_be_bytes()).expect("it was buried");
    assert_eq!(grave, b"\x06body", "the table's number, then the record");
    assert_eq!(grave.first().copied().and_then(Space::from_number), Some(Space::Manifests));
    // The blind overwrite of an object: the old one goes to the grave, the new one takes its place.
    let put_old = Batch::default().write(put(Space::Manifests, *b"bury", *b"old"));
    assert_eq!(subject.commit(put_old), Ok(()));
    assert_eq!(subject.commit(bury(1003).write(put(Space::Manifests, *b"bury", *b"new"))), Ok(()));
    assert_eq!(subject.get(Space::Grave, &1003_u64.to_be_bytes()).as_deref(), Some(&b"\x06old"[..]));
    assert_eq!(subject.get(Space::Manifests, b"bury").as_deref(), Some(&b"new"[..]));
}

fn counted_burial(subject: &mut Subject<'_>) {
    // A record whose first field is this number.
    let sized =
        |size: u16| [revised(1).get(..9).unwrap_or_default(), &[0x82, 0x19], &size.to_be_bytes(), b"\x61x"].concat();
    let tally = || Tally { bytes: b"tally-bytes".to_vec(), rows: b"tally-rows".to_vec() };
    let put = |size, grave, most| {
        Batch::default()
            .require(Require::CounterAtMost(tally().bytes, most))
            .write(Write::BuryCounted(Space::Current, b"tally".to_vec(), grave, tally()))
            .write(put(Space::Current, *b"tally", sized(size)))
            .write(Write::Add(tally().bytes, i64::from(size)))
            .write(Write::Add(tally().rows, 1))
    };
    let counted = |subject: &mut Subject<'_>| (subject.counter(&tally().bytes), subject.counter(&tally().rows));
    assert_eq!(subject.commit(put(300, 4001, 299)), Err(CommitError::Refused(0)));
    assert_eq!(subject.commit(put(300, 4001, 300)), Ok(()));
    assert_eq!((counted(subject), subject.get(Space::Grave, &4001_u64.to_be_bytes())), ((300, 1), None));
    assert_eq!(subject.commit(put(500, 4002, 499)), Err(CommitError::Refused(0)));
    assert_eq!(counted(subject), (300, 1));
    assert_eq!(subject.commit(put(500, 4002, 500)), Ok(()), "what is given back makes room in the same batch");
    assert_eq!(counted(subject), (500, 1));
    let grave = subject.get(Space::Grave, &4002_u64.to_be_bytes());
    assert_eq!(grave, Some([&[Space::Current as u8], sized(300).as_slice()].concat()));
    // Many at once: each gives back what the one before it put.
    let answers = subject.commit_all((0..200).map(|n| put(n + 1, 4100 + u64::from(n), i64::MAX)).collect());
    assert!(answers.into_iter().all(|answer| answer == Ok(())));
    let standing = subject.get(Space::Current, b"tally").as_deref().and_then(size_of);
    assert_eq!(counted(subject), (standing.and_then(|size| size.try_into().ok()).unwrap_or_default(), 1));
    let delete = |grave| Batch::default().write(Write::BuryCounted(Space::Current, b"tally".to_vec(), grave, tally()));
    assert_eq!(subject.commit(delete(4003)), Ok(()));
    assert_eq!(counted(subject), (0, 0));
    assert_eq!(subject.get(Space::Counters, &tally().bytes), None);
    assert_eq!(subject.commit(delete(4004)), Ok(()), "burying nothing gives nothing back");
    assert_eq!(counted(subject), (0, 0));
}

fn counters(subject: &mut Subject<'_>) {
    let add = |amount| Batch::default().write(Write::Add(b"count".to_vec(), amount));
    assert_eq!(subject.counter(b"count"), 0);
    assert_eq!(subject.commit(add(5).write(Write::Add(b"count".to_vec(), 2))), Ok(()));
    assert_eq!(subject.counter(b"count"), 7);
    assert_eq!(subject.commit(add(-10)), Ok(()));
    assert_eq!(subject.counter(b"count"), -3);
    assert!(subject.commit_all(vec![add(1); 103]).into_iter().all(|answer| answer == Ok(())));
    assert_eq!(subject.counter(b"count"), 100);
    assert_eq!(subject.counter(b"count2"), 0, "counters are apart");
    assert_eq!(subject.commit(add(-100)), Ok(()));
    assert_eq!(subject.counter(b"count"), 0);
    assert_eq!(subject.get(Space::Counters, b"count"), None, "a counter at zero takes no room");
}

fn counter_limits(subject: &mut Subject<'_>) {
    let name = b"limit".to_vec();
    let add = |amount, most| {
        Batch::default()
            .require(Require::CounterAtMost(name.clone(), most))
            .write(Write::Add(b"other".to_vec(), 1000))
            .write(Write::Add(name.clone(), amount))
    };
    assert_eq!(subject.commit(add(10, 9)), Err(CommitError::Refused(0)), "the batch's own additions count");
    assert_eq!(subject.commit(add(10, 10)), Ok(()));
    assert_eq!(subject.commit(add(1, 10)), Err(CommitError::Refused(0)));
    assert_eq!(subject.commit(add(-1, 9)), Ok(()), "... those below zero too");
    assert_eq!(subject.commit(add(-1, -5)), Err(CommitError::Refused(0)));
    assert_eq!(subject.counter(&name), 9);
    let answers = subject.commit_all(vec![add(1, 49); 100]);
    assert_eq!(answers.iter().filter(|answer| **answer == Ok(())).count(), 40, "commits at once share the limit");
    assert_eq!(subject.counter(&name), 49);
}

fn order_of_writes(subject: &mut Subject<'_>) {
    let batch = Batch::default()
        .write(put(Space::Parts, *b"order/a", *b"first"))
        .write(put(Space::Parts, *b"order/a", *b"second"))
        .write(Write::Bury(Space::Parts, b"order/a".to_vec(), 2001))
        .write(Write::Delete(Space::Parts, b"order/b".to_vec()))
        .write(put(Space::Parts, *b"order/b", *b"kept"))
        .write(put(Space::Parts, *b"order/c", *b"gone"))
        .write(Write::Delete(Space::Parts, b"order/c".to_vec()));
    assert_eq!(subject.commit(batch), Ok(()));
    assert_eq!(subject.get(Space::Parts, b"order/a"), None);
    assert_eq!(subject.get(Space::Grave, &2001_u64.to_be_bytes()).as_deref(), Some(&b"\x09second"[..]));
    assert_eq!(subject.get(Space::Parts, b"order/b").as_deref(), Some(&b"kept"[..]));
    assert_eq!(subject.get(Space::Parts, b"order/c"), None);
}

fn order_and_bounds(subject: &mut Subject<'_>) {
    let names = ["scan/b", "scan/a", "scan/c", "scan/ab", "scan/B", "scan0"];
    let batch = names.into_iter().fold(Batch::default(), |batch, name| batch.write(put(Space::Inline, name, name)));
    assert_eq!(subject.commit(batch), Ok(()));
    let snapshot = subject.snapshot();
    let keys = |start: &str, end: &[u8]| {
        let keys = keys(&*snapshot, Space::Inline, start.as_bytes(), end);
        keys.into_iter().map(|key| String::from_utf8_lossy(&key).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys("scan/", &prefix_end(b"scan/")), ["scan/B", "scan/a", "scan/ab", "scan/b", "scan/c"]);
    assert_eq!(keys("scan/a", b"scan/b"), ["scan/a", "scan/ab"]);
    assert_eq!(keys("scan/a\0", b"scan/b"), ["scan/ab"]);
    assert_eq!(keys("scan/b", b"scan/b"), [""; 0]);
    assert_eq!(keys("scan/c", b"scan/a"), [""; 0]);
    assert!(keys("scan/c", b"").starts_with(&["scan/c".to_owned(), "scan0".to_owned()]), "no end: to the last key");
}

fn seeking_and_stopping(subject: &mut Subject<'_>) {
    let names: Vec<_> = (0..600).map(|i| format!("seek/{:02}/{:02}", i / 20, i % 20)).collect();
    let batch = names.iter().fold(Batch::default(), |batch, name| batch.write(put(Space::Extents, name.as_str(), "")));
    assert_eq!(subject.commit(batch), Ok(()));
    let snapshot = subject.snapshot();
    let visit = |answer: &mut dyn FnMut(&[u8]) -> ControlFlow<(), Visit>| {
        let mut seen = Vec::new();
        let scanned = snapshot.scan(Space::Extents, b"seek/", b"seek0", &mut |key, _| {
            seen.push(String::from_utf8_lossy(key).into_owned());
            answer(key)
        });
        assert_eq!(scanned, Ok(()));
        seen
    };
    // Common prefixes: after the first key of each, the scan goes on behind the prefix.
    let behind = |key: &[u8]| prefix_end(key.get(..8).unwrap_or(key));
    let firsts = visit(&mut |key| ControlFlow::Continue(Visit::Seek(behind(key))));
    assert_eq!(firsts, names.iter().step_by(20).cloned().collect::<Vec<_>>());
    let to_a_key = visit(&mut |key| match key {
        b"seek/00/00" => ControlFlow::Continue(Visit::Seek(b"seek/29/18".to_vec())),
        _ => ControlFlow::Continue(Visit::Next),
    });
    assert_eq!(to_a_key, ["seek/00/00", "seek/29/18", "seek/29/19"]);
    let past_the_end = visit(&mut |_| ControlFlow::Continue(Visit::Seek(b"seek1".to_vec())));
    assert_eq!(past_the_end, ["seek/00/00"], "a seek does not leave the range");
    let mut left = 3;
    let stopped = visit(&mut |_| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(Visit::Next) }
    });
    assert_eq!(stopped, ["seek/00/00", "seek/00/01", "seek/00/02"]);
}

fn snapshots_stand_still(subject: &mut Subject<'_>) {
    let batch = |key: &[u8]| {
        Batch::default().write(put(Space::System, key, *b"before")).write(Write::Add(b"still".to_vec(), 1))
    };
    assert_eq!(subject.commit(batch(b"still/1")), Ok(()));
    let (before, untouched) = (subject.snapshot(), subject.snapshot());
    assert_eq!(before.get(Space::System, b"still/1"), Ok(Some(b"before".to_vec())));
    assert_eq!(subject.commit(batch(b"still/2").write(Write::Delete(Space::System, b"still/1".to_vec()))), Ok(()));
    for snapshot in [before, untouched] {
        assert_eq!(snapshot.get(Space::System, b"still/1"), Ok(Some(b"before".to_vec())));
        assert_eq!(snapshot.get(Space::System, b"still/2"), Ok(None));
        assert_eq!(snapshot.counter(b"still"), Ok(1));
        assert_eq!(keys(&*snapshot, Space::System, b"still/", b"still0"), [b"still/1"]);
    }
    assert_eq!(keys(&*subject.snapshot(), Space::System, b"still/", b"still0"), [b"still/2"]);
    assert_eq!(subject.counter(b"still"), 2);
}

fn awkward_bytes(subject: &mut Subject<'_>) {
    let tails: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"\0\xff", b"\x01", b"\xff", b"\xff\xff"];
    let key = |tail: &[u8]| [b"\xff\0awkward".as_slice(), tail].concat();
    let batch = tails.iter().rev().fold(Batch::default(), |batch, tail| {
        batch.write(put(Space::Current, key(tail), *tail)).write(Write::Add(key(tail), 1))
    });
    assert_eq!(subject.commit(batch), Ok(()));
    for tail in tails {
        assert_eq!(subject.get(Space::Current, &key(tail)).as_deref(), Some(tail));
        assert_eq!(subject.counter(&key(tail)), 1);
    }
    let sorted: Vec<_> = tails.iter().map(|tail| key(tail)).collect();
    let prefix = key(b"");
    assert_eq!(keys(&*subject.snapshot(), Space::Current, &prefix, &prefix_end(&prefix)), sorted);
    assert_eq!(prefix_end(b"a\xff\xff"), b"b");
    assert_eq!(prefix_end(b"\xff\xff"), b"", "no key follows them all");
}

fn large_records(subject: &mut Subject<'_>) {
    let record: Vec<u8> = (0..1_u32 << 20).map(|i| i.to_be_bytes().iter().fold(7, |a, b| a ^ b)).collect();
    for turn in 0..3_u8 {
        let mut record = record.clone();
        record.push(turn);
        assert_eq!(subject.commit(Batch::default().write(put(Space::Inline, *b"large", record.clone()))), Ok(()));
        assert!(subject.get(Space::Inline, b"large") == Some(record), "1 MiB comes back as it was written");
    }
    assert_eq!(subject.commit(Batch::default().write(Write::Bury(Space::Inline, b"large".to_vec(), 3001))), Ok(()));
    assert_eq!(subject.get(Space::Grave, &3001_u64.to_be_bytes()).map(|grave| grave.len()), Some(2 + (1 << 20)));
}

fn answers_in_a_crowd(subject: &mut Subject<'_>) {
    let key = |i: usize| format!("crowd/{i:04}").into_bytes();
    let batch = |i: usize| {
        let batch = Batch::default().require(Require::Absent(Space::Blobs, key(i)));
        let batch =
            if i.is_multiple_of(3) { batch.require(Require::Present(Space::Blobs, b"crowd".to_vec())) } else { batch };
        batch.write(put(Space::Blobs, key(i), i.to_string())).write(Write::Add(b"crowd".to_vec(), 1))
    };
    let answers = subject.commit_all((0..500).map(batch).collect());
    for (i, answer) in answers.into_iter().enumerate() {
        let refused = i.is_multiple_of(3);
        assert_eq!(answer, if refused { Err(CommitError::Refused(1)) } else { Ok(()) }, "batch {i} has its own answer");
        let record = (!refused).then(|| i.to_string().into_bytes());
        assert_eq!(subject.get(Space::Blobs, &key(i)), record);
    }
    assert_eq!(subject.counter(b"crowd"), 333);
}

fn one_winner(subject: &mut Subject<'_>) {
    let batch = |i: u64| {
        Batch::default().require(Require::Absent(Space::Completed, b"winner".to_vec())).write(put(
            Space::Completed,
            *b"winner",
            revised(i),
        ))
    };
    let answers = subject.commit_all((0..200).map(batch).collect());
    let winners: Vec<_> = (0..).zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(i, _)| i).collect();
    assert_eq!(winners.len(), 1, "exactly one may create");
    assert_eq!(subject.get(Space::Completed, b"winner"), winners.first().copied().map(revised));
    assert_eq!(answers.iter().filter(|answer| **answer == Err(CommitError::Refused(0))).count(), 199);
    // The same among those that replace: each asks for the revision all of them saw.
    let seen = winners.first().copied().unwrap_or_default();
    let replace = |i: u64| {
        Batch::default().require(Require::Revision(Space::Completed, b"winner".to_vec(), seen)).write(put(
            Space::Completed,
            *b"winner",
            revised(i),
        ))
    };
    let answers = subject.commit_all((1000..1200).map(replace).collect());
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "exactly one may replace");
}

fn dropped_futures(subject: &mut Subject<'_>) {
    drop(subject.meta.commit(Batch::default().write(put(Space::Uploads, *b"dropped", *b"done"))));
    for _ in 0..STEPS_MAX {
        if subject.get(Space::Uploads, b"dropped").is_some() {
            return;
        }
        (subject.drive)();
    }
    panic!("a commit whose future was dropped was not carried out");
}
