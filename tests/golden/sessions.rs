//! A small store with sessions: the same calls write the same rows, and what was written then goes on and completes.

use std::collections::BTreeMap;

use wharf::store::meta::model::ModelMeta;
use wharf::store::meta::{Batch, Meta as _, Space, Write};
use wharf::store::types::{
    Appended, Attributes, Bucket, NewSession, NewUpload, PartNumber, SessionState, Staged, UploadId,
};

use crate::store::{Rig, check, content, name, now, parse, rows};
use crate::{from_hex, lines};

/// The rows.
const SESSIONS: &str = "store-sessions.txt";
/// The name of the session of numbered chunks.
const NAME: [u8; 32] = [0x77; 32];
/// How many chunks it has in all: part numbers on both sides of those that two bytes hold.
const TOTAL: u32 = 70_000;

fn open(rig: &Rig, bucket: &Bucket, key: &str, session: NewSession) -> UploadId {
    let attributes =
        Attributes { headers: vec![("content-type".to_owned(), "text/plain".to_owned())], ..Attributes::default() };
    let new = NewUpload { attributes, checksum: None };
    now(rig.store.open_session(bucket, &parse(key), new, session)).unwrap().0
}

fn note(text: &str) -> NewSession {
    NewSession { note: text.as_bytes().to_vec(), ..NewSession::default() }
}

fn append(rig: &Rig, id: UploadId, offset: u64, len: usize, last: bool) -> Appended {
    now(rig.store.append(id, offset, rig.receive(&content(len), None), last)).unwrap()
}

/// One session that misses chunks, one that misses its end, one that is completed, and one that was made of two.
fn script(rig: &Rig) {
    let bucket = now(rig.store.create_bucket(&name(), None)).unwrap();
    let numbered = NewSession { name: Some(NAME), total: Some(TOTAL), note: b"numbered".to_vec() };
    let id = open(rig, &bucket, "numbered\0key", numbered);
    for (number, len) in [(1, 10), (65_534, 20), (65_535, 30), (70_000, 40)] {
        let number = PartNumber::in_session(number).unwrap();
        now(rig.store.stage_chunk(id, number, rig.receive(&content(len), None))).unwrap();
    }
    let id = open(rig, &bucket, "in-order", note("in order"));
    append(rig, id, 0, 50, false);
    let id = open(rig, &bucket, "completed", note("completed"));
    append(rig, id, 0, 60, false);
    append(rig, id, 60, 70, true);
    let halves = [open(rig, &bucket, "half", note("half")), open(rig, &bucket, "half", note("half"))];
    halves.iter().for_each(|half| drop(append(rig, *half, 0, 80, false)));
    now(rig.store.concatenate(&bucket, &parse("whole"), NewUpload::default(), note("whole"), &halves)).unwrap();
}

#[test]
fn the_same_calls_write_the_same_sessions() {
    let rig = Rig::new(ModelMeta::new(), tempfile::tempdir().unwrap());
    script(&rig);
    check(SESSIONS, &rows(&rig.meta));
}

#[test]
fn sessions_that_were_written_then_go_on() {
    let meta = ModelMeta::new();
    let mut batch = Batch::default();
    let mut completed = BTreeMap::new();
    for (name, record) in lines(SESSIONS, 2) {
        let (space, key) = name.split_once(' ').unwrap();
        let space = Space::ALL.into_iter().find(|known| known.name() == space).unwrap();
        if space == Space::Completed {
            completed.insert(from_hex(key), record.clone());
        }
        batch = batch.write(Write::Put(space, from_hex(key), record));
    }
    now(meta.commit(batch)).unwrap();
    let rig = Rig::new(meta, tempfile::tempdir().unwrap());
    let bucket = rig.store.bucket(&name()).unwrap();

    let session = rig.store.session_named(&NAME).unwrap();
    assert_eq!(
        (session.key.as_str(), session.total, session.note.as_slice()),
        ("numbered\0key", Some(TOTAL), &b"numbered"[..])
    );
    let SessionState::Open { parts, bytes, attributes, .. } = session.state else { panic!("{session:?}") };
    assert_eq!((parts, bytes, attributes.headers.len()), (4, 100, 1));
    assert_eq!(rig.store.session_missing(session.id, 3).unwrap(), [2, 3, 4]);
    let missing = rig.store.session_missing(session.id, TOTAL as usize).unwrap();
    assert_eq!((missing.len(), missing.last()), (TOTAL as usize - 4, Some(&69_999)));
    for number in [65_534, 65_535, 70_000] {
        let again =
            rig.receive(&content([20, 30, 40][usize::from(number > 65_534) + usize::from(number > 65_535)]), None);
        let staged = now(rig.store.stage_chunk(session.id, PartNumber::in_session(number).unwrap(), again));
        assert_eq!(staged.unwrap(), Staged::Known { received: 4 });
    }

    assert_eq!(completed.len(), 2);
    for (number, bytes, note) in
        completed.keys().zip([130, 160]).zip(["completed", "whole"]).map(|((a, b), c)| (a, b, c))
    {
        let id = UploadId {
            number: u64::from_be_bytes(number.as_slice().try_into().unwrap()),
            secret: 0xabab_abab_abab_abab,
        };
        let session = rig.store.session(id).unwrap();
        let SessionState::Completed { answer, .. } = session.state else { panic!("{session:?}") };
        assert_eq!((answer.size, session.note.as_slice()), (bytes, note.as_bytes()));
        assert_eq!(rig.read(&bucket, session.key.as_str()).len() as u64, bytes);
    }
}
