//! ListMultipartUploads: open uploads in order of their keys, and of one key in the order they were created.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>.

use http::{Method, Response};

use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::headers;
use crate::s3::listing::{NameEncoding, page_size, write_entries};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::query::Query;
use crate::s3::xml::Document;
use crate::store::types::{ListRequest, UploadId, UploadInfo};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "ListMultipartUploads",
    method: Method::GET,
    target: Target::Bucket,
    query: "uploads",
    also: &[],
    header: None,
    action: "s3:ListBucketMultipartUploads",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let query = &call.query;
    let encoding = NameEncoding::parse(query)?;
    let max = page_size(query, "max-uploads")?;
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let request = ListRequest { prefix: text("prefix"), delimiter: text("delimiter"), after: text("key-marker"), max };
    let upload_after = upload_marker(query)?;
    let page = call.store().list_uploads(&bucket, &request, upload_after)?;
    let mut answer = Document::new("ListMultipartUploadsResult");
    answer.text("Bucket", bucket.name.as_str()).text("KeyMarker", encoding.write(&request.after));
    answer.text("UploadIdMarker", upload_after.map(|id| id.to_string()).unwrap_or_default());
    // The next markers are there on the last page too, empty; prefix and delimiter only where they were given.
    let (next_key, next_upload) = page.next.as_ref().map_or(("", None), |next| (next.after.as_str(), next.upload));
    answer.text("NextKeyMarker", encoding.write(next_key));
    answer.text("NextUploadIdMarker", next_upload.map(|id| id.to_string()).unwrap_or_default());
    answer.optional("Delimiter", query.get_filled("delimiter").map(|delimiter| encoding.write(delimiter)));
    answer.optional("Prefix", query.get_filled("prefix").map(|prefix| encoding.write(prefix))).value("MaxUploads", max);
    answer.optional("EncodingType", encoding.element()).value("IsTruncated", page.next.is_some());
    write_entries(&mut answer, &page.entries, encoding, |list, upload| {
        write_upload(list, upload, encoding, call.owner_in(&bucket, &upload.attributes));
    });
    Ok(document(answer.finish()))
}

/// The upload after which the listing goes on within the marked key; without a key it means nothing.
fn upload_marker(query: &Query) -> Result<Option<UploadId>, Error> {
    let (Some(_), Some(text)) = (query.get_filled("key-marker"), query.get_filled("upload-id-marker")) else {
        return Ok(None);
    };
    let id = UploadId::parse(text);
    id.map(Some).ok_or_else(|| Error::argument("Invalid uploadId marker", "upload-id-marker", text))
}

fn write_upload(list: &mut Document, upload: &UploadInfo, encoding: NameEncoding, owner: &str) {
    list.element("Upload", |entry| {
        entry.text("Key", encoding.write(upload.key.as_str())).text("UploadId", upload.id.to_string());
        for role in ["Initiator", "Owner"] {
            entry.element(role, |element| {
                element.text("ID", owner);
            });
        }
        entry
            .text("StorageClass", headers::storage_class(&upload.attributes))
            .text("Initiated", upload.initiated.iso8601());
        if let Some((algorithm, kind)) = upload.checksum {
            entry.text("ChecksumAlgorithm", algorithm.name()).text("ChecksumType", kind.name());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers() {
        let id = UploadId { number: 7, secret: 9 };
        let marker = |query: &str| upload_marker(&Query::parse(query).unwrap()).map_err(|error| error.code().name);
        assert_eq!(marker(&format!("key-marker=a&upload-id-marker={id}")), Ok(Some(id)));
        assert_eq!(marker("upload-id-marker=junk"), Ok(None));
        assert_eq!(marker("key-marker=a"), Ok(None));
        assert_eq!(marker("key-marker=a&upload-id-marker=junk"), Err("InvalidArgument"));
    }
}
