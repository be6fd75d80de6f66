//! Sessions: what the protocols of the upload API stand on. Chunks come in any order, more than once, and from many at once;
//! one of them makes the object; and whatever ends a session leaves nothing behind.

use std::sync::Arc;

use bytes::Bytes;
use wharf::base::limits::{COMPLETED_KEPT, SESSION_NOTE_MAX_BYTES, SESSION_PARTS_MAX};
use wharf::base::rng::SeededRng;
use wharf::store::error::{Error, Invalid, Missing};
use wharf::store::fsio::Durability;
use wharf::store::meta::{Meta as _, Space, schema};
use wharf::store::types::{
    Appended, Attributes, CompleteRequest, CompletedUpload, NewSession, NewUpload, PartNumber, Session, SessionState,
    Staged, UploadId,
};

use crate::rig::{IDLE_MAX, Rig, parse, random_bytes, receive};

const NAME: [u8; 32] = [7; 32];

/// A session of so many chunks, found by [`NAME`].
fn named(total: u32) -> NewSession {
    NewSession { name: Some(NAME), total: Some(total), note: b"note".to_vec() }
}

/// A session whose end its sender says.
fn unnamed() -> NewSession {
    NewSession { note: b"note".to_vec(), ..NewSession::default() }
}

fn number(number: u32) -> PartNumber {
    PartNumber::in_session(u64::from(number)).unwrap()
}

/// Another body for each number, around the size that is kept in the catalog.
fn chunk(n: u32) -> Bytes {
    random_bytes(u64::from(n), [1, 100, 4096, 5000][n as usize % 4])
}

fn whole(total: u32) -> Vec<u8> {
    (1..=total).flat_map(chunk).collect()
}

impl Rig {
    fn open_session(&self, key: &str, session: NewSession) -> (UploadId, bool) {
        self.wait(self.store.open_session(&self.bucket, &parse(key), NewUpload::default(), session)).unwrap()
    }

    fn bring(&self, id: UploadId, n: u32, body: Bytes) -> Result<Staged, Error> {
        self.wait(async { self.store.stage_chunk(id, number(n), self.receive(body).await?).await })
    }

    fn append(&self, id: UploadId, offset: u64, body: Bytes, last: bool) -> Result<Appended, Error> {
        self.wait(async { self.store.append(id, offset, self.receive(body).await?, last).await })
    }

    fn there(&self, id: UploadId) -> (u32, u64) {
        match self.store.session(id).unwrap().state {
            SessionState::Open { parts, bytes, .. } => (parts, bytes),
            completed @ SessionState::Completed { .. } => panic!("{completed:?}"),
        }
    }

    fn completed(&self, id: UploadId) -> CompletedUpload {
        match self.store.session(id).unwrap().state {
            SessionState::Completed { answer, .. } => answer,
            open @ SessionState::Open { .. } => panic!("{open:?}"),
        }
    }

    fn all_of(&self, key: &str) -> Vec<u8> {
        let (bytes, error) = self.read(key, 0..u64::MAX);
        assert!(error.is_none(), "{error:?}");
        bytes
    }

    /// Nothing says any more that there was such a session.
    fn check_forgotten(&self, id: UploadId) {
        let snapshot = self.meta.snapshot().unwrap();
        for counter in schema::session_counters(id.number) {
            assert_eq!(snapshot.counter(&counter).unwrap(), 0, "{}", String::from_utf8_lossy(&counter));
        }
        assert_eq!(snapshot.get(Space::Sessions, &schema::session_place_key(id.number)).unwrap(), None);
        assert_eq!(self.rows(Space::Parts), 0);
        let usage = self.store.usage().unwrap();
        assert_eq!((usage.open_uploads, usage.staged_bytes), (0, 0));
    }
}

fn is_unknown<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::NotFound(Missing::Upload))), "{answer:?}");
}

#[test]
fn chunks_come_in_any_order_and_more_than_once() {
    for seed in 0..8 {
        let mut rig = Rig::new(Durability::Relaxed);
        let rng = SeededRng::new(seed);
        let total = 20;
        let (id, new) = rig.open_session("key", named(total));
        assert!(new);
        let mut left: Vec<u32> = (1..=total).collect();
        while !left.is_empty() {
            let n = left.remove(usize::try_from(rng.below(left.len() as u64)).unwrap());
            let staged = rig.bring(id, n, chunk(n)).unwrap();
            let received = total - u32::try_from(left.len()).unwrap();
            if left.is_empty() {
                assert!(matches!(staged, Staged::Completed(_)), "{staged:?}");
            } else {
                assert_eq!(staged, Staged::New { received });
                assert_eq!(rig.bring(id, n, chunk(n)).unwrap(), Staged::Known { received }, "the same again");
                let other = rig.bring(id, n, "other".into());
                assert!(matches!(other, Err(Error::Exists)), "{other:?}");
                let mut missing = left.clone();
                missing.sort_unstable();
                assert_eq!(rig.store.session_missing(id, 100).unwrap(), missing);
                missing.truncate(3);
                assert_eq!(rig.store.session_missing(id, 3).unwrap(), missing);
                assert_eq!(rig.open_session("key", named(total)), (id, false), "one of this name is open");
            }
        }
        assert_eq!(rig.all_of("key"), whole(total));
        assert_eq!(rig.completed(id).size, whole(total).len() as u64);
        assert_eq!(rig.store.session_missing(id, 100).unwrap(), [0; 0]);
        rig.rest();
        rig.check_forgotten(id);
        assert_eq!(rig.files().len(), 5, "a blob for each chunk that is no inline one");
        assert_eq!(rig.all_of("key"), whole(total), "gc took nothing of it");
    }
}

#[test]
fn of_many_senders_one_completes() {
    let mut rig = Rig::new(Durability::Relaxed);
    for round in 0..10_u8 {
        let total = 24;
        let session = NewSession { name: Some([round; 32]), ..named(total) };
        let start = Arc::new(tokio::sync::Barrier::new(8));
        let senders: Vec<_> = (0..8_u32)
            .map(|sender| {
                let (store, bucket, session) = (Arc::clone(&rig.store), rig.bucket.clone(), session.clone());
                let start = Arc::clone(&start);
                rig.runtime.spawn(async move {
                    start.wait().await;
                    let new = NewUpload::default();
                    let (id, _) = store.open_session(&bucket, &parse("key"), new, session).await.unwrap();
                    let mut completed = 0;
                    // Each chunk comes from two.
                    for n in (1..=total).filter(|n| n % 8 == sender || n % 8 == (sender + 1) % 8) {
                        let body = receive(&store, chunk(n)).await.unwrap();
                        let staged = store.stage_chunk(id, number(n), body).await.unwrap();
                        completed += u32::from(matches!(staged, Staged::Completed(_)));
                    }
                    (id, completed)
                })
            })
            .collect();
        let ended: Vec<_> = senders.into_iter().map(|sender| rig.wait(sender).unwrap()).collect();
        assert!(ended.iter().all(|(id, _)| *id == ended[0].0), "one session for all: {ended:?}");
        assert_eq!(ended.iter().map(|(_, completed)| completed).sum::<u32>(), 1, "round {round}");
        assert_eq!(rig.all_of("key"), whole(total));
    }
    rig.rest();
    assert_eq!(rig.files().len(), 6, "the last round's, each once");
    assert_eq!(rig.all_of("key"), whole(24));
    assert_eq!(rig.store.usage().unwrap().open_uploads, 0);
}

/// A client without an id begins the same file again: chunks of the file before that come late must not spoil it.
#[test]
fn what_may_be_a_stray_chunk_gives_way() {
    let mut rig = Rig::new(Durability::Relaxed);
    let (first, _) = rig.open_session("key", named(3));
    for n in 1..=3 {
        rig.bring(first, n, chunk(n)).unwrap();
    }
    let again = rig.bring(first, 3, chunk(3)).unwrap();
    assert_eq!(again, Staged::Known { received: 3 }, "the last one of the completed file");
    assert!(matches!(rig.bring(first, 3, chunk(9)), Err(Error::Exists)));
    assert_eq!(rig.store.session_named(&NAME).unwrap().id, first);

    let (second, new) = rig.open_session("key", named(3));
    assert!(new && second != first);
    assert_eq!(rig.bring(second, 1, chunk(1)).unwrap(), Staged::New { received: 1 }, "perhaps a stray one");
    assert_eq!(rig.bring(second, 1, chunk(5)).unwrap(), Staged::New { received: 1 }, "which gives way");
    assert_eq!(rig.there(second), (1, chunk(5).len() as u64));
    assert!(matches!(rig.bring(second, 1, chunk(6)), Err(Error::Exists)), "once");
    assert_eq!(rig.bring(second, 2, chunk(6)).unwrap(), Staged::New { received: 2 }, "no stray one");
    assert!(matches!(rig.bring(second, 2, chunk(2)), Err(Error::Exists)), "the old file's comes too late");
    rig.bring(second, 3, chunk(3)).unwrap();
    let bytes = [chunk(5), chunk(6), chunk(3)].concat();
    assert_eq!(rig.all_of("key"), bytes);
    assert_eq!(rig.store.session_named(&NAME).unwrap().id, second);
    assert_eq!((rig.completed(first).size, rig.completed(second).size), (whole(3).len() as u64, bytes.len() as u64));
    rig.rest();
    rig.check_forgotten(second);
    assert_eq!(rig.all_of("key"), bytes);

    rig.clock.advance(COMPLETED_KEPT);
    rig.rest();
    is_unknown(rig.store.session_named(&NAME));
    is_unknown(rig.store.session(first));
    is_unknown(rig.store.session(second));
    assert_eq!((rig.rows(Space::Sessions), rig.rows(Space::Completed)), (0, 0));
    assert_eq!(rig.all_of("key"), bytes, "the object stays");
}

#[test]
fn an_aborted_session_leaves_nothing() {
    let mut rig = Rig::new(Durability::Relaxed);
    let (id, _) = rig.open_session("key", named(600));
    // More rows than gc takes in one step.
    for n in 1..=599 {
        rig.bring(id, n, chunk(n)).unwrap();
    }
    assert_eq!(rig.there(id).0, 599);
    rig.wait(rig.store.abort_upload(&rig.bucket, &parse("key"), id)).unwrap();
    is_unknown(rig.store.session(id));
    is_unknown(rig.bring(id, 600, chunk(600)));
    is_unknown(rig.wait(rig.store.put_session_note(id, Vec::new())));
    is_unknown(rig.store.session_named(&NAME));
    let (next, new) = rig.open_session("key", named(2));
    assert!(new, "its name is free at once");
    rig.rest();
    assert_eq!(rig.store.session_named(&NAME).unwrap().id, next, "gc forgets no name that was taken over");
    rig.wait(rig.store.abort_upload(&rig.bucket, &parse("key"), next)).unwrap();
    rig.rest();
    rig.check_forgotten(id);
    rig.check_forgotten(next);
    assert_eq!(rig.rows(Space::Sessions), 0);
    rig.check_empty();
}

#[test]
fn an_idle_session_expires() {
    let mut rig = Rig::new(Durability::Relaxed);
    let (id, _) = rig.open_session("key", named(2));
    let (appended, _) = rig.open_session("other", unnamed());
    rig.append(appended, 0, chunk(3), false).unwrap();
    rig.clock.advance(IDLE_MAX / 2);
    rig.bring(id, 1, chunk(3)).unwrap();
    rig.clock.advance(IDLE_MAX / 2);
    rig.rest();
    assert_eq!(rig.there(id), (1, 5000));
    is_unknown(rig.store.session(appended));
    rig.clock.advance(IDLE_MAX / 2);
    rig.rest();
    is_unknown(rig.store.session(id));
    assert_eq!(rig.rows(Space::Sessions), 0);
    rig.check_forgotten(id);
    rig.check_forgotten(appended);
    rig.check_empty();
}

/// The largest session there is, of one-byte chunks, from many senders at once.
#[test]
fn a_hundred_thousand_chunks_become_one_object() {
    let mut rig = Rig::new(Durability::Relaxed);
    let total = SESSION_PARTS_MAX;
    let byte = |n: u32| Bytes::from(vec![u8::try_from(n * 7 % 251).unwrap()]);
    let (id, _) = rig.open_session("key", named(total));
    let senders = |rig: &Rig, from: u32, to: u32| {
        let tasks: Vec<_> = (0..128)
            .map(|sender| {
                let store = Arc::clone(&rig.store);
                rig.runtime.spawn(async move {
                    let mut completed = 0;
                    for n in (from + sender..=to).step_by(128) {
                        let body = receive(&store, byte(n)).await.unwrap();
                        let staged = store.stage_chunk(id, number(n), body).await.unwrap();
                        completed += usize::from(matches!(staged, Staged::Completed(_)));
                    }
                    completed
                })
            })
            .collect();
        tasks.into_iter().map(|task| rig.wait(task).unwrap()).sum::<usize>()
    };
    // From the end, so that what is missing is before what is there.
    assert_eq!(senders(&rig, 70_001, total), 0);
    assert_eq!(rig.there(id), (30_000, 30_000));
    let missing = rig.store.session_missing(id, total as usize).unwrap();
    assert!(missing.iter().copied().eq(1..=70_000));
    assert_eq!(senders(&rig, 2, 70_000), 0);
    assert_eq!(rig.store.session_missing(id, 10).unwrap(), [1]);
    assert_eq!(senders(&rig, 1, 1), 1);
    assert_eq!(rig.completed(id).size, u64::from(total));
    assert_eq!(rig.completed(id).etag.parts, Some(total));
    let expected: Vec<u8> = (1..=total).flat_map(byte).collect();
    assert!(rig.all_of("key") == expected);
    assert_eq!(rig.read("key", 69_999..70_003).0, expected[69_999..70_003]);
    rig.collect();
    rig.check_forgotten(id);
    assert!(rig.all_of("key") == expected, "gc took nothing of it");
}

/// What is missing is found among thousands of parts, wherever the holes are: there is none, in front, in many places.
#[test]
fn what_is_missing_is_found_between_many_parts() {
    let rig = Rig::new(Durability::Relaxed);
    let total = 2500;
    let (id, _) = rig.open_session("key", named(total));
    let mut left: Vec<u32> = (1..=total).collect();
    let mut bring = |wanted: &dyn Fn(u32) -> bool| {
        let (now, later): (Vec<u32>, Vec<u32>) = left.iter().partition(|n| wanted(**n));
        left = later;
        for n in now {
            rig.bring(id, n, Bytes::from_static(b"x")).unwrap();
        }
        for max in [0, 1, 2, 3, 4, 5, 100, total as usize] {
            let expected = &left[..max.min(left.len())];
            assert_eq!(rig.store.session_missing(id, max).unwrap(), expected, "{max}");
        }
    };
    bring(&|_| false);
    bring(&|n| n >= 2400 && n != 2450);
    bring(&|n| n % 3 == 0 && n < 2300);
    bring(&|n| n < 2300 && ![1, 2, 700, 1200, 1300, 1400, 2100].contains(&n));
    bring(&|n| [700, 1200, 1300, 1400].contains(&n));
    bring(&|n| [1, 2100].contains(&n));
    bring(&|n| n == 2);
    bring(&|n| n < 2399);
}

/// A name that stands for one object: once that is there, nothing begins under it.
#[test]
fn a_name_may_be_good_for_one_session() {
    let rig = Rig::new(Durability::Relaxed);
    let once =
        |session| rig.wait(rig.store.open_session_once(&rig.bucket, &parse("key"), NewUpload::default(), session));
    let (id, new) = once(named(2)).unwrap();
    assert!(new);
    rig.bring(id, 1, chunk(1)).unwrap();
    assert_eq!(once(named(2)).unwrap(), (id, false), "it is open");
    rig.wait(rig.store.abort_upload(&rig.bucket, &parse("key"), id)).unwrap();
    let (id, new) = once(named(1)).unwrap();
    assert!(new, "what was aborted is none");
    rig.bring(id, 1, chunk(1)).unwrap();
    rig.completed(id);
    assert!(matches!(once(named(1)), Err(Error::Exists)));
    assert_eq!(rig.store.session_named(&NAME).unwrap().id, id);
    assert!(once(unnamed()).unwrap().1, "without a name there is nothing to find");
}

#[test]
fn bytes_are_appended_where_the_session_ends() {
    let rig = Rig::new(Durability::Relaxed);
    let (id, _) = rig.open_session("key", unnamed());
    let is_conflict = |answer: Result<Appended, Error>| assert!(matches!(answer, Err(Error::Conflict)), "{answer:?}");
    is_conflict(rig.append(id, 1, chunk(3), false));
    assert_eq!(rig.append(id, 0, chunk(3), false).unwrap(), Appended::To(5000));
    for offset in [0, 4999, 5001] {
        is_conflict(rig.append(id, offset, chunk(3), false));
        is_conflict(rig.append(id, offset, chunk(3), true));
    }
    assert_eq!(rig.there(id), (1, 5000));
    let appended = rig.append(id, 5000, Bytes::new(), true).unwrap();
    assert!(matches!(&appended, Appended::Completed(answer) if answer.size == 5000), "{appended:?}");
    is_unknown(rig.append(id, 5000, chunk(1), true));
    assert_eq!(rig.all_of("key"), chunk(3));
    let note = rig.store.session(id).unwrap().note;
    assert_eq!(note, b"note", "a completed one keeps it");

    let (empty, _) = rig.open_session("empty", unnamed());
    assert!(matches!(rig.append(empty, 0, Bytes::new(), true), Ok(Appended::Completed(answer)) if answer.size == 0));
    assert_eq!(rig.all_of("empty"), b"");
}

/// Two that bring the same bytes: each offset is won by one.
#[test]
fn each_offset_is_won_by_one() {
    let mut rig = Rig::new(Durability::Relaxed);
    let (id, _) = rig.open_session("key", unnamed());
    let mut expected = Vec::new();
    for round in 0..40_u64 {
        let (offset, last) = (expected.len() as u64, round == 39);
        let start = Arc::new(tokio::sync::Barrier::new(4));
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let (store, start) = (Arc::clone(&rig.store), Arc::clone(&start));
                let body = random_bytes(round << 8 | sender, 5000);
                rig.runtime.spawn(async move {
                    let staged = receive(&store, body.clone()).await.unwrap();
                    start.wait().await;
                    (store.append(id, offset, staged, last).await, body)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for sender in senders {
            match rig.wait(sender).unwrap() {
                (Ok(_), body) => winners.push(body),
                (Err(Error::Conflict | Error::NotFound(Missing::Upload)), _) => {}
                (Err(error), _) => panic!("{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        expected.extend_from_slice(&winners[0]);
    }
    assert_eq!(rig.all_of("key"), expected);
    rig.rest();
    rig.check_forgotten(id);
    assert_eq!(rig.files().len(), 40, "the losers' blobs are gone");
}

#[test]
fn several_sessions_become_one_object() {
    let mut rig = Rig::new(Durability::Relaxed);
    let sources: Vec<_> = (0..3_u32)
        .map(|source| {
            let (id, _) = rig.open_session("part", unnamed());
            for n in 0..source + 1 {
                let offset = rig.there(id).1;
                rig.append(id, offset, chunk(source * 10 + n), false).unwrap();
            }
            id
        })
        .collect();
    let (other, _) = rig.open_session("part", unnamed());
    rig.append(other, 0, chunk(3), false).unwrap();
    let order = [sources[2], sources[0], sources[1]];
    let concatenate = |sources: &[UploadId]| {
        let attributes = Attributes { tags: vec![("a".to_owned(), "b".to_owned())], ..Attributes::default() };
        let new = NewUpload { attributes, checksum: None };
        rig.wait(rig.store.concatenate(&rig.bucket, &parse("key"), new, unnamed(), sources))
    };
    is_unknown(concatenate(&[sources[0], sources[0]]));
    is_unknown(concatenate(&[sources[0], UploadId { number: 1, secret: 1 }]));
    is_unknown(concatenate(&[UploadId { secret: 1, ..sources[0] }]));
    assert!(matches!(concatenate(&[]), Err(Error::Invalid(Invalid::PartCount))));
    let (id, answer) = concatenate(&order).unwrap();
    let expected = [chunk(20), chunk(21), chunk(22), chunk(0), chunk(10), chunk(11)].concat();
    assert_eq!((answer.size, answer.etag.parts), (expected.len() as u64, Some(6)));
    assert_eq!(rig.completed(id), answer);
    assert_eq!(rig.all_of("key"), expected);
    assert_eq!(rig.store.object(&rig.bucket, &parse("key")).unwrap().attributes.tags.len(), 1);
    for source in sources {
        is_unknown(rig.store.session(source));
        is_unknown(rig.append(source, 0, chunk(1), false));
    }
    is_unknown(concatenate(&order));
    assert_eq!(rig.there(other), (1, 5000), "a session of the same key that is none of them");
    rig.rest();
    assert_eq!(rig.all_of("key"), expected, "gc keeps the blobs that changed hands");
    assert_eq!(rig.rows(Space::Parts), 1);
    assert_eq!(rig.store.usage().unwrap().open_uploads, 1);
    assert_eq!(rig.rows(Space::Sessions), 1);
    rig.wait(rig.store.abort_upload(&rig.bucket, &parse("part"), other)).unwrap();
    rig.wait(rig.store.delete_object(&rig.bucket, &parse("key"), None)).unwrap();
    rig.rest();
    rig.check_empty();
}

/// What a session of one part becomes has no manifest: the blob itself changes hands.
#[test]
fn a_single_part_changes_hands() {
    let mut rig = Rig::new(Durability::Relaxed);
    let (source, _) = rig.open_session("part", unnamed());
    rig.append(source, 0, chunk(3), false).unwrap();
    let (key, sources) = (parse("key"), [source]);
    rig.wait(rig.store.concatenate(&rig.bucket, &key, NewUpload::default(), unnamed(), &sources)).unwrap();
    rig.rest();
    assert_eq!(rig.all_of("key"), chunk(3));
    rig.wait(rig.store.delete_object(&rig.bucket, &parse("key"), None)).unwrap();
    rig.rest();
    rig.check_empty();
}

/// A session's parts are no business of S3's calls.
#[test]
fn s3_completes_no_session() {
    let rig = Rig::new(Durability::Relaxed);
    let (id, _) = rig.open_session("key", named(2));
    rig.bring(id, 1, chunk(1)).unwrap();
    is_unknown(rig.stage("key", id, 2, chunk(2)));
    let request = CompleteRequest::default();
    is_unknown(rig.wait(rig.store.complete_upload(&rig.bucket, &parse("key"), id, request)));
    let upload = rig.create("key");
    is_unknown(rig.bring(upload, 1, chunk(1)));
    is_unknown(rig.append(upload, 0, chunk(1), false));
    is_unknown(rig.store.session(upload));
}

#[test]
fn a_deleted_bucket_takes_its_sessions_along() {
    let mut rig = Rig::new(Durability::Relaxed);
    let (id, _) = rig.open_session("key", named(2));
    let (appended, _) = rig.open_session("key", unnamed());
    rig.bring(id, 1, chunk(3)).unwrap();
    rig.append(appended, 0, chunk(3), false).unwrap();
    rig.wait(rig.store.delete_bucket(&rig.bucket.name)).unwrap();
    is_unknown(rig.bring(id, 2, chunk(2)));
    is_unknown(rig.append(appended, 5000, chunk(2), true));
    is_unknown(rig.store.session(id));
    let key = parse("key");
    let refused = rig.wait(rig.store.open_session(&rig.bucket, &key, NewUpload::default(), unnamed()));
    assert!(matches!(refused, Err(Error::NotFound(Missing::Bucket))));
    rig.bucket = rig.wait(rig.store.create_bucket(&rig.bucket.name, None)).unwrap();
    is_unknown(rig.store.session(id));
    let (next, new) = rig.open_session("key", named(2));
    assert!(new && next != id, "the name means the new bucket's");
    rig.rest();
    assert_eq!(rig.store.session_named(&NAME).unwrap().id, next);
    rig.wait(rig.store.abort_upload(&rig.bucket, &parse("key"), next)).unwrap();
    rig.rest();
    rig.check_forgotten(id);
    rig.check_forgotten(appended);
    assert_eq!(rig.rows(Space::Sessions), 0);
    rig.check_empty();
}

#[test]
fn a_quota_is_judged_with_the_last_chunk() {
    let mut rig = Rig::new(Durability::Relaxed);
    rig.wait(rig.store.set_bucket_quota(&rig.bucket, Some(10_000))).unwrap();
    let (id, _) = rig.open_session("key", named(3));
    let (appended, _) = rig.open_session("other", unnamed());
    for n in [3, 7] {
        // Numbers 3 and 7 have 5000 bytes each.
        rig.bring(id, if n == 3 { 1 } else { 2 }, chunk(n)).unwrap();
    }
    rig.append(appended, 0, chunk(3), false).unwrap();
    let refused = rig.bring(id, 3, "x".into());
    assert!(matches!(refused, Err(Error::QuotaExceeded)), "{refused:?}");
    assert_eq!(rig.there(id), (2, 10_000));
    let refused = rig.append(appended, 5000, random_bytes(1, 5001), true);
    assert!(matches!(refused, Err(Error::QuotaExceeded)), "{refused:?}");
    assert_eq!(rig.there(appended), (1, 5000));
    rig.wait(rig.store.set_bucket_quota(&rig.bucket, Some(10_001))).unwrap();
    assert!(matches!(rig.bring(id, 3, "x".into()), Ok(Staged::Completed(_))));
    assert_eq!(rig.store.bucket_usage(&rig.bucket).unwrap().bytes, 10_001);
    rig.rest();
    assert_eq!(rig.files().len(), 3, "what was refused is gone");
}

#[test]
fn notes_and_numbers_have_bounds() {
    let rig = Rig::new(Durability::Relaxed);
    let long = NewSession { note: vec![0; SESSION_NOTE_MAX_BYTES + 1], ..named(2) };
    let refused = rig.wait(rig.store.open_session(&rig.bucket, &parse("key"), NewUpload::default(), long));
    assert!(matches!(refused, Err(Error::Invalid(Invalid::SessionNote(_)))), "{refused:?}");
    let (id, _) = rig.open_session("key", named(2));
    let refused = rig.bring(id, 3, chunk(3));
    assert!(matches!(refused, Err(Error::Invalid(Invalid::PartCount))), "{refused:?}");
    rig.wait(rig.store.put_session_note(id, vec![1; SESSION_NOTE_MAX_BYTES])).unwrap();
    rig.bring(id, 1, chunk(1)).unwrap();
    let Session { note, total, name, .. } = rig.store.session(id).unwrap();
    assert_eq!((note, total, name), (vec![1; SESSION_NOTE_MAX_BYTES], Some(2), Some(NAME)));
    let refused = rig.wait(rig.store.put_session_note(id, vec![1; SESSION_NOTE_MAX_BYTES + 1]));
    assert!(matches!(refused, Err(Error::Invalid(Invalid::SessionNote(_)))), "{refused:?}");
    is_unknown(rig.store.session(UploadId { secret: id.secret ^ 1, ..id }));
    is_unknown(rig.bring(UploadId { secret: id.secret ^ 1, ..id }, 2, chunk(2)));
}

/// What was staged before the end of a process is there in the next.
#[test]
fn a_session_goes_on_after_a_restart() {
    let rig = Rig::new(Durability::Strict);
    let (id, _) = rig.open_session("key", named(3));
    rig.bring(id, 3, chunk(3)).unwrap();
    rig.bring(id, 1, chunk(1)).unwrap();
    let rig = rig.reopen(wharf::store::room::Reserve::Bytes(0));
    assert_eq!(rig.there(id), (2, 5100));
    assert_eq!(rig.store.session_missing(id, 10).unwrap(), [2]);
    assert_eq!(rig.open_session("key", named(3)), (id, false));
    assert_eq!(rig.bring(id, 1, chunk(1)).unwrap(), Staged::Known { received: 2 });
    assert!(matches!(rig.bring(id, 2, chunk(2)), Ok(Staged::Completed(_))));
    assert_eq!(rig.all_of("key"), whole(3));
    let rig = rig.reopen(wharf::store::room::Reserve::Bytes(0));
    assert_eq!(rig.completed(id).size, whole(3).len() as u64);
}
