//! The orphan sweep: removes blobs that no record names. It looks at two places only: the directories of earlier runs that
//! did not end cleanly, and the blobs of this run that came in doubt ([`crate::store`]'s orphans).
//!
//! A blob of this run is judged after a barrier: an empty batch, answered after every commit that could name the blob.

use std::sync::Arc;
use std::time::Duration;

use crate::base::id::{BlobId, RunNumber};
use crate::base::limits::MAINTENANCE_STEP_ITEMS;
use crate::base::worker::{Bell, Next, Worker, WorkerError};
use crate::store::Store;
use crate::store::error::Error;
use crate::store::maintain::{COMMIT_PAUSE, PendingCommit};
use crate::store::meta::schema::run_key;
use crate::store::meta::{Batch, Space, Write};

/// How long an idle sweep waits: its bell rings when a blob comes in doubt.
const IDLE_PAUSE: Duration = Duration::from_secs(60);

/// The sweep.
pub struct Sweep {
    store: Arc<Store>,
    unswept: Vec<RunNumber>,
    after: Option<BlobId>,
    state: State,
}

enum State {
    Look,
    /// These blobs of this run are judged when the barrier has been answered.
    Barrier(Vec<BlobId>, PendingCommit),
    /// The row of a swept run is being removed.
    Forgetting(PendingCommit),
}

impl Sweep {
    /// A sweep of this store and of the earlier runs in `unswept`.
    pub fn new(store: Arc<Store>, unswept: Vec<RunNumber>) -> Self {
        Self { store, unswept, after: None, state: State::Look }
    }

    /// From now on only this run's own blobs are judged: the run is about to end, and earlier runs keep their rows.
    pub fn leave_earlier_runs(&mut self) {
        self.unswept.clear();
    }

    /// Whether nothing of this run is in doubt, nor can come in doubt.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Look) && self.store.orphans.are_settled()
    }

    fn look(&mut self) -> Result<Next, Error> {
        let doubtful = self.store.orphans.take(MAINTENANCE_STEP_ITEMS);
        if !doubtful.is_empty() {
            self.state = State::Barrier(doubtful, self.commit(Batch::default()));
            return Ok(Next::Again);
        }
        let Some(&run) = self.unswept.last() else { return Ok(Next::After(IDLE_PAUSE)) };
        let found = self.store.blobs.list(run, self.after, MAINTENANCE_STEP_ITEMS)?;
        let Some(&last) = found.last() else {
            self.state =
                State::Forgetting(self.commit(Batch::default().write(Write::Delete(Space::Runs, run_key(run)))));
            return Ok(Next::Again);
        };
        let removed = self.remove_unnamed(found)?;
        if removed > 0 {
            tracing::info!(run, removed, "removed blobs that an unclean end left behind");
        }
        self.after = Some(last);
        Ok(Next::Again)
    }

    fn remove_unnamed(&self, candidates: Vec<BlobId>) -> Result<usize, Error> {
        let snapshot = self.store.snapshot()?;
        let mut unnamed = Vec::new();
        for id in candidates {
            if snapshot.get(Space::Blobs, &id.to_bytes())?.is_none() {
                unnamed.push(id);
            }
        }
        self.store.blobs.remove(&unnamed)?;
        Ok(unnamed.len())
    }

    fn commit(&self, batch: Batch) -> PendingCommit {
        PendingCommit::start(self.store.meta.as_ref(), batch, self.bell())
    }

    fn judge(&mut self, doubtful: Vec<BlobId>, barrier_held: bool) -> Result<Next, Error> {
        if !barrier_held {
            self.store.orphans.put_back(doubtful);
            return Err(Error::Busy("the catalog did not answer".to_owned()));
        }
        if let Err(error) = self.remove_unnamed(doubtful.clone()) {
            self.store.orphans.put_back(doubtful);
            return Err(error);
        }
        Ok(Next::Again)
    }
}

impl Worker for Sweep {
    fn name(&self) -> &'static str {
        "sweep"
    }

    fn step(&mut self) -> Result<Next, WorkerError> {
        match std::mem::replace(&mut self.state, State::Look) {
            State::Look => Ok(self.look()?),
            State::Barrier(doubtful, mut barrier) => match barrier.poll() {
                Some(answer) => Ok(self.judge(doubtful, answer.is_ok())?),
                None => {
                    self.state = State::Barrier(doubtful, barrier);
                    Ok(Next::After(COMMIT_PAUSE))
                }
            },
            State::Forgetting(mut commit) => match commit.poll() {
                Some(answer) => {
                    answer.map_err(|error| WorkerError(error.to_string()))?;
                    self.unswept.pop();
                    self.after = None;
                    Ok(Next::Again)
                }
                None => {
                    self.state = State::Forgetting(commit);
                    Ok(Next::After(COMMIT_PAUSE))
                }
            },
        }
    }

    fn bell(&self) -> Bell {
        self.store.orphans.bell()
    }
}
