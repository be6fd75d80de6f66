//! GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy and GetBucketPolicyStatus: who may do what with a bucket, as JSON.
//!
//! The document is stored and answered as it came.
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>.

use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::auth::policy::{Policy, PolicyKind};
use crate::base::limits::POLICY_MAX_BYTES;
use crate::s3::call::{Call, document, empty};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::s3::xml::Document;
use crate::store::types::DocumentKind;
use crate::wire::Body;

/// The row of GetBucketPolicy.
pub static GET: Op = Op {
    name: "GetBucketPolicy",
    method: Method::GET,
    target: Target::Bucket,
    query: "policy",
    also: &[],
    header: None,
    action: "s3:GetBucketPolicy",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get(call))),
};

/// The row of PutBucketPolicy.
pub static PUT: Op = Op {
    name: "PutBucketPolicy",
    method: Method::PUT,
    target: Target::Bucket,
    query: "policy",
    also: &[],
    header: None,
    action: "s3:PutBucketPolicy",
    body: BodyRule::Xml(POLICY_MAX_BYTES),
    run: Some(|call| Box::pin(put(call))),
};

/// The row of DeleteBucketPolicy.
pub static DELETE: Op = Op {
    name: "DeleteBucketPolicy",
    method: Method::DELETE,
    target: Target::Bucket,
    query: "policy",
    also: &[],
    header: None,
    action: "s3:DeleteBucketPolicy",
    body: BodyRule::None,
    run: Some(|call| Box::pin(delete(call))),
};

/// The row of GetBucketPolicyStatus.
pub static STATUS: Op = Op {
    name: "GetBucketPolicyStatus",
    method: Method::GET,
    target: Target::Bucket,
    query: "policyStatus",
    also: &[],
    header: None,
    action: "s3:GetBucketPolicyStatus",
    body: BodyRule::None,
    run: Some(|call| Box::pin(status(call))),
};

async fn get(call: Call) -> Result<Response<Body>, Error> {
    let stored = call.store().bucket_document(&call.bucket()?, DocumentKind::Policy)?;
    let stored = stored.ok_or(Code::NO_SUCH_BUCKET_POLICY)?;
    let mut response = Response::new(Body::full(stored.bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn put(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let declaration = Declaration::of_body(&call)?;
    let body = receive::document(&mut call, &declaration, POLICY_MAX_BYTES).await?;
    let policy = Policy::parse(&body, PolicyKind::Bucket(bucket.name.as_str()))
        .map_err(|error| Error::new(Code::MALFORMED_POLICY).message(error.message))?;
    if call.config.rules.of(call.store(), &bucket)?.block.block_policy && policy.is_public() {
        return Err(Code::ACCESS_DENIED.into());
    }
    call.store().put_bucket_document(&bucket, DocumentKind::Policy, body.to_vec()).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn delete(call: Call) -> Result<Response<Body>, Error> {
    call.store().delete_bucket_document(&call.bucket()?, DocumentKind::Policy).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn status(call: Call) -> Result<Response<Body>, Error> {
    let rules = call.config.rules.of(call.store(), &call.bucket()?)?;
    if rules.policy.is_none() {
        return Err(Code::NO_SUCH_BUCKET_POLICY.into());
    }
    let mut answer = Document::new("PolicyStatus");
    answer.value("IsPublic", rules.policy_is_public && !rules.block.restrict_buckets);
    Ok(document(answer.finish()))
}
