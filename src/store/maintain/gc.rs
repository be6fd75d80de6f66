//! Garbage collection: walks the grave, removes what no record needs any more, then forgets the grave's row.
//!
//! A step reads some rows of the grave, removes their blobs (durably), and commits one batch that forgets blobs and rows. A
//! crash in between repeats the removal, which is harmless: blob names are never used twice. What is being read is pinned
//! and stays; the walk comes back to it.
//!
//! A manifest that copies share is freed with the last object that names it: the catalog counts those that stand and those
//! in the grave ([`schema::references_counter`]). Who is the last cannot be overtaken by a copy, because nothing stands any
//! more that could be copied.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::id::BlobId;
use crate::base::limits::MAINTENANCE_STEP_ITEMS;
use crate::base::worker::{Bell, Next, Worker, WorkerError};
use crate::store::error::Error;
use crate::store::maintain::{COMMIT_PAUSE, PendingCommit};
use crate::store::meta::schema::{
    self, BucketRecord, CompletedRecord, Content, ObjectRecord, PartRecord, UploadRecord,
};
use crate::store::meta::{Batch, Snapshot, Space, Visit, Write, prefix_end};
use crate::store::multipart::{bury_upload, signed};
use crate::store::pins::Pins;
use crate::store::{Store, manifest, sessions};

/// How long an idle collector waits. Nobody rings for it: a wake-up for each overwrite would cost the writers more than the
/// wait costs the disk.
const IDLE_PAUSE: Duration = Duration::from_secs(2);
/// How long it waits before it looks again at what it had to leave.
const WALK_PAUSE: Duration = Duration::from_secs(1);
/// How long it waits for a reader that is just looking into the catalog.
const FENCE_PAUSE: Duration = Duration::from_millis(1);

/// The collector.
pub struct Gc {
    store: Arc<Store>,
    /// Rows before this have been looked at in this walk.
    cursor: Vec<u8>,
    /// This walk left something behind that a later one may free.
    again: bool,
    /// Rings when a commit of the collector's own is answered.
    bell: Bell,
    /// Rows that were said to be unreadable once.
    unreadable: BTreeSet<Vec<u8>>,
    /// What the completed upload took over that the last step came to, by its number: one of 100,000 parts takes hundreds of
    /// steps, and reading all its extents in each of them would cost more than all else.
    taken: Option<(u64, HashSet<Content>)>,
    state: State,
}

enum State {
    Walk,
    /// These rows may be freed once all who entered before the fence have left.
    Fenced(Vec<Row>, u64),
    Committing(PendingCommit),
}

/// A row of the grave.
struct Row {
    key: Vec<u8>,
    /// The number of the space it came from, then its record.
    buried: Vec<u8>,
}

/// What a step does: blobs first, then the batch.
#[derive(Default)]
struct Plan {
    blobs: Vec<BlobId>,
    batch: Batch,
    /// For each manifest the references that this step gives back.
    given_back: HashMap<u64, i64>,
}

impl Gc {
    /// A collector of this store's grave.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            cursor: Vec::new(),
            again: false,
            bell: Bell::default(),
            unreadable: BTreeSet::new(),
            taken: None,
            state: State::Walk,
        }
    }

    fn walk(&mut self) -> Result<Next, Error> {
        let snapshot = self.store.snapshot()?;
        let mut rows = Vec::new();
        snapshot.scan(Space::Grave, &self.cursor, &[], &mut |key, buried| {
            rows.push(Row { key: key.to_vec(), buried: buried.to_vec() });
            if rows.len() < MAINTENANCE_STEP_ITEMS {
                ControlFlow::Continue(Visit::Next)
            } else {
                ControlFlow::Break(())
            }
        })?;
        let fence = self.store.pins.raise_fence();
        if rows.is_empty() {
            self.cursor.clear();
            return Ok(Next::After(if std::mem::take(&mut self.again) { WALK_PAUSE } else { IDLE_PAUSE }));
        }
        self.state = State::Fenced(rows, fence);
        Ok(Next::Again)
    }

    fn free(&mut self, rows: &[Row]) -> Result<Next, Error> {
        let snapshot = self.store.snapshot()?;
        let mut plan = Plan::default();
        for row in rows {
            if plan.is_full() {
                break;
            }
            self.cursor.clone_from(&row.key);
            let state = match self.plan_row(snapshot.as_ref(), row, &mut plan) {
                // An unreadable row keeps its bytes and must not keep the rest of the grave.
                Err(Error::Corrupt(why)) => {
                    if self.unreadable.insert(row.key.clone()) {
                        tracing::error!(%why, "a row of the grave is unreadable");
                    }
                    RowState::Passed
                }
                answer => answer?,
            };
            self.again |= state == RowState::Pinned;
            // A row with work left is looked at again in the next step, or in the next walk when others followed it.
            if state == RowState::Open {
                self.again = true;
            } else {
                self.cursor.push(0);
            }
        }
        drop(snapshot);
        self.store.blobs.remove(&plan.blobs).inspect_err(|_| self.again = true)?;
        if plan.batch.writes.is_empty() {
            return Ok(Next::Again);
        }
        self.state = State::Committing(PendingCommit::start(self.store.meta.as_ref(), plan.batch, self.bell.clone()));
        Ok(Next::Again)
    }

    fn plan_row(&mut self, snapshot: &dyn Snapshot, row: &Row, plan: &mut Plan) -> Result<RowState, Error> {
        let (space, record) = row.read()?;
        let state = match space {
            Space::Current => {
                let (_, object) = schema::decode::<ObjectRecord>(record)?;
                plan.object(snapshot, &self.store.pins, &object.content)?
            }
            Space::Uploads => {
                let (_, upload) = schema::decode::<UploadRecord>(record)?;
                let state = plan.parts(snapshot, upload.number, &HashSet::new())?;
                if let Some(session) = upload.session.filter(|_| state == RowState::Passed) {
                    let remains = sessions::remains(snapshot, upload.number, &session)?;
                    plan.batch.requires.extend(remains.requires);
                    plan.batch.writes.extend(remains.writes);
                }
                state
            }
            Space::Completed => {
                let (_, completed) = schema::decode::<CompletedRecord>(record)?;
                let taken = match self.taken.take() {
                    Some((number, taken)) if number == completed.number => taken,
                    _ => kept(snapshot, &completed.content)?,
                };
                let state = plan.parts(snapshot, completed.number, &taken)?;
                if state == RowState::Open {
                    self.taken = Some((completed.number, taken));
                }
                state
            }
            Space::Buckets => {
                let (number, _) = schema::decode::<BucketRecord>(record)?;
                self.plan_bucket(snapshot, number, plan)?
            }
            other => return Err(Error::Corrupt(format!("the grave holds a row of {}", other.name()))),
        };
        if state == RowState::Passed {
            plan.batch.writes.push(Write::Delete(Space::Grave, row.key.clone()));
        }
        Ok(state)
    }

    /// Aborts the uploads that were open in a deleted bucket, a bounded number at a time.
    fn plan_bucket(&self, snapshot: &dyn Snapshot, bucket: u64, plan: &mut Plan) -> Result<RowState, Error> {
        let first = schema::number_key(bucket);
        let mut found = false;
        let mut failure = None;
        snapshot.scan(Space::Uploads, &first, &prefix_end(&first), &mut |row, record| {
            found = true;
            match schema::decode::<UploadRecord>(record) {
                Ok((_, upload)) => {
                    let burial = bury_upload(row.to_vec(), upload.number, self.store.numbers.next());
                    plan.batch.requires.extend(burial.requires);
                    plan.batch.writes.extend(burial.writes);
                }
                Err(error) => failure = Some(error),
            }
            if plan.is_full() || failure.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(Visit::Next)
            }
        })?;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(RowState::passed_if(!found)),
        }
    }
}

#[derive(PartialEq, Eq)]
enum RowState {
    /// Nothing more to do here.
    Passed,
    /// Somebody reads it.
    Pinned,
    /// More to free than fits a step.
    Open,
}

impl RowState {
    fn passed_if(finished: bool) -> Self {
        if finished { Self::Passed } else { Self::Open }
    }
}

impl Row {
    fn read(&self) -> Result<(Space, &[u8]), Error> {
        let (space, record) =
            self.buried.split_first().ok_or_else(|| Error::Corrupt("an empty row in the grave".to_owned()))?;
        let space = Space::from_number(*space)
            .ok_or_else(|| Error::Corrupt(format!("the grave holds a row of space {space}")))?;
        Ok((space, record))
    }
}

impl Plan {
    fn is_full(&self) -> bool {
        self.batch.writes.len() >= MAINTENANCE_STEP_ITEMS
    }

    fn blob(&mut self, id: BlobId) {
        self.blobs.push(id);
        self.batch.writes.push(Write::Delete(Space::Blobs, id.to_bytes().to_vec()));
    }

    /// Frees what an object that was buried named, unless something else names it or somebody reads it.
    fn object(&mut self, snapshot: &dyn Snapshot, pins: &Pins, content: &Content) -> Result<RowState, Error> {
        match content {
            Content::Manifest(number) if self.gives_back(snapshot, *number)? => Ok(RowState::Passed),
            content if pins.is_pinned(content) => Ok(RowState::Pinned),
            Content::Manifest(number) => self.manifest(snapshot, pins, *number),
            content => {
                self.single(content);
                Ok(RowState::Passed)
            }
        }
    }

    /// Frees a body that is no manifest.
    fn single(&mut self, content: &Content) {
        match content {
            Content::Inline(number) => {
                self.batch.writes.push(Write::Delete(Space::Inline, schema::number_key(*number)));
            }
            Content::Blob(_) => content.blob_id().into_iter().for_each(|id| self.blob(id)),
            Content::Empty | Content::Manifest(_) => {}
        }
    }

    /// Gives back a reference, if it is not the last one.
    fn gives_back(&mut self, snapshot: &dyn Snapshot, manifest: u64) -> Result<bool, Error> {
        let name = schema::references_counter(manifest);
        let given_back = self.given_back.entry(manifest).or_default();
        if snapshot.counter(&name)? <= *given_back {
            return Ok(false);
        }
        *given_back += 1;
        self.batch.writes.push(Write::Add(name, -1));
        Ok(true)
    }

    /// Frees the extents that nothing names any more, one record a step, from the end. A blob may be read under its own name,
    /// by who began before a copy made a manifest of it.
    fn manifest(&mut self, snapshot: &dyn Snapshot, pins: &Pins, number: u64) -> Result<RowState, Error> {
        let Some(manifest) = manifest::read(snapshot, number)? else { return Ok(RowState::Passed) };
        for index in (0..u32::try_from(manifest.starts.len()).unwrap_or(u32::MAX)).rev() {
            if self.is_full() {
                return Ok(RowState::Open);
            }
            let Some(extents) = manifest::extents(snapshot, number, index)? else { continue };
            if extents.iter().any(|extent| pins.is_pinned(&extent.content)) {
                return Ok(RowState::Pinned);
            }
            extents.iter().for_each(|extent| self.single(&extent.content));
            self.batch.writes.push(Write::Delete(Space::Extents, schema::extents_key(number, index)));
        }
        self.batch.writes.push(Write::Delete(Space::Manifests, schema::number_key(number)));
        Ok(RowState::Passed)
    }

    /// Forgets an upload's part rows and frees all but what is `kept`.
    fn parts(&mut self, snapshot: &dyn Snapshot, upload: u64, kept: &HashSet<Content>) -> Result<RowState, Error> {
        let first = schema::number_key(upload);
        let mut rows = Vec::new();
        let room = MAINTENANCE_STEP_ITEMS.saturating_sub(self.batch.writes.len()).max(1);
        snapshot.scan(Space::Parts, &first, &prefix_end(&first), &mut |key, record| {
            rows.push((key.to_vec(), record.to_vec()));
            if rows.len() > room { ControlFlow::Break(()) } else { ControlFlow::Continue(Visit::Next) }
        })?;
        let more = rows.len() > room;
        let mut bytes = 0_i64;
        for (key, record) in rows.into_iter().take(room) {
            let (_, part) = schema::decode::<PartRecord>(&record)?;
            if !kept.contains(&part.content) {
                self.single(&part.content);
            }
            bytes = bytes.saturating_add(signed(part.size));
            self.batch.writes.push(Write::Delete(Space::Parts, key));
        }
        if bytes != 0 {
            self.batch.writes.push(Write::Add(schema::STAGED_COUNTER.to_vec(), -bytes));
        }
        Ok(RowState::passed_if(!more))
    }
}

/// The bodies a completed object took over. When its manifest is gone already, so are they: freeing them again is harmless.
fn kept(snapshot: &dyn Snapshot, taken: &Content) -> Result<HashSet<Content>, Error> {
    let Content::Manifest(number) = taken else { return Ok(HashSet::from([taken.clone()])) };
    let mut kept = HashSet::new();
    let records = manifest::read(snapshot, *number)?.map_or(0, |manifest| manifest.starts.len());
    for index in 0..u32::try_from(records).unwrap_or(u32::MAX) {
        let extents = manifest::extents(snapshot, *number, index)?.unwrap_or_default();
        kept.extend(extents.into_iter().map(|extent| extent.content));
    }
    Ok(kept)
}

impl Worker for Gc {
    fn name(&self) -> &'static str {
        "gc"
    }

    fn step(&mut self) -> Result<Next, WorkerError> {
        match std::mem::replace(&mut self.state, State::Walk) {
            State::Walk => Ok(self.walk()?),
            State::Fenced(rows, fence) if self.store.pins.passed(fence) => Ok(self.free(&rows)?),
            State::Fenced(rows, fence) => {
                self.state = State::Fenced(rows, fence);
                Ok(Next::After(FENCE_PAUSE))
            }
            State::Committing(mut commit) => match commit.poll() {
                Some(answer) => {
                    self.again |= answer.is_err();
                    answer.map_err(|error| WorkerError(error.to_string()))?;
                    Ok(Next::Again)
                }
                None => {
                    self.state = State::Committing(commit);
                    Ok(Next::After(COMMIT_PAUSE))
                }
            },
        }
    }

    fn bell(&self) -> Bell {
        self.bell.clone()
    }
}
