//! ListParts: the parts of an open upload, in order of their numbers.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>.

use http::{Method, Response};

use crate::base::limits::PARTS_MAX;
use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::headers;
use crate::s3::listing::{NameEncoding, page_size};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::xml::Document;
use crate::store::types::{ETag, PartInfo, PartNumber, PartsPage};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "ListParts",
    method: Method::GET,
    target: Target::Object,
    query: "uploadId",
    also: &[],
    header: None,
    action: "s3:ListMultipartUploadParts",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let (key, id) = (call.key()?, call.upload_id()?);
    let max = page_size(&call.query, "max-parts")?;
    let encoding = NameEncoding::parse(&call.query)?;
    // Markers beyond the last number leave nothing to list, as the last number does.
    let marker = call.query.number("part-number-marker", usize::from(PARTS_MAX))?.unwrap_or(0);
    let after = PartNumber::new(marker as u64);
    let page = match max {
        0 => PartsPage { upload: call.store().upload(&bucket, key, id)?, parts: Vec::new(), next: None },
        _ => call.store().list_parts(&bucket, key, id, after, max)?,
    };
    let owner = call.owner_in(&bucket, &page.upload.attributes);
    let mut answer = Document::new("ListPartsResult");
    answer.text("Bucket", bucket.name.as_str()).text("Key", encoding.write(key.as_str()));
    answer.text("UploadId", id.to_string());
    for role in ["Initiator", "Owner"] {
        answer.element(role, |element| {
            element.text("ID", owner);
        });
    }
    answer.text("StorageClass", headers::storage_class(&page.upload.attributes)).value("PartNumberMarker", marker);
    let next = page.next.map_or_else(|| page.parts.last().map(|part| part.number), Some);
    answer.value("NextPartNumberMarker", next.map_or(0, PartNumber::get));
    answer.value("MaxParts", max).value("IsTruncated", page.next.is_some());
    answer.optional("EncodingType", encoding.element());
    if let Some((algorithm, kind)) = page.upload.checksum {
        answer.text("ChecksumAlgorithm", algorithm.name()).text("ChecksumType", kind.name());
    }
    for part in &page.parts {
        write_part(&mut answer, part);
    }
    Ok(document(answer.finish()))
}

fn write_part(list: &mut Document, part: &PartInfo) {
    list.element("Part", |entry| {
        entry.value("PartNumber", part.number.get()).text("LastModified", part.modified.iso8601());
        entry.text("ETag", ETag::of_body(part.md5).quoted()).value("Size", part.size);
        entry.text(part.checksum.algorithm().element(), part.checksum.to_base64());
    });
}
