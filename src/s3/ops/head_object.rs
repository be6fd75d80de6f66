//! HeadObject: what GetObject would answer, without the bytes.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>.

use http::{Method, Response};

use crate::auth::Identity;
use crate::s3::call::Call;
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::{headers, retrieval};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "HeadObject",
    method: Method::HEAD,
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
    retrieval::refuse_part_number(&call.query)?;
    let info = call.store().object(&bucket, key)?;
    let (mut response, _) = retrieval::head(&call.headers, &info)?;
    let signed = !matches!(call.auth.identity, Identity::Anonymous);
    headers::override_response(response.headers_mut(), &call.query, signed)?;
    Ok(response)
}
