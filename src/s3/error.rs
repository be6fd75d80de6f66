//! S3's errors: the table of codes, the document that carries one, and the only maps from the errors of lower layers.
//!
//! What went wrong inside (a path, an errno, a damaged record) goes to the log with the request's id and never to the client.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::xml::{Document, readable};
use crate::auth::chunked::ChunkedError;
use crate::auth::{AuthError, AuthErrorCode};
use crate::base::limits::PART_SIZE_MIN_BYTES;
use crate::store::error::{Error as StoreError, Invalid, Missing};
use crate::wire::form::FormError;
use crate::wire::forwarded::ForwardedError;
use crate::wire::{Body, BodyError};

/// A code of S3's: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// As it stands in the document.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The sentence, where nothing better is known.
    pub message: &'static str,
}

const fn code(name: &'static str, status: u16, message: &'static str) -> Code {
    Code { name, status, message }
}

#[rustfmt::skip]
#[expect(missing_docs, reason = "each row is its own documentation: name, status, sentence")]
impl Code {
    pub const ACCESS_DENIED: Self = code("AccessDenied", 403, "Access Denied");
    pub const ACCESS_FORBIDDEN: Self = code("AccessForbidden", 403, "Access Forbidden");
    pub const AUTHORIZATION_HEADER_MALFORMED: Self = code("AuthorizationHeaderMalformed", 400, "The authorization header is malformed.");
    pub const AUTHORIZATION_QUERY_PARAMETERS: Self = code("AuthorizationQueryParametersError", 400, "The authorization query parameters are malformed.");
    pub const BAD_DIGEST: Self = code("BadDigest", 400, "The Content-MD5 or checksum value that you specified did not match what the server received.");
    pub const ACCESS_CONTROL_LIST_NOT_SUPPORTED: Self = code("AccessControlListNotSupported", 400, "The bucket does not allow ACLs");
    pub const BAD_REQUEST: Self = code("BadRequest", 400, "Bad Request");
    pub const BUCKET_ALREADY_EXISTS: Self = code("BucketAlreadyExists", 409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.");
    pub const BUCKET_ALREADY_OWNED_BY_YOU: Self = code("BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it.");
    pub const BUCKET_NOT_EMPTY: Self = code("BucketNotEmpty", 409, "The bucket you tried to delete is not empty.");
    pub const CONDITIONAL_REQUEST_CONFLICT: Self = code("ConditionalRequestConflict", 409, "The conditional request cannot succeed due to a conflicting operation against this resource.");
    pub const ENTITY_TOO_LARGE: Self = code("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size.");
    pub const ENTITY_TOO_SMALL: Self = code("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size");
    pub const EXPIRED_TOKEN: Self = code("ExpiredToken", 400, "The provided token has expired.");
    pub const ILLEGAL_LOCATION_CONSTRAINT: Self = code("IllegalLocationConstraintException", 400, "The location constraint is incompatible for the region specific endpoint this request was sent to.");
    pub const INCOMPLETE_BODY: Self = code("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header.");
    pub const INSUFFICIENT_STORAGE: Self = code("InsufficientStorage", 507, "The store has no room for this request.");
    pub const INTERNAL_ERROR: Self = code("InternalError", 500, "We encountered an internal error. Please try again.");
    pub const INVALID_ACCESS_KEY_ID: Self = code("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.");
    pub const INVALID_ACTION: Self = code("InvalidAction", 400, "The action or operation requested is invalid.");
    pub const INVALID_ARGUMENT: Self = code("InvalidArgument", 400, "Invalid Argument");
    pub const INVALID_BUCKET_ACL_WITH_OWNERSHIP: Self = code("InvalidBucketAclWithObjectOwnership", 400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
    pub const INVALID_BUCKET_NAME: Self = code("InvalidBucketName", 400, "The specified bucket is not valid.");
    pub const INVALID_BUCKET_OWNER: Self = code("InvalidBucketOwnerAWSAccountID", 400, "The value of the expected bucket owner parameter must be an AWS Account ID.");
    pub const INVALID_CHUNK_SIZE: Self = code("InvalidChunkSizeError", 400, "Only the last chunk is allowed to have a size less than 8192 bytes");
    pub const INVALID_DIGEST: Self = code("InvalidDigest", 400, "The Content-MD5 you specified was invalid.");
    pub const INVALID_PART: Self = code("InvalidPart", 400, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.");
    pub const INVALID_PART_NUMBER: Self = code("InvalidPartNumber", 416, "The requested partnumber is not satisfiable");
    pub const INVALID_PART_ORDER: Self = code("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.");
    pub const INVALID_POLICY_DOCUMENT: Self = code("InvalidPolicyDocument", 400, "The content of the form does not meet the conditions specified in the policy document.");
    pub const INVALID_RANGE: Self = code("InvalidRange", 416, "The requested range is not satisfiable");
    pub const INVALID_REDIRECT_LOCATION: Self = code("InvalidRedirectLocation", 400, "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.");
    pub const INVALID_REQUEST: Self = code("InvalidRequest", 400, "Invalid Request");
    pub const INVALID_STORAGE_CLASS: Self = code("InvalidStorageClass", 400, "The storage class you specified is not valid");
    pub const INVALID_TAG: Self = code("InvalidTag", 400, "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation.");
    pub const INVALID_TOKEN: Self = code("InvalidToken", 400, "The provided token is malformed or otherwise invalid.");
    pub const INVALID_URI: Self = code("InvalidURI", 400, "Couldn't parse the specified URI.");
    pub const KEY_TOO_LONG: Self = code("KeyTooLongError", 400, "Your key is too long");
    pub const MALFORMED_ACL: Self = code("MalformedACLError", 400, "The XML you provided was not well-formed or did not validate against our published schema");
    pub const MALFORMED_POLICY: Self = code("MalformedPolicy", 400, "Policies must be valid JSON and the first byte must be '{'");
    pub const MALFORMED_POLICY_DOCUMENT: Self = code("MalformedPolicyDocument", 400, "The policy document is malformed.");
    pub const MALFORMED_POST_REQUEST: Self = code("MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data.");
    pub const MALFORMED_TRAILER: Self = code("MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not conform to our published schema.");
    pub const MALFORMED_XML: Self = code("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema");
    pub const MAX_MESSAGE_LENGTH_EXCEEDED: Self = code("MaxMessageLengthExceeded", 400, "Your request was too big.");
    pub const MAX_POST_PRE_DATA_LENGTH_EXCEEDED: Self = code("MaxPostPreDataLengthExceeded", 400, "Your POST request fields preceding the upload file were too large.");
    pub const METADATA_TOO_LARGE: Self = code("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size");
    pub const METHOD_NOT_ALLOWED: Self = code("MethodNotAllowed", 405, "The specified method is not allowed against this resource.");
    pub const MISSING_AUTHENTICATION_TOKEN: Self = code("MissingAuthenticationToken", 403, "Request is missing Authentication Token");
    pub const MISSING_CONTENT_LENGTH: Self = code("MissingContentLength", 411, "You must provide the Content-Length HTTP header.");
    pub const MISSING_SECURITY_HEADER: Self = code("MissingSecurityHeader", 400, "Your request was missing a required header.");
    pub const MISSING_REQUEST_BODY: Self = code("MissingRequestBodyError", 400, "Request Body is empty");
    pub const NO_SUCH_BUCKET: Self = code("NoSuchBucket", 404, "The specified bucket does not exist");
    pub const NO_SUCH_BUCKET_POLICY: Self = code("NoSuchBucketPolicy", 404, "The bucket policy does not exist");
    pub const NO_SUCH_CORS_CONFIGURATION: Self = code("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist");
    pub const NO_SUCH_KEY: Self = code("NoSuchKey", 404, "The specified key does not exist.");
    pub const NO_SUCH_PUBLIC_ACCESS_BLOCK: Self = code("NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found");
    pub const NO_SUCH_TAG_SET: Self = code("NoSuchTagSet", 404, "The TagSet does not exist");
    pub const NO_SUCH_UPLOAD: Self = code("NoSuchUpload", 404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.");
    pub const NO_SUCH_VERSION: Self = code("NoSuchVersion", 404, "The specified version does not exist.");
    pub const NOT_IMPLEMENTED: Self = code("NotImplemented", 501, "A header you provided implies functionality that is not implemented");
    pub const NOT_MODIFIED: Self = code("NotModified", 304, "Not Modified");
    pub const OPERATION_ABORTED: Self = code("OperationAborted", 409, "A conflicting conditional operation is currently in progress against this resource. Try again.");
    pub const OWNERSHIP_CONTROLS_NOT_FOUND: Self = code("OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found");
    pub const PRECONDITION_FAILED: Self = code("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold");
    pub const QUOTA_EXCEEDED: Self = code("QuotaExceeded", 403, "The object does not fit into what is left of the bucket's quota.");
    pub const REQUEST_HEADERS_TOO_LARGE: Self = code("RequestHeaderSectionTooLarge", 400, "Your request header section exceeds the maximum allowed size.");
    pub const REQUEST_TIME_TOO_SKEWED: Self = code("RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.");
    pub const REQUEST_TIMEOUT: Self = code("RequestTimeout", 400, "Your socket connection to the server was not read from or written to within the timeout period.");
    pub const SERVICE_UNAVAILABLE: Self = code("ServiceUnavailable", 503, "Service is unable to handle request. Please try again.");
    pub const SIGNATURE_DOES_NOT_MATCH: Self = code("SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method.");
    pub const SLOW_DOWN: Self = code("SlowDown", 503, "Please reduce your request rate.");
    pub const TOO_MANY_BUCKETS: Self = code("TooManyBuckets", 400, "You have attempted to create more buckets than allowed");
    pub const UNEXPECTED_CONTENT: Self = code("UnexpectedContent", 400, "This request does not support content");
    pub const VALIDATION_ERROR: Self = code("ValidationError", 400, "The input fails to satisfy the constraints of the service.");
    pub const X_AMZ_CONTENT_SHA256_MISMATCH: Self = code("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed.");
}

/// A request's failure, as the client is told.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    message: Option<String>,
    elements: Vec<(&'static str, String)>,
    headers: HeaderMap,
    detail: Option<String>,
}

impl Error {
    /// A failure with the code's own sentence.
    pub fn new(code: Code) -> Self {
        Self(Box::new(Parts { code, message: None, elements: Vec::new(), headers: HeaderMap::new(), detail: None }))
    }

    /// `InvalidArgument` that names the argument and its value.
    pub fn argument(message: impl Into<String>, name: &str, value: &str) -> Self {
        Self::new(Code::INVALID_ARGUMENT).message(message).with("ArgumentName", name).with("ArgumentValue", value)
    }

    /// `InvalidRequest` with this sentence.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(Code::INVALID_REQUEST).message(message)
    }

    /// `NotImplemented` for a header or parameter that means something wharf does not do.
    pub fn not_implemented(name: &str, why: &str) -> Self {
        Self::new(Code::NOT_IMPLEMENTED)
            .message(format!("A header you provided implies functionality that is not implemented: {why}"))
            .with("Header", name)
    }

    /// The same failure with another sentence.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// The same failure with one more element in its document.
    #[must_use]
    pub fn with(mut self, element: &'static str, text: impl Into<String>) -> Self {
        self.0.elements.push((element, text.into()));
        self
    }

    /// Whether its document has this element.
    pub fn has(&self, element: &str) -> bool {
        self.0.elements.iter().any(|(name, _)| *name == element)
    }

    /// The same failure with one more header on its answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The same failure with what only the log may know.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence.
    pub fn text(&self) -> &str {
        self.0.message.as_deref().unwrap_or(self.0.code.message)
    }

    /// What only the log may know.
    pub fn logged(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The answer. HEAD and 304 carry no document.
    pub fn response(&self, method: &Method, resource: &str, request_id: &str, host_id: &str) -> Response<Body> {
        let Parts { code, elements, headers, .. } = &*self.0;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().extend(headers.clone());
        if *code == Code::NOT_MODIFIED {
            return response;
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        if *method != Method::HEAD {
            let mut document = Document::bare("Error");
            document.text("Code", code.name).text("Message", readable(self.text()));
            for (name, text) in elements {
                document.text(name, readable(text));
            }
            document.text("Resource", readable(resource)).text("RequestId", request_id).text("HostId", host_id);
            *response.body_mut() = Body::full(document.finish());
        }
        response
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        let code = match error.code {
            AuthErrorCode::AccessDenied => Code::ACCESS_DENIED,
            AuthErrorCode::AuthorizationHeaderMalformed => Code::AUTHORIZATION_HEADER_MALFORMED,
            AuthErrorCode::AuthorizationQueryParametersError => Code::AUTHORIZATION_QUERY_PARAMETERS,
            AuthErrorCode::ExpiredToken => Code::EXPIRED_TOKEN,
            AuthErrorCode::InvalidAccessKeyId => Code::INVALID_ACCESS_KEY_ID,
            AuthErrorCode::InvalidArgument => Code::INVALID_ARGUMENT,
            AuthErrorCode::InvalidPolicyDocument => Code::INVALID_POLICY_DOCUMENT,
            AuthErrorCode::InvalidRequest => Code::INVALID_REQUEST,
            AuthErrorCode::InvalidToken => Code::INVALID_TOKEN,
            AuthErrorCode::NotImplemented => Code::NOT_IMPLEMENTED,
            AuthErrorCode::RequestTimeTooSkewed => Code::REQUEST_TIME_TOO_SKEWED,
            AuthErrorCode::SignatureDoesNotMatch => Code::SIGNATURE_DOES_NOT_MATCH,
        };
        let base = Self::new(code).message(error.message);
        error.details.into_iter().fold(base, |error, (name, text)| error.with(name, text))
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        let text = error.to_string();
        match error {
            BodyError::Truncated => Self::new(Code::INCOMPLETE_BODY),
            BodyError::Timeout => Self::new(Code::REQUEST_TIMEOUT),
            BodyError::Framing(_) => Self::invalid_request("The chunked transfer coding of the request is malformed."),
            BodyError::TooLarge(max) => {
                Self::new(Code::MAX_MESSAGE_LENGTH_EXCEEDED).with("MaxMessageLengthBytes", max.to_string())
            }
            BodyError::Failed(_) => Self::new(Code::INTERNAL_ERROR).detail(text),
        }
    }
}

impl From<ForwardedError> for Error {
    fn from(error: ForwardedError) -> Self {
        Self::invalid_request(error.to_string())
    }
}

impl From<FormError> for Error {
    fn from(error: FormError) -> Self {
        let text = error.to_string();
        match error {
            FormError::NotAForm => Self::new(Code::PRECONDITION_FAILED)
                .with("Condition", "Bucket POST must be of the enclosure-type multipart/form-data"),
            FormError::Malformed(_) => Self::new(Code::MALFORMED_POST_REQUEST).detail(text),
            FormError::TooLarge(max) => {
                Self::new(Code::MAX_POST_PRE_DATA_LENGTH_EXCEEDED).with("MaxPostPreDataLengthBytes", max.to_string())
            }
            FormError::Body(error) => error.into(),
        }
    }
}

impl From<ChunkedError> for Error {
    fn from(error: ChunkedError) -> Self {
        let text = error.to_string();
        match error {
            ChunkedError::MissingDecodedLength => Self::new(Code::MISSING_CONTENT_LENGTH).message(text),
            ChunkedError::InvalidDecodedLength => Self::argument(text, "x-amz-decoded-content-length", ""),
            ChunkedError::InvalidTrailerAnnouncement | ChunkedError::TooLong { .. } | ChunkedError::Framing(_) => {
                Self::invalid_request(text)
            }
            ChunkedError::Incomplete { .. } => Self::new(Code::INCOMPLETE_BODY).message(text),
            ChunkedError::ChunkTooSmall { number, size } => Self::new(Code::INVALID_CHUNK_SIZE)
                .with("Chunk", number.to_string())
                .with("BadChunkSize", size.to_string()),
            ChunkedError::SignatureMismatch { string_to_sign, provided } => Self::new(Code::SIGNATURE_DOES_NOT_MATCH)
                .message(text)
                .with("StringToSign", string_to_sign)
                .with("SignatureProvided", provided),
            ChunkedError::MalformedTrailer => Self::new(Code::MALFORMED_TRAILER),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::NotFound(Missing::Bucket) => Self::new(Code::NO_SUCH_BUCKET),
            StoreError::NotFound(Missing::Object | Missing::Source) => Self::new(Code::NO_SUCH_KEY),
            StoreError::NotFound(Missing::Upload) => Self::new(Code::NO_SUCH_UPLOAD),
            StoreError::Exists => Self::new(Code::BUCKET_ALREADY_OWNED_BY_YOU),
            StoreError::TooManyBuckets => Self::new(Code::TOO_MANY_BUCKETS),
            // No operation of S3's keeps records.
            StoreError::TooManyRecords => Self::invalid_request(text),
            StoreError::Precondition => Self::new(Code::PRECONDITION_FAILED),
            StoreError::NotEmpty => Self::new(Code::BUCKET_NOT_EMPTY),
            StoreError::Conflict => Self::new(Code::OPERATION_ABORTED),
            StoreError::Invalid(invalid) => invalid.into(),
            StoreError::QuotaExceeded => Self::new(Code::QUOTA_EXCEEDED),
            StoreError::Full => Self::new(Code::INSUFFICIENT_STORAGE),
            StoreError::Busy(_) => Self::new(Code::SERVICE_UNAVAILABLE)
                .header(http::header::RETRY_AFTER, HeaderValue::from_static("1"))
                .detail(text),
            StoreError::Corrupt(_) | StoreError::Io(_) => Self::new(Code::INTERNAL_ERROR).detail(text),
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::PartCount => Self::new(Code::MALFORMED_XML),
            Invalid::PartOrder => Self::new(Code::INVALID_PART_ORDER),
            Invalid::Part { number, etag } => {
                Self::new(Code::INVALID_PART).with("PartNumber", number.to_string()).with("ETag", etag)
            }
            Invalid::PartTooSmall { number, size, min, etag } => Self::new(Code::ENTITY_TOO_SMALL)
                .with("ProposedSize", size.to_string())
                .with("MinSizeAllowed", min.max(PART_SIZE_MIN_BYTES).to_string())
                .with("PartNumber", number.to_string())
                .with("ETag", etag),
            Invalid::ObjectTooLarge(size) => Self::new(Code::ENTITY_TOO_LARGE).with("ProposedSize", size.to_string()),
            Invalid::ObjectSize { expected, actual } => Self::invalid_request(format!(
                "The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {actual}"
            )),
            Invalid::PartChecksumMissing { number, algorithm } => Self::invalid_request(format!(
                "The upload was created using a {} checksum. The complete request must include the checksum for each \
                 part. It was missing for part {number} in the request.",
                algorithm.to_ascii_lowercase()
            )),
            Invalid::PartChecksum { number, algorithm } => Self::new(Code::BAD_DIGEST).message(format!(
                "The {} you specified for part {number} did not match what we received.",
                algorithm.to_ascii_lowercase()
            )),
            Invalid::ChecksumAlgorithm { expected, actual } => checksum_mismatch(expected, actual),
            // Amazon's documentation says BadDigest; its servers say this (recorded by LocalStack's and versitygw's tests).
            Invalid::ChecksumType { expected } => Self::invalid_request(format!(
                "The upload was created using the {expected} checksum mode. The complete request must use the same \
                 checksum mode."
            )),
            Invalid::Checksum { algorithm } => Self::bad_checksum(&algorithm.to_ascii_lowercase()),
            Invalid::CompletedDifferently => Self::new(Code::NO_SUCH_UPLOAD),
            Invalid::RecordName(_) | Invalid::RecordSize(_) | Invalid::SessionNote(_) => {
                Self::invalid_request(invalid.to_string())
            }
        }
    }
}

impl Error {
    /// `BadDigest` for a checksum that is not that of the bytes.
    pub fn bad_checksum(algorithm: &str) -> Self {
        Self::new(Code::BAD_DIGEST)
            .message(format!("The {algorithm} you specified did not match the calculated checksum."))
    }
}

/// `InvalidRequest` for a part whose checksum algorithm is not its upload's.
pub fn checksum_mismatch(expected: &str, actual: &str) -> Error {
    Error::invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        expected.to_ascii_lowercase(),
        actual.to_ascii_lowercase()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn rendered(error: &Error, method: Method) -> (u16, String) {
        let response = error.response(&method, "/b/<k>", "0123456789ABCDEF", "host");
        let status = response.status().as_u16();
        let body = response.into_body().collect(4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_document_is_amazons() {
        let error = Error::argument("Part number & more", "partNumber", "<0>");
        let (status, body) = rendered(&error, Method::PUT).await;
        assert_eq!(status, 400);
        assert_eq!(
            body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidArgument</Code>\
             <Message>Part number &amp; more</Message><ArgumentName>partNumber</ArgumentName>\
             <ArgumentValue>&lt;0&gt;</ArgumentValue><Resource>/b/&lt;k&gt;</Resource>\
             <RequestId>0123456789ABCDEF</RequestId><HostId>host</HostId></Error>"
        );
    }

    #[tokio::test]
    async fn the_document_can_always_be_parsed() {
        let (_, body) = rendered(&Error::argument("\0", "prefix", "a\u{1}\r"), Method::GET).await;
        let read = crate::s3::xml::parse(body.as_bytes(), "Error").unwrap();
        assert_eq!(read.child_text("ArgumentValue"), Some("a\u{fffd}\r"));
    }

    #[tokio::test]
    async fn head_and_304_have_no_body() {
        assert_eq!(rendered(&Code::NO_SUCH_KEY.into(), Method::HEAD).await, (404, String::new()));
        assert_eq!(rendered(&Code::NOT_MODIFIED.into(), Method::GET).await, (304, String::new()));
    }

    #[tokio::test]
    async fn internals_stay_inside() {
        let error = Error::from(StoreError::Io("/var/lib/wharf/blobs/7: EIO".to_owned()));
        let (status, body) = rendered(&error, Method::GET).await;
        assert_eq!(status, 500);
        assert!(!body.contains("wharf") && !body.contains("EIO"), "{body}");
        assert!(error.logged().unwrap().contains("EIO"));
    }

    #[test]
    fn statuses_of_lower_errors() {
        for (error, name, status) in [
            (Error::from(StoreError::Full), "InsufficientStorage", 507),
            (StoreError::QuotaExceeded.into(), "QuotaExceeded", 403),
            (StoreError::Precondition.into(), "PreconditionFailed", 412),
            (StoreError::Busy("x".into()).into(), "ServiceUnavailable", 503),
            (StoreError::NotFound(Missing::Upload).into(), "NoSuchUpload", 404),
            (Invalid::PartCount.into(), "MalformedXML", 400),
            (Invalid::ChecksumType { expected: "COMPOSITE" }.into(), "InvalidRequest", 400),
            (BodyError::Truncated.into(), "IncompleteBody", 400),
            (BodyError::TooLarge(5).into(), "MaxMessageLengthExceeded", 400),
            (ChunkedError::MalformedTrailer.into(), "MalformedTrailerError", 400),
            (AuthError::new(AuthErrorCode::InvalidAccessKeyId, "x").into(), "InvalidAccessKeyId", 403),
        ] {
            assert_eq!((error.code().name, error.code().status), (name, status));
        }
    }
}
