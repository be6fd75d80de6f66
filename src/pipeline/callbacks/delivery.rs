//! Delivers callbacks: a few at a time, of which few go to one host, so that one that does not answer holds up no other. What
//! room there is goes to the key of which the fewest are on their way, so that nobody's many hold up another's one.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use sha2::Sha256;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::record::{Record, State};
use super::{CONTEXT, Callbacks, Way};
use crate::auth::Identity;
use crate::auth::presign::Link;
use crate::base::clock::Timestamp;
use crate::base::digest::hex;
use crate::base::limits::{
    CALLBACK_PATIENCE, CALLBACK_PAUSE_MAX, CALLBACK_PAUSE_MIN, CALLBACK_TIMEOUT, CALLBACKS_CONCURRENT,
    CALLBACKS_CONCURRENT_PER_HOST, PEER_ANSWER_MAX_BYTES,
};
use crate::pipeline::generations::backoff;
use crate::store::error::Error as StoreError;
use crate::store::types::{Expected, RecordKind};
use crate::wire::base_url::BaseUrl;
use crate::wire::client::{Bounds, ask};
use crate::wire::url::HttpUrl;

const SIGNATURE: HeaderName = HeaderName::from_static("wharf-signature");
/// How long a delivery may take at most before another is tried, should it be lost.
const DELIVERY_MAX: Duration = Duration::from_secs(300);
/// How long to wait after trouble of our own.
const TROUBLE_PAUSE: Duration = Duration::from_secs(30);

/// What came of a try.
enum Tried {
    Delivered,
    /// Another try may do better. The status is that of the answer, where there was one.
    Failed(String, Option<u16>),
    /// None will.
    Hopeless(String),
}

/// Delivers until the gateway stops.
pub(super) async fn run(callbacks: Callbacks, mut stop: watch::Receiver<bool>) {
    let mut deliveries = JoinSet::new();
    let mut busy = Busy::default();
    loop {
        let room = CALLBACKS_CONCURRENT.saturating_sub(deliveries.len());
        let (due, next) = callbacks.take_due(&mut busy, room);
        for (id, way) in due {
            let callbacks = callbacks.clone();
            deliveries.spawn(async move {
                callbacks.deliver(&id).await;
                way
            });
        }
        let next = next.unwrap_or_else(|| Instant::now() + DELIVERY_MAX);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = callbacks.0.bell.notified() => {}
            Some(ended) = deliveries.join_next() => match ended {
                Ok(way) => busy.leave(&way),
                // Whose it was is lost with it; those that are still on their way count for one too few.
                Err(_) => busy = Busy::default(),
            },
            () = tokio::time::sleep_until(next) => {}
        }
    }
    deliveries.shutdown().await;
}

/// What is on its way, by host and by key.
#[derive(Debug, Default)]
struct Busy {
    hosts: HashMap<String, usize>,
    users: HashMap<Option<String>, usize>,
}

impl Busy {
    fn has_room(&self, host: &str) -> bool {
        self.hosts.get(host).is_none_or(|count| *count < CALLBACKS_CONCURRENT_PER_HOST)
    }

    fn of_user(&self, user: &Option<String>) -> usize {
        self.users.get(user).copied().unwrap_or_default()
    }

    fn enter(&mut self, way: &Way) {
        *self.hosts.entry(way.host.clone()).or_default() += 1;
        *self.users.entry(way.user.clone()).or_default() += 1;
    }

    fn leave(&mut self, way: &Way) {
        one_less(&mut self.hosts, &way.host);
        one_less(&mut self.users, &way.user);
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Callbacks {
    /// Those to be tried now, which are not tried again before this is lost, at most `room`; and when the next is due of those
    /// whose host has room. They are busy from then on.
    fn take_due(&self, busy: &mut Busy, room: usize) -> (Vec<(String, Way)>, Option<Instant>) {
        let now = Instant::now();
        let mut taken = Vec::new();
        let mut waiting = self.waiting();
        while taken.len() < room {
            let due = waiting.iter_mut().filter_map(|(id, waiting)| Some((waiting.due?, id, waiting)));
            let due = due.filter(|(due, _, waiting)| *due <= now && busy.has_room(&waiting.way.host));
            let first = due.min_by_key(|(due, _, waiting)| (busy.of_user(&waiting.way.user), *due));
            let Some((_, id, waiting)) = first else { break };
            busy.enter(&waiting.way);
            waiting.due = Some(now + DELIVERY_MAX);
            taken.push((id.clone(), waiting.way.clone()));
        }
        // Where there is none for those that are due, a delivery that ends makes room.
        let later =
            waiting.values().filter(|waiting| busy.has_room(&waiting.way.host)).filter_map(|waiting| waiting.due);
        (taken, later.filter(|due| *due > now).min())
    }

    /// Tries to deliver one, and keeps what came of it.
    async fn deliver(&self, id: &str) {
        match self.attempt(id).await {
            Ok(due) => {
                let mut waiting = self.waiting();
                match due {
                    Some(due) => {
                        if let Some(waiting) = waiting.get_mut(id) {
                            waiting.due = due;
                        }
                    }
                    None => {
                        waiting.remove(id);
                    }
                }
            }
            Err(error) => {
                tracing::error!(id, %error, "a callback could not be looked after");
                if let Some(waiting) = self.waiting().get_mut(id) {
                    waiting.due = Some(Instant::now() + TROUBLE_PAUSE);
                }
            }
        }
        for id in self.too_many_dead() {
            let forgotten = self.config().store.delete_record(RecordKind::Callback, &id).await;
            if forgotten.is_ok() {
                self.waiting().remove(&id);
            }
        }
    }

    /// When to try again, which is never for one that was given up; nothing for one that is gone.
    async fn attempt(&self, id: &str) -> Result<Option<Option<Instant>>, StoreError> {
        let store = &self.config().store;
        let Some(kept) = store.record(RecordKind::Callback, id)? else { return Ok(None) };
        let mut record = Record::read(&kept.bytes)?;
        if record.state == State::Dead {
            return Ok(Some(None));
        }
        let tried = self.send(&record).await;
        record.tries = record.tries.saturating_add(1);
        record.answered = if let Tried::Failed(_, answered) = &tried { *answered } else { None };
        let age = self.config().clock.now().since(Timestamp(record.since_ms));
        let due = match tried {
            Tried::Delivered => {
                tracing::info!(id, tries = record.tries, "a callback is delivered");
                self.config().metrics.callback("delivered");
                store.delete_record(RecordKind::Callback, id).await?;
                return Ok(None);
            }
            Tried::Failed(why, _) if is_worth_another_try(age) => {
                let pause = backoff(
                    record.tries.saturating_sub(1),
                    CALLBACK_PAUSE_MIN,
                    CALLBACK_PAUSE_MAX,
                    self.config().rng.as_ref(),
                );
                tracing::warn!(id, why, tries = record.tries, ?pause, "a callback will be tried again");
                self.config().metrics.callback("failed");
                record.error = Some(why);
                Some(Instant::now() + pause)
            }
            Tried::Failed(why, _) | Tried::Hopeless(why) => {
                tracing::error!(id, why, tries = record.tries, "a callback is given up");
                self.config().metrics.callback("dead");
                (record.state, record.error) = (State::Dead, Some(why));
                None
            }
        };
        let expected = Expected::Revision(kept.revision);
        match store.put_record(RecordKind::Callback, id, record.bytes()?, None, expected).await {
            Ok(_) => Ok(Some(due)),
            // Somebody wants it delivered again.
            Err(StoreError::Conflict) => Ok(Some(Some(Instant::now()))),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, record: &Record) -> Tried {
        let url = match HttpUrl::parse(&record.url) {
            Ok(url) => url,
            Err(error) => return Tried::Hopeless(error.to_string()),
        };
        let body = record.told(self.image_url(record));
        let mut request = Request::new(Bytes::from(body.clone()));
        *request.method_mut() = Method::POST;
        match url.target().parse() {
            Ok(target) => *request.uri_mut() = target,
            Err(_) => return Tried::Hopeless("the URL cannot be called".to_owned()),
        }
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if record.secret.is_some() {
            match self.signature(record, &body) {
                Some(signature) => request.headers_mut().insert(SIGNATURE, signature),
                None => return Tried::Hopeless("the secret cannot be opened".to_owned()),
            };
        }
        let peer = match self.config().generations.callbacks.peer(&url).await {
            Ok(peer) => peer,
            Err(error) if error.is_passing() => return Tried::Failed(error.to_string(), None),
            Err(error) => return Tried::Hopeless(error.to_string()),
        };
        let bounds = Bounds { timeout: CALLBACK_TIMEOUT, answer_max_bytes: PEER_ANSWER_MAX_BYTES };
        match ask(&peer, request, bounds).await {
            Ok(answer) if answer.status().is_success() => Tried::Delivered,
            Ok(answer) => {
                let status = answer.status().as_u16();
                Tried::Failed(format!("the answer was {status}"), Some(status))
            }
            Err(error) => Tried::Failed(error.to_string(), None),
        }
    }

    /// A URL by which the image can be read, in the owner's name; none where there is no image, or the owner's rights have
    /// ended.
    fn image_url(&self, record: &Record) -> Option<String> {
        let (config, image) = (self.config(), record.image.as_ref()?);
        let now = config.clock.now();
        let identity = match &image.owner {
            None => Identity::Anonymous,
            Some(owner) => owner.identity(config.authenticator.keyring(), now)?,
        };
        let link = Link {
            method: &Method::GET,
            base: &BaseUrl::parse(&image.s3_base)?,
            bucket: &record.bucket,
            object: &record.key,
            query: &[],
            headers: &[],
            expires: config.presign_expires,
        };
        config.authenticator.link(&identity, &link, now, config.rng.as_ref()).ok().map(|(url, _)| url)
    }

    fn signature(&self, record: &Record, body: &str) -> Option<HeaderValue> {
        let secret = self.config().authenticator.keyring().sealer().open(CONTEXT, &record.sealed_secret()?)?;
        let signature = signed(&secret, self.config().clock.now().seconds(), body)?;
        HeaderValue::from_str(&signature).ok()
    }
}

/// Whether a callback that is tried for so long is tried again.
fn is_worth_another_try(age: Duration) -> bool {
    age < CALLBACK_PATIENCE
}

/// The value of `Wharf-Signature`.
fn signed(secret: &[u8], seconds: u64, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    Some(format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_tried_and_no_longer() {
        assert!(is_worth_another_try(Duration::from_secs(24 * 3600 - 1)));
        assert!(!is_worth_another_try(Duration::from_secs(24 * 3600)));
    }

    #[test]
    fn the_signature_is_that_of_time_and_body() {
        // printf '1440938160.{"a":1}' | openssl dgst -sha256 -hmac whsec
        let expected = "t=1440938160,v1=4523d49584187a0166c61e2a15c76e645b585b4e43deb93c9008644ad6bd78c1";
        assert_eq!(signed(b"whsec", 1_440_938_160, r#"{"a":1}"#).as_deref(), Some(expected));
    }
}
