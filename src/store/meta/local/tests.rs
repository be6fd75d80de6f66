//! The redb engine over a disk that fails on demand, over a real file, and under a thread of its own.

mod disk;
mod histories;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::base::limits;
use crate::base::worker::{Next, Worker};
use crate::store::meta::{Require, Write, contract};
use disk::{Disk, Plan};

/// An engine, its committer, and what it told.
struct Rig {
    meta: LocalMeta,
    committer: Committer,
    events: Arc<Mutex<Vec<CatalogEvent>>>,
}

impl Rig {
    fn new(disk: &Disk) -> Self {
        Self::try_new(disk).unwrap()
    }

    fn try_new(disk: &Disk) -> Result<Self, MetaError> {
        let disk = disk.clone();
        Self::over(Box::new(move || Ok(disk.open())))
    }

    fn over(open_backend: OpenBackend) -> Result<Self, MetaError> {
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = events.clone();
        let observe = Arc::new(move |event| told.lock().unwrap().push(event));
        let (meta, committer) = LocalMeta::open(open_backend, observe)?;
        Ok(Self { meta, committer, events })
    }

    fn step(&mut self) -> Next {
        self.committer.step().unwrap()
    }

    /// Steps until there is nothing more to do, the idle commit included.
    fn run_dry(&mut self) {
        for _ in 0..1000 {
            if matches!(self.step(), Next::After(pause) if pause > Duration::from_secs(10)) {
                return;
            }
        }
        panic!("the committer always wants more");
    }

    /// Commits one batch and answers what came of it.
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        let commit = self.meta.commit(batch);
        self.step();
        answer(commit).unwrap()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        self.meta.snapshot()?.get(Space::Current, key)
    }

    fn events(&self) -> MutexGuard<'_, Vec<CatalogEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn repaired(&self) -> bool {
        self.events().iter().any(|event| matches!(event, CatalogEvent::Repairing { .. }))
    }

    /// Batches, refused ones and quick repair of each commit so far.
    fn commits(&self) -> Vec<(usize, usize, bool)> {
        let commit = |event: &CatalogEvent| match *event {
            CatalogEvent::Committed { batches, refused, quick_repair } => Some((batches, refused, quick_repair)),
            _ => None,
        };
        self.events().iter().filter_map(commit).collect()
    }
}

/// The answer of a commit, once it is there.
fn answer(mut commit: CommitFuture) -> Option<Result<(), CommitError>> {
    match commit.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// A record of this revision with `extra` bytes behind it.
fn record(revision: u64, extra: usize) -> Vec<u8> {
    let mut record = [&[1], revision.to_be_bytes().as_slice()].concat();
    record.resize(record.len() + extra, revision.to_be_bytes()[7]);
    record
}

fn put(key: &str) -> Batch {
    Batch::default().write(Write::Put(Space::Current, key.into(), key.into()))
}

fn is_unavailable<T: std::fmt::Debug>(answer: &Result<T, CommitError>) -> bool {
    matches!(answer, Err(CommitError::Unavailable(_)))
}

#[test]
fn keeps_the_contract_in_memory() {
    let mut rig = Rig::new(&Disk::new(1));
    let meta = rig.meta.clone();
    contract::check(&meta, &mut || {
        rig.step();
    });
}

#[test]
fn keeps_the_contract_over_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let reopened = file.reopen().unwrap();
    let open_backend = move || -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(redb::backends::FileBackend::new(reopened.try_clone()?).map_err(io::Error::other)?))
    };
    let mut rig = Rig::over(Box::new(open_backend)).unwrap();
    let meta = rig.meta.clone();
    contract::check(&meta, &mut || {
        rig.step();
    });
}

#[test]
fn keeps_the_contract_with_a_thread_that_steps() {
    let Rig { meta, mut committer, .. } = Rig::new(&Disk::new(1));
    let stepping = std::thread::spawn(move || {
        let bell = committer.bell();
        loop {
            match committer.step().unwrap() {
                Next::Again => {}
                Next::After(pause) => {
                    bell.wait(pause);
                }
                Next::Finished => return,
            }
        }
    });
    contract::check(&meta, &mut std::thread::yield_now);
    meta.close();
    stepping.join().unwrap();
}

#[test]
fn one_step_commits_what_is_queued_with_one_sync() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    let before = disk.syncs();
    let commits: Vec<_> = (0..10).map(|i| rig.meta.commit(put(&format!("group/{i}")))).collect();
    assert!(commits.iter().all(|_| rig.get(b"group/0") == Ok(None)), "nothing happens before the step");
    assert!(matches!(rig.step(), Next::After(_)));
    assert_eq!(disk.syncs() - before, 1);
    assert!(commits.into_iter().all(|commit| answer(commit) == Some(Ok(()))));
    assert_eq!(rig.commits(), [(10, 0, false)]);
}

#[test]
fn a_group_has_its_limit_and_the_rest_follows() {
    let mut rig = Rig::new(&Disk::new(1));
    let count = limits::GROUP_BATCHES_MAX * 2 + 3;
    let commits: Vec<_> = (0..count).map(|i| rig.meta.commit(put(&i.to_string()))).collect();
    assert_eq!(rig.step(), Next::Again);
    assert_eq!(rig.step(), Next::Again);
    rig.step();
    assert!(commits.into_iter().all(|commit| answer(commit) == Some(Ok(()))));
    let full = limits::GROUP_BATCHES_MAX;
    assert_eq!(rig.commits(), [(full, 0, true), (full, 0, true), (3, 0, false)]);
}

#[test]
fn batches_of_a_group_see_those_before_them() {
    let mut rig = Rig::new(&Disk::new(1));
    let key = || b"seen".to_vec();
    let counted = || Batch::default().require(Require::CounterAtMost(key(), 1)).write(Write::Add(key(), 1));
    let batches = [
        put("seen").require(Require::Absent(Space::Current, key())),
        put("seen").require(Require::Absent(Space::Current, key())),
        put("other").require(Require::Present(Space::Current, key())).require(Require::Absent(Space::Runs, key())),
        Batch::default().write(Write::Bury(Space::Current, key(), 1)),
        put("other").require(Require::Present(Space::Current, key())),
        counted(),
        counted(),
        Batch::default().require(Require::Present(Space::Counters, key())).write(Write::Add(key(), -1)),
        Batch::default().require(Require::Absent(Space::Counters, key())),
    ];
    let commits = batches.map(|batch| rig.meta.commit(batch));
    rig.step();
    let refused = || Err(CommitError::Refused(0));
    let expected = [Ok(()), refused(), Ok(()), Ok(()), refused(), Ok(()), refused(), Ok(()), Ok(())];
    assert_eq!(commits.map(answer), expected.map(Some));
    assert_eq!(rig.commits(), [(9, 3, false)]);
}

#[test]
fn a_group_that_changes_nothing_costs_no_sync() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    let before = disk.syncs();
    let refused = put("never").require(Require::Present(Space::Current, b"never".to_vec()));
    assert_eq!(rig.commit(refused), Err(CommitError::Refused(0)));
    assert_eq!(rig.commit(Batch::default()), Ok(()));
    rig.run_dry();
    assert_eq!(disk.syncs(), before);
    assert_eq!(rig.commits(), []);
}

#[test]
fn the_queue_has_its_limit() {
    let rig = Rig::new(&Disk::new(1));
    let commits: Vec<_> = (0..limits::QUEUED_BATCHES_MAX).map(|_| rig.meta.commit(Batch::default())).collect();
    assert!(is_unavailable(&answer(rig.meta.commit(Batch::default())).unwrap()));
    assert!(commits.into_iter().all(|commit| answer(commit).is_none()), "those before it wait");
}

#[test]
fn reopening_keeps_all() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    let batch = put("kept").write(Write::Add(b"kept".to_vec(), 41));
    assert_eq!(rig.commit(batch), Ok(()));
    drop(rig);
    let mut rig = Rig::new(&disk);
    assert!(!rig.repaired(), "a clean close needs no repair");
    assert_eq!(rig.commit(Batch::default().write(Write::Add(b"kept".to_vec(), 1))), Ok(()));
    assert_eq!(rig.get(b"kept"), Ok(Some(b"kept".to_vec())));
    assert_eq!(rig.meta.snapshot().unwrap().counter(b"kept"), Ok(42));
}

#[test]
fn closing_carries_out_what_waits() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    let waiting = rig.meta.commit(put("waiting"));
    rig.meta.close();
    assert!(is_unavailable(&answer(rig.meta.commit(put("late"))).unwrap()));
    assert_ne!(rig.step(), Next::Finished);
    assert_eq!(answer(waiting), Some(Ok(())));
    assert_eq!(rig.get(b"waiting"), Ok(Some(b"waiting".to_vec())), "reads work to the end");
    assert_eq!(rig.step(), Next::Finished);
    assert!(rig.get(b"waiting").is_err());
    disk.crash();
    let rig = Rig::new(&disk);
    assert!(!rig.repaired(), "the file was closed cleanly");
    assert_eq!(rig.get(b"waiting"), Ok(Some(b"waiting".to_vec())));
}

#[test]
fn nobody_waits_for_a_committer_that_is_gone() {
    let Rig { meta, committer, .. } = Rig::new(&Disk::new(1));
    let waiting = meta.commit(put("waiting"));
    drop(committer);
    assert!(is_unavailable(&answer(waiting).unwrap()));
    assert!(is_unavailable(&answer(meta.commit(put("late"))).unwrap()));
}

#[test]
fn quick_repair_makes_crashes_cheap() {
    let disk = Disk::new(1);
    let reopened = |rig: Rig| {
        disk.crash();
        drop(rig);
        Rig::new(&disk)
    };
    // Alone: the crash costs a repair, which shows that the other cases prove something.
    let mut rig = Rig::new(&disk);
    assert_eq!(rig.commit(put("alone")), Ok(()));
    rig = reopened(rig);
    assert!(rig.repaired());
    // After a repair, as after any commit that did not save the state, the idle commit does.
    rig.run_dry();
    rig = reopened(rig);
    assert!(!rig.repaired());
    assert_eq!(rig.commit(put("idle")), Ok(()));
    rig.run_dry();
    assert_eq!(rig.commits(), [(1, 0, false), (0, 0, true)]);
    rig = reopened(rig);
    assert!(!rig.repaired());
    // A full group saves it by itself.
    for i in 0..limits::QUICK_REPAIR_BATCHES_MIN {
        drop(rig.meta.commit(put(&format!("group/{i}"))));
    }
    rig.step();
    rig = reopened(rig);
    assert!(!rig.repaired());
    assert_eq!(rig.get(b"group/0"), Ok(Some(b"group/0".to_vec())));
    assert_eq!(rig.get(b"alone"), Ok(Some(b"alone".to_vec())));
}

#[test]
fn a_busy_catalog_is_not_idle() {
    let mut rig = Rig::new(&Disk::new(1));
    for i in 0..5 {
        assert_eq!(rig.commit(put(&i.to_string())), Ok(()));
        // One step that finds nothing: the bell of a batch that an earlier step took along.
        assert!(matches!(rig.step(), Next::After(_)));
    }
    assert_eq!(rig.commits(), [(1, 0, false); 5]);
}

#[test]
fn a_failed_sync_is_survived() {
    for seed in 0..30 {
        let disk = Disk::new(seed);
        let mut rig = Rig::new(&disk);
        assert_eq!(rig.commit(put("before")), Ok(()));
        let snapshot = rig.meta.snapshot().unwrap();
        disk.plan(Plan::FailSync);
        let group = ["lost/1", "lost/2"].map(|key| rig.meta.commit(put(key)));
        let pause = rig.step();
        assert_eq!(pause, Next::After(Duration::from_millis(100)));
        assert!(group.into_iter().all(|commit| is_unavailable(&answer(commit).unwrap())));
        assert!(!rig.meta.is_available());
        assert!(rig.get(b"before").is_err(), "reads are refused at once");
        assert!(is_unavailable(&answer(rig.meta.commit(put("late"))).unwrap()), "... and commits");
        assert_eq!(rig.step(), Next::Again);
        assert!(rig.meta.is_available());
        assert_eq!(rig.meta.generation(), 2);
        let old = snapshot.get(Space::Current, b"other");
        assert!(old.is_err(), "a snapshot does not outlive its generation");
        assert!(rig.meta.is_available(), "... and its error is not the new generation's");
        assert_eq!(rig.get(b"before"), Ok(Some(b"before".to_vec())));
        assert_eq!(rig.get(b"lost/1").map(|r| r.is_some()), rig.get(b"lost/2").map(|r| r.is_some()));
        assert_eq!(rig.get(b"late"), Ok(None));
        assert_eq!(rig.commit(put("after")), Ok(()));
        disk.crash();
        drop(rig);
        let rig = Rig::new(&disk);
        assert_eq!(rig.get(b"before"), Ok(Some(b"before".to_vec())));
        assert_eq!(rig.get(b"after"), Ok(Some(b"after".to_vec())));
    }
}

#[test]
fn a_failure_is_told_and_so_is_its_end() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    disk.plan(Plan::FailSync);
    assert!(is_unavailable(&rig.commit(put("lost"))));
    rig.step();
    let told: Vec<_> = rig.events().iter().copied().filter(|e| !matches!(e, CatalogEvent::Repairing { .. })).collect();
    let available = |generation| CatalogEvent::Available { generation };
    assert_eq!(told, [available(1), CatalogEvent::Unavailable, available(2)]);
}

#[test]
fn a_read_that_fails_reopens_the_catalog() {
    let mut rig = Rig::new(&Disk::new(1));
    assert_eq!(rig.commit(put("kept")), Ok(()));
    let engine = rig.meta.0.clone();
    engine.read_failed(1, &redb::Error::Corrupted("one page".to_owned()));
    assert!(rig.meta.is_available(), "opening again does not heal a damaged page");
    assert!(rig.committer.bell().wait(Duration::ZERO), "the commit rang");
    engine.read_failed(1, &redb::Error::PreviousIo);
    assert!(rig.get(b"kept").is_err());
    assert!(rig.committer.bell().wait(Duration::ZERO), "the committer is woken");
    assert_eq!(rig.step(), Next::After(Duration::from_millis(100)), "even so, the disk is given a pause");
    assert_eq!(rig.step(), Next::Again);
    engine.read_failed(1, &redb::Error::PreviousIo);
    assert_eq!(rig.get(b"kept"), Ok(Some(b"kept".to_vec())), "an old snapshot's failure no longer counts");
}

#[test]
fn a_crash_during_creation_is_survived() {
    for cut in 0..20 {
        for seed in 0..10 {
            let disk = Disk::new(seed);
            disk.plan(Plan::PowerCut(cut));
            drop(Rig::try_new(&disk));
            disk.crash();
            let mut rig = Rig::new(&disk);
            assert_eq!(rig.commit(put("after")), Ok(()));
        }
    }
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let disk = Disk::new(1);
    let file = disk.open();
    file.set_len(4096).unwrap();
    file.write(2048, b"precious").unwrap();
    assert!(Rig::try_new(&disk).is_err());
    let mut kept = [0; 8];
    disk.open().read(2048, &mut kept).unwrap();
    assert_eq!(&kept, b"precious");
}

#[test]
fn attempts_to_reopen_get_rarer() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    disk.plan(Plan::PowerCut(0));
    assert!(is_unavailable(
        &answer({
            let commit = rig.meta.commit(put("lost"));
            rig.step();
            commit
        })
        .unwrap()
    ));
    let pauses: Vec<_> = (0..7).map(|_| rig.step()).collect();
    let expected = [200, 400, 800, 1600, 3200, 5000, 5000].map(|ms| Next::After(Duration::from_millis(ms)));
    assert_eq!(pauses, expected);
    disk.plan(Plan::Works);
    assert_eq!(rig.step(), Next::Again);
    assert_eq!(rig.commit(put("after")), Ok(()));
    disk.plan(Plan::FailSync);
    let commit = rig.meta.commit(put("lost"));
    assert_eq!(rig.step(), Next::After(Duration::from_millis(100)), "a commit that worked resets the pause");
    assert!(is_unavailable(&answer(commit).unwrap()));
}

#[test]
fn a_failed_catalog_can_be_closed() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    disk.plan(Plan::PowerCut(0));
    assert!(is_unavailable(&rig.commit(put("lost"))));
    rig.meta.close();
    assert_eq!(rig.step(), Next::Finished);
}

#[test]
fn a_panic_counts_as_a_failure() {
    let disk = Disk::new(1);
    let mut rig = Rig::new(&disk);
    assert_eq!(rig.commit(put("before")), Ok(()));
    disk.plan(Plan::Panic);
    assert!(is_unavailable(&rig.commit(put("lost"))));
    assert!(!rig.meta.is_available());
    assert_eq!(rig.step(), Next::Again);
    assert_eq!(rig.get(b"before"), Ok(Some(b"before".to_vec())));
    assert_eq!(rig.commit(put("after")), Ok(()));
    assert_eq!(rig.get(b"after"), Ok(Some(b"after".to_vec())));
}

/// A file that a version with fewer tables made gets the missing ones, and keeps what it has.
#[test]
fn a_file_of_an_earlier_version_is_opened() {
    let disk = Disk::new(1);
    {
        let database = redb::Database::builder().create_with_backend(backend::Boxed(disk.open())).unwrap();
        let transaction = database.begin_write().unwrap();
        for space in Space::ALL.into_iter().filter(|space| *space != Space::BucketDocuments) {
            let mut table = transaction.open_table(table_definition(space)).unwrap();
            table.insert(b"old".as_slice(), record(1, 0).as_slice()).unwrap();
        }
        transaction.commit().unwrap();
    }
    let mut rig = Rig::new(&disk);
    assert_eq!(rig.get(b"old"), Ok(Some(record(1, 0))));
    assert_eq!(rig.meta.snapshot().unwrap().get(Space::BucketDocuments, b"new"), Ok(None));
    rig.commit(Batch::default().write(Write::Put(Space::BucketDocuments, b"new".to_vec(), record(2, 0)))).unwrap();
    assert_eq!(rig.meta.snapshot().unwrap().get(Space::BucketDocuments, b"new"), Ok(Some(record(2, 0))));
}
