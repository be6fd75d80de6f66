//! ListBuckets: all buckets, or pages of them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>.

use http::{Method, Response};

use crate::base::limits::BUCKETS_MAX;
use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::listing::{read_token, token};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::Asking;
use crate::s3::query::Query;
use crate::s3::xml::Document;
use crate::store::types::Bucket;
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

/// Buckets looked at in one go.
const PAGE: usize = 1000;
/// The parameters of a client that pages, which is also told each bucket's region.
const PAGING: [&str; 4] = ["max-buckets", "prefix", "continuation-token", "bucket-region"];

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let query = &call.query;
    let max = page_size(query)?;
    check_region(query, &call.config.region)?;
    let after = query.get_filled("continuation-token").map(|token| read_token(SCOPE, token)).transpose()?;
    let prefix = query.get("prefix");
    let (named, behind) = (prefix.unwrap_or_default().to_owned(), after.unwrap_or_default());
    let (buckets, more) = call.judging().run(move |asking| seen(asking, &named, behind, max)).await??;
    let region = PAGING.iter().any(|name| query.get(name).is_some()).then_some(call.config.region.as_str());
    let mut answer = Document::new("ListAllMyBucketsResult");
    answer.element("Owner", |owner| {
        owner.text("ID", caller(&call));
    });
    answer.element("Buckets", |list| {
        for bucket in &buckets {
            list.element("Bucket", |entry| {
                entry.text("Name", bucket.name.as_str()).text("CreationDate", bucket.created.iso8601());
                entry.optional("BucketRegion", region);
            });
        }
    });
    let last = buckets.last().filter(|_| more).map(|bucket| token(SCOPE, bucket.name.as_str()));
    answer.optional("Prefix", prefix).optional("ContinuationToken", last);
    Ok(document(answer.finish()))
}

/// The first `max` buckets that the caller may see, and whether there are more.
fn seen(asking: Asking<'_>, prefix: &str, mut after: String, max: usize) -> Result<(Vec<Bucket>, bool), Error> {
    let mut buckets = Vec::new();
    loop {
        let (page, more) = asking.config.store.buckets_page(prefix, &after, PAGE)?;
        after = page.last().map(|bucket| bucket.name.as_str().to_owned()).unwrap_or_default();
        for bucket in page.into_iter().filter(|bucket| asking.sees(bucket)) {
            if buckets.len() == max {
                return Ok((buckets, true));
            }
            buckets.push(bucket);
        }
        if !more {
            return Ok((buckets, false));
        }
    }
}

/// Canonical user id of the caller, who is the owner that this answer names.
fn caller(call: &Call) -> &str {
    let root = call.config.authenticator.keyring().root();
    call.auth.identity.key().map_or(&root.canonical_user_id, |key| &key.canonical_user_id)
}

fn page_size(query: &Query) -> Result<usize, Error> {
    let Some(max) = query.integer("max-buckets")? else { return Ok(BUCKETS_MAX) };
    let size = usize::try_from(max).ok().filter(|max| (1..=BUCKETS_MAX).contains(max));
    size.ok_or_else(|| {
        let message = format!("Argument max-buckets must be an integer between 1 and {BUCKETS_MAX}");
        Error::argument(message, "max-buckets", &max.to_string())
    })
}

/// Buckets of another region are that region's to list.
fn check_region(query: &Query, ours: &str) -> Result<(), Error> {
    match query.get_filled("bucket-region") {
        Some(other) if !other.eq_ignore_ascii_case(ours) => {
            let message = "Requests with bucket-region specified must be made to the corresponding regional endpoint";
            Err(Error::argument(message, "bucket-region", other))
        }
        _ => Ok(()),
    }
}
