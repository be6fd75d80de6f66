//! GetObject: an object's bytes, one range or one part of them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Method, Response};

use crate::auth::Identity;
use crate::s3::call::Call;
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::{headers, retrieval};
use crate::store::read::{ObjectReader, OpenObject};
use crate::wire::{Body, BodyError};

/// The row.
pub static OP: Op = Op {
    name: "GetObject",
    method: Method::GET,
    target: Target::Object,
    query: "",
    also: &["partNumber", "versionId"],
    header: None,
    action: "s3:GetObject",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let key = call.key()?;
    let number = retrieval::part_number(&call.headers, &call.query)?;
    let object = call.store().open_object(&bucket, key).map_err(|error| call.unread(error))?;
    call.permit_found(OP.action, &object.info)?;
    let part = retrieval::part(&object, number)?;
    let (mut response, range) = retrieval::head(&call.headers, &object.info, part)?;
    let signed = !matches!(call.auth.identity, Identity::Anonymous);
    headers::override_response(response.headers_mut(), &call.query, signed)?;
    *response.body_mut() = body(object, range).await?;
    Ok(response)
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
