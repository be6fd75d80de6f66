//! Looks after the generations that are not over: orders them, follows them, and asks again where nothing comes.
//!
//! An order may be repeated: a generator that knows it answers as before, and one that has lost it begins with the parts that
//! are missing. So there is one rule for a generator that died, a gateway that was killed, and an order that was lost on its
//! way: when nothing is heard for a while, ask again, for what is missing. Where the object is there and nobody said so, the
//! store says so.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::error::Error;
use super::Generations;
use super::course::Upload;
use super::history::{Live, Part};
use super::record::{Ending, Record, Status};
use super::token;
use crate::auth::presign::Link;
use crate::base::limits::{
    GENERATION_AGE_MAX, GENERATION_LOOK_INTERVAL, GENERATION_SILENCE_MAX, GENERATION_SILENCE_MIN,
    GENERATION_STALLED_MAX, GENERATIONS_PURSUED_CONCURRENT, GENERATOR_ANSWER_TIMEOUT, GENERATOR_CANCEL_TIMEOUT,
    GENERATOR_PAUSE_MAX, GENERATOR_PAUSE_MIN, PEER_ANSWER_MAX_BYTES,
};
use crate::base::rng::Rng;
use crate::store::types::PartInfo;
use crate::wire::client::{Bounds, ask};
use crate::wire::url::HttpUrl;

/// How long a look may take at most before another is taken, should it be lost.
const LOOK_MAX: Duration = Duration::from_secs(300);

/// Why nothing is done in an owner's name any more.
const OWNER_GONE: &str = "the access key is gone, may not be used or has another secret, or its token has ended";

/// What came of asking a generator.
enum Asked {
    /// It has the order. It may wait there for its turn, and the generator may have had it before.
    Accepted { queued: bool, known: bool },
    /// It is there, and has no room yet.
    Busy { why: String, retry_after: Option<Duration> },
    /// It could not be asked.
    Away(String),
    /// It does not want the order, and would not want it again.
    Refused(String),
}

impl Generations {
    /// Looks after generations until the gateway stops.
    pub(in crate::pipeline) async fn run(self) {
        let mut stop = self.0.stop.subscribe();
        let mut looks = JoinSet::new();
        loop {
            let room = GENERATIONS_PURSUED_CONCURRENT.saturating_sub(looks.len());
            let (due, next) = self.history().take_due(Instant::now() + LOOK_MAX, room);
            for live in due {
                let generations = self.clone();
                looks.spawn(async move { generations.look(&live).await });
            }
            // Where all are busy, one that ends makes room.
            let full = looks.len() >= GENERATIONS_PURSUED_CONCURRENT;
            let next = next.filter(|_| !full).unwrap_or_else(|| Instant::now() + LOOK_MAX);
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.0.bell.notified() => {}
                Some(_) = looks.join_next() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
        looks.shutdown().await;
        let mut errands = std::mem::take(&mut *self.0.errands.lock().unwrap_or_else(PoisonError::into_inner));
        errands.shutdown().await;
    }

    /// Looks at a generation, and says when to look again.
    async fn look(&self, live: &Arc<Live>) {
        let pause = match self.pursue(live).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(uuid = %live.uuid, error = error.message(), "a generation could not be looked after");
                Some(GENERATOR_PAUSE_MAX)
            }
        };
        live.course().due = pause.map(|pause| Instant::now() + pause);
    }

    /// The time until the next look; none once it is over.
    async fn pursue(&self, live: &Arc<Live>) -> Result<Option<Duration>, Error> {
        let record = match self.kept(&live.uuid) {
            Ok(kept) => kept.record,
            Err(error) if error.status() == StatusCode::NOT_FOUND => return Ok(None),
            Err(error) => return Err(error),
        };
        if record.status.is_over() {
            return Ok(None);
        }
        let Upload::Open(parts) = self.upload_of(&record)? else {
            self.settle(&live.uuid, record.ending).await?;
            return Ok(None);
        };
        if record.ending.is_some() {
            self.settle(&live.uuid, record.ending).await?;
            return Ok(None);
        }
        let there = whole_parts(&record, parts);
        let missing = missing(&record, &there);
        let first = !std::mem::replace(&mut live.course().looked_at, true);
        for part in there {
            // What is there at the first look says nothing about a generator of now: it may have died with the gateway.
            if first { live.find(part) } else { live.see(part) }
        }
        if let Some(why) = self.overdue(&record, live) {
            self.settle(&live.uuid, Some(Ending::failed(why))).await?;
            self.call_off(&live.uuid);
            return Ok(None);
        }
        if self.owner(&record).is_none() {
            let why = format!("its owner's rights have ended: {OWNER_GONE}");
            self.settle(&live.uuid, Some(Ending::failed(why))).await?;
            self.call_off(&live.uuid);
            return Ok(None);
        }
        if record.status == Status::Running
            && let Some(left) = patience_left(live)
        {
            return Ok(Some(left.min(GENERATION_LOOK_INTERVAL)));
        }
        self.order(&record, live, &missing).await
    }

    /// Why a generation is not waited for any longer.
    fn overdue(&self, record: &Record, live: &Live) -> Option<String> {
        let age = self.config().clock.now().since(crate::base::clock::Timestamp(record.created_ms));
        let stalled = live.course().progressed.elapsed();
        too_long(age, stalled)
    }

    /// Asks the generator for the parts that are missing; the time until the next look.
    async fn order(&self, record: &Record, live: &Live, missing: &[u64]) -> Result<Option<Duration>, Error> {
        let order = match self.order_of(record, missing) {
            Ok(order) => order,
            Err(error) => {
                return self.lost(record, format!("its owner's rights have ended: {}", error.message())).await;
            }
        };
        match self.call("/generate", &order, GENERATOR_ANSWER_TIMEOUT).await {
            Asked::Accepted { queued, known } => {
                if record.status == Status::Pending {
                    tracing::info!(uuid = %record.uuid, parts = missing.len(), "a generator has taken a generation");
                } else {
                    tracing::debug!(uuid = %record.uuid, parts = missing.len(), known, "a generator was asked again");
                }
                if record.status == Status::Pending || !known {
                    self.started(&record.uuid, next_attempt(record)).await?;
                }
                let mut course = live.course();
                if queued {
                    // It will come to it.
                    course.progressed = Instant::now();
                }
                course.silences = course.silences.saturating_add(u32::from(course.heard.is_some()));
                (course.heard, course.tries) = (Some(Instant::now()), 0);
                Ok(Some(GENERATION_LOOK_INTERVAL))
            }
            Asked::Busy { why, retry_after } => {
                live.course().progressed = Instant::now();
                Ok(Some(self.pause(record, live, &why, retry_after)))
            }
            Asked::Away(why) => Ok(Some(self.pause(record, live, &why, None))),
            Asked::Refused(why) => self.lost(record, why).await,
        }
    }

    /// Nothing will come of it.
    async fn lost(&self, record: &Record, why: String) -> Result<Option<Duration>, Error> {
        self.settle(&record.uuid, Some(Ending::failed(why))).await?;
        Ok(None)
    }

    /// The pause before the next try.
    fn pause(&self, record: &Record, live: &Live, why: &str, retry_after: Option<Duration>) -> Duration {
        let mut course = live.course();
        let pause = backoff(course.tries, GENERATOR_PAUSE_MIN, GENERATOR_PAUSE_MAX, self.config().rng.as_ref());
        let pause = pause.max(retry_after.unwrap_or_default()).min(GENERATOR_PAUSE_MAX);
        if course.tries == 0 {
            tracing::warn!(uuid = %record.uuid, why, ?pause, "a generation waits for its generator");
        } else {
            tracing::debug!(uuid = %record.uuid, why, ?pause, tries = course.tries, "a generation still waits");
        }
        course.tries = course.tries.saturating_add(1);
        pause
    }

    /// The body of an order, with URLs in the owner's name.
    fn order_of(&self, record: &Record, missing: &[u64]) -> Result<Value, Error> {
        let config = self.config();
        let gone = || Error::denied(OWNER_GONE);
        let owner = self.owner(record).ok_or_else(gone)?;
        let now = config.clock.now();
        let mut urls = Vec::with_capacity(missing.len());
        for number in missing {
            let number = number.to_string();
            let link = Link {
                method: &Method::PUT,
                base: &config.addresses.internal,
                bucket: &record.bucket,
                object: &record.key,
                query: &[("partNumber", number.as_str()), ("uploadId", record.upload.as_str())],
                headers: &[],
                expires: config.presign_expires,
            };
            urls.push(config.authenticator.link(&owner, &link, now, config.rng.as_ref())?.0);
        }
        let token = token::of_generator(config.authenticator.keyring().sealer(), &record.uuid, next_attempt(record));
        let mut order = json!({
            "partUploadUrls": urls,
            "partNumbers": missing,
            "partSize": record.part_size_bytes,
            "uploadId": record.upload,
            "objectName": record.key,
            "bucket": record.bucket,
            "auth": { "type": "Bearer", "token": token },
            "generationUuid": record.uuid,
            "bmpVolume": record.volume_bytes,
            "callbackBaseUrl": config.addresses.api_internal.to_string().trim_end_matches('/'),
        });
        if let Some(order) = order.as_object_mut() {
            for (theirs, ours) in [
                ("bmpWidth", "width"),
                ("bmpHeight", "height"),
                ("bitsPerPixel", "bitsPerPixel"),
                ("topDown", "topDown"),
                ("pattern", "pattern"),
            ] {
                order.insert(theirs.to_owned(), record.image.get(ours).cloned().unwrap_or(Value::Null));
            }
        }
        Ok(order)
    }

    /// Tells the generator that nobody waits for a generation any more. Nothing depends on it: its URLs lead nowhere by now.
    pub(super) fn call_off(&self, uuid: &str) {
        let (generations, uuid) = (self.clone(), uuid.to_owned());
        let mut errands = self.0.errands.lock().unwrap_or_else(PoisonError::into_inner);
        while errands.try_join_next().is_some() {}
        errands.spawn(async move {
            let body = json!({ "generationUuid": uuid });
            match generations.call("/cancel", &body, GENERATOR_CANCEL_TIMEOUT).await {
                Asked::Accepted { .. } => {}
                Asked::Busy { why, .. } | Asked::Away(why) | Asked::Refused(why) => {
                    tracing::debug!(%uuid, why, "the generator was not told of a generation's end");
                }
            }
        });
    }

    async fn call(&self, target: &str, body: &Value, timeout: Duration) -> Asked {
        let settings = &self.config().generations;
        let url = match HttpUrl::parse(&format!("{}{target}", settings.generator)) {
            Ok(url) => url,
            Err(error) => return Asked::Refused(format!("the generator's URL cannot be called: {error}")),
        };
        let mut request = Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/");
        if let Ok(target) = url.target().parse() {
            *request.uri_mut() = target;
        }
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = &settings.generator_token {
            match HeaderValue::from_str(&format!("Bearer {token}")) {
                Ok(value) => request.headers_mut().insert(AUTHORIZATION, value),
                Err(_) => return Asked::Refused("the generator's token cannot be sent".to_owned()),
            };
        }
        let away = |why: String| Asked::Away(format!("the generator cannot be reached: {why}"));
        let peer = match settings.to_generator.peer(&url).await {
            Ok(peer) => peer,
            Err(error) => return away(error.to_string()),
        };
        let bounds = Bounds { timeout, answer_max_bytes: PEER_ANSWER_MAX_BYTES };
        match ask(&peer, request, bounds).await {
            Ok(answer) => judged(answer.status(), answer.headers(), answer.body()),
            Err(error) => away(error.to_string()),
        }
    }
}

/// Why a generation of this age, of which nothing came for so long, is not waited for any longer.
fn too_long(age: Duration, stalled: Duration) -> Option<String> {
    if age > GENERATION_AGE_MAX {
        return Some(format!("it was not over after {} hours", GENERATION_AGE_MAX.as_secs() / 3600));
    }
    if stalled > GENERATION_STALLED_MAX {
        let minutes = GENERATION_STALLED_MAX.as_secs() / 60;
        return Some(format!("no part came within {minutes} minutes, however often its generator was asked"));
    }
    None
}

/// The attempt that the next order is. It counts once a generator has taken it that did not have the generation.
fn next_attempt(record: &Record) -> u64 {
    record.attempt.saturating_add(1)
}

/// What a generator's answer means.
fn judged(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Asked {
    let said: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let words = said.get("error").and_then(|error| error.get("message")?.as_str()).unwrap_or_default();
    let why = format!("the generator answered {} {words}", status.as_u16());
    let passing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY);
    match status {
        status if status.is_success() => {
            let says = |name: &str| said.get(name).and_then(Value::as_bool).unwrap_or(false);
            Asked::Accepted { queued: says("queued"), known: says("known") }
        }
        status if passing || status == StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Asked::Busy { why, retry_after: seconds.map(Duration::from_secs) }
        }
        status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => Asked::Away(why),
        _ => Asked::Refused(why),
    }
}

/// The time that a generation under way still has before its generator is asked again; none where that is over.
fn patience_left(live: &Live) -> Option<Duration> {
    let course = live.course();
    let patience = GENERATION_SILENCE_MIN.saturating_mul(1 << course.silences.min(8)).min(GENERATION_SILENCE_MAX);
    patience.checked_sub(course.heard?.elapsed()).filter(|left| !left.is_zero())
}

/// The parts that are there, with the bytes that they are to have.
pub(super) fn whole_parts(record: &Record, parts: Vec<PartInfo>) -> Vec<Part> {
    let whole =
        |part: &Part| (1..=record.part_count()).contains(&part.number) && part.bytes == record.part_bytes(part.number);
    parts.into_iter().map(Part::from).filter(whole).collect()
}

/// The numbers of those that are not.
fn missing(record: &Record, there: &[Part]) -> Vec<u64> {
    let mut there = there.iter().map(|part| part.number).peekable();
    (1..=record.part_count())
        .filter(|number| {
            while there.next_if(|known| known < number).is_some() {}
            there.peek() != Some(number)
        })
        .collect()
}

/// A pause that doubles with each try, and is never the same for all who wait: between half of it and the whole.
pub(in crate::pipeline) fn backoff(tries: u32, min: Duration, max: Duration, rng: &dyn Rng) -> Duration {
    let whole = min.saturating_mul(1 << tries.min(20)).min(max);
    let half = whole / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(rng.next_u64() % millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::SeededRng;

    #[test]
    fn answers_of_generators() {
        let answered = |status: u16, retry_after: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = retry_after {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            }
            judged(StatusCode::from_u16(status).unwrap(), &headers, br#"{"error":{"message":"bmpWidth is missing"}}"#)
        };
        for status in [200, 202] {
            assert!(matches!(answered(status, None), Asked::Accepted { queued: false, known: false }), "{status}");
        }
        let said = judged(StatusCode::ACCEPTED, &HeaderMap::new(), br#"{"queued":true,"known":true}"#);
        assert!(matches!(said, Asked::Accepted { queued: true, known: true }));
        assert!(
            matches!(answered(429, Some("5")), Asked::Busy { retry_after: Some(pause), .. } if pause.as_secs() == 5)
        );
        assert!(matches!(answered(503, Some("x")), Asked::Busy { retry_after: None, .. }));
        assert!(matches!(answered(502, None), Asked::Away(_)) && matches!(answered(500, None), Asked::Away(_)));
        for status in [301, 400, 401, 403, 404, 413, 501] {
            let Asked::Refused(why) = answered(status, None) else { panic!("{status}") };
            assert_eq!(why, format!("the generator answered {status} bmpWidth is missing"));
        }
    }

    #[test]
    fn patience_has_an_end() {
        let moment = Duration::from_millis(1);
        assert_eq!(too_long(GENERATION_AGE_MAX, GENERATION_STALLED_MAX), None);
        let old = too_long(GENERATION_AGE_MAX + moment, Duration::ZERO).unwrap();
        assert_eq!(old, "it was not over after 24 hours");
        let stalled = too_long(GENERATION_STALLED_MAX, GENERATION_STALLED_MAX + moment).unwrap();
        assert!(stalled.starts_with("no part came within 60 minutes"), "{stalled}");
    }

    #[test]
    fn pauses_double_and_differ() {
        let rng = SeededRng::new(1);
        for (tries, whole) in [(0, 1), (1, 2), (4, 16), (5, 30), (1000, 30)] {
            for _ in 0..100 {
                let pause = backoff(tries, Duration::from_secs(1), Duration::from_secs(30), &rng);
                assert!((Duration::from_secs(whole) / 2..=Duration::from_secs(whole)).contains(&pause), "{pause:?}");
            }
        }
    }
}
