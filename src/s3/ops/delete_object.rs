//! DeleteObject: succeeds whether or not the object is there, unless `If-Match` asks for it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>.

use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty};
use crate::s3::conditions;
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "DeleteObject",
    method: Method::DELETE,
    target: Target::Object,
    query: "",
    also: &["versionId"],
    header: None,
    action: "s3:DeleteObject",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let condition = conditions::of_delete(&call.headers, &call.query)?;
    call.asking().permit_condition(condition.as_ref(), call.place())?;
    let deleted = call.store().delete_object(&bucket, call.key()?, condition.as_ref()).await;
    deleted.map_err(|error| conditions::explain(condition.as_ref(), error))?;
    Ok(empty(StatusCode::NO_CONTENT))
}
