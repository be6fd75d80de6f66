//! PutObject: a whole object in one body.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>.

use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty, set};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::s3::{conditions, headers};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "PutObject",
    method: Method::PUT,
    target: Target::Object,
    query: "",
    also: &[],
    header: None,
    action: "s3:PutObject",
    body: BodyRule::Stream,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let key = call.key()?.clone();
    let mut attributes = headers::attributes(&call.headers)?;
    call.asking().own(&bucket, &key, &mut attributes)?;
    let declaration = Declaration::of_body(&call)?;
    let condition = conditions::of_write(&call.headers)?;
    call.asking().permit_condition(condition.as_ref(), call.place())?;
    if condition.is_some() {
        conditions::foresee(condition.as_ref(), call.store().object(&bucket, &key))?;
    }
    call.store().check_quota(&bucket, &key, call.length.unwrap_or(0))?;
    let staged = receive::stage(&mut call, &declaration).await?;
    let stored = call.store().put_object(&bucket, &key, staged, attributes, condition).await;
    let info = stored.map_err(|error| conditions::explain(condition.as_ref(), error))?;
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "etag", &info.etag.quoted());
    headers::checksum(response.headers_mut(), &info.checksum);
    Ok(response)
}
