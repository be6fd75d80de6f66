//! What the calls about sessions take and give: uploads that a protocol of the upload API began.

use super::{Attributes, Bucket, CompletedUpload, ObjectKey, UploadId};
use crate::base::clock::Timestamp;

/// What a session is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSession {
    /// What it is found by without its id, as a digest.
    pub name: Option<[u8; 32]>,
    /// Parts that make it complete, where that is known from the start.
    pub total: Option<u32>,
    /// What the rank above wants to know again.
    pub note: Vec<u8>,
}

/// An upload that a protocol of the upload API began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The upload.
    pub id: UploadId,
    /// Where the object stands, or will.
    pub bucket: Bucket,
    /// ... under which key.
    pub key: ObjectKey,
    /// What it is found by without its id.
    pub name: Option<[u8; 32]>,
    /// Parts that make it complete, where that is known from the start.
    pub total: Option<u32>,
    /// What the rank above keeps with it.
    pub note: Vec<u8>,
    /// How far it is.
    pub state: SessionState,
}

/// How far a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// More may come.
    Open {
        /// For the object to be.
        attributes: Attributes,
        /// Parts that are there.
        parts: u32,
        /// Their bytes.
        bytes: u64,
        /// When it was begun, or the last part was appended.
        touched: Timestamp,
    },
    /// It is an object, or was: somebody may have replaced it since.
    Completed {
        /// The object.
        answer: CompletedUpload,
        /// When that was.
        completed: Timestamp,
        /// The part that made it complete.
        last: Option<LastPart>,
    },
}

/// The part that completed a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPart {
    /// Its number.
    pub number: u32,
    /// Its bytes.
    pub size: u64,
    /// Their MD5.
    pub md5: [u8; 16],
}

/// What became of a part that was brought by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staged {
    /// It is there now, with so many in all.
    New {
        /// Parts that are there.
        received: u32,
    },
    /// The same bytes were there before.
    Known {
        /// Parts that are there.
        received: u32,
    },
    /// It was the last one: there is the object.
    Completed(CompletedUpload),
}

/// What became of bytes that were brought for the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The session has so many bytes now.
    To(u64),
    /// They were the last ones: there is the object.
    Completed(CompletedUpload),
}
