//! What GET and HEAD of an object answer alike: conditions, range, and the headers.

use std::ops::Range;

use http::{HeaderMap, Response, StatusCode};

use super::call::{set, single};
use super::error::{Code, Error};
use super::query::Query;
use super::{conditions, headers};
use crate::store::types::ObjectInfo;
use crate::wire::Body;
use crate::wire::range::{ByteRange, content_range};

/// The answer to a GET or HEAD but for its body, and the bytes that are asked for.
///
/// # Errors
/// Conditions that do not hold, and `InvalidRange`.
pub fn head(request: &HeaderMap, info: &ObjectInfo) -> Result<(Response<Body>, Range<u64>), Error> {
    conditions::check_read(request, info)?;
    let mut response = Response::new(Body::empty());
    headers::describe(response.headers_mut(), info);
    let asked = single(request, "range")?.and_then(ByteRange::parse);
    let range = match asked {
        Some(asked) if conditions::range_counts(request, info)? => {
            let (first, last) =
                asked.resolve(info.size).map_err(|outside| invalid_range(request, &outside.content_range(), info))?;
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(response.headers_mut(), "content-range", &content_range(first, last, info.size));
            first..last.saturating_add(1)
        }
        _ => {
            // A range has a checksum of its own, which is not known: the whole object's would make clients fail.
            if single(request, "x-amz-checksum-mode")?.is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED")) {
                headers::checksum(response.headers_mut(), &info.checksum);
            }
            0..info.size
        }
    };
    set(response.headers_mut(), "content-length", &range.end.saturating_sub(range.start).to_string());
    Ok((response, range))
}

/// Refuses reads of one part, which are not built.
///
/// # Errors
/// `NotImplemented`.
pub fn refuse_part_number(query: &Query) -> Result<(), Error> {
    match query.get("partNumber") {
        None => Ok(()),
        Some(_) => Err(Error::not_implemented("partNumber", "reading one part of an object")),
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
