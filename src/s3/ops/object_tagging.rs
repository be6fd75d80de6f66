//! GetObjectTagging, PutObjectTagging and DeleteObjectTagging: the tags of an object, which change without the object.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>.

use http::{Method, Response, StatusCode};

use crate::base::limits::XML_BODY_MAX_BYTES;
use crate::s3::call::{Call, document, empty};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::{Asking, Place};
use crate::s3::receive::{self, Declaration};
use crate::s3::tags::{self, Tagged};
use crate::store::types::ObjectInfo;
use crate::wire::Body;

/// The row of GetObjectTagging.
pub static GET: Op = Op {
    name: "GetObjectTagging",
    method: Method::GET,
    target: Target::Object,
    query: "tagging",
    also: &["versionId"],
    header: None,
    action: "s3:GetObjectTagging",
    body: BodyRule::None,
    run: Some(|call| Box::pin(get(call))),
};

/// The row of PutObjectTagging.
pub static PUT: Op = Op {
    name: "PutObjectTagging",
    method: Method::PUT,
    target: Target::Object,
    query: "tagging",
    also: &["versionId"],
    header: None,
    action: "s3:PutObjectTagging",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(put(call))),
};

/// The row of DeleteObjectTagging.
pub static DELETE: Op = Op {
    name: "DeleteObjectTagging",
    method: Method::DELETE,
    target: Target::Object,
    query: "tagging",
    also: &["versionId"],
    header: None,
    action: "s3:DeleteObjectTagging",
    body: BodyRule::None,
    run: Some(|call| Box::pin(delete(call))),
};

async fn get(call: Call) -> Result<Response<Body>, Error> {
    let info = call.store().object(&call.bucket()?, call.key()?).map_err(|error| call.unread(error))?;
    call.permit_found(GET.action, &info)?;
    Ok(document(tags::document(&info.attributes.tags)))
}

async fn put(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let key = call.key()?.clone();
    let declaration = Declaration::of_body(&call)?;
    let body = receive::document(&mut call, &declaration, XML_BODY_MAX_BYTES).await?;
    // Whoever may set some tags and not others is told which.
    let tags = tags::from_document(&body, Tagged::Object);
    let brought = tags.as_deref().unwrap_or_default();
    Asking { tags: Some(brought), ..call.asking() }.permit(PUT.action, call.place())?;
    let tags = tags?;
    call.store().object(&bucket, &key).map_err(|error| call.unread(error))?;
    let asking = Asking { tags: Some(&tags), ..call.asking() };
    let approve =
        |info: &ObjectInfo| Asking { object: Some(info), ..asking }.permit(PUT.action, Place::Object(&bucket, &key));
    asking.config.store.put_object_tags(&bucket, &key, tags.clone(), approve).await?;
    Ok(empty(StatusCode::OK))
}

async fn delete(call: Call) -> Result<Response<Body>, Error> {
    let (bucket, key) = (call.bucket()?, call.key()?);
    let asking = call.asking();
    call.store().object(&bucket, key).map_err(|error| call.unread(error))?;
    let approve =
        |info: &ObjectInfo| Asking { object: Some(info), ..asking }.permit(DELETE.action, Place::Object(&bucket, key));
    asking.config.store.delete_object_tags(&bucket, key, approve).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
