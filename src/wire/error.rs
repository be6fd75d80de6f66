//! Why a body ended before its end.

use std::error::Error;
use std::io;

/// A body did not arrive, or could not be produced, in full. The kinds say who is to blame: all but
/// [`BodyError::Failed`] the peer.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The peer went away before the end it had promised.
    #[error("the body ended early")]
    Truncated,
    /// Nothing, or too little, arrived for as long as a body is waited for.
    #[error("the body stopped arriving")]
    Timeout,
    /// The chunked framing (RFC 9112 section 7.1) is broken.
    #[error("the body is framed wrongly: {0}")]
    Framing(String),
    /// The body is longer than this many bytes, the most its reader accepts.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// Whatever produces the bytes failed: a decoder between the wire and the reader, or a store.
    #[error("the body could not be produced: {0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl BodyError {
    /// [`BodyError::Failed`] of any error or text.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    /// Reads hyper's error of an incoming body. hyper keeps the cause of a broken chunk and of an early end as an
    /// `io::Error`; every other way for a body to break off is a connection that is gone.
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return match io.kind() {
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Self::Framing(io.to_string()),
                    io::ErrorKind::TimedOut => Self::Timeout,
                    _ => Self::Truncated,
                };
            }
            cause = error.source();
        }
        Self::Truncated
    }
}
