//! GetPublicAccessBlock, PutPublicAccessBlock and DeletePublicAccessBlock: what no ACL and no policy of a bucket opens.
//!
//! Unlike at AWS a new bucket has none.
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html>.

use http::{Method, Response, StatusCode};

use crate::base::limits::XML_BODY_MAX_BYTES;
use crate::s3::call::{Call, empty, stored_document};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::s3::rules::PublicAccessBlock;
use crate::store::types::DocumentKind;
use crate::wire::Body;

/// The row of GetPublicAccessBlock.
pub static GET: Op = Op {
    name: "GetPublicAccessBlock",
    method: Method::GET,
    target: Target::Bucket,
    query: "publicAccessBlock",
    also: &[],
    header: None,
    action: "s3:GetBucketPublicAccessBlock",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get(call))),
};

/// The row of PutPublicAccessBlock.
pub static PUT: Op = Op {
    name: "PutPublicAccessBlock",
    method: Method::PUT,
    target: Target::Bucket,
    query: "publicAccessBlock",
    also: &[],
    header: None,
    action: "s3:PutBucketPublicAccessBlock",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(put(call))),
};

/// The row of DeletePublicAccessBlock.
pub static DELETE: Op = Op {
    name: "DeletePublicAccessBlock",
    method: Method::DELETE,
    target: Target::Bucket,
    query: "publicAccessBlock",
    also: &[],
    header: None,
    action: "s3:PutBucketPublicAccessBlock",
    body: BodyRule::None,
    run: Some(|call| Box::pin(delete(call))),
};

async fn get(call: Call) -> Result<Response<Body>, Error> {
    let stored = call.store().bucket_document(&call.bucket()?, DocumentKind::PublicAccessBlock)?;
    Ok(stored_document(stored.ok_or(Code::NO_SUCH_PUBLIC_ACCESS_BLOCK)?.bytes))
}

async fn put(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let declaration = Declaration::of_body(&call)?;
    let body = receive::document(&mut call, &declaration, XML_BODY_MAX_BYTES).await?;
    let text = PublicAccessBlock::parse(&body)?.document().into_bytes();
    call.store().put_bucket_document(&bucket, DocumentKind::PublicAccessBlock, text).await?;
    Ok(empty(StatusCode::OK))
}

async fn delete(call: Call) -> Result<Response<Body>, Error> {
    call.store().delete_bucket_document(&call.bucket()?, DocumentKind::PublicAccessBlock).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
