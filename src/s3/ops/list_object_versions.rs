//! ListObjectVersions: every key with its versions, which in a bucket that never had versioning is one, called `null`.
//!
//! So there are no delete markers, every version is the latest, and going on after the version `null` of a key is going on
//! after the key.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>.

use http::{Method, Response};

use crate::s3::call::{Call, document};
use crate::s3::error::Error;
use crate::s3::listing::ObjectListing;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::query::Query;
use crate::store::types::Entry;
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "ListObjectVersions",
    method: Method::GET,
    target: Target::Bucket,
    query: "versions",
    also: &[],
    header: None,
    action: "s3:ListBucketVersions",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

/// The name of a version that was written without versioning.
const NULL_VERSION: &str = "null";

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let query = &call.query;
    let version_marker = version_marker(query)?;
    let marker = query.get("key-marker").unwrap_or_default();
    let bucket = call.bucket()?;
    let listing = ObjectListing::read(&call, bucket.clone(), marker.to_owned())?;
    let mut answer = listing.document("ListVersionsResult");
    answer.text("KeyMarker", listing.name(marker)).text("VersionIdMarker", version_marker);
    if let Some(next) = listing.next() {
        answer.text("NextKeyMarker", listing.name(next));
        let version = matches!(listing.entries().last(), Some(Entry::Item(_))).then_some(NULL_VERSION);
        answer.optional("NextVersionIdMarker", version);
    }
    let text = listing.finish(answer, "Version", Some(call.owner_of(&bucket)), |entry| {
        entry.text("VersionId", NULL_VERSION).value("IsLatest", true);
    });
    Ok(document(text))
}

/// The version after which the listing goes on within the marked key; empty where none is given.
fn version_marker(query: &Query) -> Result<&str, Error> {
    let refused = |message: &str, value: &str| Err(Error::argument(message, "version-id-marker", value));
    match query.get("version-id-marker") {
        None => Ok(""),
        Some(marker) if query.get("key-marker").is_none() => {
            refused("A version-id marker cannot be specified without a key marker.", marker)
        }
        Some("") => refused("A version-id marker cannot be empty.", ""),
        Some(NULL_VERSION) => Ok(NULL_VERSION),
        Some(other) => refused("Invalid version id specified", other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers() {
        let marker = |query: &str| {
            let query = Query::parse(query).unwrap();
            version_marker(&query).map(str::to_owned).map_err(|error| error.text().to_owned())
        };
        assert_eq!(marker("key-marker=a").as_deref(), Ok(""));
        assert_eq!(marker("key-marker=a&version-id-marker=null").as_deref(), Ok("null"));
        for (query, message) in [
            ("version-id-marker=null", "A version-id marker cannot be specified without a key marker."),
            ("key-marker=a&version-id-marker=", "A version-id marker cannot be empty."),
            ("key-marker=a&version-id-marker=3HL4kqtJ", "Invalid version id specified"),
            ("key-marker=a&version-id-marker=NULL", "Invalid version id specified"),
        ] {
            assert_eq!(marker(query).unwrap_err(), message, "{query}");
        }
    }
}
