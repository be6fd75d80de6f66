//! DeleteObject: succeeds whether or not the object is there.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "DeleteObject",
    method: Method::DELETE,
    target: Target::Object,
    query: "",
    also: &[],
    header: None,
    action: "s3:DeleteObject",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    for name in [IF_MATCH, IF_NONE_MATCH] {
        if call.headers.contains_key(&name) {
            return Err(Error::not_implemented(name.as_str(), "conditional deletes"));
        }
    }
    call.store().delete_object(&bucket, call.key()?).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
