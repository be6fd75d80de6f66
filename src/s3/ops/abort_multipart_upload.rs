//! AbortMultipartUpload: the upload and its parts go.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>.

use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "AbortMultipartUpload",
    method: Method::DELETE,
    target: Target::Object,
    query: "uploadId",
    also: &[],
    header: None,
    action: "s3:AbortMultipartUpload",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    if call.headers.contains_key("x-amz-if-match-initiated-time") {
        return Err(Error::not_implemented("x-amz-if-match-initiated-time", "conditional aborts"));
    }
    call.store().abort_upload(&bucket, call.key()?, call.upload_id()?).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
