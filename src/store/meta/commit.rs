//! Group commit: one committer takes what is queued at that moment, judges and applies it in one redb transaction, pays
//! one fsync for all of it and answers everybody.
//!
//! The shape follows slatedb's batch writer: one writer task, messages that carry their answer. A group never waits for
//! company; under load company gathers by itself while the previous group is being synced.
//!
//! Invariants:
//! - nobody is answered before the transaction of the whole group is durable, the refused included: they were judged
//!   against what the group did before them;
//! - after a failure every batch of the group is answered [`CommitError::Unavailable`], the engine is reopened, and no
//!   batch is tried again;
//! - the committer works only inside [`Worker::step`], on the caller's thread.
//!
//! A commit saves redb's allocator state ("quick repair") when its group is large enough to pay for it. When the last
//! commit did not, and nothing comes for a while, one empty commit does: nearly every crash then reopens at once. Saving
//! takes one more sync, so on a device whose syncs are slow it is done a few times a second at most ([`thrift`]).

mod group;
mod queue;
mod thrift;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use redb::WriteTransaction;

use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::worker::{Bell, Next, Worker, WorkerError};

use super::CommitError;
use super::local::{CatalogEvent, Engine};
use group::Group;
pub(crate) use queue::Queue;
use queue::{Answer, Pending};
use thrift::Thrift;

/// Pause after which an empty queue counts as idle; the idle commit comes after two of them.
const IDLE: Duration = Duration::from_millis(100);
/// Pause when there is nothing left to do at all.
const ASLEEP: Duration = Duration::from_secs(60);
/// Pause before the first attempt to reopen; it doubles with each failure.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(100);
/// ... at most
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The one writer of a [`LocalMeta`](super::local::LocalMeta). Dropping it closes the catalog.
pub struct Committer {
    engine: Arc<Engine>,
    /// The last commit saved the allocator state, so a crash needs no repair.
    settled: bool,
    /// The previous step found nothing to do.
    idle: bool,
    /// The engine's failure was noticed, and its pause is over at the next step.
    reopening: bool,
    /// The next pause after a failure.
    pause: Duration,
    thrift: Thrift,
}

/// What became of a group.
struct Outcome {
    /// For each batch the requirement it failed, if any.
    refusals: Vec<Option<usize>>,
    /// Whether the allocator state was saved; `None` when nothing changed and nothing was committed.
    quick_repair: Option<bool>,
}

impl Committer {
    /// The committer of a freshly opened engine, which needs no repair after a crash if it is `settled`.
    pub(crate) fn new(engine: Arc<Engine>, settled: bool) -> Self {
        Self { engine, settled, idle: false, reopening: false, pause: REOPEN_PAUSE_MIN, thrift: Thrift::default() }
    }

    /// From now on the clock tells how long this device takes to sync; without one every sync counts as fast.
    pub fn measure_syncs(&mut self, clock: Arc<dyn Clock>) {
        self.thrift = Thrift::new(clock);
    }

    fn commit(&mut self, pending: Vec<Pending>) -> Next {
        self.idle = false;
        let (batches, answers): (Vec<_>, Vec<_>) = pending.into_iter().map(|p| (p.batch, p.answer)).unzip();
        let full = batches.len() == limits::GROUP_BATCHES_MAX;
        let mut thrift = std::mem::take(&mut self.thrift);
        let committed = self.transact(|transaction| {
            let mut group = Group::new(&transaction);
            let refusals = batches.into_iter().map(|batch| group.offer(batch)).collect::<Result<_, _>>()?;
            let changed = group.finish()?;
            let quick_repair = finish(transaction, changed, &mut thrift)?;
            Ok(Outcome { refusals, quick_repair })
        });
        self.thrift = thrift;
        match committed {
            Ok(outcome) => {
                self.report(&outcome);
                answer(answers, outcome.refusals);
                if full { Next::Again } else { Next::After(if self.settled { ASLEEP } else { IDLE }) }
            }
            Err(reason) => {
                for answer in answers {
                    // A receiver that is gone wants no answer.
                    let _ = answer.send(Err(CommitError::Unavailable(reason.clone())));
                }
                self.failed()
            }
        }
    }

    /// Nothing is queued: sleeps, or leaves the file so that a crash needs no repair.
    fn settle(&mut self) -> Next {
        if self.settled {
            return Next::After(ASLEEP);
        }
        // The bell may ring late for a batch that the step before took along, so one empty step does not mean idle.
        if !std::mem::replace(&mut self.idle, true) {
            return Next::After(IDLE);
        }
        let committed = self.transact(|mut transaction| {
            transaction.set_quick_repair(true);
            transaction.commit()?;
            Ok(Outcome { refusals: Vec::new(), quick_repair: Some(true) })
        });
        match committed {
            Ok(outcome) => {
                self.report(&outcome);
                Next::After(ASLEEP)
            }
            Err(_) => self.failed(),
        }
    }

    /// Runs `work` in a transaction. Any error, and any panic, fails the engine: what became of the transaction is
    /// unknown, and redb refuses more after most of them.
    fn transact(&self, work: impl FnOnce(WriteTransaction) -> Result<Outcome, redb::Error>) -> Result<Outcome, String> {
        let (transaction, generation) = self.engine.begin_write()?;
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| work(transaction)));
        let reason = match result {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a panic in the committer".to_owned(),
        };
        self.engine.fail(generation, &reason);
        Err(reason)
    }

    fn report(&mut self, outcome: &Outcome) {
        let Some(quick_repair) = outcome.quick_repair else { return };
        self.settled = quick_repair;
        // Only a commit proves that the disk works again: a reopening may not even write.
        self.pause = REOPEN_PAUSE_MIN;
        self.engine.tell(CatalogEvent::Committed {
            batches: outcome.refusals.len(),
            refused: outcome.refusals.iter().flatten().count(),
            quick_repair,
        });
    }

    fn failed(&mut self) -> Next {
        self.reopening = true;
        let pause = self.pause;
        self.pause = (pause * 2).min(REOPEN_PAUSE_MAX);
        Next::After(pause)
    }

    fn reopen(&mut self) -> Next {
        // A failure that a reader noticed woke us: its pause begins now.
        if !self.reopening {
            return self.failed();
        }
        match self.engine.reopen() {
            Ok(settled) => {
                self.settled = settled;
                self.reopening = false;
                self.idle = false;
                Next::Again
            }
            Err(reason) => {
                tracing::error!(%reason, "the catalog cannot be reopened");
                self.failed()
            }
        }
    }
}

impl Worker for Committer {
    fn name(&self) -> &'static str {
        "committer"
    }

    fn step(&mut self) -> Result<Next, WorkerError> {
        let taken = self.engine.queue().take(limits::GROUP_BATCHES_MAX);
        if !taken.batches.is_empty() {
            return Ok(self.commit(taken.batches));
        }
        if taken.closing {
            self.engine.close();
            return Ok(Next::Finished);
        }
        Ok(if self.engine.is_available() { self.settle() } else { self.reopen() })
    }

    fn bell(&self) -> Bell {
        self.engine.queue().bell()
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.engine.close();
    }
}

/// Commits a transaction in which `changed` batches changed something; answers whether the allocator state was saved.
fn finish(mut transaction: WriteTransaction, changed: usize, thrift: &mut Thrift) -> Result<Option<bool>, redb::Error> {
    if changed == 0 {
        transaction.abort()?;
        return Ok(None);
    }
    let quick_repair = changed >= limits::QUICK_REPAIR_BATCHES_MIN && thrift.allows();
    transaction.set_quick_repair(quick_repair);
    if quick_repair {
        thrift.measure(|| transaction.commit())?;
    } else {
        transaction.commit()?;
    }
    Ok(Some(quick_repair))
}

fn answer(answers: Vec<Answer>, refusals: Vec<Option<usize>>) {
    for (answer, refusal) in answers.into_iter().zip(refusals) {
        // A receiver that is gone wants no answer.
        let _ = answer.send(refusal.map_or(Ok(()), |index| Err(CommitError::Refused(index))));
    }
}
