//! A request to the upload API: its head, taken apart, its caller, and its body, not yet read.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use super::Config;
use super::error::Error;
use super::generations::token;
use super::judge::{Asker, Place};
use super::query::{Query, decoded};
use crate::auth::{Identity, KeyIdentity};
use crate::base::limits::{
    API_BODY_MAX_BYTES, API_JSON_ITEMS_MAX, API_PARTS_BODY_MAX_BYTES, URL_RECKONED_BYTES, URL_WITH_TOKEN_RECKONED_BYTES,
};
use crate::store::Store;
use crate::store::types::{Attributes, Bucket, BucketName, ObjectKey, UploadId};
use crate::wire::{Body, BodyError, ConnectionInfo, json};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// On whose behalf.
    pub identity: Identity,
    /// The one thing that a token is for, where it is for one thing.
    pub scope: Option<Scope>,
}

/// What a token is good for that is good for one thing alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A generation, and the upload of its image.
    Generation {
        /// The generation.
        uuid: String,
        /// Its upload.
        upload: Option<UploadId>,
        /// Which of the orders of it the token came with.
        attempt: u64,
        /// What the upload is to have in the end, and nothing else.
        volume_bytes: u64,
        /// ... in the parts from 1 to this.
        part_count: u64,
    },
}

impl Caller {
    /// Whose credentials these are; nobody where there are none.
    ///
    /// # Errors
    /// 401 for credentials that are no good.
    pub fn of(config: &Config, headers: &HeaderMap) -> Result<Self, Error> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(config.anonymous()),
            (Some(value), None) => value.to_str().map_err(|_| Error::unauthorized())?,
            (Some(_), Some(_)) => return Err(Error::unauthorized()),
        };
        let (scheme, credentials) = value.split_once(' ').ok_or_else(Error::unauthorized)?;
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") && token::is_generators(credentials) {
            return token::caller(config, credentials);
        }
        let keyring = config.authenticator.keyring();
        let key = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => keyring.bearer(credentials, config.clock.now()),
            "basic" => {
                let pair = STANDARD.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok());
                let pair = pair.ok_or_else(Error::unauthorized)?;
                let (access_key, secret) = pair.split_once(':').ok_or_else(Error::unauthorized)?;
                keyring.password(access_key, secret)
            }
            _ => None,
        };
        let identity = Identity::Key(key.ok_or_else(Error::unauthorized)?);
        Ok(Self { identity, scope: None })
    }

    /// The user behind the key; empty for somebody without one.
    pub fn user(&self) -> &str {
        self.identity.key().map_or("", |key| key.user.as_str())
    }
}

/// What a call gets to work with.
#[derive(Debug)]
pub struct Call {
    /// The API.
    pub config: Arc<Config>,
    /// The method, or the one that `X-HTTP-Method-Override` puts in its place where a protocol has that.
    pub method: Method,
    /// The segments of the path, decoded.
    pub path: Vec<String>,
    /// Its query.
    pub query: Query,
    /// Its headers.
    pub headers: HeaderMap,
    /// Who sent it.
    pub caller: Caller,
    /// The connection it came by.
    pub connection: Option<ConnectionInfo>,
    body: Unread,
}

/// A body that nobody has asked for yet. What a call is asked for meanwhile may be asked on several threads; the body is one
/// reader's.
#[derive(Debug)]
struct Unread(Mutex<Option<Body>>);

impl Call {
    /// Takes a request apart.
    ///
    /// # Errors
    /// 400 for a path or a query that is no percent-encoded UTF-8.
    pub fn read(config: Arc<Config>, head: Parts, body: Body, caller: Caller) -> Result<Self, Error> {
        let path = head.uri.path().split('/').skip(1).map(decoded).collect::<Option<_>>();
        Ok(Self {
            config,
            path: path.ok_or_else(|| Error::invalid("the path is not percent-encoded UTF-8"))?,
            query: Query::parse(head.uri.query().unwrap_or_default())?,
            method: head.method,
            connection: head.extensions.get().copied(),
            headers: head.headers,
            caller,
            body: Unread(Mutex::new(Some(body))),
        })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.config.store
    }

    /// The caller asking for permission.
    pub fn asker(&self) -> Asker<'_> {
        Asker { identity: &self.caller.identity, headers: &self.headers, connection: self.connection }
    }

    /// Permission for an action of S3.
    ///
    /// # Errors
    /// `AccessDenied`, also for a token that is for one thing alone.
    pub fn permit(&self, action: &str, place: Place<'_>) -> Result<(), Error> {
        if self.caller.scope.is_some() {
            return Err(Error::denied("this token is for one generation alone"));
        }
        self.config.judge.permit(&self.asker(), action, place)
    }

    /// Permission for an action on an upload: that of S3, or a token that is for this very upload. Such a token is for putting
    /// the object, so whoever it speaks for must have the right to that, and now: rights that have ended end it.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub fn permit_upload(&self, action: &str, place: Place<'_>, id: UploadId) -> Result<(), Error> {
        match &self.caller.scope {
            Some(Scope::Generation { upload, .. }) if *upload == Some(id) => {
                self.config.judge.permit(&self.asker(), "s3:PutObject", place)
            }
            _ => self.permit(action, place),
        }
    }

    /// Settles whose an object to be is.
    ///
    /// # Errors
    /// As [`super::judge::Judge::own`].
    pub fn own(&self, bucket: &Bucket, key: &ObjectKey, attributes: &mut Attributes) -> Result<(), Error> {
        self.config.judge.own(&self.asker(), bucket, key, attributes)
    }

    /// The bucket of this name, or the one that stands for none.
    ///
    /// # Errors
    /// `NoSuchBucket`; 400 where there is no bucket by default.
    pub fn bucket(&self, name: Option<&str>) -> Result<Bucket, Error> {
        let name = match (name, &self.config.bucket) {
            (Some(name), _) => {
                BucketName::parse(name).ok_or_else(|| Error::field("bucket", "is not a bucket's name"))?
            }
            (None, Some(name)) => name.clone(),
            (None, None) => return Err(Error::field("bucket", "must be given: the gateway has none by default")),
        };
        Ok(self.store().bucket(&name)?)
    }

    /// The body as a JSON object; no body is an empty one.
    ///
    /// # Errors
    /// 400 for what is none, 413 for a body that is too long.
    pub async fn fields(&self) -> Result<Fields, Error> {
        self.fields_within(API_BODY_MAX_BYTES).await
    }

    /// As [`Self::fields`], for documents that list parts.
    ///
    /// # Errors
    /// As [`Self::fields`].
    pub async fn fields_of_parts(&self) -> Result<Fields, Error> {
        self.fields_within(API_PARTS_BODY_MAX_BYTES).await
    }

    /// Gathers the body. What all requests gather together has a limit, so that many that stop halfway cannot fill the machine.
    async fn fields_within(&self, max_bytes: usize) -> Result<Fields, Error> {
        let mut body = self.take_body();
        if body.remaining().is_some_and(|declared| declared > max_bytes as u64) {
            return Err(BodyError::TooLarge(max_bytes).into());
        }
        let (mut gathered, mut held) = (BytesMut::new(), Vec::new());
        while let Some(piece) = body.next().await.transpose()? {
            if piece.len() > max_bytes.saturating_sub(gathered.len()) {
                return Err(BodyError::TooLarge(max_bytes).into());
            }
            let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            let room = Arc::clone(&self.config.documents).try_acquire_many_owned(bytes);
            held.push(room.map_err(|_| Error::slow_down("too many documents are on their way"))?);
            gathered.extend_from_slice(&piece);
        }
        Fields::parse(&gathered)
    }

    /// Room for an answer with so many presigned URLs, until this is dropped: a reader may take its time.
    ///
    /// # Errors
    /// `SlowDown` where there is none left.
    pub fn room_for_urls(&self, count: usize) -> Result<OwnedSemaphorePermit, Error> {
        let narrowed = |key: &KeyIdentity| key.session.as_ref().is_some_and(|session| session.policy.is_some());
        let each = match self.caller.identity.key().is_some_and(narrowed) {
            true => URL_WITH_TOKEN_RECKONED_BYTES,
            false => URL_RECKONED_BYTES,
        };
        let bytes = u32::try_from(count.saturating_mul(each)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.config.documents).try_acquire_many_owned(bytes);
        room.map_err(|_| Error::slow_down("too many answers are on their way"))
    }

    /// The body, once; nothing afterwards. Asking it for a byte answers `Expect: 100-continue`.
    pub fn take_body(&self) -> Body {
        self.body.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(Body::empty)
    }

    /// Whether `Accept-Language` prefers Korean to English.
    pub fn prefers_korean(&self) -> bool {
        self.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).is_some_and(prefers_korean)
    }
}

/// The object's key that `name` is.
///
/// # Errors
/// 400 that names the field.
pub fn object_key(field: &str, text: &str) -> Result<ObjectKey, Error> {
    ObjectKey::parse(text).ok_or_else(|| Error::field(field, "must have 1 to 1024 bytes"))
}

/// The upload that a text names.
///
/// # Errors
/// `NoSuchUpload` for what cannot be an id.
pub fn upload_id(text: &str) -> Result<UploadId, Error> {
    UploadId::parse(text).ok_or_else(Error::no_such_upload)
}

/// The first of the languages with the highest weight (RFC 9110 section 12.5.4), `ko` against all others.
fn prefers_korean(value: &str) -> bool {
    let mut best: Option<(f32, bool)> = None;
    for range in value.split(',') {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.trim().parse().ok());
        let Some(weight) = weight.filter(|weight: &f32| *weight > 0.0) else { continue };
        let language = tag.trim().split('-').next().unwrap_or_default();
        if best.is_none_or(|(highest, _)| weight > highest) {
            best = Some((weight, language.eq_ignore_ascii_case("ko")));
        }
    }
    best.is_some_and(|(_, korean)| korean)
}

/// The members of a JSON object. Those that nobody asks for are ignored.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    /// Reads an object; no bytes are an empty one.
    ///
    /// # Errors
    /// 400 for what is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if json::items(bytes) > API_JSON_ITEMS_MAX {
            return Err(Error::invalid(format!("the body has more than {API_JSON_ITEMS_MAX} members and items")));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Error::invalid("the body must be a JSON object")),
            Err(error) => Err(Error::invalid(format!("the body is not JSON: {error}"))),
        }
    }

    /// A member that is there and not null.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    ///
    /// # Errors
    /// 400 that names the field, for another type.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        self.typed(name, "must be a text", Value::as_str)
    }

    /// A text that has to be there and not be empty.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn required(&self, name: &str) -> Result<&str, Error> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| Error::field(name, "is missing"))
    }

    /// True or false.
    ///
    /// # Errors
    /// 400 that names the field, for another type.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        self.typed(name, "must be true or false", Value::as_bool)
    }

    /// A whole number from 0 on.
    ///
    /// # Errors
    /// 400 that names the field, for anything else.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        self.typed(name, "must be a whole number", Value::as_u64)
    }

    /// A list.
    ///
    /// # Errors
    /// 400 that names the field, for another type.
    pub fn list(&self, name: &str) -> Result<Option<&Vec<Value>>, Error> {
        self.typed(name, "must be a list", Value::as_array)
    }

    /// An object.
    ///
    /// # Errors
    /// 400 that names the field, for another type.
    pub fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Error> {
        self.typed(name, "must be an object", Value::as_object)
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.value(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| Error::field(name, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_the_highest_weight_wins() {
        for (value, korean) in [
            ("ko", true),
            ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", true),
            ("en-US,en;q=0.9,ko;q=0.8", false),
            ("en;q=0.1, KO-kr;q=0.5", true),
            ("ko;q=0", false),
            ("ko;q=x, en", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(prefers_korean(value), korean, "{value}");
        }
    }

    #[test]
    fn texts_that_would_take_much_memory_are_not_read() {
        let bomb = format!("{{\"a\":[{}0]}}", "{\"a\":0},".repeat(API_JSON_ITEMS_MAX));
        assert!(Fields::parse(bomb.as_bytes()).unwrap_err().message().contains("more than"));
    }

    #[test]
    fn wrong_types_name_their_field() {
        let fields = Fields::parse(br#"{"a":1,"b":"x","c":null,"d":-1,"e":[],"f":{}}"#).unwrap();
        assert_eq!((fields.number("a").unwrap(), fields.text("b").unwrap()), (Some(1), Some("x")));
        assert!(fields.text("c").unwrap().is_none() && fields.text("z").unwrap().is_none());
        for error in [
            fields.text("a").unwrap_err(),
            fields.number("b").unwrap_err(),
            fields.number("d").unwrap_err(),
            fields.list("f").unwrap_err(),
            fields.object("e").unwrap_err(),
            fields.required("c").unwrap_err(),
        ] {
            assert_eq!(error.status(), 400);
            assert!(error.message().starts_with('"'), "{}", error.message());
        }
        for bad in ["[]", "1", "{", "\"x\""] {
            assert!(Fields::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
