//! UploadPartCopy: a part whose bytes come from an object, or from a range of one.
//!
//! A part has digests of its own, so the bytes are read, verified, hashed and written again as a blob of the upload.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>.

use std::ops::Range;

use http::{HeaderMap, Method, Response};

use crate::base::digest::DigestRequest;
use crate::base::limits::PUT_SIZE_MAX_BYTES;
use crate::s3::call::{Call, document, filled};
use crate::s3::copy_source::{self, CopySource};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::{Asking, Place};
use crate::s3::slow::{self, Client};
use crate::s3::xml::Document;
use crate::store::types::{ETag, UploadInfo};
use crate::wire::Body;

const RANGE: &str = "x-amz-copy-source-range";

/// The row.
pub static OP: Op = Op {
    name: "UploadPartCopy",
    method: Method::PUT,
    target: Target::Object,
    query: "partNumber&uploadId",
    also: &[],
    header: Some(copy_source::HEADER),
    action: "s3:PutObject",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    slow::answer(Client::of(&call), copy(call)).await
}

async fn copy(call: Call) -> Result<Response<Body>, Error> {
    let number = call.query.part_number()?.ok_or(Code::INVALID_ARGUMENT)?;
    let bucket = call.bucket()?;
    let key = call.key()?;
    let upload = call.store().upload(&bucket, key, call.upload_id()?)?;
    let source = CopySource::of(&call)?;
    let object = source.open(&call)?;
    let found = Asking { object: Some(&object.info), ..call.asking() };
    found.permit("s3:GetObject", Place::Object(&source.bucket, &source.key))?;
    copy_source::check_conditions(&call.headers, &object.info)?;
    let range = range(&call.headers, object.info.size)?;
    let length = range.end.saturating_sub(range.start);
    let _turn = call.config.shares.copy_turn().await;
    call.store().check_room(length)?;
    call.store().check_quota(&bucket, key, length)?;
    let mut writer = call.store().body_writer(Some(length), digests(&upload));
    let mut reader = object.read(range);
    while let Some(piece) = reader.next().await {
        writer.write(piece?).await?;
    }
    if writer.size() != length {
        return Err(Error::new(Code::INTERNAL_ERROR).detail("an object has fewer bytes than its record says"));
    }
    let staged = writer.finish().await?;
    let part = call.store().stage_part(&bucket, key, upload.id, number, staged).await?;
    let mut answer = Document::new("CopyPartResult");
    answer.text("LastModified", part.modified.iso8601()).text("ETag", ETag::of_body(part.md5).quoted());
    answer.text(part.checksum.algorithm().element(), part.checksum.to_base64());
    Ok(document(answer.finish()))
}

/// Nobody sent a checksum; the one the upload was promised is computed here.
fn digests(upload: &UploadInfo) -> DigestRequest {
    DigestRequest { payload_sha256: false, checksum: upload.checksum.map(|(algorithm, _)| algorithm) }
}

/// The bytes to copy of an object of this size.
fn range(headers: &HeaderMap, size: u64) -> Result<Range<u64>, Error> {
    let range = match filled(headers, RANGE)? {
        None => 0..size,
        Some(text) => {
            let (first, last) = read_range(text).ok_or_else(|| {
                let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
                               are the zero-based offsets of the first and last bytes to copy";
                Error::argument(message, RANGE, text)
            })?;
            // AWS says this sentence as InvalidArgument; the code of unsatisfiable ranges is what test suites ask for.
            if last >= size {
                let message = format!("Range specified is not valid for source object of size: {size}");
                return Err(Error::new(Code::INVALID_RANGE).message(message).with("RangeRequested", text));
            }
            first..last.saturating_add(1)
        }
    };
    if range.end.saturating_sub(range.start) > PUT_SIZE_MAX_BYTES {
        return Err(Error::invalid_request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {PUT_SIZE_MAX_BYTES}"
        )));
    }
    Ok(range)
}

/// Unlike a Range header this one has both its ends.
fn read_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.parse().ok().filter(|_: &u64| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn of(text: &'static str, size: u64) -> Result<Range<u64>, (&'static str, u16)> {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(RANGE), HeaderValue::from_static(text))]);
        range(&headers, size).map_err(|error| (error.code().name, error.code().status))
    }

    #[test]
    fn ranges_with_both_ends() {
        assert_eq!(of("bytes=0-4", 5), Ok(0..5));
        assert_eq!(of("bytes=4-4", 5), Ok(4..5));
        assert_eq!(range(&HeaderMap::new(), 0).ok(), Some(0..0));
        for text in [
            "0-2",
            "bytes=0",
            "bytes=hello-world",
            "bytes=0-bar",
            "bytes=hello-",
            "bytes=0-2,3-5",
            "bytes=0-",
            "bytes=-2",
            "bytes=3-2",
            "bytes=+0-2",
            "bytes= 0-2",
            "bytes=0-99999999999999999999",
            "bytes=-",
        ] {
            assert_eq!(of(text, 5), Err(("InvalidArgument", 400)), "{text}");
        }
        assert_eq!(of("bytes=0-5", 5), Err(("InvalidRange", 416)));
        assert_eq!(of("bytes=0-0", 0), Err(("InvalidRange", 416)));
    }

    #[test]
    fn five_gib_at_most() {
        let max = PUT_SIZE_MAX_BYTES;
        assert_eq!(range(&HeaderMap::new(), max).ok(), Some(0..max));
        assert_eq!(range(&HeaderMap::new(), max + 1).unwrap_err().code(), Code::INVALID_REQUEST);
        assert_eq!(of("bytes=1-5368709120", max * 2), Ok(1..max + 1));
        assert_eq!(of("bytes=0-5368709120", max * 2), Err(("InvalidRequest", 400)));
    }
}
