//! CreateMultipartUpload: an upload that takes parts.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>.

use http::{HeaderMap, Method, Response};

use crate::base::digest::{ChecksumAlgorithm, ChecksumType};
use crate::s3::call::{Call, document, set, single};
use crate::s3::error::Error;
use crate::s3::headers;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::xml::Document;
use crate::store::types::NewUpload;
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "CreateMultipartUpload",
    method: Method::POST,
    target: Target::Object,
    query: "uploads",
    also: &[],
    header: None,
    action: "s3:PutObject",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let key = call.key()?;
    let checksum = promised_checksum(&call.headers)?;
    let mut attributes = headers::attributes(&call.headers)?;
    call.asking().own(&bucket, key, &mut attributes)?;
    let id = call.store().create_upload(&bucket, key, NewUpload { attributes, checksum }).await?;
    let mut answer = Document::new("InitiateMultipartUploadResult");
    answer.text("Bucket", bucket.name.as_str()).text("Key", key.as_str()).text("UploadId", id.to_string());
    let mut response = document(answer.finish());
    if let Some((algorithm, kind)) = checksum {
        set(response.headers_mut(), "x-amz-checksum-algorithm", algorithm.name());
        set(response.headers_mut(), "x-amz-checksum-type", kind.name());
    }
    Ok(response)
}

/// The checksum the client promises to send with each part.
fn promised_checksum(headers: &HeaderMap) -> Result<Option<(ChecksumAlgorithm, ChecksumType)>, Error> {
    let kind = headers::checksum_type(single(headers, "x-amz-checksum-type")?)?;
    let Some(algorithm) = headers::checksum_algorithm(headers)? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(Error::invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let kind = kind.unwrap_or_else(|| algorithm.default_type());
    if !algorithm.allows(kind) {
        return Err(Error::invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.name().to_ascii_lowercase()
        )));
    }
    Ok(Some((algorithm, kind)))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn promises() {
        use ChecksumAlgorithm::{Crc32, Crc64Nvme, Sha256};
        use ChecksumType::{Composite, FullObject};
        for (algorithm, kind, expected) in [
            ("", "", Ok(None)),
            ("CRC32", "", Ok(Some((Crc32, Composite)))),
            ("crc32", "FULL_OBJECT", Ok(Some((Crc32, FullObject)))),
            ("CRC64NVME", "", Ok(Some((Crc64Nvme, FullObject)))),
            ("SHA256", "COMPOSITE", Ok(Some((Sha256, Composite)))),
            ("SHA256", "FULL_OBJECT", Err("InvalidRequest")),
            ("CRC64NVME", "COMPOSITE", Err("InvalidRequest")),
            ("", "COMPOSITE", Err("InvalidRequest")),
            ("CRC32", "SOME", Err("InvalidRequest")),
            ("CRC31", "", Err("InvalidRequest")),
            ("XXHASH3", "", Err("NotImplemented")),
        ] {
            let header = |name, value: &'static str| (HeaderName::from_static(name), HeaderValue::from_static(value));
            let headers: HeaderMap =
                [header("x-amz-checksum-algorithm", algorithm), header("x-amz-checksum-type", kind)]
                    .into_iter()
                    .collect();
            let found = promised_checksum(&headers).map_err(|error| error.code().name);
            assert_eq!(found, expected, "{algorithm} {kind}");
        }
    }
}
