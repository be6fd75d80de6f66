//! Records that the ranks above keep in the store: names, revisions, limits, and what time ends.

use std::sync::Arc;
use std::time::Duration;

use wharf::base::clock::Clock as _;
use wharf::base::limits::{RECORD_MAX_BYTES, RECORD_NAME_MAX_BYTES, RECORDS_MAX};
use wharf::store::error::{Error, Invalid};
use wharf::store::fsio::Durability;
use wharf::store::meta::{Batch, Meta as _, Space, Write, schema};
use wharf::store::types::RecordKind::{AccessKey, Token};
use wharf::store::types::{Expected, Record, RecordChange, RecordKind};

use crate::rig::Rig;

impl Rig {
    fn keep(&self, name: &str, bytes: &str, expected: Expected) -> Result<Record, Error> {
        self.wait(self.store.put_record(AccessKey, name, bytes.into(), None, expected))
    }

    fn keep_for(&self, name: &str, time: Duration, expected: Expected) -> Result<Record, Error> {
        let expires = Some(self.clock.now().after(time));
        self.wait(self.store.put_record(AccessKey, name, Vec::new(), expires, expected))
    }

    fn records_counted(&self) -> i64 {
        self.meta.snapshot().unwrap().counter(&schema::records_counter(AccessKey as u8)).unwrap()
    }
}

#[test]
fn what_is_expected_is_judged_in_the_commit() {
    let rig = Rig::new(Durability::Relaxed);
    assert_eq!(rig.store.record(AccessKey, "a").unwrap(), None);
    assert!(matches!(rig.keep("a", "1", Expected::Revision(1)), Err(Error::Conflict)));
    let first = rig.keep("a", "1", Expected::Absent).unwrap();
    assert_eq!(rig.store.record(AccessKey, "a").unwrap(), Some(first.clone()));
    assert_eq!(rig.store.record(Token, "a").unwrap(), None, "kinds are apart");
    assert!(matches!(rig.keep("a", "2", Expected::Absent), Err(Error::Exists)));
    let second = rig.keep("a", "2", Expected::Revision(first.revision)).unwrap();
    assert!(second.revision > first.revision);
    assert!(matches!(rig.keep("a", "3", Expected::Revision(first.revision)), Err(Error::Conflict)));
    assert_eq!(rig.store.record(AccessKey, "a").unwrap().unwrap().bytes, b"2");
    rig.keep("a", "3", Expected::Any).unwrap();
    assert_eq!(rig.records_counted(), 1);
    let rig = rig.reopen(wharf::store::room::Reserve::Bytes(0));
    assert_eq!(rig.store.record(AccessKey, "a").unwrap().unwrap().bytes, b"3");
    assert!(rig.wait(rig.store.delete_record(AccessKey, "a")).unwrap());
    assert!(!rig.wait(rig.store.delete_record(AccessKey, "a")).unwrap());
    assert_eq!((rig.rows(Space::Records), rig.records_counted()), (0, 0));
}

/// Of those who would make it one does, and of those who change the revision they saw one does; those who take what comes all
/// do, and the count stays true.
#[test]
fn one_winner_among_many() {
    let rig = Rig::new(Durability::Relaxed);
    let all = |expected| {
        let start = Arc::new(tokio::sync::Barrier::new(64));
        let putters: Vec<_> = (0..64)
            .map(|n| {
                let (store, start) = (Arc::clone(&rig.store), Arc::clone(&start));
                rig.runtime.spawn(async move {
                    start.wait().await;
                    store.put_record(AccessKey, "name", vec![n], None, expected).await
                })
            })
            .collect();
        let answers: Vec<_> = putters.into_iter().map(|putter| rig.wait(putter).unwrap()).collect();
        answers.iter().filter(|answer| answer.is_ok()).count()
    };
    assert_eq!(all(Expected::Absent), 1);
    let revision = rig.store.record(AccessKey, "name").unwrap().unwrap().revision;
    assert_eq!(all(Expected::Revision(revision)), 1);
    assert_eq!(all(Expected::Any), 64);
    assert_eq!((rig.rows(Space::Records), rig.records_counted()), (1, 1));
}

#[test]
fn what_is_over_is_gone_at_once_and_its_row_soon() {
    let mut rig = Rig::new(Durability::Relaxed);
    let hour = Duration::from_secs(3600);
    rig.keep("stays", "1", Expected::Absent).unwrap();
    let old = rig.keep_for("goes", hour, Expected::Absent).unwrap();
    rig.keep_for("renewed", hour, Expected::Absent).unwrap();
    rig.rest();
    assert_eq!(rig.rows(Space::Records), 3);
    rig.clock.advance(hour);
    assert_eq!(rig.store.record(AccessKey, "goes").unwrap(), None);
    assert!(matches!(rig.keep("goes", "2", Expected::Revision(old.revision)), Err(Error::Conflict)));
    let page = rig.store.records_page(AccessKey, "", 10).unwrap();
    assert_eq!((page.0.len(), page.1), (1, false), "{page:?}");
    rig.keep_for("renewed", hour, Expected::Absent).unwrap();
    assert!(!rig.wait(rig.store.delete_record(AccessKey, "goes")).unwrap(), "it was gone already");
    assert_eq!((rig.rows(Space::Records), rig.records_counted()), (2, 2));
    rig.clock.advance(hour);
    rig.rest();
    assert_eq!((rig.rows(Space::Records), rig.records_counted()), (1, 1));
    assert!(rig.store.record(AccessKey, "stays").unwrap().is_some());
}

/// More records than one step of the worker looks at.
#[test]
fn many_records_end_at_once() {
    let mut rig = Rig::new(Durability::Relaxed);
    for n in 0..300 {
        rig.keep_for(&format!("{n}"), Duration::from_secs(1), Expected::Absent).unwrap();
    }
    rig.clock.advance(Duration::from_secs(1));
    rig.rest();
    assert_eq!((rig.rows(Space::Records), rig.records_counted()), (0, 0));
}

#[test]
fn pages_are_in_order_of_names() {
    let rig = Rig::new(Durability::Relaxed);
    for name in ["b", "a", "ab", "a\0", "c"] {
        rig.keep(name, name, Expected::Absent).unwrap();
    }
    rig.wait(rig.store.put_record(Token, "0", Vec::new(), None, Expected::Any)).unwrap();
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let (page, more) = rig.store.records_page(AccessKey, &after, 2).unwrap();
        after = page.last().unwrap().0.clone();
        names.extend(page.into_iter().map(|(name, record)| {
            assert_eq!(record.bytes, name.as_bytes());
            name
        }));
        if !more {
            break;
        }
    }
    assert_eq!(names, ["a", "a\0", "ab", "b", "c"]);
}

#[test]
fn limits() {
    let rig = Rig::new(Durability::Relaxed);
    let longest = "n".repeat(RECORD_NAME_MAX_BYTES);
    rig.keep(&longest, &"b".repeat(RECORD_MAX_BYTES), Expected::Any).unwrap();
    for name in ["", &format!("{longest}n")] {
        let refused = [rig.keep(name, "", Expected::Any).map(drop), rig.store.record(AccessKey, name).map(drop)];
        for refused in refused {
            assert!(
                matches!(refused, Err(Error::Invalid(Invalid::RecordName(len))) if len == name.len()),
                "{refused:?}"
            );
        }
    }
    let refused = rig.keep("large", &"b".repeat(RECORD_MAX_BYTES + 1), Expected::Any);
    assert!(matches!(refused, Err(Error::Invalid(Invalid::RecordSize(_)))), "{refused:?}");
    let all_but_one = i64::try_from(RECORDS_MAX).unwrap() - 2;
    let add = Write::Add(schema::records_counter(AccessKey as u8), all_but_one);
    rig.wait(rig.meta.commit(Batch::default().write(add))).unwrap();
    rig.keep("last", "", Expected::Absent).unwrap();
    let refused = rig.keep("beyond", "", Expected::Any);
    assert!(matches!(refused, Err(Error::TooManyRecords)), "{refused:?}");
    rig.keep("last", "changed", Expected::Any).unwrap();
    rig.wait(rig.store.put_record(Token, "of another kind", Vec::new(), None, Expected::Any)).unwrap();
    rig.wait(rig.store.delete_record(AccessKey, "last")).unwrap();
    rig.keep("beyond", "", Expected::Any).unwrap();
}

/// Several records change in one commit or none does; the counts stay true, whichever of them is refused.
#[test]
fn changes_are_made_together_or_not_at_all() {
    let rig = Rig::new(Durability::Relaxed);
    let change = |kind: RecordKind, name: &str, bytes: Option<&str>, expected| RecordChange {
        kind,
        name: name.to_owned(),
        bytes: bytes.map(|bytes| bytes.as_bytes().to_vec()),
        expires: None,
        expected,
    };
    let make = |changes: &[RecordChange]| rig.wait(rig.store.change_records(changes));
    let first = make(&[
        change(AccessKey, "a", Some("1"), Expected::Absent),
        change(AccessKey, "b", Some("1"), Expected::Absent),
        change(Token, "a", Some("1"), Expected::Absent),
    ]);
    let [a, b, _] = first.unwrap()[..] else { panic!("three revisions") };
    assert_eq!((rig.rows(Space::Records), rig.records_counted()), (3, 2));
    for (bad, refused) in [(Expected::Absent, Error::Exists), (Expected::Revision(a), Error::Conflict)] {
        let answer = make(&[
            change(AccessKey, "a", Some("2"), Expected::Revision(a)),
            change(AccessKey, "c", Some("2"), Expected::Absent),
            change(AccessKey, "b", Some("2"), bad),
        ]);
        assert_eq!(answer.unwrap_err().to_string(), refused.to_string());
        assert_eq!((rig.rows(Space::Records), rig.records_counted()), (3, 2), "nothing changed");
    }
    assert_eq!(rig.store.record(AccessKey, "a").unwrap().unwrap().bytes, b"1");
    make(&[
        change(AccessKey, "a", Some("3"), Expected::Revision(a)),
        change(AccessKey, "b", None, Expected::Revision(b)),
        change(Token, "a", None, Expected::Any),
        change(Token, "z", None, Expected::Any),
    ])
    .unwrap();
    assert_eq!(rig.store.record(AccessKey, "a").unwrap().unwrap().bytes, b"3");
    assert_eq!(rig.store.record(AccessKey, "b").unwrap(), None);
    assert_eq!((rig.rows(Space::Records), rig.records_counted()), (1, 1));
    let long = "x".repeat(RECORD_MAX_BYTES + 1);
    let answer =
        make(&[change(AccessKey, "a", None, Expected::Any), change(AccessKey, "d", Some(&long), Expected::Any)]);
    assert!(matches!(answer, Err(Error::Invalid(Invalid::RecordSize(_)))), "{answer:?}");
    assert_eq!(rig.records_counted(), 1);
}
