//! A number that tells whether what was read out of the catalog may have changed.
//!
//! It is raised when a commit is answered, whatever the answer, and before its caller hears of it. A caller that goes away
//! before the answer leaves its commit behind, which is carried out all the same: as long as there is such a commit, every
//! look at the number raises it, so that nothing is kept that it may change.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::store::meta::{Batch, CommitError, CommitFuture, Meta};

/// The number, and the commits nobody waits for any more.
#[derive(Default)]
pub(super) struct Generation {
    number: AtomicU64,
    /// Whether `left` holds any.
    is_any_left: AtomicBool,
    left: Mutex<Vec<CommitFuture>>,
}

/// A commit that somebody waits for.
struct Awaited<'a> {
    generation: &'a Generation,
    commit: Option<CommitFuture>,
}

impl Generation {
    /// Another number whenever a commit may have changed something since it was given last.
    pub(super) fn current(&self) -> u64 {
        if self.is_any_left.load(Ordering::Acquire) {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            left.retain_mut(|commit| commit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            self.is_any_left.store(!left.is_empty(), Ordering::Release);
            self.raise();
        }
        self.number.load(Ordering::Acquire)
    }

    /// Commits the batch and raises the number.
    pub(super) async fn commit(&self, meta: &dyn Meta, batch: Batch) -> Result<(), CommitError> {
        Awaited { generation: self, commit: Some(meta.commit(batch)) }.await
    }

    fn raise(&self) {
        self.number.fetch_add(1, Ordering::AcqRel);
    }
}

impl Future for Awaited<'_> {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(commit) = self.commit.as_mut() else { return Poll::Pending };
        let answer = std::task::ready!(commit.as_mut().poll(context));
        self.commit = None;
        self.generation.raise();
        Poll::Ready(answer)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let Some(commit) = self.commit.take() else { return };
        let mut left = self.generation.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.push(commit);
        self.generation.is_any_left.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::store::meta::{MetaError, Snapshot};

    /// Answers a commit when it is told to.
    struct Told(Mutex<Option<oneshot::Receiver<Result<(), CommitError>>>>);

    impl Meta for Told {
        fn snapshot(&self) -> Result<Box<dyn Snapshot>, MetaError> {
            Err(MetaError::Unavailable("nobody reads here".to_owned()))
        }

        fn commit(&self, _: Batch) -> CommitFuture {
            let told = self.0.lock().unwrap().take().unwrap();
            Box::pin(async move { told.await.unwrap() })
        }
    }

    #[test]
    fn every_answer_raises_it_before_it_is_heard() {
        for answer in [Ok(()), Err(CommitError::Refused(0)), Err(CommitError::Unavailable(String::new()))] {
            let (tell, told) = oneshot::channel();
            let (generation, meta) = (Generation::default(), Told(Mutex::new(Some(told))));
            let mut commit = std::pin::pin!(generation.commit(&meta, Batch::default()));
            let mut context = Context::from_waker(Waker::noop());
            assert!(commit.as_mut().poll(&mut context).is_pending());
            assert_eq!(generation.current(), 0);
            tell.send(answer.clone()).unwrap();
            assert_eq!(commit.as_mut().poll(&mut context), Poll::Ready(answer));
            assert_eq!(generation.current(), 1);
            assert_eq!(generation.current(), 1);
        }
    }

    #[test]
    fn nothing_is_kept_while_a_commit_is_under_way_that_nobody_waits_for() {
        let (tell, told) = oneshot::channel();
        let (generation, meta) = (Generation::default(), Told(Mutex::new(Some(told))));
        {
            let mut commit = std::pin::pin!(generation.commit(&meta, Batch::default()));
            assert!(commit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let (first, second) = (generation.current(), generation.current());
        assert_ne!(first, second);
        tell.send(Ok(())).unwrap();
        let last = generation.current();
        assert_ne!(second, last);
        assert_eq!(generation.current(), last);
    }
}
