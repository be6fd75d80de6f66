//! Background work, one bounded step at a time.
//!
//! A worker never sleeps, spawns or loops for ever: it does one step and says when it wants the next. In production a
//! supervisor ([`crate::app`]) drives each worker on a thread of its own and owns pacing, errors, shutdown and status;
//! in simulations the test drives the steps, so a seed replays them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What a worker wants after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do now.
    Again,
    /// Nothing to do until the bell rings or this much time has passed.
    After(Duration),
    /// The work is finished for good; the supervisor drops the worker.
    Finished,
}

/// One kind of background work.
pub trait Worker: Send + 'static {
    /// The name in logs, metrics and the console.
    fn name(&self) -> &'static str;

    /// One bounded unit of work. An error is logged and counted by the supervisor, which backs off and goes on.
    fn step(&mut self) -> Result<Next, WorkerError>;

    /// The bell that wakes this worker early.
    fn bell(&self) -> Bell;
}

/// Why a step failed, in words for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkerError(pub String);

/// Wakes a waiting worker. Ringing before the worker waits is not lost; ringing twice wakes once.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    /// Wakes the worker.
    pub fn ring(&self) {
        let (rung, condvar) = &*self.0;
        let mut rung = rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !*rung {
            *rung = true;
            condvar.notify_one();
        }
    }

    /// Waits until the bell rings or `at_most` has passed. True when it rang.
    pub fn wait(&self, at_most: Duration) -> bool {
        let (rung, condvar) = &*self.0;
        let rung = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            condvar.wait_timeout_while(rung, at_most, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}
