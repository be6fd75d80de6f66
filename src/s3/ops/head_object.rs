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
    let (info, part) = match number {
        None => (call.store().object(&bucket, key).map_err(|error| call.unread(error))?, None),
        Some(_) => {
            let object = call.store().open_object(&bucket, key).map_err(|error| call.unread(error))?;
            let part = retrieval::part(&object, number)?;
            (object.info, part)
        }
    };
    call.permit_found(OP.action, &info)?;
    let (mut response, _) = retrieval::head(&call.headers, &info, part)?;
    let signed = !matches!(call.auth.identity, Identity::Anonymous);
    headers::override_response(response.headers_mut(), &call.query, signed)?;
    Ok(response)
}
