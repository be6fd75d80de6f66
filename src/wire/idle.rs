//! A deadline on a peer that moves nothing, or next to nothing. Only time in which the peer is waited for counts, so nobody
//! is hurt by how long we take ourselves.
//!
//! A wait starts with an allowance. Time spent waiting uses it up, and bytes that move earn it back, up to where it began:
//! `n` bytes are waited for at most `idle + n / bytes_per_second_min`. One byte just before each end of a plain idle deadline
//! would hold a connection for ever; here it earns a moment.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Near enough to never: adding a longer time to now may be no moment any more.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// How much of a peer's slowness is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Longest pause.
    pub idle: Duration,
    /// Slowest transfer on the whole; zero bears any.
    pub bytes_per_second_min: u64,
}

/// How long a peer may still be waited for.
#[derive(Debug)]
struct Allowance {
    patience: Patience,
    left: Duration,
}

impl Allowance {
    fn new(patience: Patience) -> Self {
        let idle = patience.idle.min(NEVER);
        Self { patience: Patience { idle, ..patience }, left: idle }
    }

    fn spend(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }

    fn earn(&mut self, bytes: usize) {
        if self.left == self.patience.idle {
            return;
        }
        let micros = (bytes as u64).saturating_mul(1_000_000).checked_div(self.patience.bytes_per_second_min);
        let earned = micros.map_or(NEVER, Duration::from_micros);
        self.left = self.left.saturating_add(earned).min(self.patience.idle);
    }
}

/// Expires when a peer is too slow. It costs a timer only once there is something to wait for.
#[derive(Debug)]
pub struct IdleDeadline {
    allowance: Allowance,
    timer: Option<Pin<Box<Sleep>>>,
    waiting_since: Option<Instant>,
}

impl IdleDeadline {
    /// A deadline whose first wait may last as long as any.
    pub fn new(patience: Patience) -> Self {
        Self { allowance: Allowance::new(patience), timer: None, waiting_since: None }
    }

    /// So many bytes moved: a wait is over.
    pub fn progressed(&mut self, bytes: usize) {
        if let Some(since) = self.waiting_since.take() {
            self.allowance.spend(since.elapsed());
        }
        self.allowance.earn(bytes);
    }

    /// To be called whenever what is waited for is still pending. Ready when the peer has used up its allowance; otherwise
    /// the task is woken when it has.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.allowance.left;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(left)));
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            timer.as_mut().reset(now + left);
        }
        timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    /// How long a peer is waited for that moves `bytes` after each `pause`, at a floor of 512 bytes a second; none beyond a
    /// day.
    fn borne(bytes: usize, pause: Duration) -> Option<Duration> {
        let mut allowance = Allowance::new(Patience { idle: IDLE, bytes_per_second_min: 512 });
        let mut waited = Duration::ZERO;
        while waited < Duration::from_secs(24 * 3600) {
            if pause >= allowance.left {
                return Some(waited + allowance.left);
            }
            allowance.spend(pause);
            allowance.earn(bytes);
            waited += pause;
        }
        None
    }

    #[test]
    fn slow_peers_have_an_end_and_others_none() {
        let seconds = Duration::from_secs;
        // A plain idle deadline would bear each of these for ever.
        for (bytes, pause) in [(1, seconds(50)), (100, seconds(1)), (511, seconds(1)), (10_000, seconds(30))] {
            let borne = borne(bytes, pause).expect("it is borne for ever");
            let moved = bytes as u64 * (borne.as_secs() / pause.as_secs());
            assert!(borne >= IDLE && borne <= IDLE + seconds(moved / 512 + 1), "{bytes} {pause:?}: {borne:?}");
        }
        for (bytes, pause) in [(600, seconds(1)), (1 << 20, seconds(59)), (40_000, seconds(55))] {
            assert_eq!(borne(bytes, pause), None, "{bytes} {pause:?}");
        }
        assert_eq!(borne(1 << 30, IDLE), Some(IDLE), "a pause has an end, whatever came before");
    }

    #[test]
    fn without_a_floor_a_byte_is_enough() {
        let mut allowance = Allowance::new(Patience { idle: IDLE, bytes_per_second_min: 0 });
        allowance.spend(IDLE - Duration::from_secs(1));
        allowance.earn(1);
        assert_eq!(allowance.left, IDLE);
    }
}
