//! A store whose blobs are objects of an object store: the trait is enough, nothing of it needs a disk.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use tokio::runtime::Runtime;
use wharf::base::buffers::BufferPool;
use wharf::base::clock::{ManualClock, Timestamp};
use wharf::base::limits::{READ_UNIT_BYTES, REMOTE_PART_BYTES};
use wharf::base::offload::Offload;
use wharf::base::rng::SeededRng;
use wharf::base::worker::{Next, Worker as _};
use wharf::store::blob::remote::RemoteBlobs;
use wharf::store::error::{Error, Missing};
use wharf::store::maintain::gc::Gc;
use wharf::store::maintain::sweep::Sweep;
use wharf::store::meta::model::ModelMeta;
use wharf::store::room::Reserve;
use wharf::store::types::{Attributes, Bucket, BucketName, NewUpload};
use wharf::store::{Parts, Store, runs};
use wharf::telemetry::metrics::Metrics;

use crate::rig::{listed, parse, random_bytes, receive, run_dry, stage};

/// What outlives a gateway: the catalog, the objects and the runtime that the object store's client runs on.
struct Shared {
    meta: Arc<ModelMeta>,
    objects: Arc<InMemory>,
    client: Runtime,
}

/// A gateway without a disk, on a runtime of its own.
struct Gateway {
    store: Arc<Store>,
    bucket: Bucket,
    gc: Gc,
    sweep: Sweep,
    runtime: Runtime,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Shared {
    fn new() -> Self {
        Self { meta: Arc::new(ModelMeta::new()), objects: Arc::new(InMemory::new()), client: runtime() }
    }

    fn open(&self) -> Gateway {
        let runtime = runtime();
        let run = runtime.block_on(runs::begin(self.meta.as_ref())).unwrap();
        let rng = Arc::new(SeededRng::new(u64::from(run.number)));
        let (pool, client) = (BufferPool::new(READ_UNIT_BYTES, 4), self.client.handle().clone());
        let objects = Arc::clone(&self.objects);
        let blobs = RemoteBlobs::new(objects, Path::from("wharf"), run.number, rng.clone(), pool, client).unwrap();
        let store = Store::new(Parts {
            meta: self.meta.clone(),
            blobs: Arc::new(blobs),
            run: run.number,
            clock: Arc::new(ManualClock::new(Timestamp(1_800_000_000_000))),
            rng,
            offload: Offload::Threads(runtime.handle().clone()),
            reserve: Reserve::Standard,
            metrics: Metrics::new(),
        });
        let name = BucketName::parse("bucket").unwrap();
        let bucket = match runtime.block_on(store.create_bucket(&name, None)) {
            Err(Error::Exists) => store.bucket(&name).unwrap(),
            made => made.unwrap(),
        };
        let (gc, sweep) = (Gc::new(Arc::clone(&store)), Sweep::new(Arc::clone(&store), run.unswept));
        Gateway { store, bucket, gc, sweep, runtime }
    }

    fn objects(&self) -> Vec<Path> {
        let listed = self.objects.list(None).map_ok(|object| object.location);
        self.client.block_on(listed.try_collect()).unwrap()
    }
}

impl Gateway {
    fn put(&self, key: &str, body: Bytes) {
        let stored = self.runtime.block_on(async {
            let body = receive(&self.store, body).await?;
            self.store.put_object(&self.bucket, &parse(key), body, Attributes::default(), None).await
        });
        stored.unwrap();
    }

    /// Completes an upload of these parts, and aborts another with one more.
    fn put_parts(&self, key: &str, parts: &[Bytes]) {
        let (store, bucket, key) = (&self.store, &self.bucket, &parse(key));
        self.runtime.block_on(async {
            let id = store.create_upload(bucket, key, NewUpload::default()).await.unwrap();
            let mut staged = Vec::new();
            for (number, part) in (1..).zip(parts) {
                staged.push(stage(store, bucket, key.as_str(), id, number, part.clone()).await.unwrap());
            }
            store.complete_upload(bucket, key, id, listed(&staged)).await.unwrap();
            let aborted = store.create_upload(bucket, key, NewUpload::default()).await.unwrap();
            stage(store, bucket, key.as_str(), aborted, 1, parts[0].clone()).await.unwrap();
            store.abort_upload(bucket, key, aborted).await.unwrap();
        });
    }

    /// All of the range, or the first error. On the runtime's own threads, as requests are.
    fn read(&self, key: &str, range: std::ops::Range<u64>) -> Result<Vec<u8>, Error> {
        let mut reader = self.store.open_object(&self.bucket, &parse(key))?.read(range);
        let reading = self.runtime.spawn(async move {
            let mut bytes = Vec::new();
            while let Some(piece) = reader.next().await {
                bytes.extend_from_slice(&piece?);
            }
            Ok(bytes)
        });
        self.runtime.block_on(reading).unwrap()
    }

    fn delete(&self, key: &str) {
        self.runtime.block_on(self.store.delete_object(&self.bucket, &parse(key), None)).unwrap();
    }
}

#[test]
fn objects_of_every_kind_come_back_and_go_away() {
    let shared = Shared::new();
    let mut gateway = shared.open();
    let sizes =
        [("empty", 0), ("inline", 100), ("small", 10_000), ("middle", 700_000), ("large", 2 * REMOTE_PART_BYTES + 9)];
    let bodies = (1..).zip(sizes).map(|(seed, (key, len))| (key, random_bytes(seed, len))).collect::<Vec<_>>();
    bodies.iter().for_each(|(key, body)| gateway.put(key, body.clone()));
    let whole = random_bytes(9, 900_000);
    let parts: Vec<_> = whole.chunks(300_000).map(|part| whole.slice_ref(part)).collect();
    gateway.put_parts("parts", &parts);

    for (key, body) in bodies.iter().chain([&("parts", whole.clone())]) {
        assert!(gateway.read(key, 0..u64::MAX).unwrap() == *body, "{key}");
    }
    assert!(gateway.read("parts", 299_999..600_001).unwrap() == whole[299_999..600_001]);
    assert!(gateway.read("large", 8_000_000..9_000_000).unwrap() == bodies[4].1[8_000_000..9_000_000]);

    run_dry(&mut gateway.gc);
    assert_eq!(shared.objects().len(), 6, "three bodies and three parts; the aborted part is gone");
    gateway.put("middle", Bytes::from("other"));
    gateway.delete("large");
    run_dry(&mut gateway.gc);
    assert_eq!(shared.objects().len(), 4);
    assert!(matches!(gateway.read("large", 0..1), Err(Error::NotFound(Missing::Object))));
    assert_eq!(gateway.read("middle", 0..9).unwrap(), b"other");
    ["empty", "inline", "small", "middle", "parts"].into_iter().for_each(|key| gateway.delete(key));
    run_dry(&mut gateway.gc);
    assert_eq!(shared.objects(), []);
}

/// An object behind a network does not outlive its removal, so what is being read must not be removed.
#[test]
fn an_object_that_is_being_read_is_not_collected() {
    let shared = Shared::new();
    let mut gateway = shared.open();
    let whole = random_bytes(1, 900_000);
    gateway.put("key", whole.clone());
    let mut reader = gateway.store.open_object(&gateway.bucket, &parse("key")).unwrap().read(0..u64::MAX);
    gateway.delete("key");
    let mut read = Vec::new();
    while let Some(bytes) = gateway.runtime.block_on(reader.next()) {
        read.extend_from_slice(&bytes.unwrap());
        (0..20).for_each(|_| assert_ne!(gateway.gc.step().unwrap(), Next::Finished));
        assert_eq!(shared.objects().len(), 1);
    }
    assert!(read == whole, "{} bytes that are not the object's", read.len());
    drop(reader);
    run_dry(&mut gateway.gc);
    assert_eq!(shared.objects(), []);
}

#[test]
fn what_no_record_names_is_swept_now_or_by_the_next_run() {
    let shared = Shared::new();
    let mut gateway = shared.open();
    gateway.put("kept", random_bytes(1, 50_000));
    let kept = shared.objects();
    let unnamed = gateway.runtime.block_on(receive(&gateway.store, random_bytes(2, 50_000))).unwrap();
    assert_eq!(shared.objects().len(), 2);
    drop(unnamed);
    run_dry(&mut gateway.sweep);
    assert_eq!(shared.objects(), kept);

    // A gateway that dies with bodies nobody named: they are forgotten here, so that nobody looks after them.
    for seed in 3..6 {
        let unnamed = gateway.runtime.block_on(receive(&gateway.store, random_bytes(seed, 50_000))).unwrap();
        std::mem::forget(unnamed);
    }
    drop(gateway);
    assert_eq!(shared.objects().len(), 4);
    let mut next = shared.open();
    run_dry(&mut next.sweep);
    assert_eq!(shared.objects(), kept);
    assert!(next.read("kept", 0..u64::MAX).unwrap() == random_bytes(1, 50_000));
}

#[test]
fn damage_ends_the_stream_and_a_missing_object_is_damage() {
    let shared = Shared::new();
    let gateway = shared.open();
    let whole = random_bytes(1, 900_000);
    gateway.put("key", whole.clone());
    let path = shared.objects().remove(0);
    let mut bytes = shared.client.block_on(async { shared.objects.get(&path).await?.bytes().await }).unwrap().to_vec();
    bytes[700_000] ^= 1;
    shared.client.block_on(shared.objects.put(&path, bytes.into())).unwrap();
    assert!(matches!(gateway.read("key", 0..u64::MAX), Err(Error::Corrupt(_))));
    assert!(gateway.read("key", 0..500_000).unwrap() == whole[..500_000], "what is whole is still served");
    shared.client.block_on(shared.objects.delete(&path)).unwrap();
    assert!(matches!(gateway.read("key", 0..10), Err(Error::Corrupt(_))));
}
