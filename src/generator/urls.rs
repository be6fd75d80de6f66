//! Where the parts of a generation go: presigned URLs, which end and are then renewed at the gateway, all that are still
//! wanted at once, however many parts notice.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::gateway::{CallError, Gateway};
use crate::base::clock::Timestamp;
use crate::wire::url::HttpUrl;

/// The URLs of the parts that are still wanted.
pub(super) struct Urls {
    state: Mutex<State>,
    renewing: tokio::sync::Mutex<()>,
}

struct State {
    /// How often they were renewed.
    renewals: u32,
    wanted: BTreeMap<u16, HttpUrl>,
}

impl Urls {
    /// The URLs of an order.
    pub(super) fn new(wanted: BTreeMap<u16, HttpUrl>) -> Self {
        Self { state: Mutex::new(State { renewals: 0, wanted }), renewing: tokio::sync::Mutex::default() }
    }

    /// The URL of a part, and how often it was renewed.
    pub(super) fn of(&self, number: u16) -> Option<(HttpUrl, u32)> {
        let state = self.state();
        state.wanted.get(&number).map(|url| (url.clone(), state.renewals))
    }

    /// The part needs none any more.
    pub(super) fn done(&self, number: u16) {
        self.state().wanted.remove(&number);
    }

    /// Gets new URLs for all parts still wanted, unless somebody did since there were `seen` renewals.
    pub(super) async fn renew(&self, seen: u32, gateway: &Gateway) -> Result<(), CallError> {
        let _alone = self.renewing.lock().await;
        let numbers: Vec<u16> = {
            let state = self.state();
            if state.renewals != seen {
                return Ok(());
            }
            state.wanted.keys().copied().collect()
        };
        let urls = gateway.part_urls(&numbers).await?;
        let mut state = self.state();
        state.renewals = state.renewals.saturating_add(1);
        for (number, url) in numbers.into_iter().zip(urls) {
            // A part that was done meanwhile stays done.
            state.wanted.entry(number).and_modify(|wanted| *wanted = url);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a presigned URL says that its time is over: `X-Amz-Date` and `X-Amz-Expires` of signature version 4, `Expires` of
/// version 2. What says nothing has not ended.
pub(super) fn has_ended(url: &HttpUrl, now: Timestamp) -> bool {
    let version_4 = || {
        let made = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", url.parameter("X-Amz-Date")?.as_ref()).ok()?;
        let made = made.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
        made.checked_add(url.parameter("X-Amz-Expires")?.parse().ok()?)
    };
    let version_2 = || url.parameter("Expires")?.parse::<i64>().ok();
    let end = version_4().or_else(version_2).and_then(|end| u64::try_from(end).ok());
    end.is_some_and(|end| now.seconds() > end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_when_they_end() {
        // 2015-08-30T12:36:00Z
        let made = 1_440_938_160;
        for (query, seconds, ended) in [
            ("X-Amz-Date=20150830T123600Z&X-Amz-Expires=60", made, false),
            ("X-Amz-Date=20150830T123600Z&X-Amz-Expires=60", made + 60, false),
            ("X-Amz-Date=20150830T123600Z&X-Amz-Expires=60", made + 61, true),
            ("X-Amz-Date=20150830T123600Z&X-Amz-Expires=9223372036854775807", made + 61, false),
            ("X-Amz-Date=nonsense&X-Amz-Expires=60", made + 61, false),
            ("X-Amz-Date=20150830T123600Z", made + 61, false),
            ("Expires=1440938160&Signature=x", made, false),
            ("Expires=1440938160&Signature=x", made + 1, true),
            ("Expires=-5", made, false),
            ("uploadId=x", made, false),
        ] {
            let url = HttpUrl::parse(&format!("http://h/b/k?{query}")).unwrap();
            assert_eq!(has_ended(&url, Timestamp(seconds * 1000)), ended, "{query} {seconds}");
        }
    }
}
