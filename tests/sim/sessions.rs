//! Sessions and power cuts: in any operation of the disk. Clients that send again what was not answered end with their objects,
//! what was acknowledged is there, and in the end nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join;
use wharf::base::digest::DigestRequest;
use wharf::base::limits::COMPLETED_KEPT;
use wharf::base::rng::SeededRng;
use wharf::base::worker::Worker as _;
use wharf::store::Store;
use wharf::store::error::{Error, Missing};
use wharf::store::fsio::sim::SimFs;
use wharf::store::meta::Space;
use wharf::store::meta::schema::{self, PartRecord, UploadRecord};
use wharf::store::types::{
    Appended, Bucket, BucketName, NewSession, NewUpload, PartNumber, Session, SessionState, Staged, StagedBody,
    UploadId,
};

use crate::audit;
use crate::body::Body;
use crate::book::STAYS;
use crate::client::object_key;
use crate::machine::{IDLE_MAX, Machine, Running};

/// Seeds, each of which is cut in every operation.
const SEEDS: u64 = 3;
const NAME: [u8; 32] = [9; 32];
/// Bytes of the pieces: inline ones and blobs.
const PIECES: [u32; 6] = [100, 5000, 1, 70_000, 4097, 4096];

/// What the clients know: what was answered.
#[derive(Default)]
struct Known {
    chunks: BTreeSet<u32>,
    completed: bool,
    appended: Option<UploadId>,
    pieces: usize,
    partial: [Option<UploadId>; 2],
    concatenated: bool,
    aborted: Option<UploadId>,
}

struct Life<'a> {
    running: &'a mut Running,
    known: &'a mut Known,
    bucket: Bucket,
}

fn piece(at: usize) -> Bytes {
    Body::new(u32::try_from(at).unwrap_or_default() + 1, PIECES[at % PIECES.len()]).content().bytes.clone()
}

async fn receive(store: &Store, bytes: Bytes) -> Result<StagedBody, Error> {
    let mut writer = store.body_writer(Some(bytes.len() as u64), DigestRequest::default());
    writer.write(bytes).await?;
    writer.finish().await
}

async fn bring(store: &Store, id: UploadId, number: u32) -> Result<Staged, Error> {
    let body = receive(store, piece(number as usize - 1)).await?;
    store.stage_chunk(id, PartNumber::in_session(u64::from(number)).expect("a good number"), body).await
}

impl Life<'_> {
    fn wait<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
        // The collector goes on between any two calls; what it leaves undone it meets again.
        let _ = self.running.gc.step();
        self.running.wait(answer)?.map_err(|error| error.to_string())
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.running.store)
    }

    fn open(&mut self, key: &str, session: NewSession) -> Result<(UploadId, bool), String> {
        let (store, bucket, key) = (self.store(), self.bucket.clone(), object_key(key));
        self.wait(store.open_session(&bucket, &key, NewUpload::default(), session))
    }

    fn append(&mut self, id: UploadId, offset: u64, at: usize, last: bool) -> Result<Appended, String> {
        let store = self.store();
        self.wait(async { store.append(id, offset, receive(&store, piece(at)).await?, last).await })
    }

    /// The session of this id, unless it is gone.
    fn session(&self, id: UploadId) -> Result<Option<Session>, String> {
        found(self.running.store.session(id))
    }

    /// Chunks by their numbers, two at a time, each sent again where its answer did not come.
    fn numbered(&mut self, seed: u64) -> Result<(), String> {
        let total = u32::try_from(PIECES.len()).unwrap_or_default();
        let before = found(self.running.store.session_named(&NAME))?;
        if matches!(before, Some(Session { state: SessionState::Completed { .. }, .. })) {
            return if self.known.chunks.len() + 2 < PIECES.len() {
                Err("completed too early".to_owned())
            } else {
                Ok(())
            };
        }
        if self.known.completed {
            return Err(format!("a completed session is {before:?}"));
        }
        let (id, new) = self.open("numbered", NewSession { name: Some(NAME), total: Some(total), note: Vec::new() })?;
        if new != before.is_none() || (new && !self.known.chunks.is_empty()) {
            return Err("a session's name is lost".to_owned());
        }
        let missing = self.running.store.session_missing(id, PIECES.len()).map_err(|error| error.to_string())?;
        if let Some(lost) = missing.iter().find(|number| self.known.chunks.contains(number)) {
            return Err(format!("chunk {lost} is lost"));
        }
        let rng = SeededRng::new(seed);
        let mut order: Vec<u32> = (1..=total).collect();
        (1..order.len()).for_each(|at| order.swap(at, usize::try_from(rng.below(at as u64 + 1)).unwrap_or_default()));
        for pair in order.chunks(2) {
            let store = self.store();
            let both = async { Ok(join(bring(&store, id, pair[0]), bring(&store, id, pair[1])).await) };
            let (first, second) = self.wait(both)?;
            for (number, staged) in [(pair[0], first), (pair[1], second)] {
                match staged.map_err(|error| format!("chunk {number}: {error}"))? {
                    Staged::Completed(_) if std::mem::replace(&mut self.known.completed, true) => {
                        return Err("completed twice".to_owned());
                    }
                    Staged::New { .. } if self.known.chunks.contains(&number) => {
                        return Err(format!("chunk {number} was there and is new"));
                    }
                    Staged::New { .. } | Staged::Known { .. } | Staged::Completed(_) => {}
                }
                self.known.chunks.insert(number);
            }
        }
        if self.known.completed { Ok(()) } else { Err("all chunks are there and no object is".to_owned()) }
    }

    /// Bytes in their order, from where the session is.
    fn in_order(&mut self) -> Result<(), String> {
        let id = match self.known.appended {
            Some(id) => id,
            None => {
                let (id, _) = self.open("in-order", NewSession::default())?;
                self.known.appended = Some(id);
                id
            }
        };
        let session = self.session(id)?.ok_or("a session is lost")?;
        let SessionState::Open { bytes, .. } = session.state else {
            return if self.known.pieces + 1 < PIECES.len() { Err("completed too early".to_owned()) } else { Ok(()) };
        };
        let offset = |pieces: usize| PIECES[..pieces].iter().map(|len| u64::from(*len)).sum::<u64>();
        let there = (0..PIECES.len()).find(|pieces| offset(*pieces) == bytes);
        let there = there.filter(|there| (self.known.pieces..=self.known.pieces + 1).contains(there));
        let there = there.ok_or_else(|| format!("{bytes} bytes are there, {} pieces were", self.known.pieces))?;
        for at in there..PIECES.len() {
            self.append(id, offset(at), at, at + 1 == PIECES.len())?;
            self.known.pieces = at + 1;
        }
        Ok(())
    }

    /// Two sessions become one object: both are there or neither is.
    fn concatenated(&mut self) -> Result<(), String> {
        for part in 0..2 {
            if self.known.partial[part].is_none() {
                let (id, _) = self.open("part", NewSession::default())?;
                self.append(id, 0, 3 * part, false)?;
                self.append(id, u64::from(PIECES[3 * part]), 3 * part + 1, false)?;
                self.known.partial[part] = Some(id);
            }
        }
        let ids: Vec<_> = self.known.partial.iter().flatten().copied().collect();
        let there = [self.session(ids[0])?.is_some(), self.session(ids[1])?.is_some()];
        let object = self.running.store.object(&self.bucket, &object_key("concatenated")).is_ok();
        match (there, object) {
            ([true, true], false) if !self.known.concatenated => {
                let (store, bucket, key) = (self.store(), self.bucket.clone(), object_key("concatenated"));
                let session = NewSession::default();
                self.wait(store.concatenate(&bucket, &key, NewUpload::default(), session, &[ids[1], ids[0]]))?;
                self.known.concatenated = true;
                Ok(())
            }
            ([false, false], true) => Ok(()),
            other => Err(format!("sessions and object: {other:?}")),
        }
    }

    fn aborted(&mut self) -> Result<(), String> {
        if let Some(id) = self.known.aborted {
            return match self.session(id)? {
                None => Ok(()),
                Some(session) => Err(format!("an aborted session is there: {session:?}")),
            };
        }
        let session = NewSession { name: Some([1; 32]), total: Some(9), note: b"note".to_vec() };
        let (id, _) = self.open("aborted", session)?;
        let store = self.store();
        self.wait(bring(&store, id, 2))?;
        let (bucket, key) = (self.bucket.clone(), object_key("aborted"));
        self.wait(store.abort_upload(&bucket, &key, id))?;
        self.known.aborted = Some(id);
        Ok(())
    }

    fn check_object(&mut self, key: &str, pieces: &[usize]) -> Result<(), String> {
        let open = self.running.store.open_object(&self.bucket, &object_key(key)).map_err(|error| error.to_string())?;
        let mut reader = open.read(0..u64::MAX);
        let mut read = Vec::new();
        while let Some(bytes) = self.running.wait(reader.next())? {
            read.extend_from_slice(&bytes.map_err(|error| error.to_string())?);
        }
        let expected: Vec<u8> = pieces.iter().flat_map(|at| piece(*at)).collect();
        if read == expected { Ok(()) } else { Err(format!("{key} has {} other bytes", read.len())) }
    }
}

fn found(session: Result<Session, Error>) -> Result<Option<Session>, String> {
    match session {
        Ok(session) => Ok(Some(session)),
        Err(Error::NotFound(Missing::Upload)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Every session that is open is counted as it is, and nothing else is.
fn check_counted(running: &Running) -> Result<(), String> {
    let rows = running.rows()?;
    let mut expected = BTreeMap::<Vec<u8>, i64>::new();
    let mut places = BTreeSet::new();
    for record in rows[&Space::Uploads].values() {
        let (_, upload) = schema::decode::<UploadRecord>(record).map_err(|error| error.to_string())?;
        if upload.session.is_none() {
            continue;
        }
        places.insert(schema::session_place_key(upload.number));
        let mut numbers = BTreeSet::new();
        let parts = rows[&Space::Parts].iter().filter(|(key, _)| key.starts_with(&upload.number.to_be_bytes()));
        let [distinct, each, bytes] = schema::session_counters(upload.number);
        for (key, record) in parts {
            let (_, part) = schema::decode::<PartRecord>(record).map_err(|error| error.to_string())?;
            *expected.entry(distinct.clone()).or_default() +=
                i64::from(numbers.insert(schema::part_number_of_row(key)));
            *expected.entry(each.clone()).or_default() += 1;
            *expected.entry(bytes.clone()).or_default() += i64::try_from(part.size).unwrap_or(i64::MAX);
        }
    }
    let counters = rows[&Space::Counters].iter().filter(|(name, _)| name.starts_with(b"session-"));
    let counted =
        counters.map(|(name, value)| (name.clone(), value.as_slice().try_into().map_or(-1, i64::from_be_bytes)));
    let counted: BTreeMap<_, _> = counted.filter(|(_, value)| *value != 0).collect();
    let standing: BTreeSet<_> = rows[&Space::Sessions].keys().filter(|key| key.starts_with(b"u")).cloned().collect();
    match (counted == expected, standing == places) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("sessions are counted as {counted:?}, there is {expected:?}")),
        (_, false) => Err(format!("sessions stand at {standing:?}, open are {places:?}")),
    }
}

/// One life: everything that is not answered yet.
fn live(machine: &Machine, known: &mut Known, seed: u64) -> Result<(), String> {
    let mut running = machine.start()?;
    audit::make_bucket(&mut running, STAYS)?;
    audit::check_named(machine, &running)?;
    let bucket =
        running.store.bucket(&BucketName::parse(STAYS).expect("a good name")).map_err(|error| error.to_string())?;
    let mut life = Life { running: &mut running, known, bucket };
    life.numbered(seed)?;
    life.in_order()?;
    life.aborted()?;
    life.concatenated()?;
    life.check_object("numbered", &[0, 1, 2, 3, 4, 5])?;
    life.check_object("in-order", &[0, 1, 2, 3, 4, 5])?;
    life.check_object("concatenated", &[3, 4, 0, 1])?;
    running.rest()?;
    audit::check_at_rest(machine, &running)?;
    check_counted(&running)?;
    running.stop()
}

/// Deletes everything, and lets time pass.
fn empty(machine: &Machine) -> Result<(), String> {
    let mut running = machine.start()?;
    let bucket =
        running.store.bucket(&BucketName::parse(STAYS).expect("a good name")).map_err(|error| error.to_string())?;
    for key in ["numbered", "in-order", "concatenated"] {
        let (store, key) = (Arc::clone(&running.store), object_key(key));
        running.wait(store.delete_object(&bucket, &key, None))?.map_err(|error| error.to_string())?;
    }
    machine.clock.advance(IDLE_MAX.max(COMPLETED_KEPT));
    running.rest()?;
    audit::check_at_rest(machine, &running)?;
    check_counted(&running)?;
    let rows = running.rows()?;
    for space in [Space::Sessions, Space::Completed, Space::Uploads, Space::Parts, Space::Manifests] {
        if !rows[&space].is_empty() {
            return Err(format!("rows are left: {:?}", rows[&space]));
        }
    }
    match machine.blob_files()? {
        files if files.is_empty() => running.stop(),
        files => Err(format!("nothing is there, and {files:?}")),
    }
}

/// One history; the operations of its first life.
fn history(seed: u64, cut: Option<u64>) -> Result<u64, String> {
    let mut machine = Machine::new(SimFs::new(), seed);
    let fate = SeededRng::new(seed ^ cut.unwrap_or(u64::MAX).rotate_left(32));
    let mut known = Known::default();
    machine.fs.arm_crash_at(cut.unwrap_or(u64::MAX));
    let lived = live(&machine, &mut known, seed);
    let operations = machine.fs.operations();
    if machine.fs.is_off() {
        machine.fs = machine.fs.reboot(&fate);
        live(&machine, &mut known, seed)?;
    } else {
        lived?;
    }
    empty(&machine)?;
    Ok(operations)
}

#[test]
fn sessions_survive_a_power_cut_in_any_operation() {
    for seed in 0..SEEDS {
        let operations = history(seed, None).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        for cut in 0..operations {
            history(seed, Some(cut)).unwrap_or_else(|what| panic!("seed {seed}, cut in operation {cut}: {what}"));
        }
        println!("seed {seed}: {operations} cuts");
    }
}
