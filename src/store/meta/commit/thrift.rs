//! Whether a commit can afford to save the allocator state.
//!
//! Measured on a device that syncs in 0.1 ms it is free for groups of 16 and more. On one that takes 4 ms it nearly doubles
//! the commit, and 64 clients got 14 times the rate of one instead of 20: there it is done a few times a second.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::{Clock, Timestamp};

/// A saving commit that takes this long syncs slowly: it has two syncs, and hardly more than a millisecond of work.
const SLOW: Duration = Duration::from_millis(6);
/// How often a slow device saves at most.
const PAUSE: Duration = Duration::from_millis(250);

/// Remembers what saving cost the last time.
#[derive(Default)]
pub(super) struct Thrift {
    clock: Option<Arc<dyn Clock>>,
    /// When the last slow saving commit ended.
    slow: Option<Timestamp>,
}

impl Thrift {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), slow: None }
    }

    /// Whether the next commit may save.
    pub(super) fn allows(&self) -> bool {
        match (&self.clock, self.slow) {
            (Some(clock), Some(slow)) => clock.now().since(slow) >= PAUSE,
            _ => true,
        }
    }

    /// Carries out a saving commit and remembers whether it was slow.
    pub(super) fn measure<T>(&mut self, commit: impl FnOnce() -> T) -> T {
        let Some(clock) = &self.clock else { return commit() };
        let start = clock.now();
        let outcome = commit();
        let end = clock.now();
        self.slow = (end.since(start) >= SLOW).then_some(end);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;

    #[test]
    fn a_slow_device_saves_a_few_times_a_second() {
        let clock = Arc::new(ManualClock::new(Timestamp(1_000)));
        let mut thrift = Thrift::new(clock.clone());
        thrift.measure(|| clock.advance(Duration::from_millis(1)));
        assert!(thrift.allows(), "a fast one saves always");
        thrift.measure(|| clock.advance(Duration::from_millis(8)));
        assert!(!thrift.allows());
        clock.advance(PAUSE);
        assert!(thrift.allows());
        thrift.measure(|| clock.advance(Duration::from_millis(1)));
        assert!(thrift.allows(), "it may have been a hiccup");
    }

    #[test]
    fn without_a_clock_saving_is_always_allowed() {
        let mut thrift = Thrift::default();
        assert_eq!(thrift.measure(|| 7), 7);
        assert!(thrift.allows());
    }
}
