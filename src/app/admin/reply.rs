//! What the administration answers: JSON, errors as `{"error":{"code","message"}}`.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::app::keys::KeysError;
use crate::auth::policy::PolicyError;
use crate::store::error::{Error as StoreError, Missing};
use crate::wire::Body;

/// An answer that is no error.
pub(super) enum Reply {
    /// 200 with this.
    Here(Value),
    /// 201 with this.
    Made(Value),
    /// 204.
    Done,
}

/// Why a request is refused, or failed.
#[derive(Debug)]
pub(super) enum AdminError {
    /// The path names nothing.
    NoSuchPath,
    /// The path takes these methods only.
    Method(&'static str),
    /// The request is wrong; the words say how.
    Invalid(String),
    /// A document is no policy.
    Policy(PolicyError),
    /// The body is longer than this.
    TooLarge(usize),
    /// There is no token of this id.
    NoSuchToken,
    /// There is no policy on the bucket.
    NoPolicy,
    /// Keys and tokens.
    Keys(KeysError),
    /// Buckets and uploads.
    Store(StoreError),
    /// A bug of ours, or a thread that is gone.
    Internal(String),
}

impl AdminError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// Status, code, and what is said to the caller. Internal detail goes to the log alone.
    fn describe(&self) -> (StatusCode, &'static str, String) {
        let said = |status, code, message: &str| (status, code, message.to_owned());
        match self {
            Self::NoSuchPath => said(StatusCode::NOT_FOUND, "NotFound", "there is nothing here"),
            Self::Method(allowed) => {
                let message = format!("this path takes {allowed}");
                (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
            }
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, "InvalidRequest", message.clone()),
            Self::Policy(error) => (StatusCode::BAD_REQUEST, "MalformedPolicy", error.to_string()),
            Self::TooLarge(max) => {
                let message = format!("the body is longer than {max} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message)
            }
            Self::NoSuchToken => said(StatusCode::NOT_FOUND, "NoSuchToken", "the access key has no such token"),
            Self::NoPolicy => said(StatusCode::NOT_FOUND, "NoSuchBucketPolicy", "the bucket has no policy"),
            Self::Keys(error) => describe_keys(error),
            Self::Store(error) => describe_store(error),
            Self::Internal(why) => internal(why),
        }
    }
}

fn describe_keys(error: &KeysError) -> (StatusCode, &'static str, String) {
    let said = |status, code| (status, code, error.to_string());
    match error {
        KeysError::NotFound(_) => said(StatusCode::NOT_FOUND, "NoSuchAccessKey"),
        KeysError::Exists(_) => said(StatusCode::CONFLICT, "AccessKeyExists"),
        KeysError::Root => said(StatusCode::BAD_REQUEST, "InvalidRequest"),
        KeysError::Disabled(_) => said(StatusCode::CONFLICT, "Disabled"),
        KeysError::TooManyTokens => said(StatusCode::BAD_REQUEST, "LimitExceeded"),
        KeysError::Sealed(_) | KeysError::Unreadable(..) => internal(&error.to_string()),
        KeysError::Store(error) => describe_store(error),
    }
}

fn describe_store(error: &StoreError) -> (StatusCode, &'static str, String) {
    let said = |status, code, message: &str| (status, code, message.to_owned());
    match error {
        StoreError::NotFound(Missing::Bucket) => {
            said(StatusCode::NOT_FOUND, "NoSuchBucket", "the bucket does not exist")
        }
        StoreError::NotFound(Missing::Upload) => said(
            StatusCode::NOT_FOUND,
            "NoSuchUpload",
            "the upload does not exist; it may have been completed or aborted",
        ),
        StoreError::NotFound(Missing::Object | Missing::Source) => {
            said(StatusCode::NOT_FOUND, "NoSuchKey", "the object does not exist")
        }
        StoreError::Exists => said(StatusCode::CONFLICT, "BucketAlreadyExists", "the bucket exists"),
        StoreError::NotEmpty => said(StatusCode::CONFLICT, "BucketNotEmpty", "the bucket still holds objects"),
        StoreError::TooManyBuckets => {
            said(StatusCode::BAD_REQUEST, "TooManyBuckets", "there are as many buckets as there may be")
        }
        StoreError::TooManyRecords => {
            said(StatusCode::BAD_REQUEST, "LimitExceeded", "there are as many access keys or tokens as there may be")
        }
        StoreError::Precondition => {
            said(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", "a condition does not hold")
        }
        StoreError::Conflict => {
            said(StatusCode::CONFLICT, "OperationAborted", "another request changed the same thing; try again")
        }
        StoreError::Invalid(error) => (StatusCode::BAD_REQUEST, "InvalidRequest", error.to_string()),
        StoreError::QuotaExceeded => said(StatusCode::BAD_REQUEST, "QuotaExceeded", "the bucket's quota is exceeded"),
        StoreError::Full => said(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", "no space is left"),
        StoreError::Busy(_) => {
            said(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the store cannot answer now; try again")
        }
        StoreError::Corrupt(why) | StoreError::Io(why) => internal(why),
    }
}

fn internal(why: &str) -> (StatusCode, &'static str, String) {
    tracing::error!(error = why, "a request to the administration failed");
    (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "the gateway failed; its log says why".to_owned())
}

impl From<KeysError> for AdminError {
    fn from(error: KeysError) -> Self {
        Self::Keys(error)
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PolicyError> for AdminError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

/// The response of an outcome. Answers may hold secrets, so nobody keeps them.
pub(super) fn response(outcome: Result<Reply, AdminError>) -> Response<Body> {
    let mut response = match outcome {
        Ok(Reply::Here(value)) => with_json(StatusCode::OK, &value),
        Ok(Reply::Made(value)) => with_json(StatusCode::CREATED, &value),
        Ok(Reply::Done) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err(error) => {
            let (status, code, message) = error.describe();
            let mut response = refusal(status, code, &message);
            if let AdminError::Method(allowed) = error {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            response
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error as every answer on this port carries it.
pub(in crate::app) fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    with_json(status, &json!({ "error": { "code": code, "message": message } }))
}

fn with_json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
