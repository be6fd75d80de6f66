//! Blobs that may be named by no record: bodies refused after they were written, requests that vanished in the middle of
//! their commit, commits of unknown outcome.
//!
//! Whoever seals a blob holds an [`OrphanGuard`] until a commit that names the blob has been answered. A guard that is
//! dropped earlier puts the blob here, and the sweep removes it once it is certain that no commit names it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::BlobId;
use crate::base::worker::Bell;

/// The blobs in doubt.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    ids: Mutex<Vec<BlobId>>,
    bell: Bell,
}

impl Orphans {
    pub(super) fn add(&self, ids: impl IntoIterator<Item = BlobId>) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        self.bell.ring();
    }

    /// At most `max` of them, which are the caller's from now on.
    pub(super) fn take(&self, max: usize) -> Vec<BlobId> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = ids.len().saturating_sub(max);
        ids.split_off(keep)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Rings when a blob comes in doubt.
    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

/// Looks after one sealed blob.
#[derive(Debug)]
pub(super) struct OrphanGuard {
    id: Option<BlobId>,
    orphans: Arc<Orphans>,
}

impl OrphanGuard {
    pub(super) fn new(id: BlobId, orphans: Arc<Orphans>) -> Self {
        Self { id: Some(id), orphans }
    }

    /// A commit that names the blob was answered: it is no orphan.
    pub(super) fn named(mut self) {
        self.id = None;
    }
}

impl Drop for OrphanGuard {
    fn drop(&mut self) {
        self.orphans.add(self.id);
    }
}
