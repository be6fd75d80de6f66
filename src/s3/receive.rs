//! The one way by which request bodies come in: what the head declares of them, the aws-chunked framing, and the comparison
//! of every declared length, digest and checksum with what arrived.
//!
//! A body is accepted whole or not at all: until all comparisons hold it has no name in the store, and dropping it discards
//! its bytes. Nothing here asks the body for a byte before its head is known to be good.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName};

use super::call::{Call, single};
use super::error::{Code, Error};
use super::op::BodyRule;
use crate::auth::chunked::ChunkedDecoder;
use crate::auth::{Payload, SizeRange};
use crate::base::digest::{BodyDigests, BodyHasher, Checksum, ChecksumAlgorithm, DigestRequest};
use crate::base::limits::{POST_FIELDS_MAX_BYTES, PUT_SIZE_MAX_BYTES};
use crate::store::Store;
use crate::store::types::StagedBody;
use crate::wire::form::Form;
use crate::wire::{Body, BodyError};

const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
const CHECKSUM_PREFIX: &str = "x-amz-checksum-";
/// A form with the largest file, and as many fields before and behind it as there may be.
const FORM_SIZE_MAX_BYTES: u64 = PUT_SIZE_MAX_BYTES + 2 * POST_FIELDS_MAX_BYTES as u64;
const SDK_ALGORITHM: &str = "x-amz-sdk-checksum-algorithm";
const TRAILER: &str = "x-amz-trailer";

/// Bounds a body by its head: the bytes of payload it declares, those of a form around its file included. None where it comes in HTTP's chunked coding and nobody
/// says how much of it there is: then it is bounded as it comes.
///
/// # Errors
/// `MissingContentLength` for a body of [`BodyRule::Stream`] or [`BodyRule::Form`] with neither, `EntityTooLarge`, `MaxMessageLengthExceeded`,
/// `InvalidRequest` and `InvalidArgument` for lengths that are none.
pub fn bound(headers: &HeaderMap, payload: &Payload, rule: BodyRule) -> Result<Option<u64>, Error> {
    if matches!(rule, BodyRule::None | BodyRule::Call(_)) {
        return Ok(None);
    }
    let sent = content_length(headers)?;
    if rule == BodyRule::Form {
        return match sent {
            None if !headers.contains_key(TRANSFER_ENCODING) => Err(Code::MISSING_CONTENT_LENGTH.into()),
            Some(length) if length > FORM_SIZE_MAX_BYTES => Err(too_large(length)),
            length => Ok(length),
        };
    }
    let length = match ChunkedDecoder::of(headers, payload)? {
        Some(framed) => Some(framed.decoded_length()),
        None => decoded_length(headers)?.or(sent),
    };
    match (rule, length) {
        (BodyRule::None | BodyRule::Form | BodyRule::Call(_), _) => Ok(None),
        (BodyRule::Xml(max), Some(length)) if length > max as u64 => Err(BodyError::TooLarge(max).into()),
        (BodyRule::Xml(_), None) if !headers.contains_key(TRANSFER_ENCODING) => Ok(Some(0)),
        (BodyRule::Xml(_), length) => Ok(length),
        (BodyRule::Stream, None) if headers.contains_key(TRANSFER_ENCODING) => Ok(None),
        (BodyRule::Stream, None) => Err(Code::MISSING_CONTENT_LENGTH.into()),
        (BodyRule::Stream, Some(length)) if length > PUT_SIZE_MAX_BYTES => Err(too_large(length)),
        (BodyRule::Stream, Some(length)) => Ok(Some(length)),
    }
}

fn too_large(size: u64) -> Error {
    proposed(Code::ENTITY_TOO_LARGE, size).with("MaxSizeAllowed", PUT_SIZE_MAX_BYTES.to_string())
}

fn proposed(code: Code, size: u64) -> Error {
    Error::new(code).with("ProposedSize", size.to_string())
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let invalid = || Error::invalid_request("The Content-Length header is not a length.");
    single(headers, CONTENT_LENGTH.as_str())?.map(|text| number(text).ok_or_else(invalid)).transpose()
}

fn decoded_length(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let Some(text) = single(headers, DECODED_LENGTH)? else { return Ok(None) };
    let invalid = || Error::argument("The decoded content length is not a length.", DECODED_LENGTH, text);
    number(text).ok_or_else(invalid).map(Some)
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What a head declares of the bytes that follow.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    md5: Option<[u8; 16]>,
    sha256: Option<[u8; 32]>,
    checksum: Option<DeclaredChecksum>,
}

/// A checksum that is declared before the body or behind it.
#[derive(Debug, PartialEq, Eq)]
enum DeclaredChecksum {
    Header(Checksum),
    Trailer(ChecksumAlgorithm),
}

impl Declaration {
    /// What a request declares of its body.
    ///
    /// # Errors
    /// `InvalidDigest` for a Content-MD5 that is none; `InvalidRequest` for checksums that are none, several at once, or
    /// announced without a value.
    pub fn of_body(call: &Call) -> Result<Self, Error> {
        let checksum = declared_checksum(&call.headers, &call.auth.payload)?;
        Ok(Self { checksum, ..Self::without_checksum(call)? })
    }

    /// As [`Self::of_body`], where the checksum headers speak of something else than the body.
    pub fn without_checksum(call: &Call) -> Result<Self, Error> {
        let sha256 = match call.auth.payload {
            Payload::Exact(hash) => Some(hash),
            Payload::Unsigned | Payload::UnsignedTrailer | Payload::SignedChunks { .. } => None,
        };
        Ok(Self { md5: content_md5(&call.headers)?, sha256, checksum: None })
    }

    /// What the fields of a form declare of its file, given as headers.
    ///
    /// # Errors
    /// As [`Self::of_body`].
    pub fn of_file(fields: &HeaderMap) -> Result<Self, Error> {
        let checksum = declared_checksum(fields, &Payload::Unsigned)?;
        Ok(Self { md5: content_md5(fields)?, sha256: None, checksum })
    }

    /// The algorithm of the declared checksum.
    pub fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.checksum.as_ref().map(|declared| match declared {
            DeclaredChecksum::Header(checksum) => checksum.algorithm(),
            DeclaredChecksum::Trailer(algorithm) => *algorithm,
        })
    }

    /// Whether anything but the signature protects the body.
    pub fn has_integrity(&self) -> bool {
        self.md5.is_some() || self.checksum.is_some()
    }

    fn digests(&self) -> DigestRequest {
        DigestRequest { payload_sha256: self.sha256.is_some(), checksum: self.algorithm() }
    }

    /// Compares everything declared with what arrived.
    fn verify(&self, digests: &BodyDigests, trailers: &HeaderMap) -> Result<(), Error> {
        if self.sha256.is_some() && self.sha256 != digests.payload_sha256 {
            return Err(Code::X_AMZ_CONTENT_SHA256_MISMATCH.into());
        }
        if self.md5.is_some_and(|declared| declared != digests.md5) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(Error::new(Code::BAD_DIGEST).message(message));
        }
        let declared = match &self.checksum {
            None => return Ok(()),
            Some(DeclaredChecksum::Header(checksum)) => checksum.clone(),
            Some(DeclaredChecksum::Trailer(algorithm)) => {
                let value = single(trailers, algorithm.header())?.ok_or(Code::MALFORMED_TRAILER)?;
                checksum_value(*algorithm, value)?
            }
        };
        if digests.checksum.as_ref() == Some(&declared) {
            return Ok(());
        }
        Err(Error::bad_checksum(declared.algorithm().name()))
    }
}

fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Error> {
    let mut values = headers.get_all("content-md5").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Code::INVALID_DIGEST.into());
    }
    let decoded = BASE64.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.map(Some).ok_or_else(|| Code::INVALID_DIGEST.into())
}

/// The checksum in the headers, if there is one and only one.
///
/// # Errors
/// `InvalidRequest` for several, for an algorithm S3 does not know and for a value that is none.
pub fn checksum_header(headers: &HeaderMap) -> Result<Option<Checksum>, Error> {
    let mut found = None;
    for (name, value) in value_headers(headers) {
        let algorithm = ChecksumAlgorithm::from_header(name)
            .ok_or_else(|| Error::invalid_request(format!("The algorithm type you specified in {name} is invalid.")))?;
        if found.is_some() {
            return Err(Error::invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        found = Some(checksum_value(algorithm, value)?);
    }
    Ok(found)
}

/// Whether a header or trailer carries a checksum that S3 knows and wharf does not.
pub fn is_unbuilt_checksum(name: &str) -> bool {
    name.strip_prefix(CHECKSUM_PREFIX).is_some_and(ChecksumAlgorithm::is_unbuilt)
}

/// Whether a header of this name carries the value of a checksum; the others of the prefix only speak about it.
pub fn is_checksum_value(name: &str) -> bool {
    name.strip_prefix(CHECKSUM_PREFIX).is_some_and(|kind| !matches!(kind, "algorithm" | "type" | "mode"))
}

/// The headers with values of checksums; the others of the prefix only speak about them.
pub fn value_headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.iter().filter(|(name, _)| is_checksum_value(name.as_str()));
    // A value that is not text is certainly not base64.
    values.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?")))
}

fn checksum_value(algorithm: ChecksumAlgorithm, value: &str) -> Result<Checksum, Error> {
    let invalid = || Error::invalid_request(format!("Value for {} header is invalid.", algorithm.header()));
    Checksum::from_base64(algorithm, value.trim()).ok_or_else(invalid)
}

fn declared_checksum(headers: &HeaderMap, payload: &Payload) -> Result<Option<DeclaredChecksum>, Error> {
    let in_header = checksum_header(headers)?;
    let in_trailer = trailer_algorithm(headers, payload)?;
    let declared = match (in_header, in_trailer) {
        (Some(_), Some(_)) => {
            let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(Error::invalid_request(message));
        }
        (Some(checksum), None) => Some(DeclaredChecksum::Header(checksum)),
        (None, Some(algorithm)) => Some(DeclaredChecksum::Trailer(algorithm)),
        (None, None) => None,
    };
    if let Some(name) = single(headers, SDK_ALGORITHM)? {
        check_sdk_algorithm(name, declared.as_ref())?;
    }
    Ok(declared)
}

fn trailer_algorithm(headers: &HeaderMap, payload: &Payload) -> Result<Option<ChecksumAlgorithm>, Error> {
    let unsupported = || Error::invalid_request("The value specified in the x-amz-trailer header is not supported");
    let Some(decoder) = ChunkedDecoder::of(headers, payload)? else {
        return if headers.contains_key(TRAILER) { Err(unsupported()) } else { Ok(None) };
    };
    let mut names = decoder.announced().iter().map(HeaderName::as_str);
    match (names.next(), names.next()) {
        (None, _) => Ok(None),
        (Some(name), None) if is_unbuilt_checksum(name) => Err(Error::not_implemented(name, "this checksum algorithm")),
        (Some(name), None) => ChecksumAlgorithm::from_header(name).map(Some).ok_or_else(unsupported),
        (Some(_), Some(_)) => Err(unsupported()),
    }
}

fn check_sdk_algorithm(name: &str, declared: Option<&DeclaredChecksum>) -> Result<(), Error> {
    let Some(declared) = declared else {
        return Err(Error::invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were \
             found.",
        ));
    };
    let algorithm = match declared {
        DeclaredChecksum::Header(checksum) => checksum.algorithm(),
        DeclaredChecksum::Trailer(algorithm) => *algorithm,
    };
    if algorithm.name().eq_ignore_ascii_case(name) {
        return Ok(());
    }
    Err(Error::invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid."))
}

/// The payload of a body, its framing taken off.
struct Reader {
    body: Body,
    chunked: Option<ChunkedDecoder>,
    /// What came last and is not decoded yet.
    piece: Bytes,
}

impl Reader {
    fn new(call: &mut Call) -> Result<Self, Error> {
        let chunked = ChunkedDecoder::of(&call.headers, &call.auth.payload)?;
        let body = std::mem::replace(&mut call.body, Body::empty());
        Ok(Self { body, chunked, piece: Bytes::new() })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(decoder) = &mut self.chunked else { return Ok(self.body.next().await.transpose()?) };
        loop {
            if let Some(payload) = decoder.decode(&mut self.piece)? {
                return Ok(Some(payload));
            }
            match self.body.next().await.transpose()? {
                Some(piece) => self.piece = piece,
                None => return Ok(None),
            }
        }
    }

    fn trailers(self) -> Result<HeaderMap, Error> {
        Ok(self.chunked.map(ChunkedDecoder::finish).transpose()?.unwrap_or_default())
    }
}

/// How many bytes of payload may come, and how many have.
#[derive(Debug, Default)]
struct Meter {
    declared: Option<u64>,
    received: u64,
}

impl Meter {
    fn add(&mut self, bytes: usize) -> Result<(), Error> {
        self.received = self.received.saturating_add(bytes as u64);
        match self.declared {
            Some(declared) if self.received > declared => Err(Code::INCOMPLETE_BODY.into()),
            None if self.received > PUT_SIZE_MAX_BYTES => Err(too_large(self.received)),
            _ => Ok(()),
        }
    }

    fn end(&self) -> Result<(), Error> {
        let complete = self.declared.is_none_or(|declared| declared == self.received);
        if complete { Ok(()) } else { Err(Code::INCOMPLETE_BODY.into()) }
    }
}

/// Receives the bytes of an object or a part into the store.
///
/// # Errors
/// Whatever of the declaration does not hold, `EntityTooLarge` for more bytes than a PUT may have where none were declared,
/// and failures of the connection and of the store.
pub async fn stage(call: &mut Call, declaration: &Declaration) -> Result<StagedBody, Error> {
    let mut writer = call.store().body_writer(call.length, declaration.digests());
    let mut meter = Meter { declared: call.length, received: 0 };
    let mut reader = Reader::new(call)?;
    while let Some(piece) = reader.next().await? {
        meter.add(piece.len())?;
        writer.write(piece).await?;
    }
    let trailers = reader.trailers()?;
    meter.end()?;
    let staged = writer.finish().await?;
    declaration.verify(&staged.digests, &trailers)?;
    Ok(staged)
}

/// Receives the file of a form, which its next pieces are, and reads the form to its end.
///
/// # Errors
/// As [`stage`]; `EntityTooLarge` and `EntityTooSmall` for a file of another size than the range; whatever is wrong with the
/// rest of the form, `InvalidArgument` for a second file in it among it.
pub async fn stage_file(
    store: &Store,
    mut form: Form,
    declaration: &Declaration,
    range: SizeRange,
) -> Result<StagedBody, Error> {
    let max = range.max.min(PUT_SIZE_MAX_BYTES);
    let mut writer = store.body_writer(None, declaration.digests());
    while let Some(piece) = form.next_piece().await? {
        if piece.len() as u64 > max.saturating_sub(writer.size()) {
            let size = writer.size().saturating_add(piece.len() as u64);
            return Err(proposed(Code::ENTITY_TOO_LARGE, size).with("MaxSizeAllowed", max.to_string()));
        }
        writer.write(piece).await?;
    }
    if writer.size() < range.min {
        return Err(proposed(Code::ENTITY_TOO_SMALL, writer.size()).with("MinSizeAllowed", range.min.to_string()));
    }
    form.allow(POST_FIELDS_MAX_BYTES);
    while let Some(ignored) = form.next_part().await? {
        if ignored.name.eq_ignore_ascii_case("file") {
            return Err(Error::argument("POST requires exactly one file upload per request.", "file", "2"));
        }
    }
    form.finish().await?;
    let staged = writer.finish().await?;
    declaration.verify(&staged.digests, &HeaderMap::new())?;
    Ok(staged)
}

/// Receives a document of at most `max_bytes`.
///
/// # Errors
/// As [`stage`], `MaxMessageLengthExceeded`, and `SlowDown` where the documents of all requests are too many.
pub async fn document(call: &mut Call, declaration: &Declaration, max_bytes: usize) -> Result<Bytes, Error> {
    let mut reader = Reader::new(call)?;
    let mut hasher = BodyHasher::new(declaration.digests());
    let mut all = BytesMut::new();
    while let Some(piece) = reader.next().await? {
        if piece.len() > max_bytes.saturating_sub(all.len()) {
            return Err(BodyError::TooLarge(max_bytes).into());
        }
        call.config.shares.grow(&mut call.held, all.len().saturating_add(piece.len()))?;
        hasher.update(&piece);
        all.extend_from_slice(&piece);
    }
    let trailers = reader.trailers()?;
    let digests = hasher.finish(&Checksum::of(ChecksumAlgorithm::Crc64Nvme, &all));
    declaration.verify(&digests, &trailers)?;
    Ok(all.freeze())
}

#[cfg(test)]
mod tests;
