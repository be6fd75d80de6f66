//! GetObject: an object's bytes, or one range of them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, Response, StatusCode};

use crate::auth::Identity;
use crate::s3::call::{Call, set, single};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::query::Query;
use crate::s3::{conditions, headers};
use crate::store::read::{ObjectReader, OpenObject};
use crate::store::types::ObjectInfo;
use crate::wire::range::{ByteRange, content_range};
use crate::wire::{Body, BodyError};

/// The row.
pub static OP: Op = Op {
    name: "GetObject",
    method: Method::GET,
    target: Target::Object,
    query: "",
    also: &["partNumber"],
    header: None,
    action: "s3:GetObject",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let key = call.key()?;
    refuse_part_number(&call.query)?;
    let object = call.store().open_object(&bucket, key)?;
    let (mut response, range) = head(&call.headers, &object.info)?;
    let signed = !matches!(call.auth.identity, Identity::Anonymous);
    headers::override_response(response.headers_mut(), &call.query, signed)?;
    *response.body_mut() = body(object, range).await?;
    Ok(response)
}

/// The answer to a GET or HEAD but for its body, and the bytes that are asked for. Shared with HeadObject, which answers the
/// same in all but the body.
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

/// The bytes, with the first piece read already: what is damaged at its beginning is an error with a status of its own, and
/// only what breaks off later an aborted answer.
async fn body(object: OpenObject, range: Range<u64>) -> Result<Body, Error> {
    let length = range.end.saturating_sub(range.start);
    if length == 0 {
        return Ok(Body::empty());
    }
    let mut reader = object.read(range);
    let Some(first) = reader.next().await.transpose()? else {
        return Err(Error::new(Code::INTERNAL_ERROR).detail("an object has fewer bytes than its record says"));
    };
    let rest = stream::unfold(Some(reader), next_piece);
    Ok(Body::stream(stream::iter([Ok(first)]).chain(rest), Some(length)))
}

async fn next_piece(reader: Option<ObjectReader>) -> Option<(Result<Bytes, BodyError>, Option<ObjectReader>)> {
    let mut reader = reader?;
    match reader.next().await? {
        Ok(piece) => Some((Ok(piece), Some(reader))),
        Err(error) => {
            tracing::error!(%error, "a response breaks off");
            Some((Err(BodyError::failed(error)), None))
        }
    }
}
