//! Images made by a generator: `/bmp`, section 4.3 of the contract.
//!
//! A generation is an upload that somebody else fills: begun here in the caller's name, ordered from a generator with URLs for
//! its parts and a token for that upload alone, and over when the store says that the object is there. Its [`record`] is
//! durable before the caller hears of it, so a gateway that is killed goes on where it was, with the parts that are there
//! ([`dispatch`]). How it changes is said in [`course`], what there is in [`history`].
//!
//! It runs in its owner's name, who is the key that asked for it and no later one of that id, with the rights that the owner has
//! by then: where they end, it fails. Owning it gives that one sees it and ends it, whatever one's policy has become; its image
//! is read with what rights there are. Others see it who may read its object, and end it who may abort its upload, too.
//!
//! Absent on purpose: any byte of an image. They go from the generator to the S3 port.

use std::sync::{Arc, Mutex};

use http::header::HeaderName;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::Config;
use super::call::{Call, Scope, object_key};
use super::callbacks::{self, Callbacks};
use super::error::{Error, answer as json_answer};
use super::events;
use super::judge::Place;
use super::sessions::{Named, begin, part_size};
use crate::auth::{Identity, KeyIdentity};
use crate::base::limits::{
    CALLBACK_SECRET_MAX_BYTES, CALLBACK_URL_MAX_BYTES, EVENT_LISTENERS_MAX, GENERATIONS_KEPT_MAX, GENERATOR_PAUSE_MAX,
    HISTORY_JUDGEMENTS_CONCURRENT, LIST_PAGE_MAX,
};
use crate::store::error::Error as StoreError;
use crate::store::types::{Attributes, ETag, Expected, PartNumber, RecordKind};
use crate::wire::Body;
use crate::wire::image::Image;
use crate::wire::url::HttpUrl;

mod course;
mod dispatch;
mod history;
mod load;
pub mod record;
mod settings;
mod shown;
pub(super) mod token;

use course::{Upload, unknown};
use history::{History, Part, retold};
use load::{Coming, Room};
use record::{Callback, Ending, Owner, Record, Status};

pub(super) use dispatch::backoff;
pub use settings::Settings;

/// The last event that a listener has.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The generations of a gateway. A clone is the same ones.
#[derive(Clone, Debug)]
pub struct Generations(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    history: History,
    callbacks: Callbacks,
    /// Rung when there is something to look at.
    bell: Notify,
    stop: watch::Sender<bool>,
    listeners: Arc<Semaphore>,
    /// Turns for judging many generations at once.
    judgements: Arc<Semaphore>,
    /// Generators being told that nobody waits any more.
    errands: Mutex<JoinSet<()>>,
}

impl Generations {
    /// Generations, not yet read from the store.
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self(Arc::new(Inner {
            callbacks: Callbacks::new(Arc::clone(&config)),
            config,
            history: History::default(),
            bell: Notify::new(),
            stop: watch::Sender::new(false),
            listeners: Arc::new(Semaphore::new(EVENT_LISTENERS_MAX)),
            judgements: Arc::new(Semaphore::new(HISTORY_JUDGEMENTS_CONCURRENT)),
            errands: Mutex::default(),
        }))
    }

    /// Reads what there is, so that it can be answered for and gone on with.
    pub(super) fn load(&self) -> Result<(), StoreError> {
        let now = self.config().clock.now();
        let mut after = String::new();
        loop {
            let (page, more) = self.config().store.records_page(RecordKind::Generation, &after, LIST_PAGE_MAX)?;
            for (name, kept) in page {
                match Record::read(&kept.bytes) {
                    Ok(record) => self.history().add(&record, now),
                    Err(error) => tracing::error!(uuid = %name, %error, "a generation is passed over"),
                }
                after = name;
            }
            if !more {
                break;
            }
        }
        self.callbacks().load()?;
        self.history().loaded();
        Ok(())
    }

    /// Callbacks that tell the ends of generations.
    pub(super) fn callbacks(&self) -> &Callbacks {
        &self.0.callbacks
    }

    /// Delivers callbacks until the gateway stops.
    pub(super) fn deliver(&self) -> impl Future<Output = ()> + Send + use<> {
        self.callbacks().clone().run(self.0.stop.subscribe())
    }

    /// Tells when the gateway stops.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stop.subscribe()
    }

    /// Ends what listens and works.
    pub(super) fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    fn history(&self) -> &History {
        &self.0.history
    }

    /// Answers a request to `/bmp...`.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub(super) async fn answer(&self, call: Call) -> Result<Response<Body>, Error> {
        if !self.history().is_loaded() {
            let message = "the gateway is starting".to_owned();
            return Err(Error::from_words(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message, None));
        }
        let path = call.path.clone();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let is = |method| call.method == method || (method == Method::GET && call.method == Method::HEAD);
        let only = |method: Method| if is(method.clone()) { Ok(()) } else { Err(Error::method(method.as_str())) };
        match path.as_slice() {
            ["bmp"] | ["bmp", ""] if is(Method::POST) => self.create(call).await,
            ["bmp"] | ["bmp", ""] if is(Method::GET) => {
                let generations = self.clone();
                self.judge_many(move || generations.list(&call)).await
            }
            ["bmp"] | ["bmp", ""] => Err(Error::method("GET and POST")),
            ["bmp", "callbacks"] => {
                only(Method::GET)?;
                let callbacks = self.callbacks().clone();
                self.judge_many(move || callbacks.list(&call)).await
            }
            ["bmp", "callbacks", id, "redeliver"] => {
                only(Method::POST)?;
                self.callbacks().redeliver(&call, id).await
            }
            ["bmp", uuid, rest @ ..] if token::is_uuid(uuid) => match rest {
                [] => only(Method::GET).and_then(|()| self.show(&call, uuid)),
                ["events"] => only(Method::GET).and_then(|()| self.events(&call, uuid)),
                ["complete"] => {
                    only(Method::POST)?;
                    self.complete(call, uuid).await
                }
                ["part"] => {
                    only(Method::POST)?;
                    self.part(call, uuid).await
                }
                ["cancel"] => {
                    only(Method::POST)?;
                    self.cancel(&call, uuid).await
                }
                _ => Err(Error::no_such_path()),
            },
            ["bmp", _] => Err(unknown()),
            _ => Err(Error::no_such_path()),
        }
    }

    /// Looks at many records at once, on a thread of its own, when it is its turn.
    async fn judge_many(
        &self,
        judge: impl FnOnce() -> Result<Response<Body>, Error> + Send + 'static,
    ) -> Result<Response<Body>, Error> {
        let turn = Arc::clone(&self.0.judgements).acquire_owned().await;
        let judged = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            judge()
        });
        judged.await.unwrap_or_else(|lost| {
            let message = "the gateway failed; its log says why".to_owned();
            let detail = Some(lost.to_string());
            Err(Error::from_words(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message, detail))
        })
    }

    async fn create(&self, call: Call) -> Result<Response<Body>, Error> {
        let fields = call.fields().await?;
        let image = Image::from_json(&fields.0).map_err(|error| Error::field(&error.field, error.message))?;
        let volume = image.file_bytes();
        let part_size = part_size(Some(volume), fields.number("partSize")?)?;
        let callback = self.callback(&fields)?;
        let bucket = call.bucket(fields.text("bucket")?)?;
        let uuid = token::new_uuid(self.config().rng.as_ref());
        let own_name = format!("{uuid}.bmp");
        let name = fields.text("fileName")?.filter(|name| !name.is_empty()).unwrap_or(&own_name);
        if name.chars().any(char::is_control) {
            // Generators take no such name.
            return Err(Error::field("fileName", "must not have control characters"));
        }
        let key = object_key("fileName", name)?;
        call.permit("s3:PutObject", Place(&bucket, &key))?;
        let _room = self.make_room(&call.caller.identity, callback.is_some()).await?;
        let owner = Owner::of(&call.caller.identity, self.config().authenticator.keyring())?;
        let mut attributes = Attributes::default();
        attributes.headers.push(("content-type".to_owned(), "image/bmp".to_owned()));
        let upload = begin(&call, &bucket, &key, attributes, Some(volume)).await?;
        let record = Record {
            uuid: uuid.clone(),
            status: Status::Pending,
            image: image.to_json(),
            volume_bytes: volume,
            part_size_bytes: part_size,
            bucket: bucket.name.to_string(),
            key: key.as_str().to_owned(),
            upload: upload.to_string(),
            owner,
            callback,
            s3_base: self.config().addresses.s3(&call.headers).to_string(),
            created_ms: self.config().clock.now().0,
            started_ms: None,
            finished_ms: None,
            ending: None,
            backend: None,
            etag: None,
            error: None,
            attempt: 0,
            parts_done: 0,
            bytes_done: 0,
        };
        let (store, kind) = (&self.config().store, RecordKind::Generation);
        if let Err(error) = store.put_record(kind, &uuid, record.bytes()?, None, Expected::Absent).await {
            // Where this fails too, the upload ends with its time.
            let _: Result<(), StoreError> = store.abort_upload(&bucket, &key, upload).await;
            return Err(error.into());
        }
        self.history().add(&record, self.config().clock.now());
        self.0.bell.notify_one();
        let token = token::of_listener(self.config().authenticator.keyring().sealer(), &uuid);
        let shown = json!({
            "uuid": uuid,
            "status": record.status.name(),
            "bmpVolume": volume,
            "partCount": record.part_count(),
            "partSize": part_size,
            "objectName": record.key,
            "bucket": record.bucket,
            "uploadId": record.upload,
            "eventsUrl": format!("{}/bmp/{uuid}/events?token={token}", self.config().addresses.api(&call.headers)),
        });
        Ok(json_answer(StatusCode::ACCEPTED, &shown))
    }

    /// Whom the end is to be told.
    fn callback(&self, fields: &super::call::Fields) -> Result<Option<Callback>, Error> {
        let secret = fields.text("callbackSecret")?.filter(|secret| !secret.is_empty());
        let Some(url) = fields.text("callbackUrl")?.filter(|url| !url.is_empty()) else {
            return match secret {
                None => Ok(None),
                Some(_) => Err(Error::field("callbackSecret", "needs a \"callbackUrl\"")),
            };
        };
        if url.len() > CALLBACK_URL_MAX_BYTES {
            return Err(Error::field("callbackUrl", format!("must have at most {CALLBACK_URL_MAX_BYTES} bytes")));
        }
        let parsed =
            HttpUrl::parse(url).map_err(|error| Error::field("callbackUrl", format!("cannot be called: {error}")))?;
        if !self.config().generations.callbacks.allowed().may_be_allowed(&parsed) {
            return Err(Error::field("callbackUrl", "leads where --callback-allow lets nobody be called"));
        }
        if secret.is_some_and(|secret| secret.len() > CALLBACK_SECRET_MAX_BYTES) {
            let message = format!("must have at most {CALLBACK_SECRET_MAX_BYTES} bytes");
            return Err(Error::field("callbackSecret", message));
        }
        let secret = secret.map(|secret| callbacks::sealed(self.config(), secret));
        Ok(Some(Callback { url: url.to_owned(), secret }))
    }

    /// Room for one more, taken: not too many are under way, and the oldest that are over make way.
    async fn make_room(&self, identity: &Identity, calls_back: bool) -> Result<Room, Error> {
        let key = identity.key();
        let coming = Coming { user: key.map(|key| key.user.clone()), calls_back };
        let (waiting, own_waiting) = self.callbacks().pending(coming.user.as_deref());
        let own_waiting = key.is_none_or(|key| !key.root).then_some(own_waiting);
        if let Err(why) = self.history().take_place(&coming, waiting, own_waiting) {
            let error = Error::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", why);
            return Err(error.retry_after(GENERATOR_PAUSE_MAX));
        }
        let room = Room { generations: self.clone(), coming };
        while let Some(oldest) = self.history().oldest_over(GENERATIONS_KEPT_MAX) {
            self.config().store.delete_record(RecordKind::Generation, &oldest).await?;
            self.history().remove(&oldest);
        }
        Ok(room)
    }

    /// The generation of this name, if the caller may see it: its generator, its owner, and who may read its object.
    fn visible(&self, call: &Call, uuid: &str) -> Result<Record, Error> {
        let record = self.kept(uuid)?.record;
        let seen = match &call.caller.scope {
            Some(Scope::Generation { uuid: own, .. }) => own == uuid,
            None => self.may(call, &record, "s3:GetObject")?,
        };
        if seen { Ok(record) } else { Err(unknown()) }
    }

    /// Whether the caller is the owner, or may do this to the object.
    fn may(&self, call: &Call, record: &Record, action: &str) -> Result<bool, Error> {
        let keyring = self.config().authenticator.keyring();
        if record.owner.as_ref().is_some_and(|owner| owner.is(&call.caller.identity, keyring)) {
            return Ok(true);
        }
        let Some(bucket) = self.bucket_of(record)? else {
            // Nobody's policy says anything about a bucket that is gone.
            return Ok(call.caller.identity.key().is_some_and(KeyIdentity::is_unrestricted_root));
        };
        let key = record.place()?.key;
        match call.permit(action, Place(&bucket, &key)) {
            Ok(()) => Ok(true),
            Err(error) if error.status() == StatusCode::FORBIDDEN => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A generation that the caller may report on or end.
    fn controlled(&self, call: &Call, uuid: &str, action: &str) -> Result<Record, Error> {
        let record = self.visible(call, uuid)?;
        if call.caller.scope.is_none() && !self.may(call, &record, action)? {
            return Err(Error::denied("you may see this generation, and not change it"));
        }
        Ok(record)
    }

    /// The generator's report.
    async fn complete(&self, call: Call, uuid: &str) -> Result<Response<Body>, Error> {
        let record = self.controlled(&call, uuid, "s3:AbortMultipartUpload")?;
        let fields = call.fields().await?;
        let success = fields.boolean("isSuccess")?.ok_or_else(|| Error::field("isSuccess", "is missing"))?;
        if fields.text("generationUuid")?.is_some_and(|named| named != uuid) {
            return Err(Error::field("generationUuid", "is not the generation of the path"));
        }
        let volume = fields.number("bmpVolume")?;
        if success && volume.is_some_and(|volume| volume != record.volume_bytes) {
            return Err(Error::field("bmpVolume", format!("must be {}", record.volume_bytes)));
        }
        let why = fields.text("errorMessage")?.filter(|why| !why.is_empty()).unwrap_or("the generator gave no reason");
        let wish = (!success).then(|| Ending::failed(why));
        // Whoever fills the upload by now is not ended by one that was ordered before: it is the later one's to say.
        let replaced =
            matches!(&call.caller.scope, Some(Scope::Generation { attempt, .. }) if *attempt < record.attempt);
        let record = match replaced && matches!(self.upload_of(&record)?, Upload::Open(_)) {
            true => record,
            false => self.settle(uuid, wish).await?,
        };
        Ok(json_answer(StatusCode::OK, &json!({ "uuid": uuid, "status": record.status.name() })))
    }

    /// A part that the generator says is there. What counts is the part that the store has.
    async fn part(&self, call: Call, uuid: &str) -> Result<Response<Body>, Error> {
        let record = self.controlled(&call, uuid, "s3:AbortMultipartUpload")?;
        let fields = call.fields().await?;
        let number = fields.number("partNumber")?.ok_or_else(|| Error::field("partNumber", "is missing"))?;
        let within = PartNumber::new(number).filter(|_| number <= record.part_count());
        let within =
            within.ok_or_else(|| Error::field("partNumber", format!("must be from 1 to {}", record.part_count())))?;
        let backend = fields.text("backend")?.filter(|backend| matches!(*backend, "cuda" | "cpu"));
        let place = record.place()?;
        let (Some(live), Some(bucket)) = (self.history().live(uuid), self.bucket_of(&record)?) else {
            return Ok(json_answer(StatusCode::OK, &json!({})));
        };
        let before = PartNumber::new(number.saturating_sub(1));
        let named = Named { bucket, key: place.key, id: place.upload };
        let page = call.store().list_parts(&named.bucket, &named.key, named.id, before, 1);
        let part = match page {
            Ok(page) => page.parts.into_iter().find(|part| part.number == within),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(backend) = backend {
            live.course().backend = Some(backend.to_owned());
        }
        let known = part.is_some();
        if let Some(part) = part.filter(|part| part.size == record.part_bytes(number)) {
            live.see(Part { number, etag: ETag::of_body(part.md5).quoted(), bytes: part.size });
        }
        Ok(json_answer(StatusCode::OK, &json!({ "known": known })))
    }

    async fn cancel(&self, call: &Call, uuid: &str) -> Result<Response<Body>, Error> {
        if call.caller.scope.is_some() {
            return Err(Error::denied("this token is for one generation alone, and not for its end"));
        }
        self.controlled(call, uuid, "s3:AbortMultipartUpload")?;
        let record = self.settle(uuid, Some(Ending::cancelled())).await?;
        if record.status != Status::Cancelled {
            let message = format!("the generation is {} already", record.status.name());
            return Err(Error::new(StatusCode::CONFLICT, "Conflict", message));
        }
        self.call_off(uuid);
        Ok(json_answer(StatusCode::OK, &self.shown(call, &record)?))
    }

    fn events(&self, call: &Call, uuid: &str) -> Result<Response<Body>, Error> {
        let sealer = self.config().authenticator.keyring().sealer();
        let record = match call.query.get("token") {
            Some(token) if token::is_listeners(sealer, uuid, token) => self.kept(uuid)?.record,
            Some(_) => return Err(Error::unauthorized()),
            None => self.visible(call, uuid)?,
        };
        let seen = call.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or_default();
        let log = self.history().live(uuid).map_or_else(|| retold(&record), |live| Arc::clone(&live.log));
        if log.ends_with(seen) {
            // Tells an EventSource to stay away.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return Ok(response);
        }
        let place = Arc::clone(&self.0.listeners).try_acquire_owned().map_err(|_| {
            let message = "as many listen as may".to_owned();
            Error::from_words(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message, None)
        })?;
        Ok(events::response(log, seen, self.0.stop.subscribe(), place))
    }
}

/// A member of an object that is there, or null.
fn or_null<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::Null, Into::into)
}
