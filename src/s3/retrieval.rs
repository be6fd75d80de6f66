//! What GET and HEAD of an object answer alike: conditions, range or part, and the headers.
//!
//! A checksum is only ever answered with the bytes it covers: with a part its own, with the whole object the object's (also
//! where a range asks for all of it, so that clients can verify what they get), with any other range none.

use std::ops::Range;

use http::{HeaderMap, Response, StatusCode};

use super::call::{set, single};
use super::error::{Code, Error};
use super::query::Query;
use super::{conditions, headers};
use crate::store::read::OpenObject;
use crate::store::types::{ObjectInfo, ObjectPart, PartNumber};
use crate::wire::Body;
use crate::wire::range::{ByteRange, content_range};

/// The part a request asks for.
///
/// # Errors
/// `InvalidArgument` for what is no part number, `InvalidRequest` for a part and a range together.
pub fn part_number(request: &HeaderMap, query: &Query) -> Result<Option<PartNumber>, Error> {
    let number = query.part_number()?;
    if number.is_some() && request.contains_key(http::header::RANGE) {
        return Err(Error::invalid_request("Cannot specify both Range header and partNumber query parameter"));
    }
    Ok(number)
}

/// The part of this number, where one is asked for.
///
/// # Errors
/// `InvalidPartNumber` beyond the last part.
pub fn part(object: &OpenObject, number: Option<PartNumber>) -> Result<Option<ObjectPart>, Error> {
    let Some(number) = number else { return Ok(None) };
    let missing = || {
        Error::new(Code::INVALID_PART_NUMBER)
            .with("PartNumberRequested", number.get().to_string())
            .with("ActualPartCount", object.info.parts.unwrap_or(1).to_string())
    };
    object.part(number)?.ok_or_else(missing).map(Some)
}

/// The answer to a GET or HEAD but for its body, and the bytes that are asked for: those of `part`, if there is one.
///
/// # Errors
/// Conditions that do not hold, and `InvalidRange`.
pub fn head(
    request: &HeaderMap,
    info: &ObjectInfo,
    part: Option<ObjectPart>,
) -> Result<(Response<Body>, Range<u64>), Error> {
    conditions::check_read(request, info)?;
    let with_checksum = checksum_mode(request)?;
    let mut response = Response::new(Body::empty());
    headers::describe(response.headers_mut(), info);
    let range = match part {
        Some(part) => of_part(&mut response, info, part, with_checksum),
        None => {
            let range = asked_range(&mut response, request, info)?;
            if with_checksum && range == (0..info.size) {
                headers::checksum(response.headers_mut(), &info.checksum);
            }
            range
        }
    };
    set(response.headers_mut(), "content-length", &range.end.saturating_sub(range.start).to_string());
    Ok((response, range))
}

/// A part is answered as the range it is; an empty one, which no Content-Range can name, as a whole.
fn of_part(response: &mut Response<Body>, info: &ObjectInfo, part: ObjectPart, with_checksum: bool) -> Range<u64> {
    if let Some(count) = info.parts {
        set(response.headers_mut(), "x-amz-mp-parts-count", &count.to_string());
    }
    if let Some(value) = part.checksum.filter(|_| with_checksum) {
        headers::part_checksum(response.headers_mut(), &value, info.checksum.kind);
    }
    if let Some(last) = part.range.end.checked_sub(1).filter(|last| *last >= part.range.start) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(response.headers_mut(), "content-range", &content_range(part.range.start, last, info.size));
    }
    part.range
}

fn asked_range(response: &mut Response<Body>, request: &HeaderMap, info: &ObjectInfo) -> Result<Range<u64>, Error> {
    let asked = single(request, "range")?.and_then(ByteRange::parse);
    let Some(asked) = asked else { return Ok(0..info.size) };
    if !conditions::range_counts(request, info)? {
        return Ok(0..info.size);
    }
    let resolved = asked.resolve(info.size);
    let (first, last) = resolved.map_err(|outside| invalid_range(request, &outside.content_range(), info))?;
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    set(response.headers_mut(), "content-range", &content_range(first, last, info.size));
    Ok(first..last.saturating_add(1))
}

/// Whether `x-amz-checksum-mode` asks for checksums.
fn checksum_mode(request: &HeaderMap) -> Result<bool, Error> {
    match single(request, "x-amz-checksum-mode")? {
        None => Ok(false),
        Some(mode) if mode.eq_ignore_ascii_case("ENABLED") => Ok(true),
        Some(_) => Err(Error::invalid_request("Value for x-amz-checksum-mode header is invalid.")),
    }
}

fn invalid_range(request: &HeaderMap, content_range: &str, info: &ObjectInfo) -> Error {
    let asked = request.get("range").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let error =
        Error::new(Code::INVALID_RANGE).with("RangeRequested", asked).with("ActualObjectSize", info.size.to_string());
    match content_range.parse() {
        Ok(value) => error.header(http::header::CONTENT_RANGE, value),
        Err(_) => error,
    }
}
