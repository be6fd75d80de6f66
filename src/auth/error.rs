//! What authentication answers when it refuses: S3's code, a sentence and the extra fields of the error document.
//!
//! Codes and sentences are those of Amazon S3 where it has one. HTTP statuses are absent on purpose: the one map from
//! codes to statuses stands with the XML.

use std::fmt;

/// The S3 error codes that authentication can produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthErrorCode {
    /// Credentials are fine in form but not acceptable: unsigned headers, expired, not valid yet, no usable date.
    AccessDenied,
    /// The Authorization header names SigV4 but cannot be read, or its scope is not ours.
    AuthorizationHeaderMalformed,
    /// As [`Self::AuthorizationHeaderMalformed`], for credentials in the query.
    AuthorizationQueryParametersError,
    /// The temporary credentials have ended.
    ExpiredToken,
    /// Nobody here has this access key id.
    InvalidAccessKeyId,
    /// An argument that has no meaning: an unknown scheme, two mechanisms, a junk `x-amz-content-sha256`.
    InvalidArgument,
    /// The policy of a POST form cannot be read.
    InvalidPolicyDocument,
    /// A mechanism or a mode that S3 does not offer, or a mandatory header that is missing.
    InvalidRequest,
    /// A session token that was not given out here, or not with this access key, or whose key is gone.
    InvalidToken,
    /// A mechanism that S3 offers and wharf does not.
    NotImplemented,
    /// The request's time is too far from ours.
    RequestTimeTooSkewed,
    /// The signature was made with another secret or for another request.
    SignatureDoesNotMatch,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthError {
    /// The S3 code.
    pub code: AuthErrorCode,
    /// The sentence for the client. May quote what the client sent, so it needs escaping in XML.
    pub message: String,
    /// Further elements of the error document, in order: name and text.
    pub details: Vec<(&'static str, String)>,
}

impl AuthError {
    /// A refusal without further elements.
    pub fn new(code: AuthErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// The same refusal with one more element.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The text of the element called `name`.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    /// `InvalidArgument` with the argument's name and value, as S3 reports it.
    pub(super) fn argument(message: &str, name: &str, value: &str) -> Self {
        Self::new(AuthErrorCode::InvalidArgument, message).with("ArgumentName", name).with("ArgumentValue", value)
    }

    /// Credentials in more than one place.
    pub(super) fn two_mechanisms() -> Self {
        Self::new(
            AuthErrorCode::InvalidArgument,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified",
        )
    }

    /// A mechanism that is never accepted, in AWS's sentence.
    pub(super) fn unsupported_mechanism() -> Self {
        Self::new(
            AuthErrorCode::InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
    }

    /// A session token that was not given out here, or not with this access key, or whose key is gone.
    pub(super) fn session_token() -> Self {
        Self::new(AuthErrorCode::InvalidToken, "The provided token is malformed or otherwise invalid.")
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

impl std::error::Error for AuthError {}
