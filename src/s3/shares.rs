//! What all requests share: memory for the documents they send, and turns for the copies that read and for long judgements.
//!
//! A document is gathered in memory, as much of it as has come. Each has a limit of its own; all together have this one, so
//! that many clients that stop halfway cannot fill the machine. A copy that reads and writes holds buffers and descriptors
//! for as long as it takes, although its request has no body that would slow its sender down: those that are too many wait.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{Code, Error};
use crate::base::limits::{COPIES_CONCURRENT, DOCUMENTS_MAX_BYTES, JUDGEMENTS_CONCURRENT};

/// Documents are counted in pieces of this size.
const UNIT_BYTES: usize = 16 << 10;

/// What is left to share.
#[derive(Clone, Debug)]
pub struct Shares {
    documents: Arc<Semaphore>,
    copies: Arc<Semaphore>,
    judgements: Arc<Semaphore>,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            documents: Arc::new(Semaphore::new(DOCUMENTS_MAX_BYTES / UNIT_BYTES)),
            copies: Arc::new(Semaphore::new(COPIES_CONCURRENT)),
            judgements: Arc::new(Semaphore::new(JUDGEMENTS_CONCURRENT)),
        }
    }
}

/// Memory that a document holds until this is dropped.
#[derive(Debug, Default)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Shares {
    /// Lets a document grow to `bytes`.
    ///
    /// # Errors
    /// `SlowDown` when the documents under way hold all there is.
    pub fn grow(&self, held: &mut Held, bytes: usize) -> Result<(), Error> {
        let has = held.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(UNIT_BYTES).saturating_sub(has);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.documents).try_acquire_many_owned(more).map_err(|_| Code::SLOW_DOWN)?;
        match &mut held.0 {
            Some(all) => all.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }

    /// Waits for a turn to copy bytes; it ends when the answer is dropped.
    pub async fn copy_turn(&self) -> Option<OwnedSemaphorePermit> {
        // Nobody closes the semaphore.
        Arc::clone(&self.copies).acquire_owned().await.ok()
    }

    /// Waits for a turn to judge many things at once; it ends when the answer is dropped.
    pub async fn judgement_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.judgements).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_share_their_memory_and_give_it_back() {
        let shares = Shares::default();
        let (mut first, mut second) = (Held::default(), Held::default());
        shares.grow(&mut first, 1).unwrap();
        shares.grow(&mut first, DOCUMENTS_MAX_BYTES - UNIT_BYTES).unwrap();
        shares.grow(&mut first, 5).unwrap();
        shares.grow(&mut second, UNIT_BYTES).unwrap();
        assert_eq!(shares.grow(&mut second, UNIT_BYTES + 1).unwrap_err().code(), Code::SLOW_DOWN);
        drop(first);
        shares.grow(&mut second, DOCUMENTS_MAX_BYTES).unwrap();
    }

    #[tokio::test]
    async fn copies_take_turns() {
        use futures_util::FutureExt as _;
        let shares = Shares::default();
        let mut turns = Vec::new();
        for _ in 0..COPIES_CONCURRENT {
            turns.push(shares.copy_turn().now_or_never().unwrap());
        }
        let mut next = Box::pin(shares.copy_turn());
        assert!((&mut next).now_or_never().is_none());
        turns.pop();
        assert!(next.now_or_never().is_some());
    }
}
