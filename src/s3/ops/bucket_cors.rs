//! GetBucketCors, PutBucketCors and DeleteBucketCors: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html>.

use http::{Method, Response, StatusCode};

use crate::base::limits::XML_BODY_MAX_BYTES;
use crate::s3::call::{Call, empty, stored_document};
use crate::s3::cors::document;
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::store::types::DocumentKind;
use crate::wire::Body;

/// The row of GetBucketCors.
pub static GET: Op = Op {
    name: "GetBucketCors",
    method: Method::GET,
    target: Target::Bucket,
    query: "cors",
    also: &[],
    header: None,
    action: "s3:GetBucketCORS",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get(call))),
};

/// The row of PutBucketCors.
pub static PUT: Op = Op {
    name: "PutBucketCors",
    method: Method::PUT,
    target: Target::Bucket,
    query: "cors",
    also: &[],
    header: None,
    action: "s3:PutBucketCORS",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(put(call))),
};

/// The row of DeleteBucketCors.
pub static DELETE: Op = Op {
    name: "DeleteBucketCors",
    method: Method::DELETE,
    target: Target::Bucket,
    query: "cors",
    also: &[],
    header: None,
    action: "s3:PutBucketCORS",
    body: BodyRule::None,
    run: Some(|call| Box::pin(delete(call))),
};

async fn get(call: Call) -> Result<Response<Body>, Error> {
    let stored = call.store().bucket_document(&call.bucket()?, DocumentKind::Cors)?;
    Ok(stored_document(stored.ok_or(Code::NO_SUCH_CORS_CONFIGURATION)?.bytes))
}

async fn put(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let declaration = Declaration::of_body(&call)?;
    let body = receive::document(&mut call, &declaration, XML_BODY_MAX_BYTES).await?;
    let canonical = document::write(&document::read(&body)?).into_bytes();
    call.store().put_bucket_document(&bucket, DocumentKind::Cors, canonical).await?;
    Ok(empty(StatusCode::OK))
}

async fn delete(call: Call) -> Result<Response<Body>, Error> {
    call.store().delete_bucket_document(&call.bucket()?, DocumentKind::Cors).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
