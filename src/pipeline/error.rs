//! What the upload API answers instead of a result: the one map from lower errors to its JSON.

use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::auth::presign::LinkError;
use crate::auth::{AuthError, AuthErrorCode};
use crate::store::error::{Error as StoreError, Invalid, Missing};
use crate::wire::form::FormError;
use crate::wire::{Body, BodyError};

/// What a client is asked for. Quoted text is RFC 7617's; a bearer token is RFC 6750's.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"wharf\", charset=\"UTF-8\", Bearer");
/// When to ask again after trouble that passes.
const RETRY_SECONDS: u64 = 1;

/// A refusal or a failure, as the client is told.
#[derive(Debug)]
pub struct Error(Box<Told>);

#[derive(Debug)]
struct Told {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// The methods that are taken where this one is not.
    allow: Option<HeaderValue>,
    /// Further members beside code and message.
    more: Map<String, Value>,
    /// For the log alone.
    detail: Option<String>,
}

impl Error {
    /// An error of this status, code and sentence.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let told = Told { status, code, message, retry_after: None, allow: None, more: Map::new(), detail: None };
        Self(Box::new(told))
    }

    /// 400 `InvalidRequest`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }

    /// 400 for a field of the request; says which.
    pub fn field(name: &str, message: impl std::fmt::Display) -> Self {
        Self::invalid(format!("\"{name}\" {message}")).with("field", name)
    }

    /// 403 `AccessDenied`.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    /// 404 for an address that names nothing.
    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "there is nothing here")
    }

    /// 405 that names the methods that are taken, as a sentence lists them.
    pub fn method(allowed: &str) -> Self {
        let names: Vec<_> = allowed.split(|c: char| !c.is_ascii_uppercase()).filter(|name| !name.is_empty()).collect();
        let mut error =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", format!("this path takes {allowed}"));
        error.0.allow = HeaderValue::from_str(&names.join(", ")).ok();
        error
    }

    /// 401: credentials that are no good.
    pub fn unauthorized() -> Self {
        let message = "these credentials are unknown, wrong or have ended; HTTP Basic with access key and secret key, or a \
                       bearer token, is taken";
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// 503 for what is too much at this moment.
    pub fn slow_down(message: &str) -> Self {
        Self::from_words(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", message.to_owned(), None)
    }

    /// 404 for an upload that is unknown or over.
    pub fn no_such_upload() -> Self {
        StoreError::NotFound(Missing::Upload).into()
    }

    /// A refusal or failure that another rank has put into words.
    pub fn from_words(status: StatusCode, code: &'static str, message: String, detail: Option<String>) -> Self {
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(RETRY_SECONDS));
        let told = *Self::new(status, code, message).0;
        Self(Box::new(Told { detail, retry_after, ..told }))
    }

    /// Adds a member beside code and message.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.0.retry_after = Some(pause);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The answer to a request that nobody has a name for.
    pub fn response(&self) -> Response<Body> {
        self.response_to("")
    }

    /// The answer to the request of this id; what is not for the client goes to the log.
    pub fn response_to(&self, request_id: &str) -> Response<Body> {
        // What the client is to try again is no failure of the gateway, unless there is something to tell.
        if self.0.status.is_server_error() && (self.0.retry_after.is_none() || self.0.detail.is_some()) {
            let detail = self.0.detail.as_deref().unwrap_or(&self.0.message);
            tracing::error!(request_id, code = self.0.code, detail, "the upload API failed");
        }
        let mut error = self.0.more.clone();
        error.insert("code".to_owned(), self.0.code.into());
        error.insert("message".to_owned(), self.0.message.clone().into());
        let mut response = answer(self.0.status, &json!({ "error": error }));
        if let Some(pause) = self.0.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
        }
        if let Some(allow) = &self.0.allow {
            response.headers_mut().insert(ALLOW, allow.clone());
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}

/// An answer in JSON, which nobody keeps: it says how things are now, and may hold URLs that are good for who asked.
pub fn answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let passing = |message: &str, detail: String| {
            Self::from_words(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message.to_owned(), Some(detail))
        };
        let not_found = |code, message: &str| Self::new(StatusCode::NOT_FOUND, code, message);
        let text = error.to_string();
        match error {
            StoreError::NotFound(Missing::Bucket) => not_found("NoSuchBucket", "the bucket does not exist"),
            StoreError::NotFound(Missing::Object | Missing::Source) => {
                not_found("NoSuchKey", "the object does not exist")
            }
            StoreError::NotFound(Missing::Upload) => {
                not_found("NoSuchUpload", "the upload does not exist; it may have been completed, aborted or expired")
            }
            StoreError::Exists => Self::new(StatusCode::CONFLICT, "Conflict", "it exists, and is something else"),
            StoreError::TooManyBuckets | StoreError::TooManyRecords => {
                passing("there are as many of these as there may be", text)
            }
            StoreError::Precondition => {
                Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", "a condition does not hold")
            }
            StoreError::NotEmpty => Self::new(StatusCode::CONFLICT, "BucketNotEmpty", "the bucket still holds objects"),
            StoreError::Conflict => passing("others changed the same thing each time this was tried", text),
            StoreError::Invalid(invalid) => invalid.into(),
            StoreError::QuotaExceeded => {
                Self::new(StatusCode::FORBIDDEN, "QuotaExceeded", "the bucket's quota would be exceeded")
            }
            StoreError::Full => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", "there is no room left")
            }
            StoreError::Busy(_) => passing("the gateway is busy or recovering", text),
            StoreError::Corrupt(_) | StoreError::Io(_) => internal(text),
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        let said = |status, code| Self::new(status, code, invalid.to_string());
        match invalid {
            Invalid::PartCount | Invalid::PartOrder => said(StatusCode::BAD_REQUEST, "InvalidRequest"),
            Invalid::Part { .. } => said(StatusCode::BAD_REQUEST, "InvalidPart"),
            Invalid::PartTooSmall { .. } => said(StatusCode::BAD_REQUEST, "EntityTooSmall"),
            Invalid::ObjectTooLarge(_) => said(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge"),
            Invalid::ObjectSize { .. } => said(StatusCode::CONFLICT, "Conflict"),
            Invalid::PartChecksumMissing { .. } | Invalid::ChecksumAlgorithm { .. } | Invalid::ChecksumType { .. } => {
                said(StatusCode::BAD_REQUEST, "InvalidRequest")
            }
            Invalid::PartChecksum { .. } | Invalid::Checksum { .. } => said(StatusCode::BAD_REQUEST, "BadDigest"),
            Invalid::CompletedDifferently => said(StatusCode::CONFLICT, "Conflict"),
            Invalid::RecordName(_) | Invalid::RecordSize(_) | Invalid::SessionNote(_) => {
                said(StatusCode::BAD_REQUEST, "InvalidRequest")
            }
        }
    }
}

fn internal(detail: String) -> Error {
    let message = "the gateway failed; its log says why".to_owned();
    Error::from_words(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message, Some(detail))
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(max) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "EntityTooLarge",
                format!("the body is longer than {max} bytes"),
            ),
            BodyError::Framing(_) => Self::invalid(error.to_string()),
            // The client's link, most likely, so trying again is right; clients take every 4xx but 429 for final.
            BodyError::Truncated | BodyError::Timeout | BodyError::Failed(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                format!("the body did not arrive: {error}"),
            )
            .retry_after(Duration::from_secs(RETRY_SECONDS)),
        }
    }
}

impl From<FormError> for Error {
    fn from(error: FormError) -> Self {
        match error {
            FormError::NotAForm => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "the body must be multipart/form-data",
            ),
            FormError::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", error.to_string()),
            FormError::Malformed(_) => Self::invalid(error.to_string()),
            FormError::Body(error) => error.into(),
        }
    }
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Presign(error) => Self::invalid(error.to_string()),
            LinkError::Auth(error) => error.into(),
        }
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        match error.code {
            AuthErrorCode::AccessDenied => Self::denied(error.message),
            _ => Self::invalid(error.message),
        }
    }
}
