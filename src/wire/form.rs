//! Forms of `multipart/form-data` (RFC 7578 over RFC 2046 section 5.1), read as they arrive.
//!
//! Invariants:
//! - nothing is gathered but the head of a part and what [`Form::text`] is asked for; content that is handed on by
//!   [`Form::next_piece`] is passed through without copies;
//! - everything else (boundaries, heads, gathered and skipped content, what stands before the first boundary and behind the
//!   last) is charged to an allowance of bytes, so a form without end is refused and not followed;
//! - a form ends with its last boundary: one that breaks off before it is an error, whatever it contained.
//!
//! Absent on purpose: the encodings of `Content-Transfer-Encoding` (deprecated by RFC 7578 section 4.7; content in base64 is
//! refused, not stored), `filename*` (forbidden by its section 4.2), nested multiparts, and lines that end in a bare line feed.
//! The library `multer` does the same job, but gathers whatever its source has ready, without a limit.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::memmem;

use super::{Body, BodyError};

mod head;

pub use head::Part;

const LINE_END: &[u8] = b"\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Blanks that may stand behind a boundary, "transport padding" in RFC 2046.
const PADDING_MAX_BYTES: usize = 64;
/// RFC 2046 section 5.1.1.
const BOUNDARY_MAX_BYTES: usize = 70;

/// Why a form cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The request says that it carries something else.
    #[error("the content type is not multipart/form-data")]
    NotAForm,
    /// It is no well-formed form.
    #[error("the form is malformed: {0}")]
    Malformed(&'static str),
    /// More bytes than this, the allowance, for other things than the content that is handed on.
    #[error("the form's fields are longer than {0} bytes")]
    TooLarge(usize),
    /// Its bytes did not arrive.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// What separates the parts of a form: a line of its own between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// The boundary that the Content-Type of a request names.
    ///
    /// # Errors
    /// [`FormError::NotAForm`] for another or no type, [`FormError::Malformed`] for a boundary that is missing or none.
    pub fn of(headers: &HeaderMap) -> Result<Self, FormError> {
        let value = headers.get(CONTENT_TYPE).ok_or(FormError::NotAForm)?;
        let (kind, parameters) = head::split_parameters(value.as_bytes());
        if !kind.eq_ignore_ascii_case(b"multipart/form-data") {
            return Err(FormError::NotAForm);
        }
        let boundary = head::parameter(parameters, "boundary")?.ok_or(FormError::Malformed("no boundary is named"))?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        match boundary.is_empty() || boundary.len() > BOUNDARY_MAX_BYTES || !boundary.bytes().all(legal) {
            true => Err(FormError::Malformed("the boundary is none")),
            false => Ok(Self(boundary)),
        }
    }
}

/// A form on its way in.
#[derive(Debug)]
pub struct Form {
    body: Body,
    /// CRLF, two dashes, the boundary.
    delimiter: Vec<u8>,
    finder: memmem::Finder<'static>,
    /// What has arrived and is not taken yet.
    pending: Bytes,
    place: Place,
    allowance: Allowance,
}

/// Where the start of `pending` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In content, or before the first boundary.
    Content,
    /// Behind a boundary that another part follows, at the end of its line.
    Head,
    /// Behind the last boundary.
    End,
}

/// What stands where the content of a part seems to end.
enum Delimiter {
    /// A boundary of so many bytes, padding included.
    Between(usize),
    /// The last one, of so many bytes.
    Last(usize),
    /// Content that looks like one.
    Content,
    /// More bytes have to come.
    Undecided,
}

#[derive(Debug)]
struct Allowance {
    max: usize,
    left: usize,
}

impl Allowance {
    fn new(max: usize) -> Self {
        Self { max, left: max }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), FormError> {
        self.left = self.left.checked_sub(bytes).ok_or(FormError::TooLarge(self.max))?;
        Ok(())
    }
}

impl Form {
    /// The form in a body, with an allowance of `allowance_bytes`.
    pub fn new(body: Body, boundary: &Boundary, allowance_bytes: usize) -> Self {
        let delimiter = [LINE_END, b"--", boundary.0.as_bytes()].concat();
        Self {
            body,
            finder: memmem::Finder::new(&delimiter).into_owned(),
            delimiter,
            // The first boundary needs no line end before it.
            pending: Bytes::from_static(LINE_END),
            place: Place::Content,
            allowance: Allowance::new(allowance_bytes),
        }
    }

    /// Allows so many bytes from here on.
    pub fn allow(&mut self, allowance_bytes: usize) {
        self.allowance = Allowance::new(allowance_bytes);
    }

    /// The head of the next part; none behind the last one. What is left of the part before is skipped, at the expense of the
    /// allowance.
    pub async fn next_part(&mut self) -> Result<Option<Part>, FormError> {
        while let Some(skipped) = self.next_piece().await? {
            self.allowance.charge(skipped.len())?;
        }
        if self.place == Place::End {
            return Ok(None);
        }
        let length = self.head_length().await?;
        self.allowance.charge(length.saturating_add(HEAD_END.len()))?;
        let head = self.pending.split_to(length);
        let _empty_line = self.pending.split_to(HEAD_END.len());
        self.place = Place::Content;
        Part::read(head.strip_prefix(LINE_END).unwrap_or_default()).map(Some)
    }

    /// The next piece of the part's content, never empty; none at its end.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, FormError> {
        // Content up to here is known to hold no boundary.
        let mut from = 0;
        while self.place == Place::Content {
            let found =
                self.pending.get(from..).and_then(|rest| self.finder.find(rest)).map(|at| at.saturating_add(from));
            let at = found.unwrap_or_else(|| self.pending.len() - self.beginning_of_delimiter());
            let delimiter = if found.is_some() { self.delimiter_at(at) } else { Delimiter::Undecided };
            match delimiter {
                Delimiter::Content => {
                    from = at.saturating_add(1);
                    continue;
                }
                _ if at > 0 => return Ok(Some(self.pending.split_to(at))),
                Delimiter::Between(length) => self.pass(length, Place::Head)?,
                Delimiter::Last(length) => self.pass(length, Place::End)?,
                Delimiter::Undecided => self.more().await?,
            }
            from = 0;
        }
        Ok(None)
    }

    /// The content of the part, gathered at the expense of the allowance.
    pub async fn text(&mut self) -> Result<Bytes, FormError> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.next_piece().await? {
            self.allowance.charge(piece.len())?;
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// Reads what stands behind the last boundary, at the expense of the allowance: the request has come to its end.
    pub async fn finish(mut self) -> Result<(), FormError> {
        if self.place != Place::End {
            return Err(FormError::Malformed("it has further parts"));
        }
        self.allowance.charge(self.pending.len())?;
        while let Some(piece) = self.body.next().await.transpose()? {
            self.allowance.charge(piece.len())?;
        }
        Ok(())
    }

    fn pass(&mut self, length: usize, place: Place) -> Result<(), FormError> {
        self.allowance.charge(length)?;
        let _delimiter = self.pending.split_to(length);
        self.place = place;
        Ok(())
    }

    /// Bytes of the head of a part, which begins with the end of the boundary's line and ends before an empty one.
    async fn head_length(&mut self) -> Result<usize, FormError> {
        let mut from = 0;
        loop {
            let found = self.pending.get(from..).and_then(|rest| memmem::find(rest, HEAD_END));
            if let Some(at) = found {
                return Ok(at.saturating_add(from));
            }
            if self.pending.len() > self.allowance.left {
                return Err(FormError::TooLarge(self.allowance.max));
            }
            from = self.pending.len().saturating_sub(HEAD_END.len() - 1);
            self.more().await?;
        }
    }

    /// Bytes at the end of what is pending that a boundary may begin with.
    fn beginning_of_delimiter(&self) -> usize {
        let longest = self.pending.len().min(self.delimiter.len() - 1);
        (1..=longest)
            .rev()
            .find(|length| self.pending.ends_with(self.delimiter.get(..*length).unwrap_or_default()))
            .unwrap_or(0)
    }

    /// What follows where the delimiter's text stands: a boundary fills its line (RFC 2046 section 5.1.1), so what only
    /// begins like one is content.
    fn delimiter_at(&self, at: usize) -> Delimiter {
        let end = at.saturating_add(self.delimiter.len());
        let rest = self.pending.get(end..).unwrap_or_default();
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let length = self.delimiter.len().saturating_add(padding);
        match rest.get(padding..).unwrap_or_default() {
            _ if padding > PADDING_MAX_BYTES => Delimiter::Content,
            [] => Delimiter::Undecided,
            [b'\r'] => Delimiter::Undecided,
            [b'\r', b'\n', ..] => Delimiter::Between(length),
            [b'-'] if padding == 0 => Delimiter::Undecided,
            [b'-', b'-', ..] if padding == 0 => Delimiter::Last(length.saturating_add(2)),
            _ => Delimiter::Content,
        }
    }

    /// Waits for more of the body.
    async fn more(&mut self) -> Result<(), FormError> {
        let piece = self.body.next().await.transpose()?;
        let piece = piece.ok_or(FormError::Malformed("it ends before its last boundary"))?;
        if self.pending.is_empty() {
            self.pending = piece;
        } else {
            let mut joined = BytesMut::with_capacity(self.pending.len().saturating_add(piece.len()));
            joined.extend_from_slice(&self.pending);
            joined.extend_from_slice(&piece);
            self.pending = joined.freeze();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
