//! GetBucketAcl, PutBucketAcl, GetObjectAcl and PutObjectAcl: the canned ACLs of buckets and objects.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>.

use http::{Method, Response, StatusCode};

use crate::base::limits::XML_BODY_MAX_BYTES;
use crate::s3::acl::{CannedAcl, Owners};
use crate::s3::call::{Call, document, empty};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::{Asking, Place, check_acl};
use crate::s3::receive::{self, Declaration};
use crate::s3::rules::Ownership;
use crate::store::types::{Bucket, DocumentKind, ObjectInfo};
use crate::wire::Body;

/// The row of GetBucketAcl.
pub static GET_BUCKET: Op = Op {
    name: "GetBucketAcl",
    method: Method::GET,
    target: Target::Bucket,
    query: "acl",
    also: &[],
    header: None,
    action: "s3:GetBucketAcl",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get_bucket(call))),
};

/// The row of PutBucketAcl.
pub static PUT_BUCKET: Op = Op {
    name: "PutBucketAcl",
    method: Method::PUT,
    target: Target::Bucket,
    query: "acl",
    also: &[],
    header: None,
    action: "s3:PutBucketAcl",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(put_bucket(call))),
};

/// The row of GetObjectAcl.
pub static GET_OBJECT: Op = Op {
    name: "GetObjectAcl",
    method: Method::GET,
    target: Target::Object,
    query: "acl",
    also: &["versionId"],
    header: None,
    action: "s3:GetObjectAcl",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get_object(call))),
};

/// The row of PutObjectAcl.
pub static PUT_OBJECT: Op = Op {
    name: "PutObjectAcl",
    method: Method::PUT,
    target: Target::Object,
    query: "acl",
    also: &["versionId"],
    header: None,
    action: "s3:PutObjectAcl",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(put_object(call))),
};

async fn get_bucket(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let rules = call.config.rules.of(call.store(), &bucket)?;
    Ok(document(rules.acl.document(Owners { owner: call.owner_of(&bucket), bucket_owner: None })))
}

async fn put_bucket(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let owner = call.owner_of(&bucket).to_owned();
    let acl = asked(&mut call, &bucket, Owners { owner: &owner, bucket_owner: None }).await?;
    match acl.number() {
        Some(number) => call.store().put_bucket_document(&bucket, DocumentKind::Acl, vec![number]).await?,
        None => call.store().delete_bucket_document(&bucket, DocumentKind::Acl).await?,
    }
    Ok(empty(StatusCode::OK))
}

async fn get_object(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let info = call.store().object(&bucket, call.key()?).map_err(|error| call.unread(error))?;
    call.permit_found(GET_OBJECT.action, &info)?;
    let enforced = call.config.rules.of(call.store(), &bucket)?.ownership == Ownership::BucketOwnerEnforced;
    let bucket_owner = call.owner_of(&bucket);
    let (owner, acl) = match enforced {
        true => (bucket_owner, CannedAcl::Private),
        false => (call.owner_in(&bucket, &info.attributes), CannedAcl::stored(info.attributes.acl)),
    };
    Ok(document(acl.document(Owners { owner, bucket_owner: Some(bucket_owner) })))
}

async fn put_object(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let key = call.key()?.clone();
    let info = call.store().object(&bucket, &key).map_err(|error| call.unread(error))?;
    let (owner, bucket_owner) =
        (call.owner_in(&bucket, &info.attributes).to_owned(), call.owner_of(&bucket).to_owned());
    let owners = Owners { owner: &owner, bucket_owner: Some(&bucket_owner) };
    let acl = asked(&mut call, &bucket, owners).await?;
    // Between the first look and this the body came: the object may be another's by now.
    let asking = call.asking();
    let approve = |info: &ObjectInfo| {
        Asking { object: Some(info), ..asking }.permit(PUT_OBJECT.action, Place::Object(&bucket, &key))
    };
    asking.config.store.put_object_acl(&bucket, &key, acl.number(), approve).await?;
    Ok(empty(StatusCode::OK))
}

/// The ACL that a request asks for, in a header or in a document.
async fn asked(call: &mut Call, bucket: &Bucket, owners: Owners<'_>) -> Result<CannedAcl, Error> {
    let in_header = CannedAcl::of_headers(&call.headers)?;
    let declaration = Declaration::of_body(call)?;
    let body = receive::document(call, &declaration, XML_BODY_MAX_BYTES).await?;
    let acl = match (in_header, body.is_empty()) {
        (Some(acl), true) => acl,
        (None, false) => CannedAcl::of_document(&body, owners)?,
        (Some(_), false) => return Err(Code::UNEXPECTED_CONTENT.into()),
        (None, true) => return Err(Error::new(Code::MISSING_SECURITY_HEADER).with("MissingHeaderName", "x-amz-acl")),
    };
    check_acl(&*call.config.rules.of(call.store(), bucket)?, Some(acl))?;
    Ok(acl)
}
