//! A request on its way through an operation: its head, read and authenticated, and its body, not yet read.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::address::Address;
use super::error::{Code, Error};
use super::query::Query;
use super::shares::Held;
use super::{S3Config, Trace};
use crate::auth::{Authenticated, KeyIdentity};
use crate::store::Store;
use crate::store::types::{Bucket, BucketName, ObjectKey, UploadId};
use crate::wire::Body;

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
    /// Bytes of payload that its head declares, if any.
    pub length: Option<u64>,
    /// Whether the client came by TLS.
    pub tls: bool,
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

    /// Whom all buckets and objects belong to.
    pub fn owner(&self) -> &KeyIdentity {
        self.config.authenticator.keyring().root()
    }

    /// The name of the bucket.
    pub fn bucket_name(&self) -> Result<&BucketName, Error> {
        self.address.bucket.as_ref().ok_or_else(|| Code::INVALID_BUCKET_NAME.into())
    }

    /// The bucket, or `NoSuchBucket`.
    pub fn bucket(&self) -> Result<Bucket, Error> {
        Ok(self.store().bucket(self.bucket_name()?)?)
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
        let scheme = if self.tls { "https" } else { "http" };
        let host = &self.address.host;
        let key = self.address.key.as_ref().map(|key| super::listing::encode_path(key.as_str())).unwrap_or_default();
        match &self.address.bucket {
            Some(bucket) if !self.address.virtual_host => format!("{scheme}://{host}/{bucket}/{key}"),
            _ => format!("{scheme}://{host}/{key}"),
        }
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
