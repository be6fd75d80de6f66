//! A disk that fails without a power cut: who is affected hears of it, everybody else goes on, and nothing is left behind.

use bytes::Bytes;
use wharf::base::digest::DigestRequest;
use wharf::store::Store;
use wharf::store::error::{Error, Missing};
use wharf::store::fsio::SyncKind;
use wharf::store::fsio::sim::{Call, Fault, SimFs};
use wharf::store::types::{Attributes, Bucket, BucketName, ObjectInfo, ObjectKey, StagedBody};

use crate::audit;
use crate::machine::{Machine, Running};
use crate::play::{Plan, play};

const FILE: Call = Call::Sync(SyncKind::File);
const DIRECTORY: Call = Call::Sync(SyncKind::Directory);
const CATALOG: Call = Call::Sync(SyncKind::Catalog);

/// Seeded histories with one failed call in the first life and power cuts after it.
#[test]
fn a_failed_call_anywhere_loses_nothing_and_leaves_nothing() {
    let faults =
        [(CATALOG, Fault::Device), (FILE, Fault::Device), (DIRECTORY, Fault::Device), (Call::Write, Fault::Full)];
    let mut happened = [0; 4];
    for seed in 0..100 {
        for ((call, fault), happened) in faults.into_iter().zip(&mut happened) {
            let passing = if call == Call::Write { seed * 3 } else { seed / 8 };
            let fault = Some((call, passing, fault));
            let plan = Plan { seed, cut: None, later_cuts: 1 + seed % 2, lie: None, fault };
            match play(plan) {
                Ok(report) => *happened += u32::from(report.failed),
                Err(what) => panic!("{plan:?}: {what}"),
            }
        }
    }
    assert!(happened.iter().all(|happened| *happened >= 20), "faults happened {happened:?} times of 100");
}

/// A machine, an open store and a bucket.
struct Rig {
    machine: Machine,
    running: Running,
    bucket: Bucket,
}

impl Rig {
    fn new() -> Self {
        let machine = Machine::new(SimFs::new(), 1);
        let mut running = machine.start().expect("a store");
        audit::make_bucket(&mut running, "bucket").expect("a bucket");
        let bucket = bucket(&running.store);
        Self { machine, running, bucket }
    }

    /// Receives a body of this length, all of it the same byte.
    fn receive(&mut self, byte: u8, len: usize) -> Result<StagedBody, Error> {
        let mut writer = self.running.store.body_writer(Some(len as u64), DigestRequest::default());
        let body = Bytes::from(vec![byte; len]);
        self.running
            .wait(async move {
                writer.write(body).await?;
                writer.finish().await
            })
            .expect("an answer")
    }

    fn put(&mut self, key: &str, byte: u8, len: usize) -> Result<ObjectInfo, Error> {
        let body = self.receive(byte, len)?;
        self.name(key, body)
    }

    fn name(&mut self, key: &str, body: StagedBody) -> Result<ObjectInfo, Error> {
        let (store, bucket, key) = (self.running.store.clone(), self.bucket.clone(), parse(key));
        let named = store.put_object(&bucket, &key, body, Attributes::default(), None);
        self.running.wait(named).expect("an answer")
    }

    fn get(&mut self, key: &str) -> Result<Vec<u8>, Error> {
        let mut reader = self.running.store.open_object(&self.bucket, &parse(key))?.read(0..u64::MAX);
        let read = async move {
            let mut bytes = Vec::new();
            while let Some(piece) = reader.next().await {
                bytes.extend_from_slice(&piece?);
            }
            Ok(bytes)
        };
        self.running.wait(read).expect("an answer")
    }

    /// Power goes and comes back; what was not synced is gone.
    fn power_cycle(self) -> Self {
        let Self { mut machine, running, bucket } = self;
        machine.fs = machine.fs.reboot_losing_all();
        drop(running);
        let running = machine.start().expect("a store");
        Self { machine, running, bucket }
    }

    fn check_nothing_is_left_over(&mut self) {
        self.running.rest().expect("workers that rest");
        audit::check_at_rest(&self.machine, &self.running).expect("files, rows and counters that agree");
    }
}

fn bucket(store: &Store) -> Bucket {
    store.bucket(&BucketName::parse("bucket").expect("a good name")).expect("a bucket")
}

fn parse(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("a good key")
}

/// Whoever waits for a commit whose sync fails hears that the store is busy, never a success. The store then works again
/// by itself, with all that was acknowledged, and the write in doubt stays what it then was.
#[test]
fn a_failed_catalog_sync_is_never_a_success() {
    for (len, losing) in [(10, false), (10, true), (70_000, false), (70_000, true)] {
        let mut rig = Rig::new();
        rig.put("before", b'b', len).expect("a sound disk");
        let body = rig.receive(b'd', len).expect("a sound disk");
        rig.machine.fs.fail(CATALOG, 0, Fault::Device);
        let doubtful = rig.name("doubtful", body);
        assert!(matches!(doubtful, Err(Error::Busy(_))), "{doubtful:?}");
        let meanwhile = rig.get("before");
        assert!(matches!(meanwhile, Err(Error::Busy(_))), "a catalog that failed answers nothing: {meanwhile:?}");
        rig.running.recover().expect("a catalog that comes back");
        let settled = rig.get("doubtful");
        assert!(matches!(settled, Ok(_) | Err(Error::NotFound(Missing::Object))), "{settled:?}");
        rig.put("after", b'a', len).expect("a sound disk");
        if losing {
            rig = rig.power_cycle();
        }
        assert_eq!(rig.get("before").expect("acknowledged"), vec![b'b'; len]);
        assert_eq!(rig.get("after").expect("acknowledged"), vec![b'a'; len]);
        assert_eq!(rig.get("doubtful").ok(), settled.ok());
        rig.check_nothing_is_left_over();
    }
}

/// A disk that fails for a while: each attempt fails alone, and the store comes back when the disk does.
#[test]
fn the_store_outlives_several_failures_in_a_row() {
    let mut rig = Rig::new();
    rig.put("before", b'b', 70_000).expect("a sound disk");
    (0..5).for_each(|_| rig.machine.fs.fail(CATALOG, 0, Fault::Device));
    assert!(matches!(rig.put("doubtful", b'd', 10), Err(Error::Busy(_))));
    rig.running.recover().expect("a catalog that comes back");
    assert_eq!(rig.machine.fs.take_back_faults(), 0, "reopening meets the disk as it is");
    rig.put("after", b'a', 10).expect("a sound disk");
    let mut rig = rig.power_cycle();
    assert_eq!(rig.get("before").expect("acknowledged"), vec![b'b'; 70_000]);
    assert_eq!(rig.get("after").expect("acknowledged"), vec![b'a'; 10]);
    rig.check_nothing_is_left_over();
}

/// A full disk is the trouble of the one who needs room.
#[test]
fn a_full_disk_fails_one_body_alone() {
    let mut rig = Rig::new();
    let mut doomed = rig.running.store.body_writer(None, DigestRequest::default());
    let mut other = rig.running.store.body_writer(None, DigestRequest::default());
    let unit = Bytes::from(vec![b'u'; 1 << 20]);
    rig.running.wait(other.write(unit.clone())).expect("an answer").expect("room");
    rig.machine.fs.fail(Call::Write, 0, Fault::Full);
    // The unit is written while the next one gathers, so its failure shows there.
    rig.running.wait(doomed.write(unit.clone())).expect("an answer").expect("an answer that comes later");
    rig.running.wait(other.write(unit.clone())).expect("an answer").expect("room");
    let full = rig.running.wait(doomed.finish()).expect("an answer");
    assert!(matches!(full, Err(Error::Full)), "{full:?}");
    let body = rig.running.wait(other.finish()).expect("an answer").expect("room");
    rig.name("other", body).expect("room");
    assert_eq!(rig.get("other").expect("acknowledged").len(), 2 << 20);
    assert_eq!(rig.machine.blob_files().expect("a list").len(), 1, "a body that failed leaves no file");
    rig.check_nothing_is_left_over();
}

/// A blob whose content or name cannot be made durable fails its own request and is gone.
#[test]
fn a_failed_blob_sync_fails_one_request_alone() {
    for call in [FILE, DIRECTORY] {
        let mut rig = Rig::new();
        rig.put("before", b'b', 5000).expect("a sound disk");
        rig.machine.fs.fail(call, 0, Fault::Device);
        let failed = rig.put("failed", b'f', 5000);
        assert!(matches!(failed, Err(Error::Io(_))), "{failed:?}");
        rig.put("after", b'a', 5000).expect("a sound disk");
        let mut rig = rig.power_cycle();
        assert_eq!(rig.get("before").expect("acknowledged"), vec![b'b'; 5000]);
        assert_eq!(rig.get("after").expect("acknowledged"), vec![b'a'; 5000]);
        assert!(matches!(rig.get("failed"), Err(Error::NotFound(Missing::Object))));
        rig.check_nothing_is_left_over();
        assert_eq!(rig.machine.blob_files().expect("a list").len(), 2);
    }
}
