//! Blobs in object stores: the contract over two stores of `object_store` and over one that is awkward on purpose, the
//! disk's own files read as objects, damage, faults at every call, and what is asked of a backend.

mod backend;

use std::sync::atomic::AtomicU32;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt as _, PutPayload};
use tokio::runtime::Runtime;

use self::backend::{Call, Fault};
use super::*;
use crate::base::limits::{
    DIRECTORY_FILES_MAX, READ_UNIT_BYTES, REMOTE_PART_BYTES, REMOTE_PARTS_IN_FLIGHT_MAX, REMOTE_TAIL_BYTES,
};
use crate::base::rng::SeededRng;
use crate::store::blob::contract::{content_of, read_all, run, store, verify};
use crate::store::blob::disk::DiskBlobs;
use crate::store::blob::footer::footer_len;
use crate::store::blob::{ReadMode, Sealed};
use crate::store::fsio::Durability;
use crate::store::fsio::real::RealFs;

/// A backend, and the runtime its calls wait on.
struct Rig<S> {
    backend: Arc<S>,
    runtime: Runtime,
}

impl<S: ObjectStore> Rig<S> {
    fn new(backend: S) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { backend: Arc::new(backend), runtime }
    }

    fn open(&self, prefix: &str, run: RunNumber) -> RemoteBlobs {
        let rng = Arc::new(SeededRng::new(u64::from(run)));
        let pool = BufferPool::new(READ_UNIT_BYTES, 4);
        let (backend, runtime) = (Arc::clone(&self.backend), self.runtime.handle().clone());
        RemoteBlobs::new(backend, Path::from(prefix), run, rng, pool, runtime).unwrap()
    }

    fn keeps_the_contract(&self, prefix: &str) {
        let runs = AtomicU32::new(1);
        run(&|| Arc::new(self.open(prefix, runs.fetch_add(1, Ordering::Relaxed)))).unwrap();
    }

    fn object(&self, path: &Path) -> Vec<u8> {
        let object = self.runtime.block_on(async { self.backend.get(path).await?.bytes().await });
        object.unwrap().into()
    }

    /// Puts these bytes in the place of whatever is there.
    fn damage(&self, path: &Path, bytes: Vec<u8>) {
        self.runtime.block_on(self.backend.put(path, PutPayload::from(bytes))).unwrap();
    }
}

fn path_of(id: BlobId) -> Path {
    Path::from("blobs").join(directory_name(id.run, directory_of(id.sequence))).join(file_name(id))
}

#[test]
fn contract_in_memory() {
    Rig::new(InMemory::new()).keeps_the_contract("blobs");
    Rig::new(InMemory::new()).keeps_the_contract("");
}

#[test]
fn contract_on_a_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let backend = LocalFileSystem::new_with_prefix(directory.path()).unwrap().with_fsync(true);
    Rig::new(backend).keeps_the_contract("some/where");
}

#[test]
fn contract_on_an_awkward_store() {
    let rig = Rig::new(backend::Backend::awkward());
    rig.keeps_the_contract("blobs");
    rig.backend.wait_for_aborts();
}

/// Names and format are the disk's: a directory of blobs can be copied into a bucket and back.
#[test]
fn what_the_disk_writes_is_read_as_objects_and_the_other_way_round() {
    let directory = tempfile::tempdir().unwrap();
    let pool = BufferPool::new(READ_UNIT_BYTES, 4);
    let (fs, rng) = (Arc::new(RealFs::new()), Arc::new(SeededRng::new(1)));
    let disk = DiskBlobs::open(fs, directory.path(), 1, Durability::Strict, rng, pool).unwrap();
    let rig = Rig::new(LocalFileSystem::new_with_prefix(directory.path()).unwrap());
    let remote = rig.open("blobs", 2);
    for len in [0, 1, REMOTE_TAIL_BYTES, 3 * READ_UNIT_BYTES + 1, REMOTE_PART_BYTES + 5] {
        let content = content_of(len);
        verify(&remote, &store(&disk, &content, 1 << 20).unwrap(), &content).unwrap();
        verify(&disk, &store(&remote, &content, 1 << 20).unwrap(), &content).unwrap();
    }
    assert_eq!(remote.runs().unwrap(), [1, 2]);
    for run in [1, 2] {
        assert_eq!(remote.list(run, None, 10).unwrap(), disk.list(run, None, 10).unwrap());
    }
}

/// Up to a part one put, beyond it equal parts and a last one that is no larger, a few at a time.
#[test]
fn bodies_go_in_one_put_or_in_equal_parts() {
    let footer = usize::try_from(footer_len(REMOTE_PART_BYTES as u64)).unwrap();
    let part = REMOTE_PART_BYTES;
    for (len, parts) in [(part - footer - 1, 0), (part - footer, 1), (part - 1, 2), (part, 2), (5 * part + 1, 6)] {
        let rig = Rig::new(backend::Backend::default());
        let blobs = rig.open("blobs", 1);
        let content = content_of(len);
        verify(&blobs, &store(&blobs, &content, 1 << 20).unwrap(), &content).unwrap();
        let (sent, at_once) = rig.backend.parts();
        assert_eq!((rig.backend.calls(Call::Put), sent.len()), (usize::from(parts == 0), parts), "{len}");
        let last = sent.split_last().map_or(1, |(last, whole)| {
            assert!(whole.iter().all(|len| *len == part), "{sent:?}");
            *last
        });
        assert!((1..=part).contains(&last), "{sent:?}");
        assert!(at_once <= REMOTE_PARTS_IN_FLIGHT_MAX, "{at_once} parts at once");
    }
}

/// One request brings a small blob whole; a larger one takes one more for each unit, and nothing of it is in memory.
#[test]
fn opening_is_one_request() {
    let rig = Rig::new(backend::Backend::default());
    let blobs = rig.open("blobs", 1);
    let whole = REMOTE_TAIL_BYTES - usize::try_from(footer_len(1)).unwrap();
    for (len, cached) in [(whole, true), (whole + 1, false)] {
        let content = content_of(len);
        let id = store(&blobs, &content, 1 << 20).unwrap().id;
        let before = rig.backend.calls(Call::Get);
        let reader = blobs.open(id).unwrap();
        let read = reader.read(7..9, ReadMode::CachedOnly).unwrap();
        assert_eq!(read.as_deref(), cached.then_some(&content[7..9]));
        assert_eq!(rig.backend.calls(Call::Get) - before, 1);
        assert_eq!(reader.read(7..len as u64, ReadMode::Wait).unwrap().unwrap(), content[7..]);
        assert_eq!(rig.backend.calls(Call::Get) - before, if cached { 1 } else { 2 });
        for nonsense in [7..7, len as u64..len as u64 + 1] {
            assert!(matches!(reader.read(nonsense, ReadMode::Wait), Err(BlobError::Io(_))));
        }
    }
}

/// More blocks than the first request brings the checksums of.
#[test]
fn a_long_footer_is_fetched_and_verified_too() {
    let rig = Rig::new(InMemory::new());
    let blobs = rig.open("blobs", 1);
    let piece = Bytes::from(content_of(BLOCK_BYTES));
    let count = REMOTE_TAIL_BYTES / 4 + 1;
    let mut writer = blobs.create(None).unwrap();
    (0..count).for_each(|_| writer.write(std::slice::from_ref(&piece)).unwrap());
    let id = writer.seal().unwrap().id;
    let reader = blobs.open(id).unwrap();
    let last = (count * BLOCK_BYTES) as u64;
    assert_eq!(read_all(reader.as_ref(), last - 3..last).unwrap(), piece[BLOCK_BYTES - 3..]);
    let mut damaged = rig.object(&path_of(id));
    damaged[count * BLOCK_BYTES + 20] ^= 1;
    rig.damage(&path_of(id), damaged);
    assert!(matches!(blobs.open(id), Err(BlobError::Damaged { .. })));
}

/// Opens and reads everything. What it gives is the content, or the blob is damaged.
fn is_damaged(blobs: &RemoteBlobs, id: BlobId, content: &[u8]) -> bool {
    let read = blobs.open(id).and_then(|reader| {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < reader.len() {
            let piece = reader.read(bytes.len() as u64..reader.len(), ReadMode::Wait)?;
            bytes.extend_from_slice(&piece.unwrap());
        }
        Ok(bytes)
    });
    match read {
        Ok(bytes) => {
            assert!(bytes == content, "wrong bytes");
            false
        }
        Err(BlobError::Damaged { id: named, .. }) => named == id,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_flipped_bit_and_every_other_length_is_noticed() {
    for len in [0, 1, 300] {
        let rig = Rig::new(InMemory::new());
        let blobs = rig.open("blobs", 1);
        let content = content_of(len);
        let id = store(&blobs, &content, 100).unwrap().id;
        let whole = rig.object(&path_of(id));
        assert_eq!(whole.len() as u64, len as u64 + footer_len(len as u64));
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            rig.damage(&path_of(id), damaged);
            assert!(is_damaged(&blobs, id, &content), "byte {at} of a blob of {len}");
        }
        for len in 0..whole.len() {
            rig.damage(&path_of(id), whole[..len].to_vec());
            assert!(is_damaged(&blobs, id, &content), "{len} of {} bytes", whole.len());
        }
        for more in [1, 56, 5000] {
            rig.damage(&path_of(id), [vec![0; more], whole.clone()].concat());
            assert!(is_damaged(&blobs, id, &content));
            rig.damage(&path_of(id), [whole.clone(), vec![0; more]].concat());
            assert!(is_damaged(&blobs, id, &content));
        }
        rig.damage(&path_of(id), whole);
        assert!(!is_damaged(&blobs, id, &content));
    }
}

/// What a later version of wharf may write is refused by name, not taken for noise.
#[test]
fn a_footer_of_another_version_is_said_to_be_one() {
    let rig = Rig::new(InMemory::new());
    let blobs = rig.open("blobs", 1);
    let id = store(&blobs, b"content", 7).unwrap().id;
    let mut later = rig.object(&path_of(id));
    let version = later.len() - 15;
    assert_eq!(later[version - 1..=version], [0, 1]);
    later[version] = 2;
    rig.damage(&path_of(id), later);
    let Err(error) = blobs.open(id) else { panic!("it opens") };
    assert!(error.to_string().contains("version is not known"), "{error}");
}

#[test]
fn an_object_that_is_another_blobs_is_damaged() {
    let rig = Rig::new(InMemory::new());
    let blobs = rig.open("blobs", 1);
    let [one, two] = ["one", "two"].map(|content| store(&blobs, content.as_bytes(), 3).unwrap().id);
    rig.damage(&path_of(two), rig.object(&path_of(one)));
    assert!(is_damaged(&blobs, two, b"two"));
}

#[test]
fn damage_under_an_open_reader_is_noticed_by_the_reads_that_touch_it_alone() {
    for backend in [backend::Backend::default(), backend::Backend::awkward()] {
        let rig = Rig::new(backend);
        let blobs = rig.open("blobs", 1);
        let content = content_of(6 * BLOCK_BYTES + 9);
        let id = store(&blobs, &content, 100_000).unwrap().id;
        let whole = rig.object(&path_of(id));
        let reader = blobs.open(id).unwrap();
        for block in 0..7 {
            let mut damaged = whole.clone();
            damaged[block * BLOCK_BYTES + 5] ^= 0x80;
            rig.damage(&path_of(id), damaged);
            for other in 0..7 {
                let start = (other * BLOCK_BYTES + 3) as u64;
                match reader.read(start..start + 1, ReadMode::Wait) {
                    Ok(bytes) => assert!(other != block && bytes.unwrap()[0] == content[start as usize]),
                    Err(error) => assert!(other == block && matches!(error, BlobError::Damaged { .. })),
                }
            }
        }
        // Cut off before, within and behind the range that is read.
        for len in [0, 3 * BLOCK_BYTES, 4 * BLOCK_BYTES + 1, whole.len() - 1] {
            rig.damage(&path_of(id), whole[..len].to_vec());
            let start = 4 * BLOCK_BYTES as u64;
            let read = reader.read(start..start + 10, ReadMode::Wait);
            assert!(matches!(read, Err(BlobError::Damaged { .. })), "{len}: {read:?}");
        }
        blobs.remove(&[id]).unwrap();
        let read = reader.read(0..10, ReadMode::Wait);
        assert!(matches!(read, Err(BlobError::NotFound(missing)) if missing == id), "{read:?}");
    }
}

/// A writer may go while parts are under way, on any thread: its upload goes as well.
#[test]
fn a_dropped_writer_leaves_no_upload_behind() {
    let rig = Rig::new(backend::Backend::default());
    let blobs = rig.open("blobs", 1);
    let mut writer = blobs.create(None).unwrap();
    writer.write(&[Bytes::from(content_of(2 * REMOTE_PART_BYTES + 1))]).unwrap();
    assert_eq!(rig.backend.calls(Call::Part), 2);
    rig.runtime.block_on(async { drop(writer) });
    rig.backend.wait_for_aborts();
    assert_eq!(blobs.list(1, None, 10).unwrap(), []);
    assert_eq!(rig.backend.calls(Call::Complete), 0);
}

#[test]
fn a_fault_at_any_call_fails_one_blob_says_what_kind_and_leaves_nothing() {
    let small = content_of(BLOCK_BYTES);
    let large = content_of(3 * REMOTE_PART_BYTES);
    let faults =
        [(Call::Put, 0), (Call::Begin, 0), (Call::Part, 0), (Call::Part, 2), (Call::Part, 3), (Call::Complete, 0)];
    for (call, passing) in faults {
        for fault in [Fault::Broken, Fault::Full] {
            let rig = Rig::new(backend::Backend::default());
            let blobs = rig.open("blobs", 1);
            let before = store(&blobs, b"before", 6).unwrap();
            let content = if call == Call::Put { &small } else { &large };
            rig.backend.fail(call, passing, fault);
            let error = store(&blobs, content, 1 << 20).unwrap_err();
            match error {
                BlobError::Full => assert_eq!(fault, Fault::Full),
                BlobError::Io(said) => {
                    assert!(fault == Fault::Broken && said.to_string().contains("the backend broke"))
                }
                error => panic!("{error}"),
            }
            rig.backend.wait_for_aborts();
            assert_eq!(blobs.list(1, None, 10).unwrap(), [before.id], "{call:?}");
            verify(&blobs, &store(&blobs, content, 1 << 20).unwrap(), content).unwrap();
            verify(&blobs, &before, b"before").unwrap();
        }
    }
}

#[test]
fn a_writer_that_failed_cannot_be_sealed() {
    let rig = Rig::new(backend::Backend::default());
    let blobs = rig.open("blobs", 1);
    let mut writer = blobs.create(None).unwrap();
    rig.backend.fail(Call::Begin, 0, Fault::Broken);
    assert!(writer.write(&[Bytes::from(content_of(REMOTE_PART_BYTES))]).is_err());
    assert!(writer.write(&[Bytes::from_static(b"more")]).is_err());
    assert!(writer.seal().is_err());
    assert_eq!(blobs.list(1, None, 10).unwrap(), []);
}

#[test]
fn failed_reads_listings_and_removals_say_what_the_backend_said() {
    let rig = Rig::new(backend::Backend::default());
    let blobs = rig.open("blobs", 1);
    let ids: Vec<_> = (0..3).map(|_| store(&blobs, &content_of(2 * REMOTE_TAIL_BYTES), 5000).unwrap().id).collect();
    let said = |error: BlobError| matches!(&error, BlobError::Io(error) if error.to_string().contains("broke"));
    let reader = blobs.open(ids[0]).unwrap();
    rig.backend.fail(Call::Get, 0, Fault::Broken);
    assert!(said(reader.read(0..9, ReadMode::Wait).unwrap_err()));
    for (passing, call) in [(0, "directories"), (1, "blobs")] {
        rig.backend.fail(Call::List, passing, Fault::Broken);
        assert!(said(blobs.list(1, None, 10).unwrap_err()), "{call}");
    }
    rig.backend.fail(Call::Delete, 1, Fault::Broken);
    assert!(said(blobs.remove(&ids).unwrap_err()));
    assert_eq!(blobs.list(1, None, 10).unwrap(), [ids[1]], "one that stays keeps no other");
    blobs.remove(&ids).unwrap();
    assert_eq!(blobs.list(1, None, 10).unwrap(), []);
}

/// A put whose answer is lost is tried again by the backend's client, and finds its own object in the way.
#[test]
fn a_put_that_meets_its_own_object_has_succeeded() {
    let rig = Rig::new(backend::Backend::default());
    let blobs = rig.open("blobs", 1);
    rig.backend.fail(Call::Put, 0, Fault::Lost);
    let sealed = store(&blobs, b"content", 7).unwrap();
    verify(&blobs, &sealed, b"content").unwrap();
}

/// Names that repeat (a catalog restored from a copy, and chance) cost the new blob, never the old one.
#[test]
fn a_blob_that_is_there_is_not_overwritten() {
    let rig = Rig::new(backend::Backend::default());
    let old: Vec<Sealed> = (1..3).map(|len| store(&rig.open("blobs", len), b"content", 7).unwrap()).collect();
    assert!(matches!(store(&rig.open("blobs", 1), b"another", 7), Err(BlobError::Io(_))));
    old.iter().for_each(|sealed| verify(&rig.open("blobs", 3), sealed, b"content").unwrap());
}

#[test]
fn directories_are_listed_one_after_the_other_and_foreign_objects_are_ignored() {
    let rig = Rig::new(backend::Backend::awkward());
    let blobs = rig.open("blobs", 1);
    let first = store(&blobs, b"first", 5).unwrap().id;
    (2..DIRECTORY_FILES_MAX).for_each(|_| drop(blobs.create(None).unwrap()));
    let last = store(&blobs, b"last", 5).unwrap().id;
    let next = store(&blobs, b"next", 5).unwrap().id;
    assert_eq!((last.sequence, next.sequence), (DIRECTORY_FILES_MAX - 1, DIRECTORY_FILES_MAX));
    let other = store(&rig.open("blobs", 7), b"other", 5).unwrap().id;
    for foreign in ["blobs/00000001-000000/x", "blobs/lost+found/y", "blobs/00000009-000000", "else/00000008-000000/z"]
    {
        rig.damage(&Path::from(foreign), vec![1]);
    }
    rig.damage(&Path::from("blobs/00000001-000000/deeper").join(file_name(first)), vec![1]);
    rig.damage(&Path::from("blobs/00000001-000001").join(file_name(first)), vec![1]);
    assert_eq!(blobs.runs().unwrap(), [1, 7]);
    assert_eq!(blobs.list(1, None, 2).unwrap(), [first, last]);
    assert_eq!(blobs.list(1, Some(first), 9).unwrap(), [last, next]);
    assert_eq!(blobs.list(1, Some(last), 9).unwrap(), [next]);
    assert_eq!(blobs.list(7, Some(last), 9).unwrap(), [other]);
}
