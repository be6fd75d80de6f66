//! ListObjectsV2: keys and common prefixes in order of their bytes, page by page.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>.

use http::{Method, Response};

use crate::base::limits::LIST_PAGE_MAX;
use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::headers;
use crate::s3::listing::{NameEncoding, read_token, token, write_entries};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::xml::Document;
use crate::store::types::{Bucket, ListPage, ListRequest, ObjectInfo};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "ListObjectsV2",
    method: Method::GET,
    target: Target::Bucket,
    query: "list-type=2",
    also: &[],
    header: None,
    action: "s3:ListBucket",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let query = &call.query;
    let encoding = NameEncoding::parse(query)?;
    let max = query.number("max-keys", LIST_PAGE_MAX)?.unwrap_or(LIST_PAGE_MAX);
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let continued = match query.get("continuation-token") {
        Some(token) => Some(read_token(&scope(&bucket), token)?),
        None => None,
    };
    let request = ListRequest {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after: continued.unwrap_or_else(|| text("start-after")),
        max,
    };
    let page = match max {
        0 => ListPage { entries: Vec::new(), next: None },
        _ => call.store().list_objects(&bucket, &request)?,
    };
    let owner = query.get("fetch-owner").is_some_and(|fetch| fetch.eq_ignore_ascii_case("true"));
    let owner = owner.then(|| call.owner().canonical_user_id.as_str());
    let mut answer = Document::new("ListBucketResult");
    answer.text("Name", bucket.name.as_str()).text("Prefix", encoding.write(&request.prefix));
    answer.optional("Delimiter", query.get_filled("delimiter").map(|delimiter| encoding.write(delimiter)));
    answer.optional("StartAfter", query.get_filled("start-after").map(|after| encoding.write(after)));
    answer.optional("ContinuationToken", query.get("continuation-token"));
    answer.optional("NextContinuationToken", page.next.as_ref().map(|next| token(&scope(&bucket), &next.after)));
    answer.value("KeyCount", page.entries.len()).value("MaxKeys", max);
    answer.optional("EncodingType", encoding.element()).value("IsTruncated", page.next.is_some());
    write_entries(&mut answer, &page.entries, encoding, |list, info| write_object(list, info, encoding, owner));
    Ok(document(answer.finish()))
}

/// What tokens of this listing are bound to: a bucket made again under the same name is another.
fn scope(bucket: &Bucket) -> String {
    format!("{}/{}", bucket.name, bucket.number)
}

fn write_object(list: &mut Document, info: &ObjectInfo, encoding: NameEncoding, owner: Option<&str>) {
    list.element("Contents", |entry| {
        entry.text("Key", encoding.write(info.key.as_str())).text("LastModified", info.modified.iso8601());
        entry.text("ETag", info.etag.quoted()).text("ChecksumAlgorithm", info.checksum.value.algorithm().name());
        entry
            .text("ChecksumType", info.checksum.kind.name())
            .value("Size", info.size)
            .text("StorageClass", headers::storage_class(&info.attributes));
        if let Some(owner) = owner {
            entry.element("Owner", |element| {
                element.text("ID", owner);
            });
        }
    });
}
