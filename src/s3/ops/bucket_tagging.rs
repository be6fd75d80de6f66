//! GetBucketTagging, PutBucketTagging and DeleteBucketTagging: the tags of a bucket. No tags are no set of tags.
//!
//! The document is stored as it is answered.
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>.

use http::{Method, Response, StatusCode};

use crate::base::limits::XML_BODY_MAX_BYTES;
use crate::s3::call::{Call, empty, stored_document};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::s3::tags::{self, Tagged};
use crate::store::types::DocumentKind;
use crate::wire::Body;

/// The row of GetBucketTagging.
pub static GET: Op = Op {
    name: "GetBucketTagging",
    method: Method::GET,
    target: Target::Bucket,
    query: "tagging",
    also: &[],
    header: None,
    action: "s3:GetBucketTagging",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get(call))),
};

/// The row of PutBucketTagging.
pub static PUT: Op = Op {
    name: "PutBucketTagging",
    method: Method::PUT,
    target: Target::Bucket,
    query: "tagging",
    also: &[],
    header: None,
    action: "s3:PutBucketTagging",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(put(call))),
};

/// The row of DeleteBucketTagging.
pub static DELETE: Op = Op {
    name: "DeleteBucketTagging",
    method: Method::DELETE,
    target: Target::Bucket,
    query: "tagging",
    also: &[],
    header: None,
    action: "s3:PutBucketTagging",
    body: BodyRule::None,
    run: Some(|call| Box::pin(delete(call))),
};

async fn get(call: Call) -> Result<Response<Body>, Error> {
    let stored = call.store().bucket_document(&call.bucket()?, DocumentKind::Tagging)?;
    Ok(stored_document(stored.ok_or(Code::NO_SUCH_TAG_SET)?.bytes))
}

async fn put(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let declaration = Declaration::of_body(&call)?;
    let body = receive::document(&mut call, &declaration, XML_BODY_MAX_BYTES).await?;
    let tags = tags::from_document(&body, Tagged::Bucket)?;
    if tags.is_empty() {
        call.store().delete_bucket_document(&bucket, DocumentKind::Tagging).await?;
    } else {
        let document = tags::document(&tags).into_bytes();
        call.store().put_bucket_document(&bucket, DocumentKind::Tagging, document).await?;
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn delete(call: Call) -> Result<Response<Body>, Error> {
    call.store().delete_bucket_document(&call.bucket()?, DocumentKind::Tagging).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
