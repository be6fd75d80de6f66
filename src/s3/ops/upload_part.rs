//! UploadPart: one part of a multipart upload, durable when it is answered.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>.

use http::{Method, Response, StatusCode};

use crate::s3::call::{Call, empty, set};
use crate::s3::error::{Error, checksum_mismatch};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::query::Query;
use crate::s3::receive::{self, Declaration};
use crate::store::types::{ETag, PartNumber, UploadInfo};
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
    let number = part_number(&call.query)?;
    let bucket = call.bucket()?;
    let key = call.key()?.clone();
    let upload = call.store().upload(&bucket, &key, call.upload_id()?)?;
    let declaration = Declaration::of_body(&call)?;
    check_promise(&upload, &declaration)?;
    let staged = receive::stage(&mut call, &declaration).await?;
    let part = call.store().stage_part(&bucket, &key, upload.id, number, staged).await?;
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "etag", &ETag::of_body(part.md5).quoted());
    set(response.headers_mut(), part.checksum.algorithm().header(), &part.checksum.to_base64());
    Ok(response)
}

fn part_number(query: &Query) -> Result<PartNumber, Error> {
    let text = query.get("partNumber").unwrap_or_default();
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(PartNumber::new);
    number.ok_or_else(|| {
        Error::argument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", text)
    })
}

/// An upload that was created with a checksum algorithm takes parts with that algorithm only.
fn check_promise(upload: &UploadInfo, declaration: &Declaration) -> Result<(), Error> {
    match (upload.checksum, declaration.algorithm()) {
        (None, _) => Ok(()),
        (Some((promised, _)), Some(sent)) if promised == sent => Ok(()),
        (Some((promised, _)), sent) => Err(checksum_mismatch(promised.name(), sent.map_or("null", |sent| sent.name()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers() {
        let of = |text: &str| part_number(&Query::parse(&format!("partNumber={text}")).unwrap()).map(PartNumber::get);
        assert_eq!((of("1").ok(), of("10000").ok()), (Some(1), Some(10_000)));
        for bad in ["0", "10001", "", "-1", "%2B1", "1.0", "x", "99999999999999999999"] {
            assert_eq!(of(bad).unwrap_err().code().name, "InvalidArgument", "{bad}");
        }
    }
}
