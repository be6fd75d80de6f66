//! An upload as the store keeps it, and what is kept with it.

use serde_json::{Value, json};

use crate::pipeline::call::{Call, Caller, upload_id};
use crate::pipeline::error::Error;
use crate::pipeline::judge::Place;
use crate::store::types::{Session, SessionState};

/// The protocol that began an upload, and alone may go on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tus,
    FilePond,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Tus => "tus",
            Self::FilePond => "filepond",
        }
    }
}

/// What is kept with an upload besides what the store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) protocol: Protocol,
    /// Its bytes in all, once that is known.
    pub(super) length: Option<u64>,
    /// `Upload-Metadata`, as it came.
    pub(super) metadata: Option<String>,
    /// `Upload-Concat`, as it came.
    pub(super) concat: Option<String>,
    /// Who began it, where others may make something of it: a user, empty for nobody.
    pub(super) who: Option<String>,
}

impl Note {
    pub(super) fn write(&self) -> Vec<u8> {
        let note = json!({
            "protocol": self.protocol.name(),
            "length": self.length,
            "metadata": self.metadata,
            "concat": self.concat,
            "who": self.who,
        });
        note.to_string().into_bytes()
    }

    pub(super) fn with_length(&self, length: Option<u64>) -> Self {
        Self { length, ..self.clone() }
    }

    fn read(note: &[u8]) -> Option<Self> {
        let note: Value = serde_json::from_slice(note).ok()?;
        let text = |name: &str| note.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let protocol = text("protocol")?;
        Some(Self {
            protocol: [Protocol::Tus, Protocol::FilePond].into_iter().find(|known| known.name() == protocol)?,
            length: note.get("length").and_then(Value::as_u64),
            metadata: text("metadata"),
            concat: text("concat"),
            who: text("who"),
        })
    }
}

/// An upload, open or completed.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) session: Session,
    pub(super) note: Note,
}

impl Upload {
    /// The upload of this id.
    ///
    /// # Errors
    /// 404 for unknown ones, and for sessions of other protocols.
    pub(super) fn find(call: &Call, id: &str, protocol: Protocol) -> Result<Self, Error> {
        Self::of(call.store().session(upload_id(id)?)?, protocol)
    }

    pub(super) fn of(session: Session, protocol: Protocol) -> Result<Self, Error> {
        let note = Note::read(&session.note).filter(|note| note.protocol == protocol);
        Ok(Self { note: note.ok_or_else(Error::no_such_upload)?, session })
    }

    /// Where the object stands, or will.
    pub(super) fn place(&self) -> Place<'_> {
        Place(&self.session.bucket, &self.session.key)
    }

    /// The bytes that are there.
    pub(super) fn offset(&self) -> u64 {
        match &self.session.state {
            SessionState::Open { bytes, .. } => *bytes,
            SessionState::Completed { answer, .. } => answer.size,
        }
    }

    /// Its bytes in all, once that is known.
    pub(super) fn length(&self) -> Option<u64> {
        match &self.session.state {
            SessionState::Open { .. } => self.note.length,
            SessionState::Completed { answer, .. } => Some(answer.size),
        }
    }

    /// Whether it becomes an object only with others.
    pub(super) fn is_partial(&self) -> bool {
        self.note.concat.as_deref() == Some("partial")
    }

    /// Whether the caller began it.
    pub(super) fn is_of(&self, caller: &Caller) -> bool {
        self.note.who.as_deref() == Some(caller.user())
    }

    /// Whether it was made of others.
    pub(super) fn is_final(&self) -> bool {
        self.note.concat.is_some() && !self.is_partial()
    }

    /// Whether all its bytes are there and the object is not.
    pub(super) fn is_unfinished(&self) -> bool {
        let open = matches!(self.session.state, SessionState::Open { .. });
        open && !self.is_partial() && self.note.length == Some(self.offset())
    }

    /// When it ends if nothing more comes, as a header says it; never, once it is an object.
    pub(super) fn expires(&self, call: &Call) -> Option<String> {
        match &self.session.state {
            SessionState::Open { touched, .. } => Some(touched.after(call.config.expire_uploads).http_date()),
            SessionState::Completed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let whole = Note {
            protocol: Protocol::Tus,
            length: Some(u64::MAX),
            metadata: Some("filename YQ==,x".to_owned()),
            concat: Some("final;/files/a /files/b".to_owned()),
            who: Some(String::new()),
        };
        let empty = Note { protocol: Protocol::FilePond, length: None, metadata: None, concat: None, who: None };
        for note in [whole, empty] {
            assert_eq!(Note::read(&note.write()), Some(note));
        }
        for other in [&b"{}"[..], b"", br#"{"protocol":"chunks","filename":"a"}"#, b"[]", b"\xff"] {
            assert_eq!(Note::read(other), None);
        }
    }
}
