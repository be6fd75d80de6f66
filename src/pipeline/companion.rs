//! The S3 routes of Uppy's Companion, so that Uppy's own client works against the gateway alone, and the signer that its
//! `signRequest` mode asks.
//!
//! | path | what |
//! | --- | --- |
//! | `GET /s3/params?filename=&type=&metadata[k]=` | a form for one POST |
//! | `POST /s3/multipart` | begins an upload |
//! | `GET /s3/multipart/{uploadId}?key=` | its parts, all of them |
//! | `GET /s3/multipart/{uploadId}/batch?key=&partNumbers=1,2` | URLs of several parts |
//! | `GET /s3/multipart/{uploadId}/{partNumber}?key=` | the URL of one part |
//! | `POST /s3/multipart/{uploadId}/complete?key=` | completes it |
//! | `DELETE /s3/multipart/{uploadId}?key=` | aborts it |
//! | `GET /s3/sts` | temporary credentials, for clients that sign themselves |
//! | `POST /s3/presign {method, key, uploadId?, partNumber?, contentType?}` | one URL |
//!
//! Source: <https://github.com/transloadit/uppy>, `packages/@uppy/companion/src/server/controllers/s3.ts` and the client
//! `packages/@uppy/aws-s3`. Errors are those of this API; Companion's own carry only a text.

use std::time::Duration;

use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{Call, Fields, object_key, upload_id};
use super::error::{Error, answer as json_answer};
use super::judge::Place;
use super::links::Signed;
use super::sessions::{self, Named};
use crate::base::clock::Timestamp;
use crate::base::limits::{PARTS_MAX, SESSION_MAX};
use crate::base::rng::{LETTERS_AND_DIGITS, draw};
use crate::store::types::{Attributes, ETag, ObjectKey, PartNumber};
use crate::wire::Body;

/// Letters that keep the names of files apart.
const UNIQUE_LETTERS: usize = 20;
/// Life of the credentials that `/s3/sts` gives, as Companion's.
const CREDENTIALS_LIFE: Duration = Duration::from_secs(3600);

/// Whether a path below `/s3/` is one of Companion's.
pub(super) fn is_companions(path: &str) -> bool {
    let name = path.strip_prefix("/s3/").and_then(|rest| rest.split('/').next());
    matches!(name, Some("params" | "multipart" | "sts" | "presign"))
}

/// Answers a request to one of Companion's paths.
///
/// # Errors
/// Whatever is wrong with it.
pub async fn answer(call: Call) -> Result<Response<Body>, Error> {
    let (path, method) = (call.path.clone(), call.method.clone());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let shown = match (path.as_slice(), &method) {
        (["s3", "params"], &Method::GET) => params(&call)?,
        (["s3", "sts"], &Method::GET) => return credentials(&call),
        (["s3", "presign"], &Method::POST) => {
            let fields = call.fields().await?;
            presign(&call, &fields)?
        }
        (["s3", "multipart"], &Method::POST) => {
            let fields = call.fields().await?;
            begin(&call, &fields).await?
        }
        (["s3", "multipart", id], &Method::GET) => parts(&call, id)?,
        (["s3", "multipart", id], &Method::DELETE) => {
            let named = named(&call, id)?;
            sessions::abort(&call, &named).await?;
            json!({})
        }
        (["s3", "multipart", id, "complete"], &Method::POST) => {
            let fields = call.fields_of_parts().await?;
            complete(&call, id, &fields).await?
        }
        (["s3", "multipart", id, "batch"], &Method::GET) => {
            let asked = call.query.get("partNumbers").map_or(0, |list| list.split(',').count());
            let room = call.room_for_urls(asked)?;
            let signed = batch(&call, id)?;
            return Ok(json_answer(StatusCode::OK, &signed).map(|body| body.at_end(move |_| drop(room))));
        }
        (["s3", "multipart", id, number], &Method::GET) => part(&call, id, number)?,
        (["s3", "params" | "sts"], _) => return Err(Error::method("GET")),
        (["s3", "presign" | "multipart"] | ["s3", "multipart", _, "complete"], _) => return Err(Error::method("POST")),
        (["s3", "multipart", _], _) => return Err(Error::method("GET and DELETE")),
        (["s3", "multipart", _, _], _) => return Err(Error::method("GET")),
        _ => return Err(Error::no_such_path()),
    };
    Ok(json_answer(StatusCode::OK, &shown))
}

/// The key of a new file: two files of one name do not meet.
fn new_key(call: &Call, filename: &str) -> Result<ObjectKey, Error> {
    object_key("filename", &format!("{}-{filename}", unique(call)))
}

/// Letters and digits that nothing else begins with.
pub(super) fn unique(call: &Call) -> String {
    draw(call.config.rng.as_ref(), LETTERS_AND_DIGITS, UNIQUE_LETTERS)
}

fn named(call: &Call, id: &str) -> Result<Named, Error> {
    let bucket = call.bucket(call.query.get("bucket"))?;
    Ok(Named { bucket, key: object_key("key", call.query.required("key")?)?, id: upload_id(id)? })
}

async fn begin(call: &Call, fields: &Fields) -> Result<Value, Error> {
    let filename = fields.required("filename")?;
    let kind = fields.text("type")?.ok_or_else(|| Error::field("type", "is missing"))?;
    let bucket = call.bucket(fields.text("bucket")?)?;
    let key = new_key(call, filename)?;
    let mut attributes = Attributes::default();
    if !kind.is_empty() {
        attributes.headers.push(("content-type".to_owned(), sessions::header_text("type", kind)?));
    }
    attributes.user_metadata = sessions::metadata("metadata", fields.object("metadata")?)?;
    let id = sessions::begin(call, &bucket, &key, attributes, None).await?;
    Ok(json!({ "key": key.as_str(), "uploadId": id.to_string(), "bucket": bucket.name.as_str() }))
}

fn parts(call: &Call, id: &str) -> Result<Value, Error> {
    let listed = sessions::all_parts(call, &named(call, id)?)?;
    let shown = listed.iter().map(|part| {
        json!({
            "PartNumber": part.number.get(),
            "ETag": ETag::of_body(part.md5).quoted(),
            "Size": part.size,
            "LastModified": part.modified.iso8601(),
        })
    });
    Ok(shown.collect())
}

fn part(call: &Call, id: &str, number: &str) -> Result<Value, Error> {
    let named = named(call, id)?;
    let number = part_number(number)?;
    let life = sessions::companion_life(call)?;
    call.permit("s3:PutObject", Place(&named.bucket, &named.key))?;
    sessions::check_open(call, &named)?;
    let (url, until) = call.part_url(&named.bucket, &named.key, named.id, number, life)?;
    Ok(json!({ "url": url, "expires": seconds_until(call, until) }))
}

/// How long something lives from now on.
fn seconds_until(call: &Call, until: Timestamp) -> u64 {
    until.since(call.config.clock.now()).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

fn batch(call: &Call, id: &str) -> Result<Value, Error> {
    let named = named(call, id)?;
    let list = call.query.required("partNumbers")?;
    let life = sessions::companion_life(call)?;
    let numbers = list.split(',').take(usize::from(PARTS_MAX) + 1).map(part_number).collect::<Result<Vec<_>, _>>()?;
    if numbers.len() > usize::from(PARTS_MAX) {
        return Err(Error::field("partNumbers", format!("must be at most {PARTS_MAX}")));
    }
    call.permit("s3:PutObject", Place(&named.bucket, &named.key))?;
    sessions::check_open(call, &named)?;
    let mut urls = Map::new();
    let mut ends = call.config.clock.now().after(life);
    for number in numbers {
        let (url, until) = call.part_url(&named.bucket, &named.key, named.id, number, life)?;
        ends = ends.min(until);
        urls.insert(number.to_string(), url.into());
    }
    Ok(json!({ "presignedUrls": urls, "expires": seconds_until(call, ends) }))
}

fn part_number(text: &str) -> Result<u64, Error> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && PartNumber::new(*number).is_some());
    number.ok_or_else(|| Error::field("partNumber", format!("must be a number from 1 to {PARTS_MAX}")))
}

async fn complete(call: &Call, id: &str, fields: &Fields) -> Result<Value, Error> {
    let named = named(call, id)?;
    let list = fields.list("parts")?.ok_or_else(|| Error::field("parts", "is missing"))?;
    let parts = list.iter().map(|part| sessions::listed(part, "PartNumber", "ETag")).collect::<Result<Vec<_>, _>>()?;
    let _completed = sessions::finish(call, &named, parts).await?;
    Ok(json!({
        "location": call.object_url(&named.bucket, &named.key)?,
        "key": named.key.as_str(),
        "bucket": named.bucket.name.as_str(),
    }))
}

/// A form for one POST to the S3 port. The client makes the file's place of `url` and `fields.key`, so the URL ends in a slash.
fn params(call: &Call) -> Result<Value, Error> {
    let filename = call.query.required("filename")?;
    let bucket = call.bucket(call.query.get("bucket"))?;
    let key = new_key(call, filename)?;
    let life = sessions::companion_life(call)?;
    call.permit("s3:PutObject", Place(&bucket, &key))?;
    let mut given = Map::new();
    for (name, value) in call.query.pairs() {
        if let Some(name) = name.strip_prefix("metadata[").and_then(|name| name.strip_suffix(']')) {
            given.insert(name.to_owned(), value.into());
        }
    }
    let metadata = sessions::metadata("metadata", Some(&given))?;
    let mut fields = vec![("key".to_owned(), key.as_str().to_owned())];
    fields.push(("success_action_status".to_owned(), "201".to_owned()));
    if let Some(kind) = call.query.get("type") {
        fields.push(("content-type".to_owned(), sessions::header_text("type", kind)?));
    }
    fields.extend(metadata.into_iter().map(|(name, value)| (format!("x-amz-meta-{name}"), value)));
    let borrowed: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let config = &call.config;
    let (now, rng) = (config.clock.now(), config.rng.as_ref());
    let identity = &call.caller.identity;
    let (signed, until) =
        config.authenticator.form_fields(identity, bucket.name.as_str(), &borrowed, life, now, rng)?;
    let signed: Map<String, Value> = signed.into_iter().map(|(name, value)| (name, value.into())).collect();
    let url = format!("{}/{}/", config.addresses.s3(&call.headers), bucket.name);
    Ok(json!({ "method": "POST", "url": url, "fields": signed, "expires": seconds_until(call, until) }))
}

/// Temporary credentials with the caller's own rights.
fn credentials(call: &Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket(call.query.get("bucket"))?;
    let (Some(key), None) = (call.caller.identity.key(), &call.caller.scope) else {
        return Err(Error::denied("temporary credentials are for callers with an access key"));
    };
    let config = &call.config;
    let (now, rng) = (config.clock.now(), config.rng.as_ref());
    let life = CREDENTIALS_LIFE.min(SESSION_MAX);
    let given = config.authenticator.pass_on(key, "companion", life, now, rng)?;
    let shown = json!({
        "credentials": {
            "AccessKeyId": given.access_key_id,
            "SecretAccessKey": given.secret,
            "SessionToken": given.token,
            "Expiration": given.expires.iso8601(),
        },
        "bucket": bucket.name.as_str(),
        "region": config.region,
    });
    // Companion lets caches keep them. A cache that does not ask whose they are would hand them to whoever comes next.
    Ok(json_answer(StatusCode::OK, &shown))
}

/// The URL of one request: which, says what is given.
fn presign(call: &Call, fields: &Fields) -> Result<Value, Error> {
    let method = fields.required("method")?;
    let bucket = call.bucket(fields.text("bucket")?)?;
    let key = object_key("key", fields.required("key")?)?;
    let id = fields.text("uploadId")?.map(upload_id).transpose()?.map(|id| id.to_string());
    let number = fields.number("partNumber")?.map(|number| part_number(&number.to_string())).transpose()?;
    let number = number.map(|number| number.to_string());
    let content_type =
        fields.text("contentType")?.map(|kind| sessions::header_text("contentType", kind)).transpose()?;
    let (method, action) = match (method, &id) {
        ("PUT", Some(_)) if number.is_none() => return Err(Error::field("partNumber", "is missing")),
        ("PUT", _) => (Method::PUT, "s3:PutObject"),
        ("POST", _) => (Method::POST, "s3:PutObject"),
        ("DELETE", Some(_)) => (Method::DELETE, "s3:AbortMultipartUpload"),
        ("GET", Some(_)) => (Method::GET, "s3:ListMultipartUploadParts"),
        ("GET", None) => (Method::GET, "s3:GetObject"),
        ("DELETE", None) => return Err(Error::field("uploadId", "is missing")),
        _ => return Err(Error::field("method", "must be PUT, POST, GET or DELETE")),
    };
    call.permit(action, Place(&bucket, &key))?;
    let mut query = Vec::new();
    if method == Method::POST && id.is_none() {
        query.push(("uploads", ""));
    }
    if let (Some(number), true) = (&number, method == Method::PUT) {
        query.push(("partNumber", number.as_str()));
    }
    if let Some(id) = &id {
        query.push(("uploadId", id.as_str()));
    }
    let headers: Vec<_> = match content_type.as_deref() {
        Some(kind) if id.is_none() && method != Method::GET => vec![("content-type", kind)],
        _ => Vec::new(),
    };
    let life = sessions::companion_life(call)?;
    let (url, until) = call.link(&bucket, &key, &Signed { method, query: &query, headers: &headers, expires: life })?;
    Ok(json!({ "url": url, "expires": seconds_until(call, until) }))
}
