//! Bytes on their way into an upload.
//!
//! They are sealed piece by piece: each piece is durable and counted before the next is read, so whatever ends the request, its
//! connection or the gateway leaves the upload at the end of a piece. A body that breaks off is one whose last piece is short.
//! Receiving is a task of its own: a request whose client went away is dropped, and what had come of it counts all the same.
//!
//! Where the whole request has to be right first (a checksum, or a client that cannot go on in the middle of a chunk), it is one
//! piece, and counts as a whole or not at all.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::checksum::Expected;
use super::moved;
use crate::base::digest::DigestRequest;
use crate::base::limits::{PUT_SIZE_MAX_BYTES, SESSION_PARTS_MAX, TUS_PIECE_BYTES};
use crate::pipeline::Config;
use crate::pipeline::error::Error;
use crate::store::error::{Error as StoreError, Invalid, Missing};
use crate::store::types::{Appended, Bucket, ObjectKey, Session, SessionState, StagedBody, UploadId};
use crate::wire::{Body, BodyError};

/// What comes, and where it goes.
pub(super) struct Incoming {
    pub(super) config: Arc<Config>,
    pub(super) id: UploadId,
    /// Where the object will stand.
    pub(super) bucket: Bucket,
    pub(super) key: ObjectKey,
    pub(super) body: Body,
    /// Bytes of the upload before these.
    pub(super) offset: u64,
    /// Bytes of the upload at most, behind these.
    pub(super) end: u64,
    /// Whether the upload is the object once it has so many.
    pub(super) completes: bool,
    pub(super) manner: Manner,
}

/// How a body is taken.
pub(super) enum Manner {
    /// In pieces of so many bytes, each of which counts.
    Pieces(u64),
    /// As a whole or not at all, and only if it is what is expected.
    Whole(Option<Expected>),
}

/// How far an upload is.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) offset: u64,
    /// It is an object.
    pub(super) completed: bool,
}

/// What ended a piece.
enum Ended {
    /// It has all the bytes it may have.
    Full,
    /// The body came to its end.
    Body,
    /// The body broke off.
    Broken(BodyError),
}

impl Manner {
    /// A request's bytes: with a checksum they are one piece; without one, pieces are so large that an upload of `length` bytes
    /// never has too many, even where many requests bring it.
    pub(super) fn of(expected: Option<Expected>, length: Option<u64>) -> Self {
        match expected {
            Some(expected) => Self::Whole(Some(expected)),
            None => {
                let least = length.unwrap_or_default().div_ceil(u64::from(SESSION_PARTS_MAX / 2));
                Self::Pieces(TUS_PIECE_BYTES.max(least))
            }
        }
    }

    fn piece_bytes(&self) -> u64 {
        match self {
            Self::Pieces(bytes) => *bytes,
            Self::Whole(_) => PUT_SIZE_MAX_BYTES,
        }
    }

    fn digests(&self) -> DigestRequest {
        match self {
            Self::Whole(Some(expected)) => expected.digests(),
            Self::Whole(None) | Self::Pieces(_) => DigestRequest::default(),
        }
    }
}

/// Takes a body in. An upload that has all its bytes and is no object yet becomes one by a body without bytes.
///
/// # Errors
/// 409 where others brought these bytes, or other ones, before; 413 for too many; what broke the body off.
pub(super) async fn receive(incoming: Incoming) -> Result<Progress, Error> {
    let receiving = tokio::spawn(incoming.run());
    receiving.await.unwrap_or_else(|panic| {
        let message = "the gateway failed; its log says why".to_owned();
        Err(Error::from_words(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message, Some(panic.to_string())))
    })
}

/// Takes a body without bytes in.
///
/// # Errors
/// 413 for one that has some.
pub(super) async fn nothing(mut body: Body) -> Result<(), Error> {
    match body.next().await {
        Some(Ok(_)) => Err(too_many_bytes()),
        Some(Err(_)) | None => Ok(()),
    }
}

/// More bytes than the upload takes.
pub(super) fn too_many_bytes() -> Error {
    let message = "the body has more bytes than the upload takes";
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message)
}

impl Incoming {
    async fn run(mut self) -> Result<Progress, Error> {
        let mut rest = Bytes::new();
        let mut first = true;
        loop {
            let (staged, ended) = self.piece(&mut rest).await?;
            // Without bytes there is something to do only where an upload is to become an object.
            let counts = staged.size > 0 || (first && self.offset == self.end);
            let completed = if counts { self.append(staged).await? } else { false };
            first = false;
            match ended {
                Ended::Full if !completed => {}
                Ended::Broken(error) if !completed => return Err(error.into()),
                Ended::Full | Ended::Body | Ended::Broken(_) => {
                    return Ok(Progress { offset: self.offset, completed });
                }
            }
        }
    }

    /// The next piece, durable, and what ended it. What came behind it stays in `rest`.
    async fn piece(&mut self, rest: &mut Bytes) -> Result<(StagedBody, Ended), Error> {
        let left = self.end.saturating_sub(self.offset);
        let most = left.min(self.manner.piece_bytes());
        let coming = self.body.remaining().map(|coming| coming.saturating_add(rest.len() as u64).min(most));
        self.config.store.check_room(coming.unwrap_or_default())?;
        self.check_quota(coming.unwrap_or_default())?;
        let mut writer = self.config.store.body_writer(coming, self.manner.digests());
        let mut ended = Ended::Full;
        let mut checked = 0;
        while writer.size() < most {
            if rest.is_empty() {
                match self.body.next().await {
                    Some(Ok(bytes)) => *rest = bytes,
                    None => {
                        ended = Ended::Body;
                        break;
                    }
                    Some(Err(error)) => {
                        ended = Ended::Broken(error);
                        break;
                    }
                }
            }
            let fits = usize::try_from(most - writer.size()).unwrap_or(usize::MAX).min(rest.len());
            writer.write(rest.split_to(fits)).await?;
            if writer.size() - checked >= TUS_PIECE_BYTES {
                checked = writer.size();
                self.check_quota(checked)?;
            }
        }
        self.check_quota(writer.size())?;
        // Nothing may follow the last byte of an upload, nor what has to be one piece.
        if matches!(ended, Ended::Full) && (most == left || matches!(self.manner, Manner::Whole(_))) {
            if !rest.is_empty() || matches!(self.body.next().await, Some(Ok(_))) {
                return Err(too_many_bytes());
            }
            // All bytes have come, whatever became of the connection.
            ended = Ended::Body;
        }
        match (ended, &self.manner) {
            (Ended::Broken(error), Manner::Whole(_)) => Err(error.into()),
            (ended, _) => Ok((writer.finish().await?, ended)),
        }
    }

    /// Refuses bytes that the bucket has no quota for, once so many more have come. How many will come is not always said before,
    /// and the commit that makes the object is too late for what is staged until then.
    fn check_quota(&self, more: u64) -> Result<(), Error> {
        Ok(self.config.store.check_quota(&self.bucket, &self.key, self.offset.saturating_add(more))?)
    }

    /// Counts a piece. Says whether the upload is an object by it.
    async fn append(&mut self, staged: StagedBody) -> Result<bool, Error> {
        if let Manner::Whole(Some(expected)) = &self.manner {
            expected.verify(&staged.digests)?;
        }
        let offset = self.offset.saturating_add(staged.size);
        let last = self.completes && offset == self.end;
        let appended = self.config.store.append(self.id, self.offset, staged, last).await;
        match appended.map_err(|error| self.refusal(error))? {
            Appended::To(offset) => {
                self.offset = offset;
                Ok(false)
            }
            Appended::Completed(answer) => {
                self.offset = answer.size;
                Ok(true)
            }
        }
    }

    fn refusal(&self, error: StoreError) -> Error {
        match error {
            StoreError::Conflict => moved(),
            StoreError::NotFound(Missing::Upload) if self.is_completed() => moved(),
            StoreError::Invalid(Invalid::PartCount) => too_many_pieces(),
            error => error.into(),
        }
    }

    fn is_completed(&self) -> bool {
        let session = self.config.store.session(self.id);
        matches!(session, Ok(Session { state: SessionState::Completed { .. }, .. }))
    }
}

/// Each request adds a piece at least, however small.
pub(super) fn too_many_pieces() -> Error {
    let message = format!("an upload has at most {SESSION_PARTS_MAX} pieces; the chunks are too small");
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message)
}
