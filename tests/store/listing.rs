//! Listings against a naive model: sort all, fold, cut.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wharf::base::buffers::BufferPool;
use wharf::base::clock::{ManualClock, Timestamp};
use wharf::base::digest::DigestRequest;
use wharf::base::limits::READ_UNIT_BYTES;
use wharf::base::offload::Offload;
use wharf::base::rng::SeededRng;
use wharf::store::blob::disk::DiskBlobs;
use wharf::store::fsio::Durability;
use wharf::store::fsio::sim::SimFs;
use wharf::store::meta::Meta;
use wharf::store::meta::model::ModelMeta;
use wharf::store::room::Reserve;
use wharf::store::types::{
    Attributes, Bucket, BucketName, Entry, ListPage, ListRequest, NewUpload, NextPage, UploadId,
};
use wharf::store::{Parts, Store};
use wharf::telemetry::metrics::Metrics;

use crate::rig::parse;

/// Pieces of keys: bytes that the rows' escaping treats apart, delimiters, and characters of every length.
const PIECES: [&str; 12] =
    ["\0", "\u{1}", "\u{2}", "/", "//", "a", "b", "-", "\u{7f}", "\u{ff}", "\u{ffff}", "\u{10ffff}"];

/// A key with the uploads that are open for it, oldest first.
type Model = BTreeMap<String, Vec<UploadId>>;

struct Listed {
    store: Arc<Store>,
    bucket: Bucket,
    model: Model,
}

pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the model answers at once"),
    }
}

fn random_text(rng: &SeededRng, pieces_max: u64) -> String {
    let piece = |_| PIECES[usize::try_from(rng.below(PIECES.len() as u64)).unwrap()];
    (0..rng.below(pieces_max + 1)).map(piece).collect()
}

/// A store over this catalog, without a disk.
pub(crate) fn open(meta: Arc<dyn Meta>, seed: u64) -> Arc<Store> {
    let pool = BufferPool::new(READ_UNIT_BYTES, 1);
    let (fs, rng) = (Arc::new(SimFs::new()), Arc::new(SeededRng::new(seed)));
    let blobs = DiskBlobs::open(fs, "/".as_ref(), 1, Durability::Strict, rng.clone(), pool).unwrap();
    Store::new(Parts {
        meta,
        blobs: Arc::new(blobs),
        run: 1,
        clock: Arc::new(ManualClock::new(Timestamp(1))),
        rng,
        offload: Offload::Inline,
        reserve: Reserve::Bytes(0),
        metrics: Metrics::new(),
    })
}

/// A store of random keys, and neighbours of its bucket's rows that no listing may show.
fn fill(seed: u64, keys: u64) -> Listed {
    let rng = SeededRng::new(seed);
    let store = open(Arc::new(ModelMeta::new()), seed);
    let buckets = ["before", "listed", "zafter"].map(|name| {
        let bucket = now(store.create_bucket(&BucketName::parse(name).unwrap(), None)).unwrap();
        add(&store, &bucket, "a/b", 1);
        bucket
    });
    let [_, bucket, _] = buckets;
    let mut model = Model::new();
    model.insert("a/b".to_owned(), store_uploads(&store, &bucket));
    for _ in 0..keys {
        let key = random_text(&rng, 6);
        if key.is_empty() || model.contains_key(&key) {
            continue;
        }
        let ids = add(&store, &bucket, &key, rng.below(4));
        model.insert(key, ids);
    }
    Listed { store, bucket, model }
}

pub(crate) fn add(store: &Store, bucket: &Bucket, key: &str, uploads: u64) -> Vec<UploadId> {
    let body = now(store.body_writer(None, DigestRequest::default()).finish()).unwrap();
    now(store.put_object(bucket, &parse(key), body, Attributes::default(), None)).unwrap();
    (0..uploads).map(|_| now(store.create_upload(bucket, &parse(key), NewUpload::default())).unwrap()).collect()
}

fn store_uploads(store: &Store, bucket: &Bucket) -> Vec<UploadId> {
    let page = store.list_uploads(bucket, &ListRequest { max: 100, ..ListRequest::default() }, None).unwrap();
    page.entries
        .into_iter()
        .map(|entry| match entry {
            Entry::Item(upload) => upload.id,
            Entry::CommonPrefix(prefix) => panic!("{prefix} without a delimiter"),
        })
        .collect()
}

/// An entry as the model sees it: a key with an upload where uploads are listed, or a common prefix.
type Seen = Entry<(String, Option<UploadId>)>;

/// All entries after `after`, by the words of the API: filter, fold, leave out prefixes that are not greater than `after`.
fn expected(
    items: impl Iterator<Item = (String, Option<UploadId>)>,
    request: &ListRequest,
    upload_after: Option<UploadId>,
) -> Vec<Seen> {
    let mut entries: Vec<Seen> = Vec::new();
    for (key, upload) in items {
        let is_after = key > request.after
            || (key == request.after && upload_after.zip(upload).is_some_and(|(after, id)| id.number > after.number));
        let Some(rest) = key.strip_prefix(&request.prefix).filter(|_| request.after.is_empty() || is_after) else {
            continue;
        };
        let folded = if request.delimiter.is_empty() { None } else { rest.find(&request.delimiter) };
        let entry = match folded {
            Some(at) => Entry::CommonPrefix(key[..request.prefix.len() + at + request.delimiter.len()].to_owned()),
            None => Entry::Item((key, upload)),
        };
        let is_done = matches!(&entry, Entry::CommonPrefix(prefix) if *prefix <= request.after);
        if !is_done && entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// All pages, none of them too long, none but the last too short.
fn all_pages<T>(
    request: &ListRequest,
    mut next: Option<NextPage>,
    page: impl Fn(&ListRequest, Option<UploadId>) -> ListPage<T>,
    see: impl Fn(T) -> (String, Option<UploadId>),
) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        let (after, upload) = next.map_or((request.after.clone(), None), |next| (next.after, next.upload));
        let page = page(&ListRequest { after, ..request.clone() }, upload);
        assert!(page.entries.len() <= request.max);
        assert!(page.next.is_none() || page.entries.len() == request.max, "a page that is short and not the last");
        assert!(page.next.is_some() || !page.entries.is_empty() || seen.is_empty(), "an empty page at the end");
        seen.extend(page.entries.into_iter().map(|entry| match entry {
            Entry::Item(item) => Entry::Item(see(item)),
            Entry::CommonPrefix(prefix) => Entry::CommonPrefix(prefix),
        }));
        next = page.next;
        if next.is_none() {
            return seen;
        }
    }
}

fn random_request(rng: &SeededRng, model: &Model) -> ListRequest {
    let some_key = || model.keys().nth(usize::try_from(rng.below(model.len() as u64)).unwrap()).cloned().unwrap();
    let cut = |key: String| {
        let len = usize::try_from(rng.below(key.len() as u64 + 1)).unwrap();
        key.chars()
            .scan(0, |at, c| {
                *at += c.len_utf8();
                (*at <= len).then_some(c)
            })
            .collect::<String>()
    };
    let text = |kind: u64| match kind {
        0..=1 => String::new(),
        2 => some_key(),
        3 => cut(some_key()),
        _ => random_text(rng, 3),
    };
    let delimiter = match rng.below(4) {
        0 => String::new(),
        1 => random_text(rng, 2),
        _ => "/".to_owned(),
    };
    ListRequest {
        prefix: text(rng.below(6)),
        after: text(rng.below(6)),
        delimiter,
        max: usize::try_from(1 + rng.below(5)).unwrap(),
    }
}

#[test]
fn listings_agree_with_the_model() {
    for seed in 0..4 {
        let listed = fill(seed, 60 + seed * 60);
        let rng = SeededRng::new(100 + seed);
        for _ in 0..500 {
            let request = random_request(&rng, &listed.model);
            let objects = all_pages(
                &request,
                None,
                |request, _| listed.store.list_objects(&listed.bucket, request).unwrap(),
                |info| (info.key.as_str().to_owned(), None),
            );
            let keys = listed.model.keys().map(|key| (key.clone(), None));
            assert_eq!(objects, expected(keys, &request, None), "{request:?}");
        }
    }
}

#[test]
fn listings_of_uploads_agree_with_the_model() {
    for seed in 0..4 {
        let listed = fill(seed, 60 + seed * 40);
        let rng = SeededRng::new(200 + seed);
        for _ in 0..500 {
            let request = random_request(&rng, &listed.model);
            // With a marker of an upload the listing goes on inside its key.
            let of_key = listed.model.get(&request.after).filter(|ids| !ids.is_empty() && rng.below(2) == 0);
            let upload = of_key.map(|ids| ids[usize::try_from(rng.below(ids.len() as u64)).unwrap()]);
            let first = upload.map(|upload| NextPage { after: request.after.clone(), upload: Some(upload) });
            let uploads = all_pages(
                &request,
                first,
                |request, upload| listed.store.list_uploads(&listed.bucket, request, upload).unwrap(),
                |info| (info.key.as_str().to_owned(), Some(info.id)),
            );
            let items = listed.model.iter().flat_map(|(key, ids)| ids.iter().map(move |id| (key.clone(), Some(*id))));
            assert_eq!(uploads, expected(items, &request, upload), "{request:?} {upload:?}");
        }
    }
}

#[test]
fn a_page_of_nothing_is_the_last() {
    let listed = fill(1, 10);
    let page = listed.store.list_objects(&listed.bucket, &ListRequest::default()).unwrap();
    assert_eq!((page.entries.len(), page.next), (0, None));
}
