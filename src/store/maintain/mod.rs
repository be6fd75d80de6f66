//! Background work of the store: freeing what was buried ([`gc`]), removing blobs no record names ([`sweep`]), ending what
//! nobody finishes ([`expire`]). Each is a [`crate::base::worker::Worker`]: whoever opened the store drives the steps.

pub mod expire;
pub mod gc;
pub mod sweep;

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::base::worker::{Bell, WorkerError};
use crate::store::error::Error;
use crate::store::meta::{Batch, CommitError, CommitFuture, Meta};

/// How long a worker waits at most for a commit's bell before it looks again.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// A commit a worker has under way: the worker's bell rings when it is answered.
struct PendingCommit {
    future: CommitFuture,
    waker: Waker,
}

impl PendingCommit {
    fn start(meta: &dyn Meta, batch: Batch, bell: Bell) -> Self {
        Self { future: meta.commit(batch), waker: Waker::from(Arc::new(Ring(bell))) }
    }

    /// The answer, if it is there.
    fn poll(&mut self) -> Option<Result<(), CommitError>> {
        match self.future.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }
}

struct Ring(Bell);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

impl From<Error> for WorkerError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}
