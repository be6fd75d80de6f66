//! GetBucketLocation: the region, which for us-east-1 is written as nothing.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>.

use http::{Method, Response};

use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::xml::Document;
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "GetBucketLocation",
    method: Method::GET,
    target: Target::Bucket,
    query: "location",
    also: &[],
    header: None,
    action: "s3:GetBucketLocation",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    call.bucket()?;
    let mut answer = Document::new("LocationConstraint");
    if call.config.region != "us-east-1" {
        answer.root_text(&call.config.region);
    }
    Ok(document(answer.finish()))
}
