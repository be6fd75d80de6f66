//! FilePond's contract (<https://github.com/pqina/filepond>, `src/js/app/utils/processFileChunked.js`), at the same path as tus.
//!
//! | request | what |
//! | --- | --- |
//! | `POST /files/`, a form with `Upload-Length` | an id, as text |
//! | `POST /files/`, a form with a file | the whole file; an id, as text |
//! | `PATCH /files/{id}` or `/files/?patch={id}` | a chunk: `Upload-Offset`, `Upload-Length`, `Upload-Name` |
//! | `HEAD` of the same | `Upload-Offset`: where to go on |
//! | `DELETE /files/`, the id as body or in the path | ends an upload that is no file yet |
//!
//! The file's name comes with the chunks and not with the POST, and an object's key is settled when its upload begins. So the POST
//! begins nothing: its answer is a **ticket**, which holds what was said until then and letters that are its own, and the first
//! chunk begins the upload, found from then on by its ticket and by who it is. Nothing in a ticket is trusted: it says no more
//! than its holder may ask for, and is judged when it is used.
//!
//! FilePond sends a chunk that failed again from its first byte, and never asks how much of it came. So a chunk counts as a whole
//! or not at all, and one that is there is answered as if it came now.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::metadata::Metadata;
use super::receive::{Incoming, Manner, Progress, receive};
use super::upload::{Note, Protocol, Upload};
use super::{
    UPLOAD_LENGTH, UPLOAD_OFFSET, at, bare, carries_bytes, check_fits, check_quota, end, missing, moved, not_bytes,
    number, permit_bytes, too_long, unsupported,
};
use crate::auth::Identity;
use crate::base::digest::DigestRequest;
use crate::base::limits::{
    FILEPOND_FIELDS_MAX_BYTES, FILEPOND_ID_MAX_BYTES, LIST_PAGE_MAX, OBJECT_SIZE_MAX_BYTES, PUT_SIZE_MAX_BYTES,
};
use crate::pipeline::call::Call;
use crate::pipeline::companion::unique;
use crate::pipeline::error::Error;
use crate::pipeline::judge::Place;
use crate::store::error::Error as StoreError;
use crate::store::types::{
    Attributes, Bucket, NewSession, NewUpload, ObjectKey, PartNumber, SessionState, StagedBody, UploadId,
};
use crate::wire::Body;
use crate::wire::form::{Boundary, Form, FormError};

mod ticket;

use ticket::Ticket;

const UPLOAD_NAME: HeaderName = HeaderName::from_static("upload-name");
const METHODS: &str = "POST, PATCH, HEAD and DELETE";

pub(super) async fn answer(call: &Call, id: Option<String>, body: Body) -> Result<Response<Body>, Error> {
    let id = id.or_else(|| call.query.get("patch").map(ToOwned::to_owned));
    match (&call.method, id) {
        (&Method::POST, None) => process(call, body).await,
        (&Method::PATCH, Some(id)) => patch(call, &Ticket::read(&id)?, body).await,
        (&Method::HEAD | &Method::GET, Some(id)) => status(call, &Ticket::read(&id)?),
        (&Method::DELETE, id) => revert(call, id, body).await,
        (&Method::GET, None) if ["load", "restore", "fetch"].iter().any(|name| call.query.get(name).is_some()) => {
            let message = "files are not given out here; their objects are read on the S3 port";
            Err(Error::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
        }
        _ => Err(Error::method(METHODS)),
    }
}

/// Where a file goes, once its name is known.
struct Target {
    bucket: Bucket,
    key: ObjectKey,
    attributes: Attributes,
}

impl Target {
    /// The place, and permission to put a file of this length there.
    fn of(call: &Call, ticket: &Ticket, filename: Option<&str>, length: u64) -> Result<Self, Error> {
        let bucket = call.bucket(ticket.metadata.text("bucket")?)?;
        let key = ticket.metadata.key(&ticket.unique, filename)?;
        let mut attributes = ticket.metadata.attributes()?;
        call.permit("s3:PutObject", Place(&bucket, &key))?;
        call.own(&bucket, &key, &mut attributes)?;
        call.store().check_room(length)?;
        call.store().check_quota(&bucket, &key, length)?;
        Ok(Self { bucket, key, attributes })
    }

    /// Begins the ticket's upload, or finds it; none where it is an object already, and a ticket is good for one.
    async fn open(&self, call: &Call, ticket: &Ticket, length: u64) -> Result<Option<UploadId>, Error> {
        let length = Some(length);
        let note = Note { protocol: Protocol::FilePond, length, metadata: None, concat: None, who: None };
        let session = NewSession { name: Some(ticket.name(call)), total: None, note: note.write() };
        let new = NewUpload { attributes: self.attributes.clone(), checksum: None };
        match call.store().open_session_once(&self.bucket, &self.key, new, session).await {
            Ok((id, _)) => Ok(Some(id)),
            Err(StoreError::Exists) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

async fn process(call: &Call, body: Body) -> Result<Response<Body>, Error> {
    let length = number(&call.headers, &UPLOAD_LENGTH)?;
    if length.is_some_and(|length| length > OBJECT_SIZE_MAX_BYTES) {
        return Err(too_long());
    }
    let form = match Boundary::of(&call.headers) {
        Ok(boundary) => Some(Form::new(body, &boundary, FILEPOND_FIELDS_MAX_BYTES)),
        Err(FormError::NotAForm) => None,
        Err(error) => return Err(error.into()),
    };
    let ticket = match (length, form) {
        (Some(length), form) => begin(call, length, form).await?,
        (None, Some(form)) => whole_file(call, form).await?,
        (None, None) => return Err(unsupported("a request of tus names its version in Tus-Resumable")),
    };
    let mut response = bare(StatusCode::CREATED);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    *response.body_mut() = Body::full(ticket.text);
    Ok(response)
}

/// A ticket for a file that comes in chunks.
async fn begin(call: &Call, length: u64, form: Option<Form>) -> Result<Ticket, Error> {
    may_begin_at_all(call)?;
    let mut members = Map::new();
    if let Some(mut form) = form {
        while let Some(part) = form.next_part().await? {
            if part.file_name.is_some() {
                return Err(Error::field(&part.name, "is a file, and Upload-Length says that it comes in chunks"));
            }
            add_members(&mut members, &form.text().await?);
        }
        form.finish().await?;
    }
    let ticket = Ticket::new(unique(call), Some(length), Metadata::of_json(&members));
    if ticket.text.len() > FILEPOND_ID_MAX_BYTES {
        return Err(Error::field("metadata", format!("makes an id of more than {FILEPOND_ID_MAX_BYTES} bytes")));
    }
    if ticket.metadata.text("key")?.is_some() {
        Target::of(call, &ticket, None, length)?;
    }
    Ok(ticket)
}

/// What a ticket takes whose file has no name yet: a caller who is somebody, or a bucket that is open.
fn may_begin_at_all(call: &Call) -> Result<(), Error> {
    match call.caller.identity {
        Identity::Key(_) => Ok(()),
        Identity::Anonymous => {
            let bucket = call.bucket(None)?;
            let key = crate::pipeline::call::object_key("key", "-")?;
            call.permit("s3:PutObject", Place(&bucket, &key))
        }
    }
}

/// Adds the members of FilePond's metadata: a JSON object in the field that else has the file. Other fields mean nothing here.
fn add_members(members: &mut Map<String, Value>, field: &[u8]) {
    if let Ok(Value::Object(more)) = serde_json::from_slice(field) {
        members.extend(more);
    }
}

/// A file that comes in one form.
async fn whole_file(call: &Call, mut form: Form) -> Result<Ticket, Error> {
    let (mut members, mut filed) = (Map::new(), None);
    while let Some(part) = form.next_part().await? {
        let Some(filename) = part.file_name else {
            add_members(&mut members, &form.text().await?);
            continue;
        };
        if filed.is_some() {
            return Err(Error::field(&part.name, "has two files"));
        }
        let ticket = Ticket::new(unique(call), None, Metadata::of_json(&members));
        let target = Target::of(call, &ticket, Some(&filename), 0)?;
        filed = Some((ticket, target, stage(call, &mut form).await?));
    }
    form.finish().await?;
    let (ticket, target, body) = filed.ok_or_else(|| Error::invalid("the form has no file"))?;
    call.store().check_quota(&target.bucket, &target.key, body.size)?;
    let id = target.open(call, &ticket, body.size).await?.ok_or_else(moved)?;
    call.store().append(id, 0, body, true).await?;
    Ok(ticket)
}

async fn stage(call: &Call, form: &mut Form) -> Result<StagedBody, Error> {
    let mut writer = call.store().body_writer(None, DigestRequest::default());
    while let Some(piece) = form.next_piece().await? {
        if piece.len() as u64 > PUT_SIZE_MAX_BYTES.saturating_sub(writer.size()) {
            let message =
                format!("a file in one form has at most {PUT_SIZE_MAX_BYTES} bytes; larger ones come in chunks");
            return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message));
        }
        writer.write(piece).await?;
    }
    Ok(writer.finish().await?)
}

async fn patch(call: &Call, ticket: &Ticket, body: Body) -> Result<Response<Body>, Error> {
    if !carries_bytes(&call.headers) {
        return Err(not_bytes());
    }
    let offset = number(&call.headers, &UPLOAD_OFFSET)?.ok_or_else(|| missing(&UPLOAD_OFFSET))?;
    let length = match (ticket.length, number(&call.headers, &UPLOAD_LENGTH)?) {
        (Some(known), Some(length)) if known != length => {
            return Err(Error::field("Upload-Length", "was another before"));
        }
        (known, length) => known.or(length).ok_or_else(|| missing(&UPLOAD_LENGTH))?,
    };
    if length > OBJECT_SIZE_MAX_BYTES {
        return Err(too_long());
    }
    check_fits(body.remaining(), length, offset)?;
    let Some(upload) = ticket.upload(call)? else {
        return first_chunk(call, ticket, body, (offset, length)).await;
    };
    next_chunk(call, &upload, body, (offset, length)).await
}

/// A chunk of an upload that began.
async fn next_chunk(
    call: &Call,
    upload: &Upload,
    body: Body,
    (offset, length): (u64, u64),
) -> Result<Response<Body>, Error> {
    permit_bytes(call, upload)?;
    if upload.length() != Some(length) {
        return Err(Error::field("Upload-Length", "was another before"));
    }
    let open = matches!(upload.session.state, SessionState::Open { .. });
    if open && offset == upload.offset() {
        call.store().check_room(body.remaining().unwrap_or_default())?;
        check_quota(call, upload, length)?;
        let session = &upload.session;
        return chunk(call, session.id, (&session.bucket, &session.key), body, (offset, length)).await;
    }
    // Where a file's length is a multiple of the chunks', FilePond ends with one of no bytes.
    let over = offset == upload.offset() && body.remaining() == Some(0);
    if over || repeats(call, upload, offset, body).await? {
        return Ok(at(call, &Progress { offset: upload.offset(), completed: !open }));
    }
    Err(moved().with("offset", upload.offset()))
}

async fn first_chunk(
    call: &Call,
    ticket: &Ticket,
    body: Body,
    (offset, length): (u64, u64),
) -> Result<Response<Body>, Error> {
    if offset != 0 {
        return Err(moved().with("offset", 0));
    }
    let filename = file_name(&call.headers);
    let target = Target::of(call, ticket, filename.as_deref(), length)?;
    match target.open(call, ticket, length).await? {
        Some(id) => chunk(call, id, (&target.bucket, &target.key), body, (offset, length)).await,
        // Another request brought the whole file since the ticket was looked up.
        None => {
            let upload = ticket.upload(call)?.ok_or_else(moved)?;
            next_chunk(call, &upload, body, (offset, length)).await
        }
    }
}

async fn chunk(
    call: &Call,
    id: UploadId,
    (bucket, key): (&Bucket, &ObjectKey),
    body: Body,
    (offset, length): (u64, u64),
) -> Result<Response<Body>, Error> {
    // Nothing to count, and nothing is complete by it.
    if body.remaining() == Some(0) && offset < length {
        return Ok(at(call, &Progress { offset, completed: false }));
    }
    let incoming = Incoming {
        config: Arc::clone(&call.config),
        id,
        bucket: bucket.clone(),
        key: key.clone(),
        body,
        offset,
        end: length,
        completes: true,
        manner: Manner::Whole(None),
    };
    let progress = receive(incoming).await?;
    Ok(at(call, &progress))
}

/// Whether these bytes are a chunk that came before: its answer was lost.
async fn repeats(call: &Call, upload: &Upload, offset: u64, mut body: Body) -> Result<bool, Error> {
    let before = match &upload.session.state {
        SessionState::Completed { answer, last, .. } => {
            let last = last.filter(|last| answer.size.checked_sub(last.size) == Some(offset));
            last.map(|last| (last.size, last.md5))
        }
        SessionState::Open { .. } => part_at(call, upload, offset)?,
    };
    let Some((size, md5)) = before else { return Ok(false) };
    if body.remaining().is_some_and(|coming| coming != size) {
        return Ok(false);
    }
    let mut writer = call.store().body_writer(Some(size), DigestRequest::default());
    while let Some(piece) = body.next().await.transpose()? {
        if piece.len() as u64 > size.saturating_sub(writer.size()) {
            return Ok(false);
        }
        writer.write(piece).await?;
    }
    let sent = writer.finish().await?;
    Ok(sent.size == size && sent.digests.md5 == md5)
}

/// Size and MD5 of the part that begins at this byte.
fn part_at(call: &Call, upload: &Upload, offset: u64) -> Result<Option<(u64, [u8; 16])>, Error> {
    let session = &upload.session;
    let mut begins = 0_u64;
    let mut after: Option<PartNumber> = None;
    loop {
        let page = call.store().list_parts(&session.bucket, &session.key, session.id, after, LIST_PAGE_MAX)?;
        for part in &page.parts {
            if begins == offset {
                return Ok(Some((part.size, part.md5)));
            }
            begins = begins.saturating_add(part.size);
        }
        after = page.next;
        if after.is_none() || begins > offset {
            return Ok(None);
        }
    }
}

/// The file's name, as browsers write it: a byte for each letter of Latin-1, or percent-encoded by a page that knows more.
fn file_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(UPLOAD_NAME)?.as_bytes();
    let decoded = percent_decode(value).decode_utf8().map(std::borrow::Cow::into_owned);
    let name = decoded.unwrap_or_else(|_| value.iter().copied().map(char::from).collect());
    Some(name).filter(|name| !name.is_empty())
}

/// Where to go on. A ticket that nobody has used yet begins at the beginning.
fn status(call: &Call, ticket: &Ticket) -> Result<Response<Body>, Error> {
    let upload = ticket.upload(call)?;
    if let Some(upload) = &upload {
        call.permit("s3:ListMultipartUploadParts", upload.place())?;
    }
    let mut response = bare(StatusCode::OK);
    let headers = response.headers_mut();
    let offset = upload.as_ref().map_or(0, Upload::offset);
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    if let Some(length) = upload.as_ref().and_then(Upload::length).or(ticket.length) {
        headers.insert(UPLOAD_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

async fn revert(call: &Call, id: Option<String>, body: Body) -> Result<Response<Body>, Error> {
    let ticket = match id {
        Some(id) => Ticket::read(&id)?,
        None => {
            let body = body.collect(FILEPOND_ID_MAX_BYTES).await?;
            let text = std::str::from_utf8(&body).map_err(|_| Error::invalid("the body is no id"))?;
            Ticket::read(text.trim())?
        }
    };
    match ticket.upload(call)? {
        Some(upload) => end(call, &upload).await,
        // Nothing began.
        None => Ok(bare(StatusCode::NO_CONTENT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let name =
            |value: &[u8]| file_name(&HeaderMap::from_iter([(UPLOAD_NAME, HeaderValue::from_bytes(value).unwrap())]));
        for (sent, expected) in [
            (&b"a b.txt"[..], Some("a b.txt")),
            (b"Gr\xfc\xdfe.txt", Some("Gr\u{fc}\u{df}e.txt")),
            ("Gr\u{fc}\u{df}e.txt".as_bytes(), Some("Gr\u{fc}\u{df}e.txt")),
            (b"%ED%95%9C.txt", Some("\u{d55c}.txt")),
            (b"100%.txt", Some("100%.txt")),
            (b"", None),
        ] {
            assert_eq!(name(sent).as_deref(), expected);
        }
        assert_eq!(file_name(&HeaderMap::new()), None);
    }
}
