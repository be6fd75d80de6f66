//! DeleteObjects: up to 1000 keys, each with a result of its own.
//!
//! The deletes run side by side in bounded groups, so that they share commits.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use http::{Method, Response};

use crate::base::limits::{DELETE_BODY_MAX_BYTES, DELETE_KEYS_MAX, DELETES_CONCURRENT};
use crate::s3::address::key_too_long;
use crate::s3::call::{Call, document};
use crate::s3::conditions;
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::{Asking, Place};
use crate::s3::receive::{self, Declaration};
use crate::s3::xml::{self, Document, Element};
use crate::store::Store;
use crate::store::types::{Bucket, Condition, ObjectKey};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "DeleteObjects",
    method: Method::POST,
    target: Target::Bucket,
    query: "delete",
    also: &[],
    header: None,
    action: "s3:DeleteObject",
    body: BodyRule::Xml(DELETE_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(run(call))),
};

async fn run(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let declaration = Declaration::of_body(&call)?;
    if !declaration.has_integrity() {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(Error::invalid_request(message));
    }
    let body = receive::document(&mut call, &declaration, DELETE_BODY_MAX_BYTES).await?;
    let request = Request::parse(&body)?;
    let (request, of) = (Arc::new(request), bucket.clone());
    let asked = Arc::clone(&request);
    let judged = call
        .judging()
        .run(move |asking| asked.objects.iter().map(|object| judge(asking, &of, object)).collect::<Vec<_>>());
    let judged = judged.await?;
    let deletes: Vec<_> = judged.into_iter().map(|judged| delete(call.store(), &bucket, judged)).collect();
    let results: Vec<Result<(), Error>> = stream::iter(deletes).buffered(DELETES_CONCURRENT).collect().await;
    let mut answer = Document::new("DeleteResult");
    for (object, result) in request.objects.iter().zip(results) {
        match result {
            Ok(()) if request.quiet => {}
            Ok(()) => {
                answer.element("Deleted", |deleted| {
                    deleted.text("Key", &object.key).optional("VersionId", object.version.as_ref());
                });
            }
            Err(error) => {
                answer.element("Error", |failed| {
                    failed.text("Key", &object.key).optional("VersionId", object.version.as_ref());
                    failed.text("Code", error.code().name).text("Message", error.text());
                });
                if let Some(detail) = error.logged() {
                    tracing::error!(bucket = %bucket.name, key = object.key, detail, "a delete failed");
                }
            }
        }
    }
    Ok(document(answer.finish()))
}

/// What is deleted, and on which condition, if it may be.
fn judge(asking: Asking<'_>, bucket: &Bucket, object: &Listed) -> Result<(ObjectKey, Option<Condition>), Error> {
    if let Some(foreign) = object.foreign {
        return Err(Error::not_implemented(foreign, "conditions of directory buckets"));
    }
    let key = ObjectKey::parse(&object.key).ok_or_else(|| key_too_long(object.key.len()))?;
    asking.permit(OP.action, Place::Object(bucket, &key))?;
    // Every object here is the one version without a name.
    if object.version.as_ref().is_some_and(|version| version != "null") {
        return Err(Code::NO_SUCH_VERSION.into());
    }
    let condition = match (&object.tag, &object.version) {
        (None, _) => None,
        (Some(tag), None) => conditions::of_tag(tag),
        (Some(_), Some(_)) => return Err(Error::not_implemented("ETag", "a condition on a version")),
    };
    if object.tag.is_some() && condition.is_none() {
        return Err(Error::not_implemented("ETag", "only one entity tag conditions a delete"));
    }
    asking.permit_condition(condition.as_ref(), Place::Object(bucket, &key))?;
    Ok((key, condition))
}

async fn delete(
    store: &Store,
    bucket: &Bucket,
    judged: Result<(ObjectKey, Option<Condition>), Error>,
) -> Result<(), Error> {
    let (key, condition) = judged?;
    let deleted = store.delete_object(bucket, &key, condition.as_ref()).await;
    deleted.map_err(|error| conditions::explain(condition.as_ref(), error))
}

/// The request's document.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    quiet: bool,
    objects: Vec<Listed>,
}

#[derive(Debug, PartialEq, Eq)]
struct Listed {
    key: String,
    version: Option<String>,
    /// The tag the object must have, or `*` for any.
    tag: Option<String>,
    /// An element with a condition that only directory buckets have.
    foreign: Option<&'static str>,
}

impl Request {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        let root = xml::parse(body, "Delete")?;
        let objects = root.children_named("Object").map(Listed::parse).collect::<Result<Vec<_>, _>>()?;
        if objects.is_empty() || objects.len() > DELETE_KEYS_MAX {
            return Err(xml::malformed("a delete names 1 to 1000 keys"));
        }
        let quiet = root.child_text("Quiet").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        Ok(Self { quiet, objects })
    }
}

impl Listed {
    fn parse(object: &Element) -> Result<Self, Error> {
        let key = object.only_text("Key")?.filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| xml::malformed("an object without a key"))?.to_owned();
        let text = |name| Ok::<_, Error>(object.only_text(name)?.map(|text| text.trim().to_owned()));
        let (version, tag) = (text("VersionId")?.filter(|version| !version.is_empty()), text("ETag")?);
        let foreign = ["LastModifiedTime", "Size"].into_iter().find(|name| object.child(name).is_some());
        Ok(Self { key, version, tag, foreign })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let body = "<Delete><Object><Key> a&amp;b </Key><VersionId>null</VersionId></Object>\
                    <Object><Key>c</Key><VersionId/><ETag>&quot;x&quot;</ETag></Object>\
                    <Object><Key>d</Key><Size>3</Size></Object><Quiet>true</Quiet></Delete>";
        let request = Request::parse(body.as_bytes()).unwrap();
        let listed = |key: &str, version: Option<&str>, tag: Option<&str>, foreign| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Listed { key: key.to_owned(), version: owned(version), tag: owned(tag), foreign }
        };
        let objects = vec![
            listed(" a&b ", Some("null"), None, None),
            listed("c", None, Some("\"x\""), None),
            listed("d", None, None, Some("Size")),
        ];
        assert_eq!(request, Request { quiet: true, objects });
    }

    #[test]
    fn between_one_and_a_thousand_keys() {
        let keys = |count: usize| format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(count));
        assert!(Request::parse(keys(1000).as_bytes()).is_ok());
        for body in [
            keys(0),
            keys(1001),
            "<Delete><Object/></Delete>".into(),
            "<Delete><Object><Key/></Object></Delete>".into(),
            "<Delete><Object><Key>a<b>c</b>d</Key></Object></Delete>".into(),
            "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>".into(),
        ] {
            assert_eq!(Request::parse(body.as_bytes()).unwrap_err().code().name, "MalformedXML");
        }
    }
}
