//! What `x-amz-content-sha256` says of the body.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.

use http::HeaderMap;

use super::error::{AuthError, AuthErrorCode};
use super::sigv4::SigningKey;
use crate::base::digest::from_hex;

/// The header that declares the body's hash or mode.
pub(super) const HEADER: &str = "x-amz-content-sha256";
/// The value that leaves the body out of the signature.
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// How the body comes and what has to be verified of it.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Plain bytes that no signature covers.
    Unsigned,
    /// Plain bytes with this SHA-256; anything else is `XAmzContentSHA256Mismatch`.
    Exact([u8; 32]),
    /// aws-chunked framing without chunk signatures, with trailers: [`ChunkedDecoder`](super::chunked::ChunkedDecoder)
    /// reads it.
    UnsignedTrailer,
    /// aws-chunked framing, each chunk signed: [`ChunkedDecoder`](super::chunked::ChunkedDecoder) reads and verifies it.
    SignedChunks {
        /// What the chunk signatures build on.
        seed: ChunkSeed,
        /// Whether signed trailers follow the last chunk.
        trailer: bool,
    },
}

/// What the first chunk's string to sign is made of besides the chunk.
#[derive(Clone, Debug)]
pub struct ChunkSeed {
    /// Signs the chunks.
    pub key: SigningKey,
    /// The request's signature, which the first chunk's string to sign names as the previous one.
    pub signature: String,
    /// The request's time, `20130524T000000Z`.
    pub amz_date: String,
    /// The credential scope, `20130524/us-east-1/s3/aws4_request`.
    pub scope: String,
}

/// A value of `x-amz-content-sha256`, before the signature is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PayloadMode {
    Unsigned,
    Exact([u8; 32]),
    UnsignedTrailer,
    SignedChunks { trailer: bool },
}

impl PayloadMode {
    /// Reads a value. Junk is `InvalidArgument`; the modes signed with ECDSA belong to SigV4A and are not offered.
    pub(super) fn parse(value: &str) -> Result<Self, AuthError> {
        match value {
            UNSIGNED_PAYLOAD => Ok(Self::Unsigned),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::UnsignedTrailer),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Self::SignedChunks { trailer: false }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(Self::SignedChunks { trailer: true }),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                let message = "A header you provided implies functionality that is not implemented: signatures with ECDSA";
                Err(AuthError::new(AuthErrorCode::NotImplemented, message).with("Header", HEADER))
            }
            _ => from_hex(value).map(Self::Exact).ok_or_else(|| {
                let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                               STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid \
                               sha256 value.";
                AuthError::argument(message, HEADER, value)
            }),
        }
    }

    /// The payload of a request whose signature was verified.
    pub(super) fn signed(self, seed: ChunkSeed) -> Payload {
        match self {
            Self::Unsigned => Payload::Unsigned,
            Self::Exact(hash) => Payload::Exact(hash),
            Self::UnsignedTrailer => Payload::UnsignedTrailer,
            Self::SignedChunks { trailer } => Payload::SignedChunks { seed, trailer },
        }
    }

    /// The payload of a request without credentials, which cannot have signed chunks.
    pub(super) fn anonymous(self) -> Result<Payload, AuthError> {
        match self {
            Self::Unsigned => Ok(Payload::Unsigned),
            Self::Exact(hash) => Ok(Payload::Exact(hash)),
            Self::UnsignedTrailer => Ok(Payload::UnsignedTrailer),
            Self::SignedChunks { .. } => {
                let message = "Anonymous requests don't support this x-amz-content-sha256 value. Please use \
                               UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.";
                Err(AuthError::new(AuthErrorCode::InvalidRequest, message))
            }
        }
    }
}

/// The value of `x-amz-content-sha256`; `InvalidArgument` when it comes twice or is no text.
pub(super) fn declared(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        (text, _) => {
            let message = "x-amz-content-sha256 must be given once.";
            Err(AuthError::argument(message, HEADER, text.unwrap_or_default()))
        }
    }
}
