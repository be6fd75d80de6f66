//! What a page of a listing costs, in rows of the catalog that are visited: as many as it has entries and one more, whether
//! the page is the first, one in the middle or the last, and however many keys lie below its common prefixes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wharf::store::Store;
use wharf::store::meta::model::ModelMeta;
use wharf::store::meta::{Batch, CommitFuture, Meta, MetaError, Snapshot, Space, Visit, Visitor};
use wharf::store::types::{Bucket, BucketName, ListPage, ListRequest, NextPage};

use crate::listing::{add, now, open};

/// A catalog that counts the rows its snapshots show.
#[derive(Default)]
struct CountingMeta {
    inner: ModelMeta,
    shown: Arc<AtomicUsize>,
}

struct CountingSnapshot {
    inner: Box<dyn Snapshot>,
    shown: Arc<AtomicUsize>,
}

impl Meta for CountingMeta {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, MetaError> {
        Ok(Box::new(CountingSnapshot { inner: self.inner.snapshot()?, shown: Arc::clone(&self.shown) }))
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        self.inner.commit(batch)
    }
}

impl Snapshot for CountingSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        self.shown.fetch_add(1, Ordering::Relaxed);
        self.inner.get(space, key)
    }

    fn scan(&self, space: Space, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<(), MetaError> {
        self.inner.scan(space, start, end, &mut |key, record| -> ControlFlow<(), Visit> {
            self.shown.fetch_add(1, Ordering::Relaxed);
            visit(key, record)
        })
    }

    fn counter(&self, name: &[u8]) -> Result<i64, MetaError> {
        self.inner.counter(name)
    }
}

struct Counted {
    store: Arc<Store>,
    bucket: Bucket,
    shown: Arc<AtomicUsize>,
}

/// A bucket of these keys, each with so many open uploads, between two buckets of others.
fn filled(keys: impl Iterator<Item = String>, uploads: u64) -> Counted {
    let meta = CountingMeta::default();
    let shown = Arc::clone(&meta.shown);
    let store = open(Arc::new(meta), 7);
    let [before, bucket, after] = ["before", "counted", "zafter"]
        .map(|name| now(store.create_bucket(&BucketName::parse(name).unwrap(), None)).unwrap());
    for neighbour in [before, after] {
        add(&store, &neighbour, "other", 1);
    }
    for key in keys {
        add(&store, &bucket, &key, uploads);
    }
    Counted { store, bucket, shown }
}

impl Counted {
    /// The rows that `read` looks at, and what it gives.
    fn rows<T>(&self, read: impl FnOnce(&Store) -> T) -> (usize, T) {
        self.shown.store(0, Ordering::Relaxed);
        let read = read(&self.store);
        (self.shown.load(Ordering::Relaxed), read)
    }

    /// Walks a listing and gives each page's rows and entries.
    fn pages<T>(&self, list: impl Fn(&Store, Option<NextPage>) -> ListPage<T>) -> Vec<(usize, usize)> {
        let (mut pages, mut next) = (Vec::new(), None);
        loop {
            let (rows, page) = self.rows(|store| list(store, next.clone()));
            pages.push((rows, page.entries.len()));
            next = page.next;
            if next.is_none() {
                return pages;
            }
        }
    }

    fn object_pages(&self, request: &ListRequest) -> Vec<(usize, usize)> {
        self.pages(|store, next| {
            let after = next.map_or_else(|| request.after.clone(), |next| next.after);
            store.list_objects(&self.bucket, &ListRequest { after, ..request.clone() }).unwrap()
        })
    }

    fn upload_pages(&self, request: &ListRequest) -> Vec<(usize, usize)> {
        self.pages(|store, next| {
            let (after, upload) = next.map_or_else(Default::default, |next| (next.after, next.upload));
            store.list_uploads(&self.bucket, &ListRequest { after, ..request.clone() }, upload).unwrap()
        })
    }
}

fn request(prefix: &str, delimiter: &str, max: usize) -> ListRequest {
    ListRequest { prefix: prefix.to_owned(), delimiter: delimiter.to_owned(), after: String::new(), max }
}

#[test]
fn every_page_of_one_prefix_costs_the_same() {
    const KEYS: usize = 20_000;
    let counted = filled((0..KEYS).map(|n| format!("p/{n:07}")), 0);
    for (max, pages) in [(1000, KEYS / 1000), (37, KEYS.div_ceil(37))] {
        for prefix in ["", "p/"] {
            let costs = counted.object_pages(&request(prefix, "", max));
            assert_eq!(costs.len(), pages);
            for (at, (rows, entries)) in costs.into_iter().enumerate() {
                // The last page has nothing behind it that would have to be looked at.
                let expected = if at + 1 < pages { (max + 1, max) } else { (entries, entries) };
                assert_eq!((rows, entries), expected, "page {at} of {max}, prefix {prefix:?}");
            }
        }
    }
}

#[test]
fn a_page_of_common_prefixes_costs_the_same_however_much_lies_below_them() {
    const PREFIXES: usize = 60;
    for below in [1, 10, 300] {
        let keys = (0..PREFIXES * below).map(|n| format!("deep/er/{:04}/x/{:05}", n / below, n % below));
        let counted = filled(keys, 0);
        for (delimiter, max) in [("/", 10), ("/x/", 7), ("/", PREFIXES)] {
            let costs = counted.object_pages(&request("deep/er/", delimiter, max));
            assert_eq!(costs.iter().map(|(_, entries)| entries).sum::<usize>(), PREFIXES);
            let last = costs.len() - 1;
            for (at, (rows, entries)) in costs.into_iter().enumerate() {
                assert_eq!(rows, entries + usize::from(at < last), "page {at}, {below} keys below each of {max}");
            }
        }
        // One prefix holds everything, whatever it takes to get behind it.
        assert_eq!(counted.object_pages(&request("", "/", 1000)), [(1, 1)]);
        // A marker deep in a prefix: that prefix is behind it, not walked through.
        let after = format!("deep/er/0030/x/{:05}", below / 2);
        let costs = counted.object_pages(&ListRequest { after, ..request("deep/er/", "/", 10) });
        assert_eq!(costs, [(11, 10), (11, 10), (9, 9)]);
    }
}

#[test]
fn keys_between_prefixes_cost_one_row_each() {
    let keys = (0..200).flat_map(|n| [format!("d{n:03}.bin"), format!("d{n:03}/a"), format!("d{n:03}/b")]);
    let counted = filled(keys, 0);
    let costs = counted.object_pages(&request("", "/", 50));
    assert_eq!(costs, [vec![(51, 50); 7], vec![(50, 50)]].concat());
}

#[test]
fn pages_of_uploads_and_buckets_cost_the_same() {
    let counted = filled((0..300).map(|n| format!("u/{:02}/{n}", n / 10)), 3);
    let costs = counted.upload_pages(&request("u/", "", 100));
    assert_eq!(costs, [vec![(101, 100); 8], vec![(100, 100)]].concat());
    let costs = counted.upload_pages(&request("u/", "/", 7));
    assert_eq!(costs, [vec![(8, 7); 4], vec![(2, 2)]].concat());

    for n in 0..50 {
        now(counted.store.create_bucket(&BucketName::parse(&format!("many-{n:02}")).unwrap(), None)).unwrap();
    }
    for after in ["", "many-10", "many-40"] {
        let (rows, page) = counted.rows(|store| store.buckets_page("many-", after, 5).unwrap());
        assert_eq!((rows, page.0.len(), page.1), (6, 5, true), "after {after:?}");
    }
    let (rows, (last, more)) = counted.rows(|store| store.buckets_page("many-", "many-46", 5).unwrap());
    let names: Vec<_> = last.iter().map(|bucket| bucket.name.as_str()).collect();
    assert_eq!((rows, names, more), (3, vec!["many-47", "many-48", "many-49"], false));
}
