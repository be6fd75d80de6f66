//! Blobs that may be named by no record: bodies that broke off or were refused, requests that vanished in the middle of their
//! commit, commits of unknown outcome.
//!
//! Whoever begins a blob holds an [`OrphanGuard`] until a commit that names the blob has been answered. A guard that is
//! dropped earlier puts the blob here, and the sweep removes it once it is certain that no commit names it. A run has ended
//! cleanly only when no guard is alive and nothing is in doubt: work that was cut off goes on, on blocking threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::id::BlobId;
use crate::base::worker::Bell;

/// The blobs in doubt.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    state: Mutex<State>,
    bell: Bell,
}

#[derive(Debug, Default)]
struct State {
    doubtful: Vec<BlobId>,
    /// Guards that are alive.
    guarded: usize,
}

impl Orphans {
    /// At most `max` of those in doubt, which are the caller's from now on.
    pub(super) fn take(&self, max: usize) -> Vec<BlobId> {
        let mut state = self.lock();
        let keep = state.doubtful.len().saturating_sub(max);
        state.doubtful.split_off(keep)
    }

    /// Gives back what could not be judged. Does not ring: it was tried a moment ago.
    pub(super) fn put_back(&self, ids: Vec<BlobId>) {
        self.lock().doubtful.extend(ids);
    }

    /// Whether no blob is in doubt, and none that is being made can come in doubt.
    pub(super) fn are_settled(&self) -> bool {
        let state = self.lock();
        state.doubtful.is_empty() && state.guarded == 0
    }

    /// Rings when a blob comes in doubt.
    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks after one blob.
#[derive(Debug)]
pub(super) struct OrphanGuard {
    id: BlobId,
    named: bool,
    orphans: Arc<Orphans>,
}

impl OrphanGuard {
    pub(super) fn new(id: BlobId, orphans: Arc<Orphans>) -> Self {
        orphans.lock().guarded += 1;
        Self { id, named: false, orphans }
    }

    /// A commit that names the blob was answered: it is no orphan.
    pub(super) fn named(mut self) {
        self.named = true;
    }
}

impl Drop for OrphanGuard {
    fn drop(&mut self) {
        let mut state = self.orphans.lock();
        state.guarded = state.guarded.saturating_sub(1);
        if !self.named {
            state.doubtful.push(self.id);
            drop(state);
            self.orphans.bell.ring();
        }
    }
}
