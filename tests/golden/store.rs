//! A whole small store: the same calls write the same rows and files, and what was written long ago is served.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use wharf::base::buffers::BufferPool;
use wharf::base::clock::{ManualClock, Timestamp};
use wharf::base::digest::{ChecksumAlgorithm, ChecksumType, DigestRequest};
use wharf::base::id::{BlobId, RunNumber};
use wharf::base::limits::READ_UNIT_BYTES;
use wharf::base::offload::Offload;
use wharf::base::rng::Rng;
use wharf::store::blob::disk::DiskBlobs;
use wharf::store::error::Error;
use wharf::store::fsio::Durability;
use wharf::store::fsio::real::RealFs;
use wharf::store::meta::model::ModelMeta;
use wharf::store::meta::schema::{self, BlobRecord};
use wharf::store::meta::{Batch, Meta as _, Space, Visit, Write};
use wharf::store::room::Reserve;
use wharf::store::types::{
    Attributes, Bucket, BucketName, BucketUsage, CompleteRequest, ETag, Entry, ListRequest, ListedPart, NewUpload,
    ObjectKey, PartInfo, PartNumber, StagedBody, UploadId,
};
use wharf::store::{Parts, Store, runs, usage};
use wharf::telemetry::metrics::Metrics;

use crate::{from_hex, lines, to_hex};

/// Chance that always says the same.
struct Same;

impl Rng for Same {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0xab);
    }
}

pub(crate) struct Rig {
    pub(crate) meta: Arc<ModelMeta>,
    pub(crate) store: Arc<Store>,
    directory: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn new(meta: ModelMeta, directory: tempfile::TempDir) -> Self {
        let meta = Arc::new(meta);
        let run = now(runs::begin(meta.as_ref())).unwrap().number;
        now(usage::count_once(meta.as_ref())).unwrap();
        let pool = BufferPool::new(READ_UNIT_BYTES, 1);
        let blobs = open_blobs(&directory, run, pool);
        let store = Store::new(Parts {
            meta: meta.clone(),
            blobs: Arc::new(blobs),
            run,
            clock: Arc::new(ManualClock::new(Timestamp(1_800_000_000_123))),
            rng: Arc::new(Same),
            offload: Offload::Inline,
            reserve: Reserve::Bytes(0),
            metrics: Metrics::new(),
        });
        Self { meta, store, directory }
    }

    pub(crate) fn receive(&self, body: &[u8], checksum: Option<ChecksumAlgorithm>) -> StagedBody {
        let request = DigestRequest { payload_sha256: false, checksum };
        let mut writer = self.store.body_writer(Some(body.len() as u64), request);
        now(writer.write(Bytes::copy_from_slice(body))).unwrap();
        now(writer.finish()).unwrap()
    }

    fn put(&self, bucket: &Bucket, key: &str, body: &[u8]) {
        let attributes = Attributes {
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            user_metadata: vec![("made-by".to_owned(), "the first version".to_owned())],
            ..Attributes::default()
        };
        let body = self.receive(body, None);
        now(self.store.put_object(bucket, &parse(key), body, attributes, None)).unwrap();
    }

    fn stage(&self, bucket: &Bucket, key: &str, id: UploadId, number: u64, body: &[u8]) -> PartInfo {
        let body = self.receive(body, Some(ChecksumAlgorithm::Crc32c));
        now(self.store.stage_part(bucket, &parse(key), id, PartNumber::new(number).unwrap(), body)).unwrap()
    }

    pub(crate) fn read(&self, bucket: &Bucket, key: &str) -> Vec<u8> {
        let mut reader = self.store.open_object(bucket, &parse(key)).unwrap().read(0..u64::MAX);
        let mut bytes = Vec::new();
        while let Some(piece) = now(reader.next()) {
            bytes.extend_from_slice(&piece.unwrap());
        }
        bytes
    }
}

fn open_blobs(directory: &tempfile::TempDir, run: RunNumber, pool: BufferPool) -> DiskBlobs {
    let fs = Arc::new(RealFs::new());
    DiskBlobs::open(fs, directory.path(), run, Durability::Strict, Arc::new(Same), pool).unwrap()
}

pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the model answers at once"),
    }
}

pub(crate) fn parse(key: &str) -> ObjectKey {
    ObjectKey::parse(key).unwrap()
}

pub(crate) fn name() -> BucketName {
    BucketName::parse("golden").unwrap()
}

/// The content of a body, by its length alone.
pub(crate) fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

const CHECKSUM: Option<(ChecksumAlgorithm, ChecksumType)> = Some((ChecksumAlgorithm::Crc32c, ChecksumType::Composite));

/// What the first version did: one of everything that leaves a row.
fn script(rig: &Rig) -> UploadId {
    let store = &rig.store;
    let bucket = now(store.create_bucket(&name(), None)).unwrap();
    rig.put(&bucket, "empty", b"");
    rig.put(&bucket, "inline\0key", &content(100));
    rig.put(&bucket, "blob", &content(70_000));
    rig.put(&bucket, "overwritten", &content(10));
    rig.put(&bucket, "overwritten", &content(20));
    let new = NewUpload { attributes: Attributes::default(), checksum: CHECKSUM };
    let id = now(store.create_upload(&bucket, &parse("parts"), new.clone())).unwrap();
    let parts = [(1, 5000), (2, 200), (10_000, 0)].map(|(number, len)| {
        let part = rig.stage(&bucket, "parts", id, number, &content(len));
        ListedPart { number: part.number, etag: ETag::of_body(part.md5), checksums: vec![part.checksum] }
    });
    let request = CompleteRequest { parts: parts.to_vec(), ..CompleteRequest::default() };
    now(store.complete_upload(&bucket, &parse("parts"), id, request)).unwrap();
    let open = now(store.create_upload(&bucket, &parse("open"), new)).unwrap();
    rig.stage(&bucket, "open", open, 3, &content(4097));
    let aborted = now(store.create_upload(&bucket, &parse("aborted"), NewUpload::default())).unwrap();
    now(store.abort_upload(&bucket, &parse("aborted"), aborted)).unwrap();
    open
}

/// The rows of the first version.
const STORE: &str = "store.txt";
/// Those that format 3 adds.
const COUNTED: &str = "store-counted.txt";

/// Every row as `table key` and record.
pub(crate) fn rows(meta: &ModelMeta) -> BTreeMap<String, Vec<u8>> {
    let snapshot = meta.snapshot().unwrap();
    let mut rows = BTreeMap::new();
    for space in Space::ALL {
        let scanned = snapshot.scan(space, b"", b"", &mut |key, record| {
            rows.insert(format!("{} {}", space.name(), to_hex(key)), record.to_vec());
            ControlFlow::Continue(Visit::Next)
        });
        scanned.unwrap();
    }
    rows
}

/// Where the format puts a blob.
fn path_of(id: BlobId) -> PathBuf {
    format!("blobs/{:08x}-{:06x}/{:016x}-{:08x}", id.run, id.sequence / 16_384, id.sequence, id.random).into()
}

/// The golden footers: blob, content length, footer.
fn footers() -> Vec<(BlobId, usize, Vec<u8>)> {
    let footer = |(name, footer): (String, Vec<u8>)| {
        let (id, len) = name.split_once(' ').unwrap();
        (BlobId::from_bytes(from_hex(id).try_into().unwrap()), len.parse().unwrap(), footer)
    };
    lines("footers.txt", 2).into_iter().map(footer).collect()
}

/// The footers of the files that are there, as `id length` and footer.
fn written_footers(rig: &Rig) -> BTreeMap<String, Vec<u8>> {
    let mut footers = BTreeMap::new();
    let scanned = rig.meta.snapshot().unwrap().scan(Space::Blobs, b"", b"", &mut |key, record| {
        let len = usize::try_from(schema::decode::<BlobRecord>(record).unwrap().1.len).unwrap();
        let id = BlobId::from_bytes(key.try_into().unwrap());
        let file = std::fs::read(rig.directory.path().join(path_of(id))).unwrap();
        assert!(file.starts_with(&content(len)), "{id} has other content");
        footers.insert(format!("{} {len}", to_hex(key)), file[len..].to_vec());
        ControlFlow::Continue(Visit::Next)
    });
    scanned.unwrap();
    footers
}

/// Compares what was written with a golden file, and prints it in full where they differ.
pub(crate) fn check(file: &str, written: &BTreeMap<String, Vec<u8>>) {
    let print = || -> String { written.iter().map(|(name, bytes)| format!("{name} {}\n", to_hex(bytes))).collect() };
    let mut golden = lines(file, 2);
    if file == STORE {
        golden.extend(lines(COUNTED, 2));
    }
    assert!(*written == golden, "{file} differs from\n{}", print());
}

#[test]
fn the_same_calls_write_the_same_store() {
    let rig = Rig::new(ModelMeta::new(), tempfile::tempdir().unwrap());
    script(&rig);
    check(STORE, &rows(&rig.meta));
    check("footers.txt", &written_footers(&rig));
}

/// The golden store as the first version left it, served by this one.
#[test]
fn what_the_first_version_wrote_is_served() {
    let meta = ModelMeta::new();
    let mut batch = Batch::default();
    for (name, record) in lines(STORE, 2) {
        let (space, key) = name.split_once(' ').unwrap();
        let space = Space::ALL.into_iter().find(|known| known.name() == space).unwrap();
        batch = batch.write(Write::Put(space, from_hex(key), record));
    }
    now(meta.commit(batch)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (id, len, footer) in footers() {
        let path = directory.path().join(path_of(id));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, [content(len), footer].concat()).unwrap();
    }

    let rig = Rig::new(meta, directory);
    let bucket = rig.store.bucket(&name()).unwrap();
    let expected = [
        ("blob", content(70_000)),
        ("empty", Vec::new()),
        ("inline\0key", content(100)),
        ("overwritten", content(20)),
        ("parts", [content(5000), content(200)].concat()),
    ];
    let page = rig.store.list_objects(&bucket, &ListRequest { max: 100, ..ListRequest::default() }).unwrap();
    for (entry, (key, body)) in page.entries.iter().zip(&expected) {
        let Entry::Item(info) = entry else { panic!("{entry:?}") };
        assert_eq!((info.key.as_str(), info.size), (*key, body.len() as u64));
        assert!(rig.read(&bucket, key) == *body, "{key} is served with other bytes");
    }
    assert_eq!(page.entries.len(), expected.len());
    assert_eq!(rig.store.object(&bucket, &parse("blob")).unwrap().attributes.user_metadata[0].1, "the first version");
    assert_eq!(rig.store.usage().unwrap().open_uploads, 1);
    let bytes = expected.iter().map(|(_, body)| body.len() as u64).sum();
    assert_eq!(
        rig.store.bucket_usage(&bucket).unwrap(),
        BucketUsage { bytes, objects: 5 },
        "counted when it was opened"
    );
    finish_the_open_upload(&rig, &bucket);
    let bytes = bytes + 4097 + 5;
    assert_eq!(rig.store.bucket_usage(&bucket).unwrap(), BucketUsage { bytes, objects: 6 });
}

/// The upload that the first version left open goes on where it stopped.
fn finish_the_open_upload(rig: &Rig, bucket: &Bucket) {
    let page = rig.store.list_uploads(bucket, &ListRequest { max: 100, ..ListRequest::default() }, None).unwrap();
    let [Entry::Item(upload)] = page.entries.as_slice() else { panic!("{page:?}") };
    assert_eq!((upload.key.as_str(), upload.checksum), ("open", CHECKSUM));
    rig.stage(bucket, "open", upload.id, 4, &content(5));
    let parts = rig.store.list_parts(bucket, &upload.key, upload.id, None, 10).unwrap().parts;
    let listed = |part: &PartInfo| ListedPart {
        number: part.number,
        etag: ETag::of_body(part.md5),
        checksums: vec![part.checksum.clone()],
    };
    let request = CompleteRequest { parts: parts.iter().map(listed).collect(), ..CompleteRequest::default() };
    now(rig.store.complete_upload(bucket, &upload.key, upload.id, request)).unwrap();
    assert_eq!(rig.read(bucket, "open"), [content(4097), content(5)].concat());
    let again = now(rig.store.abort_upload(bucket, &upload.key, upload.id));
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
}
