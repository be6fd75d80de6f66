//! Copies share their bytes: no byte moves, and none goes before the last object that names it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use wharf::base::digest::{Checksum, ChecksumAlgorithm};
use wharf::store::Store;
use wharf::store::error::{Error, Missing};
use wharf::store::fsio::Durability;
use wharf::store::meta::Space;
use wharf::store::types::{
    Attributes, Bucket, BucketName, CompleteRequest, Condition, CopyRequest, CopyTerms, ObjectInfo,
};

use crate::rig::{Rig, listed, parse, random_bytes};

async fn copy(
    store: &Store,
    from: (&Bucket, &str),
    to: (&Bucket, &str),
    condition: Option<Condition>,
) -> Result<ObjectInfo, Error> {
    let (source, target) = (parse(from.1), parse(to.1));
    let request = CopyRequest { source: (from.0, &source), target: (to.0, &target), condition };
    let terms = |source: &ObjectInfo| -> Result<CopyTerms, Error> {
        Ok(CopyTerms { attributes: source.attributes.clone(), checksum: None })
    };
    store.copy_object(&request, terms).await
}

impl Rig {
    fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo, Error> {
        self.wait(copy(&self.store, (&self.bucket, from), (&self.bucket, to), None))
    }

    fn delete(&self, key: &str) {
        self.wait(self.store.delete_object(&self.bucket, &parse(key), None)).unwrap();
    }

    fn check_reads(&self, key: &str, expected: &[u8]) {
        let (read, error) = self.read(key, 0..u64::MAX);
        assert!(error.is_none() && read == expected, "{key}: {} bytes, {error:?}", read.len());
    }

    /// An object of these bytes in parts of this size.
    fn assemble(&self, key: &str, whole: &Bytes, part_bytes: usize) {
        let id = self.create(key);
        let parts: Vec<_> = (1..)
            .zip(whole.chunks(part_bytes))
            .map(|(number, part)| self.stage(key, id, number, whole.slice_ref(part)).unwrap())
            .collect();
        self.complete(key, id, &parts).unwrap();
    }
}

/// A single body, one part, and several parts; freed with the last of three names, in whatever order they go.
#[test]
fn shared_bytes_go_with_their_last_name() {
    let whole = random_bytes(1, 900_000);
    for part_bytes in [0, 900_000, 300_000] {
        for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"]] {
            let mut rig = Rig::new(Durability::Relaxed);
            match part_bytes {
                0 => drop(rig.put("a", whole.clone())),
                _ => rig.assemble("a", &whole, part_bytes),
            }
            let source = rig.store.object(&rig.bucket, &parse("a")).unwrap();
            let files = rig.files();
            rig.meta.writes.lock().unwrap().clear();
            let made = rig.copy("a", "b").unwrap();
            let again = rig.copy("b", "c").unwrap();
            assert!(rig.meta.writes.lock().unwrap().iter().all(|rows| *rows <= 8), "a copy is one small batch");
            assert_eq!(rig.files(), files, "no byte of a blob is written");
            for copy in [&made, &again] {
                assert_eq!((copy.size, copy.etag, copy.parts), (source.size, source.etag, source.parts));
                assert_eq!(copy.checksum, source.checksum);
            }
            let promoted = rig.store.object(&rig.bucket, &parse("a")).unwrap();
            assert_eq!(ObjectInfo { revision: source.revision, ..promoted }, source, "nobody can see the promotion");
            for (gone, key) in order.iter().enumerate() {
                order[gone..].iter().for_each(|key| rig.check_reads(key, &whole));
                rig.delete(key);
                rig.collect();
                assert_eq!(rig.rows(Space::Manifests), usize::from(gone < 2));
            }
            rig.check_empty();
            assert_eq!(rig.rows(Space::Counters), 1, "of buckets alone");
        }
    }
}

/// Small bodies are copied, so nothing ties the copies to each other.
#[test]
fn small_copies_are_independent() {
    let mut rig = Rig::new(Durability::Relaxed);
    for len in [0, 1, 4096] {
        let body = random_bytes(2, len);
        rig.put("a", body.clone());
        rig.copy("a", "b").unwrap();
        rig.put("a", Bytes::from_static(b"other"));
        rig.collect();
        rig.check_reads("b", &body);
        assert_eq!(rig.rows(Space::Manifests), 0);
    }
    rig.delete("a");
    rig.delete("b");
    rig.collect();
    rig.check_empty();
}

/// Who began to read before the first copy holds the blob under a name that no record has any more.
#[test]
fn a_reader_from_before_the_first_copy_keeps_the_bytes() {
    let mut rig = Rig::new(Durability::Relaxed);
    let whole = random_bytes(3, 900_000);
    rig.put("a", whole.clone());
    let mut reader = rig.store.open_object(&rig.bucket, &parse("a")).unwrap().read(0..u64::MAX);
    rig.copy("a", "b").unwrap();
    rig.delete("a");
    rig.delete("b");
    rig.collect();
    assert_eq!(rig.files().len(), 1, "it is being read");
    let mut read = Vec::new();
    while let Some(piece) = rig.wait(reader.next()) {
        read.extend_from_slice(&piece.unwrap());
        rig.collect();
    }
    assert!(read == whole, "{} bytes that are not the object's", read.len());
    drop(reader);
    rig.collect();
    rig.check_empty();
}

/// The parts of a completed upload wait for gc while the object is promoted, copied and deleted.
#[test]
fn a_copy_outlives_the_upload_that_made_its_source() {
    let mut rig = Rig::new(Durability::Relaxed);
    let whole = random_bytes(4, 900_000);
    for (key, part_bytes) in [("one", 900_000), ("three", 300_000)] {
        rig.assemble(key, &whole, part_bytes);
        rig.copy(key, "copy").unwrap();
        rig.delete(key);
        rig.collect();
        rig.check_reads("copy", &whole);
        rig.delete("copy");
        rig.collect();
        rig.check_empty();
    }
}

/// A repeated complete knows its object again, though a copy has made a manifest of its one part.
#[test]
fn a_complete_is_repeated_after_its_object_was_copied() {
    let rig = Rig::new(Durability::Relaxed);
    let id = rig.create("key");
    let part = rig.stage("key", id, 1, random_bytes(13, 100_000)).unwrap();
    let complete = || {
        let request = CompleteRequest { condition: Some(Condition::Absent), ..listed(std::slice::from_ref(&part)) };
        rig.wait(rig.store.complete_upload(&rig.bucket, &parse("key"), id, request))
    };
    let first = complete().unwrap();
    rig.copy("key", "copy").unwrap();
    assert_eq!(rig.rows(Space::Manifests), 1);
    assert_eq!(complete().unwrap(), first);
    rig.put("key", random_bytes(13, 100_000));
    assert!(matches!(complete(), Err(Error::Precondition)), "another object of the same bytes stands there");
}

/// A step of gc finds many references of one manifest at once.
#[test]
fn many_references_are_given_back_in_one_walk() {
    let mut rig = Rig::new(Durability::Relaxed);
    rig.put("source", random_bytes(5, 100_000));
    let keys: Vec<_> = (0..300).map(|number| format!("copy/{number:03}")).collect();
    keys.iter().for_each(|key| drop(rig.copy("source", key).unwrap()));
    keys.iter().for_each(|key| rig.delete(key));
    rig.collect();
    assert_eq!((rig.rows(Space::Grave), rig.files().len()), (0, 1));
    rig.check_reads("source", &random_bytes(5, 100_000));
    rig.delete("source");
    rig.collect();
    rig.check_empty();
}

#[test]
fn a_copy_onto_itself_buries_nothing() {
    let mut rig = Rig::new(Durability::Relaxed);
    let whole = random_bytes(6, 600_000);
    rig.put("blob", whole.clone());
    rig.put("small", whole.slice(..100));
    rig.assemble("parts", &whole, 300_000);
    rig.collect();
    let files = rig.files();
    for (key, body) in [("blob", &whole[..]), ("small", &whole[..100]), ("parts", &whole[..])] {
        let target = parse(key);
        let request = CopyRequest { source: (&rig.bucket, &target), target: (&rig.bucket, &target), condition: None };
        let attributes =
            Attributes { user_metadata: vec![("a".to_owned(), "new".to_owned())], ..Attributes::default() };
        let terms = |_: &ObjectInfo| -> Result<CopyTerms, Error> {
            Ok(CopyTerms { attributes: attributes.clone(), checksum: None })
        };
        let made = rig.wait(rig.store.copy_object(&request, terms)).unwrap();
        assert_eq!(rig.store.object(&rig.bucket, &target).unwrap(), made);
        assert_eq!(made.attributes, attributes);
        assert_eq!(rig.rows(Space::Grave), 0, "{key}");
        rig.collect();
        rig.check_reads(key, body);
    }
    assert_eq!((rig.files(), rig.rows(Space::Manifests)), (files, 1));
    ["blob", "small", "parts"].iter().for_each(|key| rig.delete(key));
    rig.collect();
    rig.check_empty();
}

#[test]
fn what_is_not_there() {
    let mut rig = Rig::new(Durability::Relaxed);
    let other = rig.wait(rig.store.create_bucket(&BucketName::parse("other").unwrap(), None)).unwrap();
    rig.put("a", random_bytes(7, 10_000));
    let across = |from, to, condition| rig.wait(copy(&rig.store, (&rig.bucket, from), (&other, to), condition));
    assert!(matches!(across("nothing", "b", None), Err(Error::NotFound(Missing::Source))));
    let etag = across("a", "b", Some(Condition::Absent)).unwrap().etag;
    assert!(matches!(across("a", "b", Some(Condition::Absent)), Err(Error::Precondition)));
    across("a", "b", Some(Condition::Matches(etag))).unwrap();
    assert!(matches!(across("a", "c", Some(Condition::Matches(etag))), Err(Error::NotFound(Missing::Object))));
    rig.wait(rig.store.delete_object(&other, &parse("b"), None)).unwrap();
    rig.wait(rig.store.delete_bucket(&other.name)).unwrap();
    assert!(matches!(across("a", "b", None), Err(Error::NotFound(Missing::Bucket))));
    rig.delete("a");
    rig.collect();
    rig.check_empty();
}

/// The first copies of one object at the same moment: one of them promotes it, none is refused, and each counts.
#[test]
fn copies_at_once_never_lose_a_count() {
    let mut rig = Rig::new(Durability::Relaxed);
    let whole = random_bytes(8, 50_000);
    for round in 0..10 {
        rig.put("source", whole.clone());
        let start = Arc::new(tokio::sync::Barrier::new(32));
        let copying: Vec<_> = (0..32)
            .map(|number| {
                let (store, bucket, start) = (Arc::clone(&rig.store), rig.bucket.clone(), Arc::clone(&start));
                rig.runtime.spawn(async move {
                    let key = format!("copy/{number}");
                    start.wait().await;
                    copy(&store, (&bucket, "source"), (&bucket, &key), None).await.unwrap();
                    // Half of them go at once, while others are still being made.
                    if number % 2 == 0 {
                        store.delete_object(&bucket, &parse(&key), None).await.unwrap();
                    }
                })
            })
            .collect();
        rig.collect_for(50);
        copying.into_iter().for_each(|task| rig.wait(task).unwrap());
        rig.delete("source");
        rig.collect();
        assert_eq!((rig.files().len(), rig.rows(Space::Manifests)), (1, 1), "round {round}");
        for number in (1..32).step_by(2) {
            let key = format!("copy/{number}");
            rig.check_reads(&key, &whole);
            rig.delete(&key);
        }
        rig.collect();
        rig.check_empty();
    }
}

/// A source that changes all the time is copied whole, as it was at one moment.
#[test]
fn a_source_that_is_overwritten_is_copied_as_it_was() {
    let mut rig = Rig::new(Durability::Relaxed);
    let bodies = [random_bytes(9, 20_000), random_bytes(10, 30_000), random_bytes(11, 40)];
    rig.put("source", bodies[0].clone());
    let (store, bucket) = (Arc::clone(&rig.store), rig.bucket.clone());
    let (writes, copied) = (bodies.clone(), Arc::new(AtomicBool::new(false)));
    let done = Arc::clone(&copied);
    let overwriting = rig.runtime.spawn(async move {
        for body in writes.iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
            let body = crate::rig::receive(&store, body.clone()).await.unwrap();
            store.put_object(&bucket, &parse("source"), body, Attributes::default(), None).await.unwrap();
        }
    });
    for round in 0..100 {
        let made = rig.copy("source", "copy").unwrap();
        let (read, error) = rig.read("copy", 0..u64::MAX);
        assert!(error.is_none() && bodies.iter().any(|body| *body == read), "round {round}: {error:?}");
        assert_eq!(made.size, read.len() as u64);
        rig.collect_for(5);
    }
    copied.store(true, Ordering::Relaxed);
    rig.wait(overwriting).unwrap();
    rig.delete("source");
    rig.delete("copy");
    rig.rest();
    rig.check_empty();
}

#[test]
fn one_of_many_conditional_copies_wins() {
    let rig = Rig::new(Durability::Relaxed);
    (0..8).for_each(|number| drop(rig.put(&format!("source/{number}"), random_bytes(number, 5000))));
    let copying: Vec<_> = (0..8)
        .map(|number| {
            let (store, bucket) = (Arc::clone(&rig.store), rig.bucket.clone());
            rig.runtime.spawn(async move {
                let from = format!("source/{number}");
                copy(&store, (&bucket, &from), (&bucket, "target"), Some(Condition::Absent)).await
            })
        })
        .collect();
    let answers: Vec<_> = copying.into_iter().map(|task| rig.wait(task).unwrap()).collect();
    let winners: Vec<_> = (0..).zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(number, _)| number).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(Error::Precondition))), "{answers:?}");
    rig.check_reads("target", &random_bytes(winners[0], 5000));
}

#[test]
fn a_checksum_is_computed_from_the_bytes() {
    let rig = Rig::new(Durability::Relaxed);
    let whole = random_bytes(12, 700_000);
    rig.assemble("parts", &whole, 300_000);
    rig.put("small", whole.slice(..10));
    for (key, body) in [("parts", &whole[..]), ("small", &whole[..10])] {
        for algorithm in ChecksumAlgorithm::ALL {
            let object = rig.store.open_object(&rig.bucket, &parse(key)).unwrap();
            let computed = rig.wait(rig.store.compute_checksum(object, algorithm)).unwrap();
            assert_eq!(computed, Checksum::of(algorithm, body));
        }
    }
}
