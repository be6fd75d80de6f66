//! ListObjects: the older listing of keys and common prefixes, continued after a key rather than by a token.
//!
//! The next marker is told only to clients that gave a delimiter: the others go on after the last key of the page.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>.

use http::{Method, Response};

use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::listing::ObjectListing;
use crate::s3::op::{BodyRule, Op, Target};
use crate::wire::Body;

/// The row. Any `list-type` but 2 means this listing.
pub static OP: Op = Op {
    name: "ListObjects",
    method: Method::GET,
    target: Target::Bucket,
    query: "",
    also: &["list-type"],
    header: None,
    action: "s3:ListBucket",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

/// The newer listing's parameters, and how AWS refuses them: ignored, they would give the first page for ever.
const NEWER: [(&str, &str); 2] = [
    ("continuation-token", "continuation-token only supported in REST.GET.BUCKET with list-type=2"),
    ("start-after", "startAfter only supported in REST.GET.BUCKET with list-type=2"),
];

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let query = &call.query;
    for (name, message) in NEWER {
        if let Some(value) = query.get(name) {
            return Err(Error::argument(message, name, value));
        }
    }
    let marker = query.get("marker").unwrap_or_default();
    let bucket = call.bucket()?;
    let listing = ObjectListing::read(&call, bucket.clone(), marker.to_owned())?;
    let mut answer = listing.document("ListBucketResult");
    answer.text("Marker", listing.name(marker));
    let next = listing.next().filter(|_| query.get_filled("delimiter").is_some());
    answer.optional("NextMarker", next.map(|next| listing.name(next)));
    Ok(document(listing.finish(answer, "Contents", Some(call.owner_of(&bucket)), |_| {})))
}
