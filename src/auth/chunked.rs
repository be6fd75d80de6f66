//! aws-chunked framing: `SIZE CRLF bytes CRLF ... 0 CRLF trailers CRLF`, inside whatever framing HTTP has.
//!
//! The decoder is fed the body in pieces of any size and gives the payload back as slices of those very pieces: it
//! copies and holds nothing but the line it is reading, whose length is bounded. Only bodies without chunk signatures
//! are read (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`): a chunk extension is refused, not skipped, because skipping a
//! signature would accept it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>. Two things clients do are
//! tolerated: an extra CRLF after the end, and a line feed between a trailer's value and its CRLF (AWS's own page draws
//! it so).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use crate::base::limits::{CHUNK_LINE_MAX_BYTES, CHUNK_MIN_BYTES, TRAILER_MAX_BYTES};

/// The header with the payload's length, framing not counted.
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
/// The header that announces the trailers.
const TRAILER: &str = "x-amz-trailer";

/// What is wrong with an aws-chunked body or with its announcement. In brackets: the S3 code that says so.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChunkedError {
    /// No `x-amz-decoded-content-length` (`MissingContentLength`).
    #[error("You must provide the x-amz-decoded-content-length HTTP header.")]
    MissingDecodedLength,
    /// `x-amz-decoded-content-length` is no number, or comes twice (`InvalidArgument`).
    #[error("The value of x-amz-decoded-content-length is invalid.")]
    InvalidDecodedLength,
    /// `x-amz-trailer` names what cannot be a header (`InvalidRequest`).
    #[error("The value specified in the x-amz-trailer header is not supported")]
    InvalidTrailerAnnouncement,
    /// The body ends before its framing or its length says so (`IncompleteBody`).
    #[error(
        "The request body terminated unexpectedly: {received} bytes of payload announced by chunks, {expected} expected"
    )]
    Incomplete {
        /// `x-amz-decoded-content-length`.
        expected: u64,
        /// The sum of the chunk sizes seen.
        received: u64,
    },
    /// The chunks hold more than `x-amz-decoded-content-length` says (`InvalidRequest`).
    #[error("The chunks of the body hold more than the {expected} bytes that x-amz-decoded-content-length announces.")]
    TooLong {
        /// `x-amz-decoded-content-length`.
        expected: u64,
    },
    /// A chunk below 8 KiB that is not the last (`InvalidChunkSizeError`, with `Chunk` and `BadChunkSize`).
    #[error("Only the last chunk is allowed to have a size less than 8192 bytes")]
    ChunkTooSmall {
        /// The chunk's number, from 1.
        number: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// Not the framing at all (`InvalidRequest`).
    #[error("The aws-chunked framing of the body is malformed: {0}.")]
    Framing(&'static str),
    /// The trailers are not those announced, or cannot be read (`MalformedTrailerError`).
    #[error("The request contained trailing data that was not well-formed or did not conform to our published schema.")]
    MalformedTrailer,
}

/// Decodes one body.
#[derive(Debug)]
pub struct ChunkedDecoder {
    expected: u64,
    announced: Vec<HeaderName>,
    state: State,
    /// The line being read, without what is still to come of it.
    line: Vec<u8>,
    /// Data chunks begun.
    chunks: u64,
    /// Size of the latest data chunk; the next one judges whether it was allowed to be so small.
    chunk_size: u64,
    /// Sum of the chunk sizes.
    received: u64,
    trailers: HeaderMap,
    trailer_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the line that begins a chunk.
    Size,
    /// In a chunk's bytes, of which `left` are still to come.
    Data { left: u64 },
    /// At the CRLF behind a chunk's bytes.
    DataEnd,
    /// In the trailers, or at the empty line that ends them.
    Trailer,
    /// Behind the end, where one CRLF more is tolerated.
    End,
    /// Behind that CRLF.
    Closed,
}

impl ChunkedDecoder {
    /// A decoder for the body that `headers` announce with `x-amz-decoded-content-length` and `x-amz-trailer`.
    ///
    /// # Errors
    /// The three that concern those headers.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, ChunkedError> {
        Ok(Self::new(decoded_length(headers)?, announced_trailers(headers)?))
    }

    /// A decoder for `decoded_length` bytes of payload, followed by exactly the trailers `announced`.
    pub fn new(decoded_length: u64, announced: Vec<HeaderName>) -> Self {
        Self {
            expected: decoded_length,
            announced,
            state: State::Size,
            line: Vec::new(),
            chunks: 0,
            chunk_size: 0,
            received: 0,
            trailers: HeaderMap::new(),
            trailer_bytes: 0,
        }
    }

    /// Bytes of payload that the whole body holds.
    pub fn decoded_length(&self) -> u64 {
        self.expected
    }

    /// The trailers that will follow.
    pub fn announced(&self) -> &[HeaderName] {
        &self.announced
    }

    /// Takes framing off the front of `input` up to the next bytes of payload, and those too. None once `input` is used
    /// up; call it until then, and [`Self::finish`] when the body has ended. After an error there is no going on.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        while !input.is_empty() {
            match self.state {
                State::Size => {
                    if let Some(line) = self.take_line(input, CHUNK_LINE_MAX_BYTES)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data { left } => return Ok(Some(self.take_data(input, left))),
                State::DataEnd => {
                    if self.take_line(input, 2)?.is_some() {
                        self.state = State::Size;
                    }
                }
                State::Trailer => {
                    let limit = TRAILER_MAX_BYTES.saturating_sub(self.trailer_bytes);
                    let line = self.take_line(input, limit).map_err(|_| ChunkedError::MalformedTrailer)?;
                    if let Some(line) = line {
                        self.trailer_line(&line)?;
                    }
                }
                State::End => {
                    if self.take_line(input, 2)?.is_some() {
                        self.state = State::Closed;
                    }
                }
                State::Closed => return Err(ChunkedError::Framing("bytes follow its end")),
            }
        }
        Ok(None)
    }

    /// The trailers, once the body has ended.
    ///
    /// # Errors
    /// `Incomplete` when the body ended too early, `Framing` when something else than a CRLF followed its end.
    pub fn finish(self) -> Result<HeaderMap, ChunkedError> {
        match self.state {
            State::End | State::Closed if self.line.is_empty() => Ok(self.trailers),
            State::End | State::Closed => Err(ChunkedError::Framing("bytes follow its end")),
            State::Size | State::Data { .. } | State::DataEnd | State::Trailer => Err(self.incomplete()),
        }
    }

    fn incomplete(&self) -> ChunkedError {
        ChunkedError::Incomplete { expected: self.expected, received: self.received }
    }

    /// Moves bytes from `input` into the line until it ends in CRLF; gives it without. `limit` counts the CRLF.
    fn take_line(&mut self, input: &mut Bytes, limit: usize) -> Result<Option<Vec<u8>>, ChunkedError> {
        while !input.is_empty() {
            let room = limit.saturating_sub(self.line.len()).min(input.len());
            let window = input.get(..room).unwrap_or_default();
            let end = window.iter().position(|byte| *byte == b'\n').map_or(room, |at| at + 1);
            self.line.extend_from_slice(&input.split_to(end));
            if self.line.ends_with(b"\r\n") {
                self.line.truncate(self.line.len() - 2);
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            if self.line.len() >= limit {
                return Err(ChunkedError::Framing("a line does not end where it must"));
            }
        }
        Ok(None)
    }

    fn take_data(&mut self, input: &mut Bytes, left: u64) -> Bytes {
        let piece = input.split_to(usize::try_from(left).map_or(input.len(), |left| left.min(input.len())));
        let left = left.saturating_sub(piece.len() as u64);
        self.state = if left == 0 { State::DataEnd } else { State::Data { left } };
        piece
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        let size = chunk_size(line)?;
        if size == 0 {
            if self.received < self.expected {
                return Err(self.incomplete());
            }
            self.state = State::Trailer;
            return Ok(());
        }
        if self.chunks > 0 && self.chunk_size < CHUNK_MIN_BYTES {
            return Err(ChunkedError::ChunkTooSmall { number: self.chunks, size: self.chunk_size });
        }
        if size > self.expected.saturating_sub(self.received) {
            return Err(ChunkedError::TooLong { expected: self.expected });
        }
        self.chunks += 1;
        self.chunk_size = size;
        self.received += size;
        self.state = State::Data { left: size };
        Ok(())
    }

    fn trailer_line(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        self.trailer_bytes += line.len() + 2;
        if line.is_empty() {
            // Only announced ones were let in, each once: as many as announced are all of them.
            if self.trailers.len() != self.announced.len() {
                return Err(ChunkedError::MalformedTrailer);
            }
            self.state = State::End;
            return Ok(());
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(ChunkedError::MalformedTrailer)?;
        let (name, value) = line.split_at_checked(colon).ok_or(ChunkedError::MalformedTrailer)?;
        let name = HeaderName::from_bytes(name.trim_ascii()).map_err(|_| ChunkedError::MalformedTrailer)?;
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        let value = HeaderValue::from_bytes(value).map_err(|_| ChunkedError::MalformedTrailer)?;
        if !self.announced.contains(&name) || self.trailers.insert(name, value).is_some() {
            return Err(ChunkedError::MalformedTrailer);
        }
        Ok(())
    }
}

/// Reads a chunk's first line: its size in hexadecimal digits of either case.
fn chunk_size(line: &[u8]) -> Result<u64, ChunkedError> {
    if line.contains(&b';') {
        return Err(ChunkedError::Framing("a chunk carries an extension, which this payload mode does not have"));
    }
    let digits = std::str::from_utf8(line).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // Without the check above a sign would be a number's first character.
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(ChunkedError::Framing("a chunk does not begin with its size"))
}

fn decoded_length(headers: &HeaderMap) -> Result<u64, ChunkedError> {
    let mut values = headers.get_all(DECODED_LENGTH).iter();
    let value = values.next().ok_or(ChunkedError::MissingDecodedLength)?;
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .filter(|_| values.next().is_none())
        .and_then(|digits| digits.parse().ok())
        .ok_or(ChunkedError::InvalidDecodedLength)
}

/// The names in `x-amz-trailer`, in any case, each once.
fn announced_trailers(headers: &HeaderMap) -> Result<Vec<HeaderName>, ChunkedError> {
    let mut names = Vec::new();
    for value in headers.get_all(TRAILER) {
        for name in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let name = HeaderName::from_bytes(name).map_err(|_| ChunkedError::InvalidTrailerAnnouncement)?;
            if names.contains(&name) {
                return Err(ChunkedError::InvalidTrailerAnnouncement);
            }
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
