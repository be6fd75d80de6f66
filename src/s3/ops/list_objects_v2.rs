//! ListObjectsV2: keys and common prefixes in order of their bytes, page by page.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>.

use http::{Method, Response};

use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::listing::{ObjectListing, read_token, token};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::query::Query;
use crate::store::types::Bucket;
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
    let query = &call.query;
    if let Some(marker) = query.get("marker") {
        return Err(Error::argument("Marker unsupported with REST.GET.BUCKET in list-type=2", "marker", marker));
    }
    let bucket = call.bucket()?;
    let scope = scope(&bucket);
    let listing = ObjectListing::read(&call, bucket.clone(), after(query, &scope)?)?;
    let mut answer = listing.document("ListBucketResult");
    answer.optional("StartAfter", query.get("start-after").map(|after| listing.name(after)));
    answer.optional("ContinuationToken", query.get("continuation-token"));
    answer.optional("NextContinuationToken", listing.next().map(|next| token(&scope, next)));
    answer.value("KeyCount", listing.entries().len());
    let owner = query.get("fetch-owner").is_some_and(|fetch| fetch.eq_ignore_ascii_case("true"));
    let owner = owner.then(|| call.owner_of(&bucket));
    Ok(document(listing.finish(answer, "Contents", owner, |_| {})))
}

/// Where the page begins. A token wins over `start-after`, which clients repeat on every page; an empty one says nothing.
fn after(query: &Query, scope: &str) -> Result<String, Error> {
    match query.get_filled("continuation-token") {
        Some(token) => read_token(scope, token),
        None => Ok(query.get("start-after").unwrap_or_default().to_owned()),
    }
}

/// What tokens of this listing are bound to: a bucket made again under the same name is another.
fn scope(bucket: &Bucket) -> String {
    format!("{}/{}", bucket.name, bucket.number)
}
