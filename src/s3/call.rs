//! A request on its way through an operation: its head, read and authenticated, and its body, not yet read.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::address::Address;
use super::error::{Code, Error};
use super::permission::{Asking, Place};
use super::query::Query;
use super::shares::Held;
use super::{S3Config, Trace};
use crate::auth::Authenticated;
use crate::store::Store;
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::{Attributes, Bucket, BucketName, ObjectInfo, ObjectKey, UploadId};
use crate::wire::{Body, ConnectionInfo};

/// What an operation gets to work with.
#[derive(Debug)]
pub struct Call {
    /// The gateway it came to.
    pub config: Arc<S3Config>,
    /// The method.
    pub method: Method,
    /// What it names. Rows with a bucket or an object as target only run where it is named.
    pub address: Address,
    /// Its query.
    pub query: Query,
    /// Its headers, and the `x-amz-*` parameters that a presigned URL carries in their place.
    pub headers: HeaderMap,
    /// Who sent it, and how its body comes.
    pub auth: Authenticated,
    /// The bucket it names, as it was found when permission was asked for. Whoever changes it requires in the commit that it is
    /// still this one.
    pub(super) found: Option<Bucket>,
    /// Bytes of payload that its head declares, if any.
    pub length: Option<u64>,
    /// The connection it came by.
    pub connection: Option<ConnectionInfo>,
    /// What the answer and the log say of it.
    pub(super) trace: Trace,
    /// Its body; asking it for a byte answers `Expect: 100-continue`.
    pub body: Body,
    /// The memory its document holds.
    pub held: Held,
}

impl Call {
    /// The store.
    pub fn store(&self) -> &Store {
        &self.config.store
    }

    /// Whether the client came by TLS.
    pub fn tls(&self) -> bool {
        self.connection.is_some_and(|connection| connection.tls)
    }

    /// The sender asking for permission.
    pub fn asking(&self) -> Asking<'_> {
        Asking {
            config: &self.config,
            auth: &self.auth,
            headers: &self.headers,
            query: &self.query,
            connection: self.connection,
            tags: None,
            object: None,
        }
    }

    /// The sender asking for so much that it is judged on another thread.
    pub fn judging(&self) -> Judging {
        Judging {
            config: Arc::clone(&self.config),
            auth: self.auth.clone(),
            headers: self.headers.clone(),
            query: self.query.clone(),
            connection: self.connection,
        }
    }

    /// Permission for an action on the object that the call names, as it was found: its ACL, its owner and its tags are judged
    /// and not those of one that has taken its place since.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub fn permit_found(&self, action: &str, info: &ObjectInfo) -> Result<(), Error> {
        Asking { object: Some(info), ..self.asking() }.permit(action, self.place())
    }

    /// What its address names, for permission.
    pub fn place(&self) -> Place<'_> {
        match (&self.found, &self.address.bucket, &self.address.key) {
            (Some(bucket), _, Some(key)) => Place::Object(bucket, key),
            (Some(bucket), _, None) => Place::Bucket(bucket),
            (None, Some(name), _) => Place::NewBucket(name),
            (None, None, _) => Place::Service,
        }
    }

    /// Canonical user id of the owner of a bucket.
    pub fn owner_of<'b>(&'b self, bucket: &'b Bucket) -> &'b str {
        self.config.owner_of(bucket)
    }

    /// Canonical user id of the owner of an object in it, or of an upload.
    pub fn owner_in<'b>(&'b self, bucket: &'b Bucket, attributes: &'b Attributes) -> &'b str {
        attributes.owner.as_deref().unwrap_or_else(|| self.owner_of(bucket))
    }

    /// A failure to read what the call names. Whoever may not list a bucket learns nothing of what is not in it; what cannot be
    /// decided is hidden.
    pub fn unread(&self, error: StoreError) -> Error {
        let listable = || match self.place() {
            Place::Object(bucket, key) => self.asking().may_list(bucket, key).unwrap_or(false),
            _ => false,
        };
        match error {
            StoreError::NotFound(Missing::Object) if !listable() => Code::ACCESS_DENIED.into(),
            error => error.into(),
        }
    }

    /// The name of the bucket.
    pub fn bucket_name(&self) -> Result<&BucketName, Error> {
        self.address.bucket.as_ref().ok_or_else(|| Code::INVALID_BUCKET_NAME.into())
    }

    /// The bucket, or `NoSuchBucket`.
    pub fn bucket(&self) -> Result<Bucket, Error> {
        match &self.found {
            Some(bucket) => Ok(bucket.clone()),
            None => Ok(self.store().bucket(self.bucket_name()?)?),
        }
    }

    /// The key.
    pub fn key(&self) -> Result<&ObjectKey, Error> {
        self.address.key.as_ref().ok_or_else(|| Code::INVALID_URI.into())
    }

    /// The upload that `uploadId` names; `NoSuchUpload` for what cannot be an id.
    pub fn upload_id(&self) -> Result<UploadId, Error> {
        let id = self.query.get("uploadId").and_then(UploadId::parse);
        id.ok_or_else(|| Code::NO_SUCH_UPLOAD.into())
    }

    /// The URL of the object, by the host the client used.
    pub fn location(&self) -> String {
        let scheme = if self.tls() { "https" } else { "http" };
        let host = &self.address.host;
        let key = self.address.key.as_ref().map(|key| super::listing::encode_path(key.as_str())).unwrap_or_default();
        match &self.address.bucket {
            Some(bucket) if !self.address.virtual_host => format!("{scheme}://{host}/{bucket}/{key}"),
            _ => format!("{scheme}://{host}/{key}"),
        }
    }
}

/// A sender asking for so much that judging it would keep a thread of the runtime from everybody else: a long policy takes
/// milliseconds for each of a thousand keys.
#[derive(Debug)]
pub struct Judging {
    config: Arc<S3Config>,
    auth: Authenticated,
    headers: HeaderMap,
    query: Query,
    connection: Option<ConnectionInfo>,
}

impl Judging {
    /// Runs `judge` on a blocking thread, when it is its turn.
    ///
    /// # Errors
    /// `InternalError` where it panics.
    pub async fn run<T: Send + 'static>(
        self,
        judge: impl FnOnce(Asking<'_>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.config.shares.judgement_turn().await;
        let judged = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let Self { config, auth, headers, query, connection } = &self;
            judge(Asking { config, auth, headers, query, connection: *connection, tags: None, object: None })
        });
        judged.await.map_err(|lost| Error::new(Code::INTERNAL_ERROR).detail(lost.to_string()))
    }
}

/// The value of a header that may be given once; none where it is absent or empty.
///
/// # Errors
/// `InvalidRequest` for one given twice or with other than visible ASCII.
pub fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let text =
        text.ok_or_else(|| Error::invalid_request(format!("The header {name} is given twice or is not text.")))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// As [`single`], for headers whose absence means more than nothing: one that is there and empty is no value.
///
/// # Errors
/// `InvalidArgument` for an empty one.
pub fn filled<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    match single(headers, name)? {
        None if headers.contains_key(name) => Err(Error::argument(format!("The header {name} is empty."), name, "")),
        value => Ok(value),
    }
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer with a document.
pub fn document(text: String) -> Response<Body> {
    stored_document(text.into_bytes())
}

/// An answer with a document as the store keeps it.
pub fn stored_document(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::full(bytes));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Puts a header on an answer. What is no header value is left out: every value of ours is one, and what clients stored was
/// one when it came.
pub fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_given_twice_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append("if-match", HeaderValue::from_static(" a "));
        assert_eq!(single(&headers, "if-match").unwrap(), Some("a"));
        headers.append("if-match", HeaderValue::from_static("b"));
        assert!(single(&headers, "if-match").is_err());
        assert_eq!(single(&headers, "range").unwrap(), None);
    }
}
