//! Pauses between tries: each twice as long as the one before, with chance in them so that many who failed together do not
//! come back together, and an end.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::limits::{RETRY_AFTER_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN};
use crate::base::rng::Rng;

/// Tries in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    patience: Duration,
    pause: Duration,
    failing_since: Option<Instant>,
}

impl Backoff {
    /// Tries that go on for `patience` after the first failure.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, pause: RETRY_PAUSE_MIN, failing_since: None }
    }

    /// The pause after a failure, at least as long as the other side `asked` for; none when there is no further try.
    pub(super) fn pause(&mut self, rng: &dyn Rng, asked: Option<Duration>) -> Option<Duration> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.patience {
            return None;
        }
        let half = self.pause / 2;
        self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
        let chance = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        let pause = half + Duration::from_micros(rng.next_u64() % chance);
        Some(pause.max(asked.unwrap_or_default().min(RETRY_AFTER_MAX)))
    }
}

/// What a `Retry-After` header asks for. Its other form, a date, is not used by what we call.
pub(super) fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::SeededRng;

    #[test]
    fn pauses_grow_to_a_bound() {
        let rng = SeededRng::new(1);
        let mut backoff = Backoff::new(Duration::from_secs(3600));
        let mut full = RETRY_PAUSE_MIN;
        for _ in 0..12 {
            let pause = backoff.pause(&rng, None).unwrap();
            assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
            full = (full * 2).min(RETRY_PAUSE_MAX);
        }
        assert_eq!(full, RETRY_PAUSE_MAX);
    }

    #[test]
    fn the_other_side_may_ask_for_longer() {
        let rng = SeededRng::new(1);
        let pause = |seconds| Backoff::new(Duration::from_secs(1)).pause(&rng, Some(Duration::from_secs(seconds)));
        assert_eq!(pause(7), Some(Duration::from_secs(7)));
        assert_eq!(pause(100_000), Some(RETRY_AFTER_MAX));
        let mut headers = http::HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        for (value, expected) in [("3", Some(Duration::from_secs(3))), ("-1", None), ("soon", None)] {
            headers.insert(http::header::RETRY_AFTER, value.parse().unwrap());
            assert_eq!(retry_after(&headers), expected, "{value}");
        }
    }

    #[test]
    fn patience_ends() {
        assert_eq!(Backoff::new(Duration::ZERO).pause(&SeededRng::new(1), None), None);
    }
}
