//! Resumable uploads by tus 1.0.0 (<https://tus.io/protocols/resumable-upload>): `/files/`. FilePond's contract is answered on the
//! same path ([`filepond`]); its requests are those without `Tus-Resumable`.
//!
//! | request | what |
//! | --- | --- |
//! | `OPTIONS /files/` | what is spoken here |
//! | `POST /files/` | begins an upload, perhaps with its first bytes; or makes one of partial ones (`Upload-Concat: final`) |
//! | `HEAD /files/{id}` | how far it is |
//! | `PATCH /files/{id}` | the next bytes |
//! | `DELETE /files/{id}` | ends it, unless it is an object already |
//!
//! Extensions: creation, creation-with-upload, creation-defer-length, expiration, checksum, termination, concatenation. Absent
//! on purpose: checksum-trailer (bodies carry no trailers here) and concatenation-unfinished.
//!
//! An upload is a session of the store whose parts are what was sealed, in order. Its offset is the bytes that are durable and
//! counted: what HEAD says is there after a crash. The commit that brings the last byte makes the object, so an upload whose
//! offset is its length is one, and two senders of the same bytes cannot both go on.
//!
//! Where the object stands is said in `Upload-Metadata`: `bucket`, `key`; without a key it is `filename` (or `name`) behind
//! letters that keep two files of one name apart. `filetype`, `type` or `contentType` is its Content-Type; whatever else a
//! header can carry becomes user metadata.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};

use super::call::Call;
use super::error::Error;
use crate::base::limits::OBJECT_SIZE_MAX_BYTES;
use crate::store::types::SessionState;
use crate::wire::Body;

mod checksum;
mod create;
mod filepond;
mod metadata;
mod receive;
mod upload;

use checksum::Expected;
use receive::{Incoming, Manner, Progress, receive};
use upload::{Protocol, Upload};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation";
const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// The media type of bytes from an offset on.
const OFFSET_OCTETS: &str = "application/offset+octet-stream";

/// Answers a request to `/files/...`.
///
/// # Errors
/// Whatever is wrong with it.
pub async fn answer(mut call: Call) -> Result<Response<Body>, Error> {
    // Only a client that cannot send the method itself names it, and such a client sends a POST.
    if call.method == Method::POST
        && let Some(method) = text(&call.headers, &METHOD_OVERRIDE)?
    {
        call.method = Method::from_bytes(method.as_bytes()).map_err(|_| Error::method(METHODS))?;
    }
    let path = call.path.clone();
    let id = match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["files"] | ["files", ""] => None,
        ["files", id] => Some((*id).to_owned()),
        _ => return Err(Error::no_such_path()),
    };
    if call.method == Method::OPTIONS {
        return Ok(capabilities());
    }
    match text(&call.headers, &TUS_RESUMABLE)? {
        None => {
            let body = call.take_body();
            return filepond::answer(&call, id, body).await;
        }
        Some(VERSION) => {}
        Some(_) => return Err(unsupported("this version of tus is not spoken here; 1.0.0 is")),
    }
    let body = call.take_body();
    match (&call.method, id) {
        (&Method::POST, None) => create::answer(&call, body).await,
        (_, None) => Err(Error::method("POST and OPTIONS")),
        (&Method::HEAD, Some(id)) => head(&call, &id).await,
        (&Method::PATCH, Some(id)) => patch(&call, &id, body).await,
        (&Method::DELETE, Some(id)) => terminate(&call, &id).await,
        (_, Some(_)) => Err(Error::method(METHODS)),
    }
}

const METHODS: &str = "HEAD, PATCH and DELETE";

/// Puts on an answer, whatever it is, what each has to say.
pub(super) fn dress(response: &mut Response<Body>) {
    let missed = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    if missed {
        headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    }
}

/// What is spoken here, for whoever asks.
fn capabilities() -> Response<Body> {
    let mut response = bare(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    headers.insert(TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS));
    headers.insert(TUS_MAX_SIZE, HeaderValue::from(OBJECT_SIZE_MAX_BYTES));
    headers.insert(TUS_CHECKSUM_ALGORITHM, HeaderValue::from_static(checksum::ALGORITHMS));
    response
}

async fn head(call: &Call, id: &str) -> Result<Response<Body>, Error> {
    let mut upload = Upload::find(call, id, Protocol::Tus)?;
    call.permit("s3:ListMultipartUploadParts", upload.place())?;
    // Whoever may only look does not make an object.
    if upload.is_unfinished() && permit_bytes(call, &upload).is_ok() {
        finish(call, &upload).await?;
        upload = Upload::find(call, id, Protocol::Tus)?;
    }
    let mut response = bare(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(upload.offset()));
    match upload.length() {
        Some(length) => headers.insert(UPLOAD_LENGTH, HeaderValue::from(length)),
        None => headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from(1)),
    };
    put_text(headers, UPLOAD_METADATA, upload.note.metadata.as_deref());
    put_text(headers, UPLOAD_CONCAT, upload.note.concat.as_deref());
    put_text(headers, UPLOAD_EXPIRES, upload.expires(call).as_deref());
    Ok(response)
}

/// Makes the object of an upload all of whose bytes are there: the gateway ended between the last of them and the object.
async fn finish(call: &Call, upload: &Upload) -> Result<(), Error> {
    let incoming = Incoming {
        config: std::sync::Arc::clone(&call.config),
        id: upload.session.id,
        bucket: upload.session.bucket.clone(),
        key: upload.session.key.clone(),
        body: Body::empty(),
        offset: upload.offset(),
        end: upload.offset(),
        completes: true,
        manner: Manner::Whole(None),
    };
    match receive(incoming).await {
        // Somebody else was faster.
        Err(error) if error.status() == StatusCode::CONFLICT => Ok(()),
        answer => answer.map(drop),
    }
}

async fn patch(call: &Call, id: &str, body: Body) -> Result<Response<Body>, Error> {
    let upload = Upload::find(call, id, Protocol::Tus)?;
    permit_bytes(call, &upload)?;
    if upload.is_final() {
        return Err(Error::denied("an upload that was made of partial ones takes no bytes"));
    }
    if !carries_bytes(&call.headers) {
        return Err(not_bytes());
    }
    let offset = number(&call.headers, &UPLOAD_OFFSET)?.ok_or_else(|| missing(&UPLOAD_OFFSET))?;
    let expected = Expected::read(&call.headers)?;
    let length = declared(&call.headers, &upload)?;
    if offset != upload.offset() {
        return Err(moved().with("offset", upload.offset()));
    }
    let end = length.unwrap_or(OBJECT_SIZE_MAX_BYTES);
    let coming = body.remaining();
    check_fits(coming, end, offset)?;
    // Where all is there, no bytes are welcome, as FilePond and some clients of tus send them at the end.
    let over = matches!(upload.session.state, SessionState::Completed { .. });
    if over || (upload.is_partial() && upload.note.length == Some(offset)) {
        receive::nothing(body).await?;
        return Ok(at(call, &Progress { offset, completed: over }));
    }
    let coming = coming.unwrap_or_default();
    call.store().check_room(coming)?;
    check_quota(call, &upload, length.unwrap_or_else(|| offset.saturating_add(coming)))?;
    // An upload that ends here is the object by the commit that says so: then its length need not be known before.
    let ends_here = length == Some(offset) && !upload.is_partial();
    if upload.note.length.is_none() && length.is_some() && !ends_here {
        call.store().put_session_note(upload.session.id, upload.note.with_length(length).write()).await?;
    }
    if upload.is_partial() && length == Some(offset) {
        receive::nothing(body).await?;
        return Ok(at(call, &Progress { offset, completed: false }));
    }
    let incoming = Incoming {
        config: std::sync::Arc::clone(&call.config),
        id: upload.session.id,
        bucket: upload.session.bucket.clone(),
        key: upload.session.key.clone(),
        body,
        offset,
        end,
        completes: length.is_some() && !upload.is_partial(),
        manner: Manner::of(expected, length),
    };
    let progress = receive(incoming).await?;
    Ok(at(call, &progress))
}

/// Permission to bring bytes, and to make the object that they become.
fn permit_bytes(call: &Call, upload: &Upload) -> Result<(), Error> {
    call.permit("s3:PutObject", upload.place())?;
    let SessionState::Open { attributes, .. } = &upload.session.state else { return Ok(()) };
    call.config.judge.permit_completion(&call.asker(), &upload.session.bucket, &upload.session.key, attributes)
}

/// The length of the upload, as it is known with this request.
fn declared(headers: &HeaderMap, upload: &Upload) -> Result<Option<u64>, Error> {
    match (upload.length(), number(headers, &UPLOAD_LENGTH)?) {
        (None, Some(length)) if length > OBJECT_SIZE_MAX_BYTES => Err(too_long()),
        (None, Some(length)) if length < upload.offset() => {
            Err(Error::field("Upload-Length", "is less than what is there"))
        }
        (Some(known), Some(length)) if known != length => Err(Error::field("Upload-Length", "was another before")),
        (known, length) => Ok(known.or(length)),
    }
}

/// Refuses what is more than the upload takes before it is read.
fn check_fits(coming: Option<u64>, end: u64, offset: u64) -> Result<(), Error> {
    match coming {
        Some(coming) if coming > end.saturating_sub(offset) => Err(receive::too_many_bytes()),
        _ => Ok(()),
    }
}

fn check_quota(call: &Call, upload: &Upload, length: u64) -> Result<(), Error> {
    Ok(call.store().check_quota(&upload.session.bucket, &upload.session.key, length)?)
}

/// The answer to bytes that were taken.
fn at(call: &Call, progress: &Progress) -> Response<Body> {
    let mut response = bare(StatusCode::NO_CONTENT);
    put_progress(call, response.headers_mut(), progress);
    response
}

fn put_progress(call: &Call, headers: &mut HeaderMap, progress: &Progress) {
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(progress.offset));
    if !progress.completed {
        let expires = call.config.clock.now().after(call.config.expire_uploads).http_date();
        put_text(headers, UPLOAD_EXPIRES, Some(&expires));
    }
}

async fn terminate(call: &Call, id: &str) -> Result<Response<Body>, Error> {
    let upload = Upload::find(call, id, Protocol::Tus)?;
    end(call, &upload).await
}

/// Ends an upload that is no object yet.
async fn end(call: &Call, upload: &Upload) -> Result<Response<Body>, Error> {
    call.permit("s3:AbortMultipartUpload", upload.place())?;
    let session = &upload.session;
    match session.state {
        SessionState::Open { .. } => call.store().abort_upload(&session.bucket, &session.key, session.id).await?,
        SessionState::Completed { .. } => {
            return Err(Error::denied("the upload is complete; its object is deleted on the S3 port"));
        }
    }
    Ok(bare(StatusCode::NO_CONTENT))
}

/// An answer without a body, which nobody keeps: it says how things are now.
fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Puts a text into a header, where there is one and a header can carry it.
fn put_text(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
        headers.insert(name, value);
    }
}

/// The text of a header that is there once at most.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(value) => Ok(Some(value.trim())),
            Err(_) => Err(Error::field(name.as_str(), "is not ASCII")),
        },
        (Some(_), Some(_)) => Err(Error::field(name.as_str(), "is given twice")),
    }
}

/// The whole number in a header.
fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Error> {
    let Some(value) = text(headers, name)? else { return Ok(None) };
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number.map(Some).ok_or_else(|| Error::field(name.as_str(), "must be a whole number"))
}

/// Whether the body is said to be bytes of an upload.
fn carries_bytes(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(OFFSET_OCTETS)
}

fn missing(name: &HeaderName) -> Error {
    Error::field(name.as_str(), "is missing")
}

fn not_bytes() -> Error {
    let message = format!("the content type must be {OFFSET_OCTETS}");
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
}

fn unsupported(message: &str) -> Error {
    Error::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
}

fn too_long() -> Error {
    let message = format!("an upload has at most {OBJECT_SIZE_MAX_BYTES} bytes");
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message)
}

/// The upload is not where the client thinks.
fn moved() -> Error {
    Error::new(StatusCode::CONFLICT, "Conflict", "the upload has another offset by now")
}

#[cfg(test)]
mod tests;
