//! UploadPart: one part of a multipart upload, durable when it is answered.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>.

use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty, set};
use crate::s3::error::{Code, Error, checksum_mismatch};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::store::types::{ETag, UploadInfo};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "UploadPart",
    method: Method::PUT,
    target: Target::Object,
    query: "partNumber&uploadId",
    also: &[],
    header: None,
    action: "s3:PutObject",
    body: BodyRule::Stream,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(mut call: Call) -> Result<Response<Body>, Error> {
    let number = call.query.part_number()?.ok_or(Code::INVALID_ARGUMENT)?;
    let bucket = call.bucket()?;
    let key = call.key()?.clone();
    let upload = call.store().upload(&bucket, &key, call.upload_id()?)?;
    let declaration = Declaration::of_body(&call)?;
    check_promise(&upload, &declaration)?;
    call.store().check_quota(&bucket, &key, call.length.unwrap_or(0))?;
    let staged = receive::stage(&mut call, &declaration).await?;
    let part = call.store().stage_part(&bucket, &key, upload.id, number, staged).await?;
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "etag", &ETag::of_body(part.md5).quoted());
    set(response.headers_mut(), part.checksum.algorithm().header(), &part.checksum.to_base64());
    Ok(response)
}

/// An upload that was created with a checksum algorithm takes parts with that algorithm only.
fn check_promise(upload: &UploadInfo, declaration: &Declaration) -> Result<(), Error> {
    match (upload.checksum, declaration.algorithm()) {
        (None, _) => Ok(()),
        (Some((promised, _)), Some(sent)) if promised == sent => Ok(()),
        (Some((promised, _)), sent) => Err(checksum_mismatch(promised.name(), sent.map_or("null", |sent| sent.name()))),
    }
}
