//! Local blobs: the contract over the real and the simulated disk, damage, shared fsyncs, faults, and power cuts at every
//! step, with the proof that a missing fsync would show.

use std::sync::Condvar;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::*;
use crate::base::limits::READ_UNIT_BYTES;
use crate::base::rng::SeededRng;
use crate::store::blob::contract::{content_of, read_all, run, store, verify};
use crate::store::blob::footer::footer_len;
use crate::store::blob::{ReadMode, Sealed};
use crate::store::fsio::real::RealFs;
use crate::store::fsio::sim::{Call, Fault, SimFs, Survivors};
use crate::store::fsio::{File, FreeSpace, HeldLock, NewFile, SyncCounts, SyncKind};

fn open(fs: Arc<dyn Fs>, data_dir: &Path, run: RunNumber, durability: Durability) -> Result<DiskBlobs, BlobError> {
    let rng = Arc::new(SeededRng::new(u64::from(run)));
    DiskBlobs::open(fs, data_dir, run, durability, rng, BufferPool::new(READ_UNIT_BYTES, 4))
}

fn open_sim(fs: &SimFs, run: RunNumber) -> DiskBlobs {
    open(Arc::new(fs.clone()), Path::new("/"), run, Durability::Strict).unwrap()
}

fn path_of(id: BlobId) -> PathBuf {
    Path::new("/blobs").join(directory_name(id.run, directory_of(id.sequence))).join(file_name(id))
}

#[test]
fn contract_over_the_real_disk() {
    for durability in [Durability::Strict, Durability::Relaxed] {
        for fs in [RealFs::new(), RealFs::with_named_files()] {
            let (directory, fs, runs) = (tempfile::tempdir().unwrap(), Arc::new(fs), AtomicU64::new(1));
            run(&|| {
                let run = u32::try_from(runs.fetch_add(1, Ordering::Relaxed)).unwrap();
                Arc::new(open(Arc::clone(&fs) as Arc<dyn Fs>, directory.path(), run, durability).unwrap())
            })
            .unwrap();
            let syncs = |kind| fs.sync_counts().get(kind);
            assert_eq!(syncs(SyncKind::File) > 0, durability == Durability::Strict);
            assert_eq!(syncs(SyncKind::Directory) > 0, durability == Durability::Strict);
        }
    }
}

#[test]
fn contract_over_the_simulated_disk() {
    for fs in [SimFs::new(), SimFs::with_named_files()] {
        for cached in [true, false] {
            fs.set_cached(cached);
            let runs = AtomicU64::new(if cached { 1 } else { 100 });
            run(&|| Arc::new(open_sim(&fs, u32::try_from(runs.fetch_add(1, Ordering::Relaxed)).unwrap()))).unwrap();
        }
    }
}

#[test]
fn a_cached_read_never_waits_for_the_device() {
    let fs = SimFs::new();
    let blobs = open_sim(&fs, 1);
    let reader = blobs.open(store(&blobs, b"content", 7).unwrap().id).unwrap();
    assert_eq!(reader.read(1..3, ReadMode::CachedOnly).unwrap().unwrap(), "on");
    fs.set_cached(false);
    assert_eq!(reader.read(1..3, ReadMode::CachedOnly).unwrap(), None);
    for nonsense in [7..8, 0..8] {
        assert!(matches!(reader.read(nonsense, ReadMode::Wait), Err(BlobError::Io(_))));
    }
}

/// Stronger than the contract: an open file outlives its name.
#[test]
fn removal_does_not_disturb_an_open_reader() {
    let (sim, real, directory) = (SimFs::new(), Arc::new(RealFs::new()), tempfile::tempdir().unwrap());
    for blobs in [open_sim(&sim, 1), open(real, directory.path(), 1, Durability::Strict).unwrap()] {
        let content = content_of(2 * READ_UNIT_BYTES);
        let id = store(&blobs, &content, 1 << 20).unwrap().id;
        let reader = blobs.open(id).unwrap();
        blobs.remove(&[id]).unwrap();
        assert!(read_all(reader.as_ref(), 0..reader.len()).unwrap() == content);
    }
}

/// Opens and reads everything; what it says of damage is not looked at.
fn is_damaged(blobs: &DiskBlobs, id: BlobId) -> bool {
    let read = blobs.open(id).and_then(|reader| {
        let mut at = 0;
        while at < reader.len() {
            at += reader.read(at..reader.len(), ReadMode::Wait)?.map_or(0, |bytes| bytes.len() as u64);
        }
        Ok(())
    });
    match read {
        Ok(()) => false,
        Err(BlobError::Damaged { id: named, .. }) => named == id,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for len in [0, 1, 300] {
        let fs = SimFs::new();
        let blobs = open_sim(&fs, 1);
        let id = store(&blobs, &content_of(len), 100).unwrap().id;
        let whole = fs.content(&path_of(id)).unwrap();
        assert_eq!(whole.len() as u64, len as u64 + footer_len(len as u64));
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            fs.damage(&path_of(id), damaged).unwrap();
            assert!(is_damaged(&blobs, id), "byte {at} of a blob of {len}");
        }
        fs.damage(&path_of(id), whole).unwrap();
        assert!(!is_damaged(&blobs, id));
    }
}

#[test]
fn damage_in_any_block_is_noticed_by_the_reads_that_touch_it_alone() {
    let fs = SimFs::new();
    let blobs = open_sim(&fs, 1);
    let content = content_of(6 * BLOCK_BYTES + 9);
    let id = store(&blobs, &content, 100_000).unwrap().id;
    let whole = fs.content(&path_of(id)).unwrap();
    for block in 0..7 {
        let mut damaged = whole.clone();
        damaged[block * BLOCK_BYTES + 5] ^= 0x80;
        fs.damage(&path_of(id), damaged).unwrap();
        let reader = blobs.open(id).unwrap();
        for other in 0..7 {
            let start = (other * BLOCK_BYTES + 3) as u64;
            let read = reader.read(start..start + 1, ReadMode::Wait);
            match read {
                Ok(bytes) => assert!(other != block && bytes.unwrap()[0] == content[start as usize]),
                Err(error) => assert!(other == block && matches!(error, BlobError::Damaged { .. })),
            }
        }
    }
}

/// More blocks than one read of the tail can hold the checksums of.
#[test]
fn a_long_footer_is_read_and_verified_too() {
    let fs = SimFs::new();
    let blobs = open_sim(&fs, 1);
    let piece = Bytes::from(content_of(BLOCK_BYTES));
    let mut writer = blobs.create(None).unwrap();
    (0..1100).for_each(|_| writer.write(std::slice::from_ref(&piece)).unwrap());
    writer.write(&[Bytes::from_static(b"end")]).unwrap();
    let id = writer.seal().unwrap().id;
    let reader = blobs.open(id).unwrap();
    let last = 1100 * BLOCK_BYTES as u64;
    assert_eq!(read_all(reader.as_ref(), last - 1..last + 3).unwrap(), [&piece[BLOCK_BYTES - 1..], b"end"].concat());
    let mut damaged = fs.content(&path_of(id)).unwrap();
    damaged[1100 * BLOCK_BYTES + 20] ^= 1;
    fs.damage(&path_of(id), damaged).unwrap();
    assert!(is_damaged(&blobs, id));
}

#[test]
fn a_file_of_any_other_length_is_damaged() {
    let fs = SimFs::new();
    let blobs = open_sim(&fs, 1);
    let id = store(&blobs, &content_of(300), 300).unwrap().id;
    let whole = fs.content(&path_of(id)).unwrap();
    for len in 0..whole.len() {
        fs.damage(&path_of(id), whole[..len].to_vec()).unwrap();
        assert!(is_damaged(&blobs, id), "{len} of {} bytes", whole.len());
    }
    for more in [1, 56, 5000] {
        fs.damage(&path_of(id), [whole.clone(), vec![0; more]].concat()).unwrap();
        assert!(is_damaged(&blobs, id));
        fs.damage(&path_of(id), [vec![0; more], whole.clone()].concat()).unwrap();
        assert!(is_damaged(&blobs, id));
    }
    // Cut off under an open reader: an error, not zeros.
    fs.damage(&path_of(id), whole.clone()).unwrap();
    let reader = blobs.open(id).unwrap();
    fs.damage(&path_of(id), whole[..299].to_vec()).unwrap();
    assert!(matches!(reader.read(0..300, ReadMode::Wait), Err(BlobError::Damaged { .. })));
}

/// Content is a client's to choose: a whole blob file as content must not pass for a blob when the real one is cut there.
#[test]
fn a_file_that_is_another_blobs_is_damaged() {
    let fs = SimFs::new();
    let blobs = open_sim(&fs, 1);
    let one = store(&blobs, b"one", 3).unwrap().id;
    let imitation = fs.content(&path_of(one)).unwrap();
    let two = store(&blobs, &[&imitation[..], b"tail"].concat(), 10).unwrap().id;
    let whole = fs.content(&path_of(two)).unwrap();
    fs.damage(&path_of(two), whole[..imitation.len()].to_vec()).unwrap();
    assert!(is_damaged(&blobs, two));
}

#[test]
fn a_directory_takes_its_number_of_files_and_an_emptied_one_of_an_earlier_run_goes() {
    let fs = SimFs::new();
    let blobs = open_sim(&fs, 1);
    let first = store(&blobs, b"first", 5).unwrap().id;
    (2..DIRECTORY_FILES_MAX).for_each(|_| drop(blobs.create(None).unwrap()));
    let last = store(&blobs, b"last", 5).unwrap().id;
    let next = store(&blobs, b"next", 5).unwrap().id;
    assert_eq!((last.sequence, next.sequence), (DIRECTORY_FILES_MAX - 1, DIRECTORY_FILES_MAX));
    assert_eq!(fs.list(Path::new("/blobs")).unwrap(), ["00000001-000000", "00000001-000001"]);
    assert_eq!(blobs.list(1, None, 2).unwrap(), [first, last]);
    assert_eq!(blobs.list(1, None, 3).unwrap(), [first, last, next]);
    assert_eq!(blobs.list(1, Some(last), 3).unwrap(), [next]);
    blobs.remove(&[next, first]).unwrap();
    assert_eq!(fs.list(Path::new("/blobs")).unwrap().len(), 2, "the own run's directories stay");

    let later = open_sim(&fs, 2);
    fs.make_directory(Path::new("/blobs/lost+found")).unwrap();
    assert_eq!(later.runs().unwrap(), [1]);
    later.remove(&[last]).unwrap();
    assert_eq!(fs.list(Path::new("/blobs")).unwrap(), ["00000001-000001", "lost+found"]);
    assert_eq!(later.list(1, None, 10).unwrap(), []);
    assert!(later.runs().unwrap().is_empty());
}

#[test]
fn faults_fail_one_blob_and_say_what_kind() {
    let content = content_of(BLOCK_BYTES);
    let syncs = [SyncKind::File, SyncKind::Directory].map(|kind| (Call::Sync(kind), 0));
    for (call, passing) in [(Call::Write, 0), (Call::Write, 1)].into_iter().chain(syncs) {
        for fault in [Fault::Full, Fault::Device] {
            let fs = SimFs::new();
            let blobs = open_sim(&fs, 1);
            let before = store(&blobs, b"before", 6).unwrap();
            fs.fail(call, passing, fault);
            let error = store(&blobs, &content, BLOCK_BYTES).unwrap_err();
            assert_eq!(matches!(error, BlobError::Full), fault == Fault::Full, "{error}");
            assert_eq!(blobs.list(1, None, 10).unwrap(), [before.id], "{call:?}");
            verify(&blobs, &store(&blobs, &content, 1000).unwrap(), &content).unwrap();
            verify(&blobs, &before, b"before").unwrap();
        }
    }
}

#[test]
fn a_writer_that_failed_cannot_be_sealed() {
    let fs = SimFs::new();
    let blobs = open_sim(&fs, 1);
    let mut writer = blobs.create(None).unwrap();
    fs.fail(Call::Write, 0, Fault::Device);
    assert!(writer.write(&[Bytes::from_static(b"lost")]).is_err());
    assert!(writer.write(&[Bytes::from_static(b"more")]).is_err());
    assert!(writer.seal().is_err());
}

/// What one life of the store has promised.
#[derive(Default)]
struct Promises {
    sealed: Vec<(Sealed, Vec<u8>)>,
    removed: Vec<BlobId>,
}

/// Stores three blobs and removes the second, until something fails.
fn live(fs: &SimFs, run: RunNumber, promises: &mut Promises) -> Result<(), BlobError> {
    let blobs = open(Arc::new(fs.clone()), Path::new("/"), run, Durability::Strict)?;
    for len in [10, 3 * 4096, BLOCK_BYTES + 7] {
        let content = content_of(len);
        promises.sealed.push((store(&blobs, &content, 5000)?, content));
    }
    let victim = promises.sealed.remove(1).0.id;
    blobs.remove(&[victim])?;
    promises.removed.push(victim);
    Ok(())
}

/// What is broken of the promises on this disk, in words.
fn broken(fs: &SimFs, run: RunNumber, promises: &Promises) -> Option<String> {
    let blobs = open_sim(fs, run);
    let lost = promises.sealed.iter().find_map(|(sealed, content)| verify(&blobs, sealed, content).err());
    let back = promises.removed.iter().find(|id| blobs.open(**id).is_ok()).map(|id| format!("{id} is back"));
    lost.map(|violation| violation.to_string()).or(back)
}

/// Cuts power at every step, reboots in several ways and counts the broken promises.
fn power_cuts(new: fn() -> SimFs, ignored: Option<SyncKind>) -> u64 {
    let mut count = 0;
    for step in 0.. {
        let fs = new();
        open_sim(&fs, 1);
        ignored.into_iter().for_each(|kind| fs.ignore(kind));
        fs.arm_crash_at(fs.operations() + step);
        let mut promises = Promises::default();
        let finished = live(&fs, 2, &mut promises).is_ok();
        let mut reboots = vec![fs.reboot_losing_all(), fs.reboot_keeping(Survivors::All)];
        reboots.extend((0..8).map(|seed| fs.reboot(&SeededRng::new(step * 100 + seed))));
        count += reboots.iter().filter_map(|after| broken(after, 3, &promises)).count() as u64;
        if finished {
            assert!(step > 20, "every step of three blobs was tried");
            return count;
        }
    }
    count
}

#[test]
fn a_power_cut_at_any_step_breaks_no_promise() {
    assert_eq!(power_cuts(SimFs::new, None), 0);
    assert_eq!(power_cuts(SimFs::with_named_files, None), 0);
}

#[test]
fn each_missing_fsync_would_be_noticed() {
    assert!(power_cuts(SimFs::new, Some(SyncKind::File)) > 0);
    assert!(power_cuts(SimFs::new, Some(SyncKind::Directory)) > 0);
}

#[test]
fn a_removal_without_its_fsync_would_be_noticed() {
    let fs = SimFs::new();
    let mut promises = Promises::default();
    let blobs = open_sim(&fs, 1);
    let id = store(&blobs, b"x", 1).unwrap().id;
    fs.ignore(SyncKind::Directory);
    blobs.remove(&[id]).unwrap();
    promises.removed.push(id);
    assert!(broken(&fs.reboot_losing_all(), 2, &promises).is_some());
}

#[test]
fn a_relaxed_store_syncs_nothing() {
    let fs = SimFs::new();
    let blobs = open(Arc::new(fs.clone()), Path::new("/"), 1, Durability::Relaxed).unwrap();
    let id = store(&blobs, b"x", 1).unwrap().id;
    blobs.remove(&[id]).unwrap();
    for kind in [SyncKind::File, SyncKind::Directory] {
        assert_eq!(fs.sync_counts().get(kind), 0);
    }
}

/// Threads that seal at once.
const THREADS: u64 = 16;

/// The simulated disk with a gate: the first directory sync after [`Gate::shut`] waits until all threads have linked.
#[derive(Clone)]
struct GatedFs {
    inner: SimFs,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    /// Links since the gate was shut; none while it is open.
    links: Mutex<Option<u64>>,
    changed: Condvar,
}

impl Gate {
    fn shut(&self) {
        *self.links.lock().unwrap() = Some(0);
    }

    fn linked(&self) {
        self.links.lock().unwrap().as_mut().into_iter().for_each(|links| *links += 1);
        self.changed.notify_all();
    }

    fn pass(&self) {
        let links = self.links.lock().unwrap();
        drop(self.changed.wait_while(links, |links| links.is_some_and(|links| links < THREADS)).unwrap());
    }
}

struct GatedDirectory(Arc<dyn Directory>, Arc<Gate>);
struct GatedFile(Box<dyn NewFile>, Arc<Gate>);

impl Directory for GatedDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(GatedFile(self.0.create(name)?, Arc::clone(&self.1))))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.1.pass();
        self.0.sync()
    }
}

impl NewFile for GatedFile {
    fn file(&self) -> &dyn File {
        self.0.file()
    }

    fn link(&mut self) -> io::Result<()> {
        self.0.link()?;
        self.1.linked();
        Ok(())
    }
}

impl Fs for GatedFs {
    fn make_directory(&self, path: &Path) -> io::Result<bool> {
        self.inner.make_directory(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.inner.list(path)
    }

    fn open_directory(&self, path: &Path) -> io::Result<Arc<dyn Directory>> {
        Ok(Arc::new(GatedDirectory(self.inner.open_directory(path)?, Arc::clone(&self.gate))))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.inner.open(path)
    }

    fn open_catalog(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.inner.open_catalog(path)
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.inner.replace_file(path, content)
    }

    fn read_file(&self, path: &Path, max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
        self.inner.read_file(path, max_bytes)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<HeldLock>> {
        self.inner.lock(path)
    }

    fn free(&self, path: &Path) -> io::Result<FreeSpace> {
        self.inner.free(path)
    }

    fn sync_counts(&self) -> &Arc<SyncCounts> {
        self.inner.sync_counts()
    }
}

#[test]
fn threads_that_seal_at_once_share_directory_syncs() {
    let fs = GatedFs { inner: SimFs::new(), gate: Arc::default() };
    let blobs = open(Arc::new(fs.clone()), Path::new("/"), 1, Durability::Strict).unwrap();
    store(&blobs, b"the first makes the directory", 100).unwrap();
    let before = fs.sync_counts().get(SyncKind::Directory);
    fs.gate.shut();
    std::thread::scope(|scope| {
        let sealing: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| store(&blobs, b"content", 7).unwrap())).collect();
        for sealed in sealing.into_iter().map(|thread| thread.join().unwrap()) {
            verify(&blobs, &sealed, b"content").unwrap();
        }
    });
    let syncs = fs.sync_counts().get(SyncKind::Directory) - before;
    assert!((1..=THREADS / 2).contains(&syncs), "{THREADS} seals took {syncs} syncs");
}
