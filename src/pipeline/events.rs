//! What happens to a generation, as Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A [`Log`] holds the events of one generation, with ids that grow through the life of the store: those of a later process are
//! larger. A listener reads the log at its own pace, so a slow one holds nothing but its place in it; its connection ends when
//! it takes nothing for too long, as every one does. Whoever names the last event that it has gets what came after it, and all
//! there is where that event is not of this log.
//!
//! Absent on purpose: a log on disk. After a restart the generation's state, and each part that is there, are told anew.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::base::clock::Timestamp;
use crate::base::limits::{EVENTS_HEARTBEAT, EVENTS_KEPT_MAX, EVENTS_PIECE_BYTES};
use crate::wire::Body;

/// Tells nginx to pass on what comes as it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A comment: nothing to an EventSource, and a sign of life.
const HEARTBEAT: &[u8] = b": \n\n";

/// The events of one generation.
#[derive(Debug)]
pub(super) struct Log {
    entries: Mutex<Entries>,
    latest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Entries {
    /// The id of the first event that is kept.
    first: u64,
    events: VecDeque<Event>,
    /// Whether the last of them is the last there is.
    over: bool,
}

#[derive(Debug)]
struct Event {
    kind: &'static str,
    data: String,
}

/// What a listener gets next.
struct Piece {
    text: String,
    /// The last event in it.
    last: u64,
    /// Whether nothing follows.
    over: bool,
}

impl Log {
    /// A log that begins now.
    pub(super) fn new(now: Timestamp) -> Self {
        // A thousand events a millisecond, for the whole time of the process, would reach the ids of the next one.
        let first = now.0.saturating_mul(1000).max(1);
        let entries = Entries { first, events: VecDeque::new(), over: false };
        Self { entries: Mutex::new(entries), latest: watch::Sender::new(0) }
    }

    /// Adds an event; nothing is added behind the last one.
    pub(super) fn push(&self, kind: &'static str, data: &Value, last: bool) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.over {
            return;
        }
        if entries.events.len() >= EVENTS_KEPT_MAX {
            entries.events.pop_front();
            entries.first = entries.first.saturating_add(1);
        }
        entries.events.push_back(Event { kind, data: data.to_string() });
        entries.over = last;
        let latest = entries.end().saturating_sub(1);
        drop(entries);
        self.latest.send_replace(latest);
    }

    /// Whether nothing follows the event of this id.
    pub(super) fn ends_with(&self, id: u64) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.over && id.saturating_add(1) == entries.end()
    }

    /// What follows the event of this id.
    fn after(&self, id: u64) -> Piece {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = id >= entries.first && id < entries.end();
        let skipped = if known { id.saturating_sub(entries.first).saturating_add(1) } else { 0 };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut piece = Piece { text: String::new(), last: id, over: false };
        for (at, event) in (entries.first..).zip(&entries.events).skip(skipped) {
            if piece.text.len() >= EVENTS_PIECE_BYTES {
                return piece;
            }
            // Writing into a string does not fail, and JSON on one line has no line breaks.
            let _: Result<(), _> = write!(piece.text, "id: {at}\nevent: {}\ndata: {}\n\n", event.kind, event.data);
            piece.last = at;
        }
        piece.over = entries.over;
        piece
    }
}

impl Entries {
    /// The id after the last.
    fn end(&self) -> u64 {
        self.first.saturating_add(self.events.len() as u64)
    }
}

/// A listener's place.
struct Listener {
    log: Arc<Log>,
    latest: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    seen: u64,
    over: bool,
    heartbeat: Duration,
    /// Kept for as long as the listener listens.
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn body(self) -> Body {
        let pieces = stream::unfold(self, |listener| async move {
            let (bytes, listener) = listener.next().await?;
            Some((Ok(bytes), listener))
        });
        Body::stream(pieces, None)
    }

    /// The next bytes; none at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if self.over {
                return None;
            }
            self.latest.borrow_and_update();
            let piece = self.log.after(self.seen);
            (self.seen, self.over) = (piece.last, piece.over);
            if !piece.text.is_empty() {
                return Some((Bytes::from(piece.text), self));
            }
            if self.over {
                return None;
            }
            let quiet = tokio::select! {
                changed = self.latest.changed() => {
                    changed.ok()?;
                    false
                }
                _ = self.stop.wait_for(|stop| *stop) => return None,
                () = tokio::time::sleep(self.heartbeat) => true,
            };
            if quiet {
                return Some((Bytes::from_static(HEARTBEAT), self));
            }
        }
    }
}

/// An answer that tells the events after `seen`, until the last one or the end of the gateway.
pub(super) fn response(
    log: Arc<Log>,
    seen: u64,
    stop: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) -> Response<Body> {
    let latest = log.latest.subscribe();
    let listener = Listener { log, latest, stop, seen, over: false, heartbeat: EVENTS_HEARTBEAT, _place: place };
    let mut response = Response::new(listener.body());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::Semaphore;

    use super::*;

    fn ids(text: &str) -> Vec<u64> {
        text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
    }

    #[test]
    fn whoever_names_an_event_gets_what_follows_it() {
        let log = Log::new(Timestamp(5));
        assert_eq!(log.after(0).text, "");
        log.push("status", &json!({"status": "RUNNING"}), false);
        log.push("part", &json!({"text": "a\nb"}), false);
        let all = log.after(0);
        assert_eq!(ids(&all.text), [5000, 5001]);
        assert!(all.text.ends_with("event: part\ndata: {\"text\":\"a\\nb\"}\n\n"), "{}", all.text);
        assert!(!all.over && all.last == 5001);
        assert_eq!(ids(&log.after(5000).text), [5001]);
        assert_eq!(ids(&log.after(5001).text), [0; 0]);
        assert_eq!(ids(&log.after(4999).text), [5000, 5001], "an event of an earlier process");
        assert_eq!(ids(&log.after(9999).text), [5000, 5001], "an event of a clock that was ahead");
        log.push("completed", &json!({}), true);
        log.push("part", &json!({}), false);
        let rest = log.after(5001);
        assert!(rest.over && ids(&rest.text) == [5002]);
        assert!(log.ends_with(5002) && !log.ends_with(5001) && !log.ends_with(5003));
    }

    #[test]
    fn a_log_has_an_end_to_its_length() {
        let log = Log::new(Timestamp(1));
        for number in 0..EVENTS_KEPT_MAX + 3 {
            log.push("part", &json!({ "partNumber": number }), false);
        }
        let (mut seen, mut all) = (0, Vec::new());
        loop {
            let piece = log.after(seen);
            if piece.text.is_empty() {
                break;
            }
            assert!(piece.text.len() < EVENTS_PIECE_BYTES + 200);
            all.extend(ids(&piece.text));
            seen = piece.last;
        }
        assert_eq!((all.len(), all.first()), (EVENTS_KEPT_MAX, Some(&1003)));
    }

    fn listener(log: &Arc<Log>, stop: &watch::Sender<bool>, places: &Arc<Semaphore>) -> Listener {
        Listener {
            log: Arc::clone(log),
            latest: log.latest.subscribe(),
            stop: stop.subscribe(),
            seen: 0,
            over: false,
            heartbeat: Duration::from_millis(5),
            _place: Arc::clone(places).try_acquire_owned().unwrap(),
        }
    }

    #[tokio::test]
    async fn listeners_hear_a_heartbeat_and_the_end() {
        let (log, places) = (Arc::new(Log::new(Timestamp(1))), Arc::new(Semaphore::new(1)));
        let stop = watch::Sender::new(false);
        let mut body = listener(&log, &stop, &places).body();
        assert!(Arc::clone(&places).try_acquire_owned().is_err());
        assert_eq!(body.next().await.unwrap().unwrap(), HEARTBEAT);
        log.push("failed", &json!({}), true);
        assert_eq!(ids(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap()), [1000]);
        assert!(body.next().await.is_none());
        drop(body);
        let mut body = listener(&Arc::new(Log::new(Timestamp(1))), &stop, &places).body();
        stop.send_replace(true);
        assert!(body.next().await.is_none(), "the gateway stops");
    }
}
