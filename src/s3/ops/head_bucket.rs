//! HeadBucket: whether a bucket is there, and in which region.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>.

use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty, set};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "HeadBucket",
    method: Method::HEAD,
    target: Target::Bucket,
    query: "",
    also: &[],
    header: None,
    action: "s3:ListBucket",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    call.bucket()?;
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "x-amz-bucket-region", &call.config.region);
    set(response.headers_mut(), "x-amz-access-point-alias", "false");
    Ok(response)
}
