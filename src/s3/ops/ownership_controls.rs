//! GetBucketOwnershipControls, PutBucketOwnershipControls and DeleteBucketOwnershipControls: whose the objects of a bucket are, and
//! whether ACLs count there.
//!
//! Unlike at AWS a new bucket has none, and then whoever writes an object owns it.
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>.

use http::{Method, Response, StatusCode};

use crate::base::limits::XML_BODY_MAX_BYTES;
use crate::s3::call::{Call, empty, stored_document};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::s3::rules::Ownership;
use crate::store::types::DocumentKind;
use crate::wire::Body;

/// The row of GetBucketOwnershipControls.
pub static GET: Op = Op {
    name: "GetBucketOwnershipControls",
    method: Method::GET,
    target: Target::Bucket,
    query: "ownershipControls",
    also: &[],
    header: None,
    action: "s3:GetBucketOwnershipControls",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get(call))),
};

/// The row of PutBucketOwnershipControls.
pub static PUT: Op = Op {
    name: "PutBucketOwnershipControls",
    method: Method::PUT,
    target: Target::Bucket,
    query: "ownershipControls",
    also: &[],
    header: None,
    action: "s3:PutBucketOwnershipControls",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(put(call))),
};

/// The row of DeleteBucketOwnershipControls.
pub static DELETE: Op = Op {
    name: "DeleteBucketOwnershipControls",
    method: Method::DELETE,
    target: Target::Bucket,
    query: "ownershipControls",
    also: &[],
    header: None,
    action: "s3:PutBucketOwnershipControls",
    body: BodyRule::None,
    run: Some(|call| Box::pin(delete(call))),
};

async fn get(call: Call) -> Result<Response<Body>, Error> {
    let stored = call.store().bucket_document(&call.bucket()?, DocumentKind::OwnershipControls)?;
    Ok(stored_document(stored.ok_or(Code::OWNERSHIP_CONTROLS_NOT_FOUND)?.bytes))
}

async fn put(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let declaration = Declaration::of_body(&call)?;
    let body = receive::document(&mut call, &declaration, XML_BODY_MAX_BYTES).await?;
    let ownership = Ownership::parse(&body)?;
    let rules = call.config.rules.of(call.store(), &bucket)?;
    // A grant must not end without anybody having taken it away.
    if ownership == Ownership::BucketOwnerEnforced && !rules.acl.is_owners() {
        return Err(Code::INVALID_BUCKET_ACL_WITH_OWNERSHIP.into());
    }
    let text = ownership.document().into_bytes();
    call.store().put_bucket_document(&bucket, DocumentKind::OwnershipControls, text).await?;
    Ok(empty(StatusCode::OK))
}

async fn delete(call: Call) -> Result<Response<Body>, Error> {
    call.store().delete_bucket_document(&call.bucket()?, DocumentKind::OwnershipControls).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
