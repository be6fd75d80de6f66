//! The gateway's API as a generation uses it: new part URLs, parts that are there, completing, reporting. The calls carry the
//! token that came with the order. They are tried again while the gateway is away, because all of them may be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::backoff::{Backoff, retry_after};
use super::order::Order;
use super::part::PartDone;
use super::uploader::Tools;
use crate::base::limits::{GATEWAY_CALL_TIMEOUT, GATEWAY_NOTE_TIMEOUT, GENERATE_BODY_MAX_BYTES, GENERATION_PATIENCE};
use crate::wire::client::{Bounds, ask};
use crate::wire::url::HttpUrl;

/// What needs no encoding in a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The gateway of one generation.
pub(super) struct Gateway {
    order: Arc<Order>,
    tools: Arc<Tools>,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The gateway said no, and would again.
    #[error("{what}: the gateway answered {status} {code}: {message}")]
    Refused {
        /// What was asked.
        what: String,
        /// The answer's status.
        status: StatusCode,
        /// The code of its error, empty where it has none.
        code: String,
        /// ... and its words.
        message: String,
    },
    /// The gateway could not be reached, or answered that it is in trouble.
    #[error("{what}: {why}")]
    Away {
        /// What was asked.
        what: String,
        /// What came of it.
        why: String,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The answer is not what it should be.
    #[error("{what}: the gateway's answer has {problem}")]
    Nonsense {
        /// What was asked.
        what: String,
        /// What is wrong with the answer.
        problem: &'static str,
    },
}

/// A part that an earlier run of this generation left.
pub(super) struct EarlierPart {
    pub(super) etag: String,
    pub(super) size_bytes: u64,
}

impl Gateway {
    pub(super) fn new(order: Arc<Order>, tools: Arc<Tools>) -> Self {
        Self { order, tools }
    }

    /// New URLs for these parts, in their order.
    pub(super) async fn part_urls(&self, numbers: &[u16]) -> Result<Vec<HttpUrl>, CallError> {
        const TARGET: &str = "/s3/part-urls";
        let mut body = self.upload();
        body.insert("partNumbers".to_owned(), json!(numbers));
        let answer = self.insist(Method::POST, TARGET, Some(&body)).await?;
        let texts = answer.get("urls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let urls: Vec<HttpUrl> =
            texts.iter().filter_map(|url| url.as_str().and_then(|url| HttpUrl::parse(url).ok())).collect();
        if urls.len() == numbers.len() && texts.len() == numbers.len() {
            Ok(urls)
        } else {
            Err(CallError::Nonsense { what: TARGET.to_owned(), problem: "not one URL for each part" })
        }
    }

    /// The parts that are there.
    pub(super) async fn parts(&self) -> Result<BTreeMap<u16, EarlierPart>, CallError> {
        let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let mut target = format!(
            "/s3/parts?objectName={}&uploadId={}",
            encode(&self.order.object_name),
            encode(&self.order.upload_id)
        );
        if let Some(bucket) = &self.order.bucket {
            target += &format!("&bucket={}", encode(bucket));
        }
        let answer = self.insist(Method::GET, &target, None).await?;
        let part = |value: &Value| {
            let number = u16::try_from(value.get("partNumber")?.as_u64()?).ok()?;
            let etag = value.get("eTag")?.as_str()?.to_owned();
            Some((number, EarlierPart { etag, size_bytes: value.get("size")?.as_u64()? }))
        };
        let parts = answer.get("parts").and_then(Value::as_array);
        let parts: Option<BTreeMap<u16, EarlierPart>> = parts.and_then(|parts| parts.iter().map(part).collect());
        parts.ok_or_else(|| CallError::Nonsense { what: "/s3/parts".to_owned(), problem: "no list of parts" })
    }

    /// Makes the object of its parts.
    pub(super) async fn complete(&self, etags: &BTreeMap<u16, String>) -> Result<(), CallError> {
        let mut body = self.upload();
        let parts = etags.iter().map(|(number, etag)| json!({"partNumber": number, "eTag": etag}));
        body.insert("parts".to_owned(), parts.collect());
        self.insist(Method::POST, "/s3/complete", Some(&body)).await.map(drop)
    }

    /// Says how the generation ended.
    pub(super) async fn report(&self, failure: Option<&str>) -> Result<(), CallError> {
        let body = json!({
            "isSuccess": failure.is_none(),
            "errorMessage": failure,
            "generationUuid": self.order.uuid,
            "bmpVolume": self.order.image.file_bytes(),
        });
        let target = format!("/bmp/{}/complete", self.order.uuid);
        self.insist(Method::POST, &target, body.as_object()).await.map(drop)
    }

    /// Says that a part is there, so that whoever watches sees the progress. Nothing depends on it.
    pub(super) async fn note(&self, part: &PartDone) {
        let body = json!({
            "partNumber": part.number, "eTag": part.etag, "bytes": part.bytes, "backend": part.backend.name(),
        });
        let target = format!("/bmp/{}/part", self.order.uuid);
        if let Err(error) = self.call(Method::POST, &target, body.as_object(), GATEWAY_NOTE_TIMEOUT).await {
            tracing::debug!(uuid = %self.order.uuid, %error, "the gateway did not note a part");
        }
    }

    fn upload(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("uploadId".to_owned(), json!(self.order.upload_id));
        fields.insert("objectName".to_owned(), json!(self.order.object_name));
        if let Some(bucket) = &self.order.bucket {
            fields.insert("bucket".to_owned(), json!(bucket));
        }
        fields
    }

    /// Calls until there is an answer, for as long as patience lasts.
    async fn insist(
        &self,
        method: Method,
        target: &str,
        body: Option<&Map<String, Value>>,
    ) -> Result<Value, CallError> {
        let mut backoff = Backoff::new(GENERATION_PATIENCE);
        loop {
            let error = match self.call(method.clone(), target, body, GATEWAY_CALL_TIMEOUT).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let CallError::Away { retry_after, .. } = &error else { return Err(error) };
            let Some(pause) = backoff.pause(self.tools.rng.as_ref(), *retry_after) else { return Err(error) };
            tracing::warn!(uuid = %self.order.uuid, %error, ?pause, "the gateway is asked again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Calls once.
    async fn call(
        &self,
        method: Method,
        target: &str,
        body: Option<&Map<String, Value>>,
        timeout: Duration,
    ) -> Result<Value, CallError> {
        let what = || format!("{method} {}", target.split('?').next().unwrap_or_default());
        let away = |why: String| CallError::Away { what: what(), why, retry_after: None };
        let unusable = || CallError::Nonsense { what: what(), problem: "no URL that can be called" };
        let url = self.order.callback_base.below(target).map_err(|_| unusable())?;
        let mut request =
            Request::new(body.map_or_else(Bytes::new, |body| Value::Object(body.clone()).to_string().into()));
        *request.uri_mut() = url.target().parse().map_err(|_| unusable())?;
        *request.method_mut() = method.clone();
        request.headers_mut().insert(AUTHORIZATION, self.order.authorization.clone());
        if body.is_some() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let peer = self.tools.outbound.peer(&url).await.map_err(|error| match error.is_passing() {
            true => away(error.to_string()),
            false => CallError::Refused {
                what: what(),
                status: StatusCode::FORBIDDEN,
                code: "NotCalled".to_owned(),
                message: error.to_string(),
            },
        })?;
        let bounds = Bounds { timeout, answer_max_bytes: GENERATE_BODY_MAX_BYTES };
        let answer = ask(&peer, request, bounds).await.map_err(|error| away(error.to_string()))?;
        let (status, said) = (answer.status(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null));
        if status.is_success() {
            return Ok(said);
        }
        let word = |name: &str| {
            let text = said.get("error").and_then(|error| error.get(name)?.as_str()).unwrap_or_default();
            text.chars().take(WORDS_MAX_CHARACTERS).collect::<String>()
        };
        if is_passing(status) {
            let why = format!("answered {status} {}", word("message"));
            return Err(CallError::Away { what: what(), why, retry_after: retry_after(answer.headers()) });
        }
        Err(CallError::Refused { what: what(), status, code: word("code"), message: word("message") })
    }
}

/// What is repeated of somebody else's words.
pub(super) const WORDS_MAX_CHARACTERS: usize = 500;

/// Whether the same request may succeed later.
pub(super) fn is_passing(status: StatusCode) -> bool {
    let timing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY);
    timing || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}
