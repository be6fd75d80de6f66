//! What a client of FilePond's gets for an id, before anything began.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::base::limits::FILEPOND_ID_MAX_BYTES;
use crate::pipeline::call::Call;
use crate::pipeline::error::Error;
use crate::pipeline::tus::metadata::Metadata;
use crate::pipeline::tus::unsupported;
use crate::pipeline::tus::upload::{Protocol, Upload};
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::UploadId;

/// What a client was told to come back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// As it is written.
    pub(super) text: String,
    /// Letters and digits of its own.
    pub(super) unique: String,
    /// The file's bytes, where that was said.
    pub(super) length: Option<u64>,
    pub(super) metadata: Metadata,
}

impl Ticket {
    pub(super) fn new(unique: String, length: Option<u64>, metadata: Metadata) -> Self {
        let said = json!({ "length": length, "metadata": metadata.to_json() });
        let text = format!("{unique}.{}", URL_SAFE_NO_PAD.encode(said.to_string()));
        Self { text, unique, length, metadata }
    }

    /// Reads a ticket.
    ///
    /// # Errors
    /// 412 where it is the id of an upload by tus: then the request lacks its version. 404 for anything else that is none.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        if UploadId::parse(text).is_some() {
            return Err(unsupported("a request of tus names its version in Tus-Resumable"));
        }
        Self::parse(text).ok_or_else(Error::no_such_upload)
    }

    fn parse(text: &str) -> Option<Self> {
        let (unique, said) = text.split_once('.').filter(|_| text.len() <= FILEPOND_ID_MAX_BYTES)?;
        let good = !unique.is_empty() && unique.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let said: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(said).ok().filter(|_| good)?).ok()?;
        Some(Self {
            text: text.to_owned(),
            unique: unique.to_owned(),
            length: said.get("length")?.as_u64(),
            metadata: Metadata::of_json(said.get("metadata")?.as_object()?),
        })
    }

    /// What its upload is found by: itself, and who holds it.
    pub(super) fn name(&self, call: &Call) -> [u8; 32] {
        let mut sha256 = Sha256::new();
        for text in ["filepond", call.caller.user(), &self.text] {
            sha256.update((text.len() as u64).to_be_bytes());
            sha256.update(text);
        }
        sha256.finalize().into()
    }

    pub(super) fn upload(&self, call: &Call) -> Result<Option<Upload>, Error> {
        match call.store().session_named(&self.name(call)) {
            Ok(session) => Upload::of(session, Protocol::FilePond).map(Some),
            Err(StoreError::NotFound(Missing::Upload)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_read_as_they_were_written() {
        let members = json!({ "key": "a/b", "titel": "Gr\u{fc}\u{df}e", "crop": { "x": 1 }, "n": 1 });
        let metadata = Metadata::of_json(members.as_object().unwrap());
        for (length, metadata) in [(Some(0), Metadata::default()), (Some(u64::MAX), metadata.clone()), (None, metadata)]
        {
            let ticket = Ticket::new("abcDEF123".to_owned(), length, metadata);
            assert!(ticket.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
            assert_eq!(Ticket::read(&ticket.text).unwrap(), ticket);
        }
    }

    #[test]
    fn what_is_no_ticket() {
        let upload = "00000000000000010000000000000002";
        assert_eq!(Ticket::read(upload).unwrap_err().status(), 412);
        let long = format!("a.{}", URL_SAFE_NO_PAD.encode(vec![b' '; FILEPOND_ID_MAX_BYTES]));
        for bad in ["", ".", "abc", "abc.", "abc.e30", ".e30", "a b.e30", "abc.bnVsbA", "../x", long.as_str()] {
            assert_eq!(Ticket::read(bad).unwrap_err().status(), 404, "{bad}");
        }
    }
}
