//! aws-chunked framing: `SIZE CRLF bytes CRLF ... 0 CRLF trailers CRLF`, inside whatever framing HTTP has, with or
//! without a signature for each chunk (`SIZE;chunk-signature=HEX`) and for the trailers (`x-amz-trailer-signature`).
//!
//! The decoder is fed the body in pieces of any size and gives the payload back as slices of those very pieces: it
//! copies and holds nothing but the line it is reading, whose length is bounded.
//!
//! Signed chunks are handed on before their signature is known to hold, because a chunk may be as large as the body and
//! memory must not. So the payload counts only once [`ChunkedDecoder::finish`] has succeeded: **callers stage what they
//! are given and drop all of it on an error**. A chunk that fails ends the body at once; nothing behind it is given out.
//!
//! Hashing happens here, on the caller's thread, in slices no larger than the pieces fed in. The server reads at most
//! 64 KiB at a time and gives way to other connections after sixteen reads, so they wait for a MiB of SHA-256 at most.
//! Meanwhile a blocking thread hashes and writes the MiB before; sending each slice to a third thread would cost about as
//! much as hashing it.
//!
//! In a body without signatures a chunk extension is refused, not skipped, because skipping a signature would accept it;
//! in a signed one every extension but `chunk-signature` is. No client we know of sends any.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>. Two things clients do are tolerated:
//! an extra CRLF after the end, and a line feed between a trailer's value and its CRLF (AWS's own page draws it so and
//! minio-go sends it).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use super::payload::{ChunkSeed, Payload};
use crate::base::limits::{CHUNK_LINE_MAX_BYTES, CHUNK_MIN_BYTES, TRAILER_MAX_BYTES};
use chain::SignatureChain;

mod chain;

/// The header with the payload's length, framing not counted.
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
/// The header that announces the trailers.
const TRAILER: &str = "x-amz-trailer";
/// The trailer that signs the others.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";
/// The chunk extension with the chunk's signature.
const CHUNK_SIGNATURE: &[u8] = b"chunk-signature=";

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
    /// A chunk or the trailers were not signed, not by the request's key, or not at this place (`SignatureDoesNotMatch`,
    /// with `StringToSign` and `SignatureProvided`).
    #[error(
        "The chunk or trailer signature we calculated does not match the signature you provided. Check your key and \
         signing method."
    )]
    SignatureMismatch {
        /// What had to be signed.
        string_to_sign: String,
        /// The signature that came; empty for none.
        provided: String,
    },
    /// The trailers are not those announced, or cannot be read (`MalformedTrailerError`).
    #[error("The request contained trailing data that was not well-formed or did not conform to our published schema.")]
    MalformedTrailer,
}

/// Decodes one body.
#[derive(Debug)]
pub struct ChunkedDecoder {
    expected: u64,
    announced: Vec<HeaderName>,
    /// Verifies the signatures, where chunks are signed.
    chain: Option<SignatureChain>,
    /// The signature of the trailers: none where they are not signed, empty as long as it has not come.
    trailer_signature: Option<Vec<u8>>,
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
    /// A decoder for the body that `headers` announce with `x-amz-decoded-content-length` and `x-amz-trailer`; none
    /// where `payload` comes without framing.
    ///
    /// # Errors
    /// The three that concern those headers.
    pub fn of(headers: &HeaderMap, payload: &Payload) -> Result<Option<Self>, ChunkedError> {
        let signed = match payload {
            Payload::Unsigned | Payload::Exact(_) => return Ok(None),
            Payload::UnsignedTrailer => None,
            Payload::SignedChunks { seed, trailer } => Some((seed, *trailer)),
        };
        let decoder = Self::new(decoded_length(headers)?, announced_trailers(headers)?);
        let Some((seed, trailer)) = signed else { return Ok(Some(decoder)) };
        if !trailer && !decoder.announced.is_empty() {
            return Err(ChunkedError::InvalidTrailerAnnouncement);
        }
        Ok(Some(decoder.signed(seed.clone(), trailer)))
    }

    /// A decoder for `decoded_length` bytes of payload without signatures, followed by exactly the trailers `announced`.
    fn new(decoded_length: u64, announced: Vec<HeaderName>) -> Self {
        Self {
            expected: decoded_length,
            announced,
            chain: None,
            trailer_signature: None,
            state: State::Size,
            line: Vec::new(),
            chunks: 0,
            chunk_size: 0,
            received: 0,
            trailers: HeaderMap::new(),
            trailer_bytes: 0,
        }
    }

    /// The same for signed chunks and, if `trailer`, signed trailers.
    fn signed(self, seed: ChunkSeed, trailer: bool) -> Self {
        Self { chain: Some(SignatureChain::new(seed)), trailer_signature: trailer.then(Vec::new), ..self }
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
    /// up; call it until then, and [`Self::finish`] when the body has ended. After an error there is no going on, and
    /// what was given out before is worth nothing.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        while !input.is_empty() {
            match self.state {
                State::Size => {
                    if let Some(line) = self.take_line(input, CHUNK_LINE_MAX_BYTES)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data { left } => return self.take_data(input, left).map(Some),
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

    fn take_data(&mut self, input: &mut Bytes, left: u64) -> Result<Bytes, ChunkedError> {
        let piece = input.split_to(usize::try_from(left).map_or(input.len(), |left| left.min(input.len())));
        let left = left.saturating_sub(piece.len() as u64);
        self.state = if left == 0 { State::DataEnd } else { State::Data { left } };
        if let Some(chain) = &mut self.chain {
            chain.update(&piece);
            if left == 0 {
                chain.verify_chunk()?;
            }
        }
        Ok(piece)
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        let (size, signature) = chunk_head(line, self.chain.is_some())?;
        if let Some(chain) = &mut self.chain {
            chain.begin(signature);
        }
        if size == 0 {
            if self.received < self.expected {
                return Err(self.incomplete());
            }
            if let Some(chain) = &mut self.chain {
                chain.verify_chunk()?;
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
            return self.end_trailers();
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(ChunkedError::MalformedTrailer)?;
        let (name, value) = line.split_at_checked(colon).ok_or(ChunkedError::MalformedTrailer)?;
        let name = HeaderName::from_bytes(name.trim_ascii()).map_err(|_| ChunkedError::MalformedTrailer)?;
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        match &mut self.trailer_signature {
            // It ends what it signs: a trailer behind it would not be covered.
            Some(signature) if !signature.is_empty() => return Err(ChunkedError::MalformedTrailer),
            Some(signature) if name == TRAILER_SIGNATURE && !value.is_empty() => {
                *signature = value.to_vec();
                return Ok(());
            }
            Some(_) | None => {}
        }
        if let Some(chain) = &mut self.chain {
            for part in [name.as_str().as_bytes(), b":", value, b"\n"] {
                chain.update(part);
            }
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| ChunkedError::MalformedTrailer)?;
        if !self.announced.contains(&name) || self.trailers.insert(name, value).is_some() {
            return Err(ChunkedError::MalformedTrailer);
        }
        Ok(())
    }

    fn end_trailers(&mut self) -> Result<(), ChunkedError> {
        // Only announced ones were let in, each once: as many as announced are all of them.
        if self.trailers.len() != self.announced.len() {
            return Err(ChunkedError::MalformedTrailer);
        }
        if let (Some(chain), Some(signature)) = (&mut self.chain, &self.trailer_signature) {
            chain.verify_trailers(signature)?;
        }
        self.state = State::End;
        Ok(())
    }
}

/// Reads a chunk's first line: its size in hexadecimal digits of either case and, in a signed body, its signature (empty
/// where there is none, which cannot match).
fn chunk_head(line: &[u8], signed: bool) -> Result<(u64, &[u8]), ChunkedError> {
    let semicolon = line.iter().position(|byte| *byte == b';');
    let (size, extension) = semicolon.and_then(|at| line.split_at_checked(at)).unwrap_or((line, b""));
    let signature = match extension.strip_prefix(b";") {
        None => b"".as_slice(),
        Some(extension) => extension
            .strip_prefix(CHUNK_SIGNATURE)
            .filter(|signature| signed && signature.iter().all(u8::is_ascii_hexdigit))
            .ok_or(ChunkedError::Framing("a chunk carries an extension that this payload mode does not have"))?,
    };
    let digits = std::str::from_utf8(size).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // Without the check above a sign would be a number's first character.
    let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Ok((size.ok_or(ChunkedError::Framing("a chunk does not begin with its size"))?, signature))
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
