//! DeleteBucket: only an empty bucket goes.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>.

use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "DeleteBucket",
    method: Method::DELETE,
    target: Target::Bucket,
    query: "",
    also: &[],
    header: None,
    action: "s3:DeleteBucket",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    call.store().delete_bucket(call.bucket_name()?).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
