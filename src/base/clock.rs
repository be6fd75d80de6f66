//! Time, passed in. Nothing in the crate but [`SystemClock`] reads the machine's clock, so tests own time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole seconds since the epoch: the resolution of HTTP dates and of SigV4.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This moment plus `duration`, saturating.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `2026-11-23T04:05:06.789Z`, as S3's XML carries dates (ISO 8601, milliseconds, UTC).
    pub fn iso8601(self) -> String {
        self.civil().map_or_else(String::new, |t| t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
    }

    /// `Mon, 23 Nov 2026 04:05:06 GMT`, the IMF-fixdate of RFC 9110 section 5.6.7.
    pub fn http_date(self) -> String {
        self.civil().map_or_else(String::new, |t| t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// `20261123T040506Z`, the basic format that SigV4 signs.
    pub fn amz_date(self) -> String {
        self.civil().map_or_else(String::new, |t| t.strftime("%Y%m%dT%H%M%SZ").to_string())
    }

    fn civil(self) -> Option<jiff::Zoned> {
        let millis = i64::try_from(self.0).ok()?;
        Some(jiff::Timestamp::from_millisecond(millis).ok()?.to_zoned(jiff::tz::TimeZone::UTC))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Measures how long something took. For logs, metrics and pacing alone: nothing is decided by it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let t = Timestamp(1_440_938_160_007); // 2015-08-30T12:36:00.007Z, the date of AWS's SigV4 examples
        assert_eq!(t.iso8601(), "2015-08-30T12:36:00.007Z");
        assert_eq!(t.http_date(), "Sun, 30 Aug 2015 12:36:00 GMT");
        assert_eq!(t.amz_date(), "20150830T123600Z");
    }
}
