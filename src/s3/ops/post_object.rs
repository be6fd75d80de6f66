//! PostObject: a file uploaded by a form, as browsers send it.
//!
//! Fields behind the file are ignored, and so are conditions of writes, which forms do not have. The name of the file is what
//! follows its last slash or backslash. What the fields say is read as the headers of a PutObject are.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>.

use http::header::{REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::auth::{Authenticated, Payload, PostFields, SizeRange, missing_field};
use crate::base::limits::POST_FIELDS_MAX_BYTES;
use crate::s3::address::key_too_long;
use crate::s3::call::{Call, document, empty, set};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::{Asking, Place};
use crate::s3::query::Query;
use crate::s3::receive::{self, Declaration};
use crate::s3::tags::{self, Tagged};
use crate::s3::xml::Document;
use crate::s3::{headers, refusals};
use crate::store::types::{Attributes, Bucket, ObjectInfo, ObjectKey};
use crate::wire::Body;
use crate::wire::form::{Boundary, Form, FormError};

/// The row.
pub static OP: Op = Op {
    name: "PostObject",
    method: Method::POST,
    target: Target::Bucket,
    query: "",
    also: &[],
    header: None,
    action: "s3:PutObject",
    body: BodyRule::Form,
    run: Some(|call| Box::pin(run(call))),
};

/// The field that is the file.
const FILE: &str = "file";
/// Fields that stand for a header of their own name, besides `x-amz-*`.
const HEADERS: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
];
/// Unreserved characters of RFC 3986 section 2.3, as Amazon S3 leaves them in Location: a slash is none.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the fields ask for, and may.
struct Upload {
    key: ObjectKey,
    attributes: Attributes,
    declaration: Declaration,
    range: SizeRange,
    success: Success,
}

/// How a success is told.
enum Success {
    Status(StatusCode),
    /// By sending the browser to this address.
    Redirect(String),
}

async fn run(mut call: Call) -> Result<Response<Body>, Error> {
    let boundary = Boundary::of(&call.headers)?;
    let body = std::mem::replace(&mut call.body, Body::empty());
    let mut form = Form::new(body, &boundary, POST_FIELDS_MAX_BYTES);
    let (fields, file_name) = read_fields(&mut form).await?;
    let upload = judge(&mut call, fields, file_name.as_deref())?;
    let bucket = call.bucket()?;
    // Nobody has said how long the file is.
    call.store().check_quota(&bucket, &upload.key, 0)?;
    let staged = receive::stage_file(call.store(), form, &upload.declaration, upload.range).await?;
    let info = call.store().put_object(&bucket, &upload.key, staged, upload.attributes, None).await?;
    call.address.key = Some(upload.key);
    Ok(answer(&call, &upload.success, &info))
}

/// The fields before the file, and the name of the file.
async fn read_fields(form: &mut Form) -> Result<(PostFields, Option<String>), Error> {
    let mut fields = PostFields::default();
    while let Some(part) = form.next_part().await? {
        if part.name.eq_ignore_ascii_case(FILE) {
            return Ok((fields, part.file_name));
        }
        let value = form.text().await?;
        let value = std::str::from_utf8(&value).map_err(|_| FormError::Malformed("a field is not UTF-8"))?;
        fields.add(&part.name, value);
    }
    Err(Error::argument("POST requires exactly one file upload per request.", FILE, "0"))
}

/// Authenticates the form, judges it by its policy, and reads what it asks for.
fn judge(call: &mut Call, mut fields: PostFields, file_name: Option<&str>) -> Result<Upload, Error> {
    if fields.get("key").is_none() {
        return Err(missing_field("key").into());
    }
    let now = call.config.clock.now();
    let credentials = call.config.authenticator.authenticate_form(&fields, now)?;
    if let Some(path) = file_name {
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        if fields.expanded_bytes(name) > POST_FIELDS_MAX_BYTES {
            return Err(FormError::TooLarge(POST_FIELDS_MAX_BYTES).into());
        }
        fields.expand(name);
    }
    let range = match &credentials.policy {
        Some(policy) => policy.check(&fields, call.bucket_name()?.as_str(), now)?,
        None => SizeRange::ANY,
    };
    call.trace.identify(&credentials.identity);
    call.auth =
        Authenticated { identity: credentials.identity, payload: Payload::Unsigned, signed: credentials.signed };
    let mut headers = as_headers(&fields)?;
    // These say who asks, and no field stands for them.
    for name in [USER_AGENT, REFERER] {
        headers.extend(call.headers.get(&name).map(|value| (name, value.clone())));
    }
    let bucket = call.bucket()?;
    let mut attributes = headers::attributes(&headers)?;
    if let Some(tagging) = fields.get("tagging") {
        attributes.tags = tags::from_document(tagging.as_bytes(), Tagged::Object)?;
    }
    // What the head says in headers and query is not the form's: policies and ACLs are about its fields.
    let (query, tags) = (Query::default(), attributes.tags.clone());
    let asking = Asking { headers: &headers, query: &query, tags: Some(&tags), ..call.asking() };
    let key = read_key(&asking, &bucket, &fields)?;
    refusals::check(&OP, &headers, &query)?;
    asking.own(&bucket, &key, &mut attributes)?;
    let declaration = Declaration::of_file(&headers)?;
    let algorithm = headers::checksum_algorithm(&headers)?;
    if algorithm.is_some() && algorithm != declaration.algorithm() {
        let message = "x-amz-checksum-algorithm specified, but no corresponding x-amz-checksum-* field was found.";
        return Err(Error::invalid_request(message));
    }
    Ok(Upload { key, attributes, declaration, range, success: Success::of(&fields) })
}

/// The key, which nobody without permission learns anything about.
fn read_key(asking: &Asking<'_>, bucket: &Bucket, fields: &PostFields) -> Result<ObjectKey, Error> {
    let text = fields.get("key").unwrap_or_default();
    let Some(key) = ObjectKey::parse(text) else {
        return Err(match text.is_empty() {
            true => Error::argument("User key must have a length greater than 0.", "key", ""),
            false => key_too_long(text.len()),
        });
    };
    asking.permit(OP.action, Place::Object(bucket, &key))?;
    Ok(key)
}

/// The fields that stand for headers, as headers.
fn as_headers(fields: &PostFields) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter() {
        let header = match name {
            "acl" => "x-amz-acl",
            name if name.starts_with("x-amz-") || HEADERS.contains(&name) => name,
            _ => continue,
        };
        let invalid = |_| Error::argument("A field that stands for a header cannot be one.", name, value);
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| ()).map_err(invalid)?;
        headers.insert(HeaderName::try_from(header).map_err(|_| ()).map_err(invalid)?, value);
    }
    Ok(headers)
}

impl Success {
    /// What the fields ask for; an address that is none is as good as absent.
    fn of(fields: &PostFields) -> Self {
        let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
        if let Some(address) = redirect.filter(|address| is_address(address)) {
            return Self::Redirect(address.to_owned());
        }
        Self::Status(match fields.get("success_action_status") {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        })
    }
}

/// An absolute URL of the web that can stand in a header. More is not asked: Amazon S3 takes blanks in its query, too.
fn is_address(text: &str) -> bool {
    let host = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let host = host.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    !host.is_empty() && HeaderValue::from_str(text).is_ok()
}

/// The address with the parameters `bucket`, `key` and `etag` behind those it has, and what is not ASCII in it encoded.
fn redirection(address: &str, bucket: &str, key: &str, etag: &str) -> String {
    let address = utf8_percent_encode(address, CONTROLS).to_string();
    let encode = |text: &str| utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+");
    let (start, fragment) = address.split_at(address.find('#').unwrap_or(address.len()));
    let joint = if start.contains('?') { '&' } else { '?' };
    format!("{start}{joint}bucket={}&key={}&etag={}{fragment}", encode(bucket), encode(key), encode(etag))
}

fn answer(call: &Call, success: &Success, info: &ObjectInfo) -> Response<Body> {
    let bucket = call.address.bucket.as_ref().map(ToString::to_string).unwrap_or_default();
    let key = call.address.key.as_ref().map(ObjectKey::as_str).unwrap_or_default();
    let (etag, location) = (info.etag.quoted(), location(call, &bucket, key));
    let (mut response, location) = match success {
        Success::Redirect(address) => (empty(StatusCode::SEE_OTHER), redirection(address, &bucket, key, &etag)),
        Success::Status(StatusCode::CREATED) => {
            let mut answer = Document::bare("PostResponse");
            answer.text("Location", &location).text("Bucket", &bucket).text("Key", key).text("ETag", &etag);
            let mut response = document(answer.finish());
            *response.status_mut() = StatusCode::CREATED;
            (response, location)
        }
        Success::Status(status) => (empty(*status), location),
    };
    set(response.headers_mut(), "location", &location);
    set(response.headers_mut(), "etag", &etag);
    headers::checksum(response.headers_mut(), &info.checksum);
    response
}

/// The URL of the object by the host the client used, the whole key encoded as Amazon S3 does it here.
fn location(call: &Call, bucket: &str, key: &str) -> String {
    let scheme = if call.tls() { "https" } else { "http" };
    let key = utf8_percent_encode(key, ESCAPED);
    match call.address.virtual_host {
        true => format!("{scheme}://{}/{key}", call.address.host),
        false => format!("{scheme}://{}/{bucket}/{key}", call.address.host),
    }
}
