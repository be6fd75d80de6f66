//! Callbacks: whoever asked for a generation is told how it ended.
//!
//! What is told is fixed in the commit that ends the generation, and so is that it will be told; but the URL of the image is
//! made for each try, because it lives for a while only and is nothing to keep. Then it is delivered, tried
//! again with growing pauses across restarts, and given up after a day; what was given up can be delivered again by hand. What
//! was delivered is forgotten. A receiver may hear the same twice: `generationUuid` tells.
//!
//! - `POST` with the JSON of the end, and `Wharf-Signature: t=UNIX,v1=HEX` where there is a secret: HMAC-SHA256 of the secret
//!   over the time, a dot and the body;
//! - only to where callbacks may go, looked up and judged for each try; no redirects are followed;
//! - 2xx is delivered, everything else is not.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Config;
use super::call::Call;
use super::error::{Error, answer as json_answer};
use super::generations::record::{Owner, Record as Generation};
use crate::auth::KeyIdentity;
use crate::base::clock::Timestamp;
use crate::base::limits::{CALLBACKS_DEAD_MAX, GENERATIONS_LOOKED_AT_MAX, LIST_PAGE_MAX};
use crate::store::error::Error as StoreError;
use crate::store::types::{Expected, RecordChange, RecordKind};
use crate::wire::Body;
use crate::wire::url::HttpUrl;

mod delivery;
mod record;

use record::{Image, Record, State};

/// What secrets are sealed for.
const CONTEXT: &str = "callback-secret";

/// The callbacks of a gateway. A clone is the same ones.
#[derive(Clone, Debug)]
pub(super) struct Callbacks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    waiting: Mutex<BTreeMap<String, Waiting>>,
    bell: Notify,
}

/// A callback that is kept.
#[derive(Clone, Debug)]
struct Waiting {
    way: Way,
    created: Timestamp,
    /// When to try; never once it was given up.
    due: Option<Instant>,
}

/// Whom a callback is for: what is on its way at a time is shared out by this.
#[derive(Clone, Debug)]
struct Way {
    /// Scheme and host, or what there is of them.
    host: String,
    /// The key that asked for it; nobody's where that is absent.
    user: Option<String>,
}

impl Way {
    fn of(url: &str, owner: Option<&Owner>) -> Self {
        let host = HttpUrl::parse(url).map_or_else(|_| String::new(), |url| url.base().to_string());
        Self { host, user: owner.map(|owner| owner.user.clone()) }
    }
}

/// A callback's secret, sealed, as records keep it.
pub(super) fn sealed(config: &Config, secret: &str) -> String {
    let sealer = config.authenticator.keyring().sealer();
    STANDARD.encode(sealer.seal(CONTEXT, secret.as_bytes(), config.rng.as_ref()))
}

/// The record that tells the end of a generation, if somebody wants to hear of it.
///
/// # Errors
/// [`StoreError::Corrupt`], which does not happen.
pub(super) fn of_generation(config: &Config, generation: &Generation) -> Result<Option<RecordChange>, Error> {
    let Some(callback) = &generation.callback else { return Ok(None) };
    let body = json!({
        "generationUuid": generation.uuid,
        "uuid": generation.uuid,
        "status": generation.status.name(),
        "isSuccess": generation.etag.is_some(),
        "errorMessage": generation.error,
        "bmpVolume": generation.volume_bytes,
        "objectName": generation.key,
        "bucket": generation.bucket,
        "eTag": generation.etag,
        "imageUrl": Value::Null,
    });
    let image = generation
        .etag
        .as_ref()
        .map(|_| Image { owner: generation.owner.clone(), s3_base: generation.s3_base.clone() });
    let record = Record {
        state: State::Pending,
        url: callback.url.clone(),
        secret: callback.secret.clone(),
        body: body.to_string(),
        image,
        owner: generation.owner.clone(),
        bucket: generation.bucket.clone(),
        key: generation.key.clone(),
        created_ms: config.clock.now().0,
        since_ms: config.clock.now().0,
        tries: 0,
        error: None,
        answered: None,
    };
    Ok(Some(RecordChange {
        kind: RecordKind::Callback,
        name: generation.uuid.clone(),
        bytes: Some(record.bytes()?),
        expires: None,
        expected: Expected::Any,
    }))
}

impl Callbacks {
    /// Callbacks, not yet read from the store.
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self(Arc::new(Inner { config, waiting: Mutex::default(), bell: Notify::new() }))
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what there is. Those that wait are tried at once: the gateway may have been away for long.
    pub(super) fn load(&self) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let (page, more) = self.config().store.records_page(RecordKind::Callback, &after, LIST_PAGE_MAX)?;
            for (name, kept) in page {
                match Record::read(&kept.bytes) {
                    Ok(record) => {
                        let due = (record.state == State::Pending).then(Instant::now);
                        self.note(&name, &record, due);
                    }
                    Err(error) => tracing::error!(id = %name, %error, "a callback is passed over"),
                }
                after = name;
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn note(&self, id: &str, record: &Record, due: Option<Instant>) {
        let way = Way::of(&record.url, record.owner.as_ref());
        let waiting = Waiting { way, created: Timestamp(record.created_ms), due };
        self.waiting().insert(id.to_owned(), waiting);
        self.0.bell.notify_one();
    }

    /// A generation is over, and its callback is committed.
    pub(super) fn take_up(&self, generation: &Generation) {
        let Some(callback) = &generation.callback else { return };
        let way = Way::of(&callback.url, generation.owner.as_ref());
        let waiting = Waiting { way, created: self.config().clock.now(), due: Some(Instant::now()) };
        self.waiting().insert(generation.uuid.clone(), waiting);
        self.0.bell.notify_one();
    }

    /// How many wait to be delivered, and how many of them are of this key, or of nobody.
    pub(super) fn pending(&self, user: Option<&str>) -> (usize, usize) {
        let waiting = self.waiting();
        let pending = || waiting.values().filter(|waiting| waiting.due.is_some());
        (pending().count(), pending().filter(|waiting| waiting.way.user.as_deref() == user).count())
    }

    /// The oldest that were given up, beyond those that are kept.
    fn too_many_dead(&self) -> Vec<String> {
        let waiting = self.waiting();
        let mut dead: Vec<_> = waiting.iter().filter(|(_, waiting)| waiting.due.is_none()).collect();
        dead.sort_by_key(|(_, waiting)| waiting.created);
        let beyond = dead.len().saturating_sub(CALLBACKS_DEAD_MAX);
        dead.into_iter().take(beyond).map(|(id, _)| id.clone()).collect()
    }

    /// A page of the callbacks that the caller may see, by id: its own, and for root all. `next` is there when there may be
    /// more.
    pub(super) fn list(&self, call: &Call) -> Result<Response<Body>, Error> {
        let wanted = call
            .query
            .get("state")
            .map(|name| State::parse(name).ok_or_else(|| Error::field("state", "must be pending or dead")));
        let wanted = wanted.transpose()?;
        let from = call.query.get("after").map_or(Bound::Unbounded, Bound::Excluded);
        let mut ids: Vec<String> = {
            let waiting = self.waiting();
            let named = waiting.range::<str, _>((from, Bound::Unbounded)).map(|(id, _)| id.clone());
            named.take(GENERATIONS_LOOKED_AT_MAX.saturating_add(1)).collect()
        };
        let more = ids.len() > GENERATIONS_LOOKED_AT_MAX;
        ids.truncate(GENERATIONS_LOOKED_AT_MAX);
        let (mut shown, mut next, mut ids) = (Vec::new(), None, ids.into_iter());
        while let Some(id) = ids.next() {
            // It may be delivered by now.
            if let Some(kept) = self.config().store.record(RecordKind::Callback, &id)? {
                let record = Record::read(&kept.bytes)?;
                if wanted.is_none_or(|wanted| wanted == record.state) && self.may(call, &record) {
                    shown.push(record.shown(&id, is_root(call)));
                }
            }
            if ids.len() == 0 && !more {
                break;
            }
            if shown.len() == LIST_PAGE_MAX || ids.len() == 0 {
                next = Some(id);
                break;
            }
        }
        Ok(json_answer(StatusCode::OK, &json!({ "callbacks": shown, "next": or_null(next.as_ref()) })))
    }

    /// Delivers again what was given up, or at once what waits.
    pub(super) async fn redeliver(&self, call: &Call, id: &str) -> Result<Response<Body>, Error> {
        let unknown =
            || Error::new(StatusCode::NOT_FOUND, "NoSuchCallback", "no callback of this id waits or was given up");
        if !super::generations::token::is_uuid(id) {
            return Err(unknown());
        }
        let kept = self.config().store.record(RecordKind::Callback, id)?.ok_or_else(unknown)?;
        let mut record = Record::read(&kept.bytes)?;
        if !self.may(call, &record) {
            return Err(unknown());
        }
        record.state = State::Pending;
        record.since_ms = self.config().clock.now().0;
        record.tries = 0;
        let (kind, revision) = (RecordKind::Callback, Expected::Revision(kept.revision));
        self.config().store.put_record(kind, id, record.bytes()?, None, revision).await?;
        self.note(id, &record, Some(Instant::now()));
        Ok(json_answer(StatusCode::ACCEPTED, &record.shown(id, is_root(call))))
    }

    /// Whether the caller is who asked for the generation, or root. Whoever else may put the object has not said where it is told.
    fn may(&self, call: &Call, record: &Record) -> bool {
        let keyring = self.config().authenticator.keyring();
        let own = || record.owner.as_ref().is_some_and(|owner| owner.is(&call.caller.identity, keyring));
        call.caller.scope.is_none() && (is_root(call) || own())
    }

    /// Delivers until the gateway stops.
    pub(super) async fn run(self, stop: watch::Receiver<bool>) {
        delivery::run(self, stop).await;
    }
}

/// Whether root asks, with all its rights.
fn is_root(call: &Call) -> bool {
    call.caller.scope.is_none() && call.caller.identity.key().is_some_and(KeyIdentity::is_unrestricted_root)
}

/// A text, or null.
fn or_null(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| Value::String(text.clone()))
}
