//! GetBucketVersioning: the answer of a bucket that never had versioning, which is an empty configuration.
//!
//! Absent on purpose: PutBucketVersioning. A bucket that says it keeps versions must keep them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>.

use http::{Method, Response};

use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::xml::Document;
use crate::wire::Body;

/// The row of GetBucketVersioning.
pub static GET: Op = Op {
    name: "GetBucketVersioning",
    method: Method::GET,
    target: Target::Bucket,
    query: "versioning",
    also: &[],
    header: None,
    action: "s3:GetBucketVersioning",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get(call))),
};

async fn get(call: Call) -> Result<Response<Body>, Error> {
    call.bucket()?;
    Ok(document(Document::new("VersioningConfiguration").finish()))
}
