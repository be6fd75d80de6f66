//! A deadline on standing still: it runs while something is waited for and starts anew after every progress.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Near enough to never: adding a longer time to now may be no moment any more.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Expires after a pause without progress. It costs a timer only once there is something to wait for.
#[derive(Debug)]
pub struct IdleDeadline {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl IdleDeadline {
    /// A deadline that allows pauses up to `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { limit: limit.min(NEVER), timer: None, waiting: false }
    }

    /// Something moved: the next pause is counted from its own beginning.
    pub fn progressed(&mut self) {
        self.waiting = false;
    }

    /// To be called whenever what is waited for is still pending. Ready when the pause has lasted too long; otherwise
    /// the task is woken when it has.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + limit);
        }
        timer.as_mut().poll(cx)
    }
}
