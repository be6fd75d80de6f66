//! ListBuckets: all buckets, or pages of them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>.

use http::{Method, Response};

use crate::base::limits::BUCKETS_MAX;
use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::listing::{read_token, token};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::xml::Document;
use crate::wire::Body;

/// What tokens of this listing are bound to; no bucket has this name.
const SCOPE: &str = "/";

/// The row.
pub static OP: Op = Op {
    name: "ListBuckets",
    method: Method::GET,
    target: Target::Service,
    query: "",
    also: &[],
    header: None,
    action: "s3:ListAllMyBuckets",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let max = page_size(&call)?;
    let prefix = call.query.get_filled("prefix");
    let region = call.query.get_filled("bucket-region");
    let after = call.query.get_filled("continuation-token").map(|token| read_token(SCOPE, token)).transpose()?;
    let mut buckets = call.store().list_buckets()?;
    buckets.sort_by(|a, b| a.name.cmp(&b.name));
    buckets.retain(|bucket| {
        let name = bucket.name.as_str();
        prefix.is_none_or(|prefix| name.starts_with(prefix))
            && after.as_deref().is_none_or(|after| name > after)
            && region.is_none_or(|region| region == call.config.region)
    });
    let more = buckets.len() > max;
    buckets.truncate(max);
    let mut answer = Document::new("ListAllMyBucketsResult");
    answer.element("Owner", |owner| {
        owner.text("ID", &call.owner().canonical_user_id);
    });
    answer.element("Buckets", |list| {
        for bucket in &buckets {
            list.element("Bucket", |entry| {
                entry.text("Name", bucket.name.as_str()).text("CreationDate", bucket.created.iso8601());
                // The region is told where the client pages, as AWS does.
                entry.optional("BucketRegion", call.query.get("max-buckets").map(|_| call.config.region.as_str()));
            });
        }
    });
    let last = buckets.last().filter(|_| more).map(|bucket| token(SCOPE, bucket.name.as_str()));
    answer.optional("Prefix", prefix).optional("ContinuationToken", last);
    Ok(document(answer.finish()))
}

fn page_size(call: &Call) -> Result<usize, Error> {
    match call.query.number("max-buckets", BUCKETS_MAX + 1)? {
        None => Ok(BUCKETS_MAX),
        Some(max) if (1..=BUCKETS_MAX).contains(&max) => Ok(max),
        Some(_) => {
            let message = format!("Argument max-buckets must be an integer between 1 and {BUCKETS_MAX}");
            Err(Error::argument(message, "max-buckets", call.query.get("max-buckets").unwrap_or_default()))
        }
    }
}
