//! Expiry: aborts uploads that were idle for too long, forgets completed uploads after their week, and removes records whose
//! time is over.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::limits::{COMPLETED_KEPT, MAINTENANCE_STEP_ITEMS};
use crate::base::worker::{Bell, Next, Worker, WorkerError};
use crate::store::Store;
use crate::store::error::Error;
use crate::store::maintain::{COMMIT_PAUSE, PendingCommit};
use crate::store::meta::schema::{self, CompletedRecord, UploadRecord};
use crate::store::meta::{Batch, Snapshot, Space, Visit, Write};
use crate::store::multipart::{bury_upload, visit_parts};
use crate::store::records::expiry;
use crate::store::sessions::with_name_forgotten;

/// The longest pause between two walks.
const WALK_PAUSE_MAX: Duration = Duration::from_secs(60);

/// The expiry worker.
pub struct Expire {
    store: Arc<Store>,
    idle_max: Duration,
    bell: Bell,
    walk: Walk,
    commit: Option<PendingCommit>,
}

/// Which table is being walked, and the first key not looked at yet.
enum Walk {
    Uploads(Vec<u8>),
    Completed(Vec<u8>),
    Records(Vec<u8>),
}

impl Expire {
    /// Aborts uploads to which nothing came for `idle_max`.
    pub fn new(store: Arc<Store>, idle_max: Duration) -> Self {
        Self { store, idle_max, bell: Bell::default(), walk: Walk::Uploads(Vec::new()), commit: None }
    }

    fn look(&mut self) -> Result<Next, Error> {
        let snapshot = self.store.snapshot()?;
        let (batch, next) = match &self.walk {
            Walk::Uploads(from) => {
                let (batch, next) = self.uploads(snapshot.as_ref(), from)?;
                (batch, next.map_or(Walk::Completed(Vec::new()), Walk::Uploads))
            }
            Walk::Completed(from) => {
                let (batch, next) = self.completed(snapshot.as_ref(), from)?;
                (batch, next.map_or(Walk::Records(Vec::new()), Walk::Completed))
            }
            Walk::Records(from) => {
                let (batch, next) = self.records(snapshot.as_ref(), from)?;
                (batch, next.map_or(Walk::Uploads(Vec::new()), Walk::Records))
            }
        };
        drop(snapshot);
        let walked_all = matches!(&next, Walk::Uploads(from) if from.is_empty());
        self.walk = next;
        if !batch.writes.is_empty() {
            self.commit = Some(PendingCommit::start(self.store.meta.as_ref(), batch, self.bell.clone()));
            return Ok(Next::Again);
        }
        Ok(if walked_all { Next::After(WALK_PAUSE_MAX.min(self.idle_max)) } else { Next::Again })
    }

    /// One upload a batch: an upload that is completed meanwhile refuses its own burial alone.
    fn uploads(&self, snapshot: &dyn Snapshot, from: &[u8]) -> Result<(Batch, Option<Vec<u8>>), Error> {
        let mut looked = 0;
        let mut old = None;
        let mut next = None;
        let mut failure = None;
        snapshot.scan(Space::Uploads, from, &[], &mut |row, record| {
            if looked == MAINTENANCE_STEP_ITEMS || old.is_some() {
                next = Some(row.to_vec());
                return ControlFlow::Break(());
            }
            looked += 1;
            match self.is_idle(snapshot, record) {
                Ok(Some(number)) => old = Some((row.to_vec(), number)),
                Ok(None) => {}
                // An unreadable upload stays, and must not keep the others.
                Err(Error::Corrupt(why)) => tracing::error!(%why, "an open upload is unreadable"),
                Err(error) => failure = Some(error),
            }
            ControlFlow::Continue(Visit::Next)
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        let batch = old.map_or_else(Batch::default, |(row, number)| {
            tracing::info!(upload = number, "an idle upload expired");
            bury_upload(row, number, self.store.numbers.next())
        });
        Ok((batch, next))
    }

    /// The upload's number when nothing came to it for too long.
    fn is_idle(&self, snapshot: &dyn Snapshot, record: &[u8]) -> Result<Option<u64>, Error> {
        let now = self.store.now();
        let (_, upload) = schema::decode::<UploadRecord>(record)?;
        if now.since(Timestamp(upload.initiated)) < self.idle_max {
            return Ok(None);
        }
        let mut latest = upload.initiated;
        visit_parts(snapshot, upload.number, None, &mut |_, part| {
            latest = latest.max(part.modified);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((now.since(Timestamp(latest)) >= self.idle_max).then_some(upload.number))
    }

    fn completed(&self, snapshot: &dyn Snapshot, from: &[u8]) -> Result<(Batch, Option<Vec<u8>>), Error> {
        let now = self.store.now();
        let mut looked = 0;
        let mut batch = Batch::default();
        let mut next = None;
        snapshot.scan(Space::Completed, from, &[], &mut |key, record| {
            if looked == MAINTENANCE_STEP_ITEMS {
                next = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            looked += 1;
            match schema::decode::<CompletedRecord>(record) {
                Ok((_, completed)) if now.since(Timestamp(completed.completed)) >= COMPLETED_KEPT => {
                    batch.writes.push(Write::Delete(Space::Completed, key.to_vec()));
                    if let Some(name) = completed.session.and_then(|session| session.name) {
                        match with_name_forgotten(snapshot, Batch::default(), &name, completed.number) {
                            Ok(forgotten) => {
                                batch.requires.extend(forgotten.requires);
                                batch.writes.extend(forgotten.writes);
                            }
                            Err(error) => tracing::error!(%error, "a session's name is unreadable"),
                        }
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "a completed upload is unreadable"),
            }
            ControlFlow::Continue(Visit::Next)
        })?;
        Ok((batch, next))
    }

    /// Each record that is removed is required to be the one that was looked at: one that was put anew stays.
    fn records(&self, snapshot: &dyn Snapshot, from: &[u8]) -> Result<(Batch, Option<Vec<u8>>), Error> {
        let now = self.store.now();
        let mut looked = 0;
        let mut batch = Batch::default();
        let mut next = None;
        snapshot.scan(Space::Records, from, &[], &mut |key, record| {
            if looked == MAINTENANCE_STEP_ITEMS {
                next = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            looked += 1;
            match expiry(key, record, now) {
                Ok(Some((require, writes))) => {
                    batch.requires.push(require);
                    batch.writes.extend(writes);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "a record is unreadable"),
            }
            ControlFlow::Continue(Visit::Next)
        })?;
        Ok((batch, next))
    }
}

impl Worker for Expire {
    fn name(&self) -> &'static str {
        "expire"
    }

    fn step(&mut self) -> Result<Next, WorkerError> {
        let Some(mut commit) = self.commit.take() else { return Ok(self.look()?) };
        match commit.poll() {
            Some(_) => {
                // A refusal means that the upload was completed or aborted meanwhile, or that a record was put anew; that and a
                // failure are met again on the next walk.
                Ok(Next::Again)
            }
            None => {
                self.commit = Some(commit);
                Ok(Next::After(COMMIT_PAUSE))
            }
        }
    }

    fn bell(&self) -> Bell {
        self.bell.clone()
    }
}
