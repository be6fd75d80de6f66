//! What each bucket's objects take, and how much they may.

use std::sync::Arc;

use bytes::Bytes;
use wharf::base::rng::SeededRng;
use wharf::store::error::{Error, Missing};
use wharf::store::fsio::Durability;
use wharf::store::meta::{Batch, Meta as _, Space, Write, schema};
use wharf::store::room::Reserve;
use wharf::store::types::{
    Attributes, Bucket, BucketName, BucketUsage, Condition, CopyRequest, CopyTerms, DocumentKind, ListRequest,
    ObjectInfo,
};
use wharf::store::types::{ETag, Entry};
use wharf::store::usage;

use crate::rig::{Rig, approved, parse, random_bytes, receive};

impl Rig {
    fn usage_of(&self, bucket: &Bucket) -> (u64, u64) {
        let BucketUsage { bytes, objects } = self.store.bucket_usage(bucket).unwrap();
        (bytes, objects)
    }

    /// The usage, which is what a listing adds up to.
    fn checked_usage(&self) -> (u64, u64) {
        let request = ListRequest { max: 1000, ..ListRequest::default() };
        let listed = self.store.list_objects(&self.bucket, &request).unwrap().entries;
        let bytes = listed.iter().map(|entry| match entry {
            Entry::Item(info) => info.size,
            Entry::CommonPrefix(prefix) => panic!("{prefix} was folded without a delimiter"),
        });
        let listed = (bytes.sum(), listed.len() as u64);
        assert_eq!(self.usage_of(&self.bucket), listed);
        listed
    }

    fn set_quota(&self, bytes: Option<u64>) {
        self.wait(self.store.set_bucket_quota(&self.bucket, bytes)).unwrap();
    }

    fn try_put(&self, key: &str, body: Bytes) -> Result<ObjectInfo, Error> {
        self.wait(async {
            let body = self.receive(body).await?;
            self.store.put_object(&self.bucket, &parse(key), body, Attributes::default(), None).await
        })
    }

    fn copy_here(&self, from: (&Bucket, &str), to: &str) -> Result<ObjectInfo, Error> {
        let (source, target) = (parse(from.1), parse(to));
        let request = CopyRequest { source: (from.0, &source), target: (&self.bucket, &target), condition: None };
        let terms = |_: &ObjectInfo| Ok::<_, Error>(CopyTerms::default());
        self.wait(self.store.copy_object(&request, terms))
    }

    fn remove(&self, key: &str) {
        self.wait(self.store.delete_object(&self.bucket, &parse(key), None)).unwrap();
    }
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::QuotaExceeded)), "{answer:?}");
}

#[test]
fn every_way_to_an_object_and_from_it_is_counted() {
    let mut rig = Rig::new(Durability::Relaxed);
    let here = rig.bucket.clone();
    assert_eq!(rig.checked_usage(), (0, 0));
    rig.put("empty", "");
    rig.put("inline", random_bytes(1, 100));
    rig.put("blob", random_bytes(2, 70_000));
    assert_eq!(rig.checked_usage(), (70_100, 3));
    rig.put("inline", random_bytes(3, 80_000));
    rig.put("blob", random_bytes(4, 10));
    assert_eq!(rig.checked_usage(), (80_010, 3), "overwritten with more and with less");
    rig.copy_here((&here, "inline"), "copy of a blob").unwrap();
    rig.copy_here((&here, "copy of a blob"), "copy of a manifest").unwrap();
    rig.copy_here((&here, "blob"), "copy of little").unwrap();
    rig.copy_here((&here, "blob"), "empty").unwrap();
    assert_eq!(rig.checked_usage(), (240_030, 6));
    rig.copy_here((&here, "blob"), "blob").unwrap();
    rig.wait(rig.store.put_object_tags(&here, &parse("blob"), vec![("a".to_owned(), "b".to_owned())], approved))
        .unwrap();
    rig.wait(rig.store.put_object_acl(&here, &parse("blob"), Some(1), approved)).unwrap();
    assert_eq!(rig.checked_usage(), (240_030, 6), "what stays where it is");
    let id = rig.create("blob");
    let parts = [1, 2].map(|n| rig.stage("blob", id, n, random_bytes(n, 6000)).unwrap());
    assert_eq!(rig.checked_usage(), (240_030, 6), "parts are no object");
    rig.complete("blob", id, &parts).unwrap();
    rig.complete("blob", id, &parts).unwrap();
    assert_eq!(rig.checked_usage(), (252_020, 6));
    let aborted = rig.create("blob");
    rig.stage("blob", aborted, 1, random_bytes(1, 6000)).unwrap();
    rig.wait(rig.store.abort_upload(&here, &parse("blob"), aborted)).unwrap();
    rig.rest();
    let mut rig = rig.reopen(Reserve::Bytes(0));
    assert_eq!(rig.checked_usage(), (252_020, 6));
    for key in ["inline", "inline", "blob", "nothing"] {
        rig.remove(key);
    }
    assert_eq!(rig.checked_usage(), (160_020, 4));
    for key in ["empty", "copy of a blob", "copy of a manifest", "copy of little"] {
        rig.remove(key);
    }
    rig.rest();
    rig.check_empty();
    assert_eq!(rig.rows(Space::Counters), 1, "of buckets alone");
}

#[test]
fn nothing_goes_above_the_quota() {
    let mut rig = Rig::new(Durability::Relaxed);
    rig.set_quota(Some(10_000));
    assert_eq!(rig.store.bucket_quota(&rig.bucket).unwrap(), Some(10_000));
    is_refused(rig.try_put("a", random_bytes(1, 10_001)));
    rig.put("a", random_bytes(1, 10_000));
    rig.put("empty", "");
    is_refused(rig.try_put("b", random_bytes(1, 1)));
    rig.put("a", random_bytes(2, 10_000));
    is_refused(rig.try_put("a", random_bytes(2, 10_001)));
    is_refused(rig.copy_here((&rig.bucket, "a"), "b"));
    rig.copy_here((&rig.bucket, "a"), "a").unwrap();
    is_refused(rig.store.check_quota(&rig.bucket, &parse("b"), 1));
    rig.store.check_quota(&rig.bucket, &parse("b"), 0).unwrap();
    rig.store.check_quota(&rig.bucket, &parse("a"), 10_000).unwrap();
    is_refused(rig.store.check_quota(&rig.bucket, &parse("a"), 10_001));
    assert_eq!(rig.checked_usage(), (10_000, 2));
    rig.rest();
    assert_eq!(rig.files().len(), 1, "what was refused leaves nothing behind");

    let id = rig.create("parts");
    let parts = [1, 2].map(|n| rig.stage("parts", id, n, random_bytes(n, 5000)).unwrap());
    is_refused(rig.complete("parts", id, &parts));
    rig.remove("a");
    assert_eq!(rig.complete("parts", id, &parts).unwrap().size, 10_000, "a delete makes room at once");
    assert_eq!(rig.checked_usage(), (10_000, 2));

    // Lowered below what is there, nothing more comes; what is there stays, and may go.
    rig.set_quota(Some(4000));
    is_refused(rig.try_put("small", random_bytes(1, 1)));
    rig.wait(rig.store.put_object_tags(&rig.bucket, &parse("parts"), Vec::new(), approved)).unwrap();
    rig.remove("parts");
    rig.put("small", random_bytes(1, 4000));
    let rig = rig.reopen(Reserve::Bytes(0));
    is_refused(rig.try_put("b", random_bytes(1, 1)));
    rig.set_quota(None);
    rig.put("b", random_bytes(1, 1));
    assert_eq!(rig.store.bucket_quota(&rig.bucket).unwrap(), None);
    rig.set_quota(Some(u64::MAX));
    rig.put("c", random_bytes(1, 1));
}

/// A condition that fails is told before a quota that would.
#[test]
fn conditions_under_a_quota() {
    let rig = Rig::new(Durability::Relaxed);
    rig.set_quota(Some(100));
    rig.put("key", random_bytes(1, 100));
    let put = |len, condition| {
        rig.wait(async {
            let body = rig.receive(random_bytes(2, len)).await?;
            rig.store.put_object(&rig.bucket, &parse("key"), body, Attributes::default(), Some(condition)).await
        })
    };
    assert!(matches!(put(101, Condition::Absent), Err(Error::Precondition)));
    is_refused(put(101, Condition::Present));
    put(99, Condition::Present).unwrap();
    let etag = rig.store.object(&rig.bucket, &parse("key")).unwrap().etag;
    put(100, Condition::Matches(etag)).unwrap();
    assert!(matches!(put(100, Condition::Matches(ETag::of_body([0; 16]))), Err(Error::Precondition)));
}

/// As many as fit are taken, to the last byte, whoever comes first; and the others hear why.
#[test]
fn those_who_come_at_once_share_what_is_left() {
    let rig = Rig::new(Durability::Relaxed);
    rig.set_quota(Some(10_500));
    let start = Arc::new(tokio::sync::Barrier::new(64));
    let putters: Vec<_> = (0..64)
        .map(|n: u64| {
            let (store, bucket, start) = (Arc::clone(&rig.store), rig.bucket.clone(), Arc::clone(&start));
            rig.runtime.spawn(async move {
                let body = receive(&store, random_bytes(n, 1000)).await.unwrap();
                start.wait().await;
                store.put_object(&bucket, &parse(&n.to_string()), body, Attributes::default(), None).await
            })
        })
        .collect();
    let answers: Vec<_> = putters.into_iter().map(|putter| rig.wait(putter).unwrap()).collect();
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    refused.into_iter().for_each(is_refused);
    assert_eq!(taken.len(), 10);
    assert_eq!(rig.checked_usage(), (10_000, 10));
}

/// Blind overwrites and deletes of few keys at once: each gives back what it replaced, whatever that was.
#[test]
fn the_count_is_exact_whoever_comes_first() {
    let mut rig = Rig::new(Durability::Relaxed);
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let (store, bucket) = (Arc::clone(&rig.store), rig.bucket.clone());
            rig.runtime.spawn(async move {
                let rng = SeededRng::new(client);
                for _ in 0..60 {
                    let (key, other) = (parse(&format!("{}", rng.below(4))), parse(&format!("{}", rng.below(4))));
                    match rng.below(4) {
                        0 => store.delete_object(&bucket, &key, None).await.unwrap(),
                        1 => {
                            let request =
                                CopyRequest { source: (&bucket, &key), target: (&bucket, &other), condition: None };
                            let terms = |_: &ObjectInfo| Ok::<_, Error>(CopyTerms::default());
                            match store.copy_object(&request, terms).await {
                                Ok(_) | Err(Error::NotFound(Missing::Source)) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                        _ => {
                            let len = usize::try_from(rng.below(9000)).unwrap();
                            let body = receive(&store, random_bytes(client, len)).await.unwrap();
                            store.put_object(&bucket, &key, body, Attributes::default(), None).await.unwrap();
                        }
                    }
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| rig.wait(client).unwrap());
    rig.checked_usage();
    (0..4).for_each(|key| rig.remove(&format!("{key}")));
    rig.rest();
    rig.check_empty();
}

#[test]
fn buckets_are_counted_apart_and_leave_nothing() {
    let rig = Rig::new(Durability::Relaxed);
    let name = BucketName::parse("other").unwrap();
    let other = rig.wait(rig.store.create_bucket(&name, None)).unwrap();
    rig.wait(rig.store.set_bucket_quota(&other, Some(50))).unwrap();
    rig.put("a", random_bytes(1, 100));
    let put = |len| {
        rig.wait(async {
            let body = rig.receive(random_bytes(2, len)).await?;
            rig.store.put_object(&other, &parse("a"), body, Attributes::default(), None).await
        })
    };
    is_refused(put(51));
    put(50).unwrap();
    rig.copy_here((&other, "a"), "b").unwrap();
    assert_eq!((rig.checked_usage(), rig.usage_of(&other)), ((150, 2), (50, 1)));
    rig.wait(rig.store.delete_object(&other, &parse("a"), None)).unwrap();
    rig.wait(rig.store.delete_bucket(&name)).unwrap();
    assert_eq!(rig.rows(Space::Counters), 3, "of buckets, and two of the one that is left");
    let again = rig.wait(rig.store.create_bucket(&name, None)).unwrap();
    assert_eq!((rig.store.bucket_quota(&again).unwrap(), rig.usage_of(&again)), (None, (0, 0)));
    rig.wait(rig.store.put_bucket_document(&again, DocumentKind::Quota, b"?".to_vec())).unwrap();
    assert!(matches!(rig.store.bucket_quota(&again), Err(Error::Corrupt(_))));
}

/// A catalog from before there were counters is counted when it is opened: once, and to the same however far it came before.
#[test]
fn a_catalog_without_counters_is_counted_once() {
    let rig = Rig::new(Durability::Relaxed);
    let other = rig.wait(rig.store.create_bucket(&BucketName::parse("another").unwrap(), None)).unwrap();
    for n in 0..300 {
        rig.put(&format!("{n}"), random_bytes(n, usize::try_from(n).unwrap()));
    }
    let body = rig.wait(rig.receive(random_bytes(1, 70_000))).unwrap();
    rig.wait(rig.store.put_object(&other, &parse("a"), body, Attributes::default(), None)).unwrap();
    let (here, there) = (rig.checked_usage(), rig.usage_of(&other));
    assert_eq!((here.1, there), (300, (70_000, 1)));
    let forget = Write::Delete(Space::System, schema::USAGE_KEY.to_vec());
    let uncounted = |bucket: &Bucket, (bytes, objects): (u64, u64)| {
        let tally = schema::usage_tally(bucket.number);
        let off = |name, count: u64| Write::Add(name, -i64::try_from(count).unwrap());
        [off(tally.bytes, bytes), off(tally.rows, objects)]
    };
    let mut batch = Batch::default().write(forget.clone());
    batch.writes.extend(uncounted(&rig.bucket, here));
    batch.writes.extend(uncounted(&other, there));
    rig.wait(rig.meta.commit(batch)).unwrap();
    assert_eq!(rig.usage_of(&rig.bucket), (0, 0));
    let rig = rig.reopen(Reserve::Bytes(0));
    assert_eq!((rig.checked_usage(), rig.usage_of(&other)), (here, there));
    rig.wait(rig.meta.commit(Batch::default().write(forget))).unwrap();
    rig.wait(usage::count_once(rig.meta.as_ref())).unwrap();
    assert_eq!((rig.checked_usage(), rig.usage_of(&other)), (here, there));
    rig.meta.writes.lock().unwrap().clear();
    rig.wait(usage::count_once(rig.meta.as_ref())).unwrap();
    assert!(rig.meta.writes.lock().unwrap().is_empty(), "it is counted already");
}
