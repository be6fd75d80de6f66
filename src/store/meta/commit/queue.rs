//! Batches that wait for the committer, each with the place its answer goes to.
//!
//! While the engine is unavailable or closing the queue turns batches away at once, so nothing waits for an engine that
//! may not come back.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::base::limits;
use crate::base::worker::Bell;
use crate::store::meta::{Batch, CommitError};

/// A batch and who waits for it.
pub(crate) struct Pending {
    /// What to do.
    pub(crate) batch: Batch,
    /// Where the outcome goes. The receiver may be gone: the batch is carried out all the same.
    pub(crate) answer: Answer,
}

/// The sending end of one batch's outcome.
pub(crate) type Answer = oneshot::Sender<Result<(), CommitError>>;

/// What the committer found when it looked.
pub(crate) struct Taken {
    /// The oldest batches, in the order they came.
    pub(crate) batches: Vec<Pending>,
    /// The queue takes no more batches.
    pub(crate) closing: bool,
}

/// The queue of one engine.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Bell,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Pending>,
    refusal: Option<String>,
    closing: bool,
}

impl Queue {
    /// The bell that rings when there is something to do.
    pub(crate) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Queues a batch. The outcome comes through the receiver.
    pub(crate) fn push(&self, batch: Batch) -> Result<oneshot::Receiver<Result<(), CommitError>>, CommitError> {
        let mut waiting = self.lock();
        if let Some(reason) = &waiting.refusal {
            return Err(CommitError::Unavailable(reason.clone()));
        }
        if waiting.batches.len() >= limits::QUEUED_BATCHES_MAX {
            return Err(CommitError::Unavailable("too many commits wait".into()));
        }
        let (answer, outcome) = oneshot::channel();
        waiting.batches.push_back(Pending { batch, answer });
        // A queue that was not empty has rung already, and the committer has not looked since.
        if waiting.batches.len() == 1 {
            self.bell.ring();
        }
        Ok(outcome)
    }

    /// Takes at most `most` batches. The committer looks again when it took that many, so no ring is needed.
    pub(crate) fn take(&self, most: usize) -> Taken {
        let mut waiting = self.lock();
        let count = waiting.batches.len().min(most);
        Taken { batches: waiting.batches.drain(..count).collect(), closing: waiting.closing }
    }

    /// Turns away what waits and what comes, until [`Queue::accept`].
    pub(crate) fn refuse(&self, reason: &str) {
        let mut waiting = self.lock();
        let turned_away = std::mem::take(&mut waiting.batches);
        waiting.refusal = Some(reason.to_owned());
        drop(waiting);
        for pending in turned_away {
            // A receiver that is gone wants no answer.
            let _ = pending.answer.send(Err(CommitError::Unavailable(reason.to_owned())));
        }
    }

    /// Takes batches again, unless the queue is closing.
    pub(crate) fn accept(&self) {
        let mut waiting = self.lock();
        if !waiting.closing {
            waiting.refusal = None;
        }
    }

    /// Turns away what comes, for ever. What waits is still carried out.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closing = true;
        waiting.refusal.get_or_insert_with(|| "the catalog is closing".to_owned());
        drop(waiting);
        self.bell.ring();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
