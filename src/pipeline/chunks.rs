//! Files in form chunks: `/upload-chunk/`, section 4.1 of the contract.
//!
//! A chunk is a part of a session ([`crate::store`]): staged in the same blobs and the same catalog as parts of S3, and the
//! commit that brings the last one makes the object, so exactly one request does, whatever came in parallel. Nothing is kept in
//! this process.
//!
//! A client without an id is known by who it is, bucket, key, number of chunks, and what its library calls the upload. The
//! file is streamed; where it comes before the fields, into a blob that is dropped if they do not make sense.

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::call::{Call, object_key, upload_id};
use super::error::{Error, answer as json_answer};
use super::judge::Place;
use crate::auth::Identity;
use crate::base::limits::{CHUNK_FIELDS_MAX_BYTES, CHUNK_MISSING_SHOWN_MAX, PUT_SIZE_MAX_BYTES, SESSION_PARTS_MAX};
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::{
    Attributes, Bucket, NewSession, NewUpload, ObjectKey, PartNumber, Session, SessionState, Staged, StagedBody,
    UploadId,
};
use crate::wire::Body;
use crate::wire::form::{Boundary, Form};

mod fields;

use fields::{ALL_DIGESTS, Fields, Wanted};

/// What a session's note says it is.
const PROTOCOL: &str = "chunks";
/// The field of the form that holds the bytes.
const FILE: &str = "file";

/// Where a chunk goes.
struct Target {
    bucket: Bucket,
    key: ObjectKey,
    filename: String,
    total: u32,
    number: PartNumber,
    /// The session, where the client named it.
    id: Option<UploadId>,
    /// What it is found by where it did not.
    name: [u8; 32],
}

/// A file that has arrived, and what the form said.
struct Arrived {
    body: StagedBody,
    wanted: Wanted,
}

/// Answers a request to `/upload-chunk/`.
///
/// # Errors
/// Whatever is wrong with it.
pub async fn answer(call: Call) -> Result<Response<Body>, Error> {
    match call.path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["upload-chunk" | "upload-chunk/"] | ["upload-chunk", ""] => {}
        _ => return Err(Error::no_such_path()),
    }
    match call.method {
        Method::POST => receive(call).await,
        Method::GET | Method::HEAD => status(&call),
        Method::DELETE => abort(&call).await,
        _ => Err(Error::method("POST, GET and DELETE")),
    }
}

async fn receive(call: Call) -> Result<Response<Body>, Error> {
    let arrived = read_form(&call).await?;
    let target = target(&call, &arrived.wanted)?;
    arrived.wanted.verify(&arrived.body)?;
    call.store().check_quota(&target.bucket, &target.key, arrived.body.size)?;
    let repeated = match target.id {
        Some(_) => None,
        None => repeats_the_last(&call, &target, &arrived.body)?,
    };
    let id = match target.id {
        Some(id) => id,
        None => open(&call, &target, &arrived.wanted).await?,
    };
    let staged = call.store().stage_chunk(id, target.number, arrived.body).await;
    let staged = staged.map_err(|error| match error {
        StoreError::Exists => Error::new(
            StatusCode::CONFLICT,
            "Conflict",
            format!("chunk {} is there with other bytes", target.number.get()),
        )
        .with("upload_id", id.to_string()),
        // Aborted or expired in this very moment, which is no affair of a client that names none: the chunk begins it anew.
        StoreError::NotFound(Missing::Upload) if target.id.is_none() => StoreError::Conflict.into(),
        error => error.into(),
    })?;
    // The very chunk that completed the file is answered as it was; that it may begin the file anew is no news to its sender.
    if let (Some(before), false) = (&repeated, matches!(staged, Staged::Completed(_))) {
        return Ok(json_answer(StatusCode::OK, &completed(&call, before, Some(target.number))?));
    }
    let session = call.store().session(id)?;
    let shown = match (&staged, &session.state) {
        (Staged::Completed(_) | Staged::Known { .. }, SessionState::Completed { .. }) => {
            completed(&call, &session, Some(target.number))?
        }
        // Somebody else's chunk was the last, a moment ago: that request says so.
        (Staged::New { received } | Staged::Known { received }, _) => {
            let missing = call.store().session_missing(id, CHUNK_MISSING_SHOWN_MAX)?;
            let known = Progress { number: Some(target.number), received: *received, missing, complete: false };
            progress(&call, &session, &known)
        }
        (Staged::Completed(_), SessionState::Open { .. }) => {
            return Err(StoreError::Corrupt("a completed session is open".to_owned()).into());
        }
    };
    Ok(json_answer(StatusCode::OK, &shown))
}

/// Reads the form. Whatever can be refused before the file is, so that nobody sends it in vain.
async fn read_form(call: &Call) -> Result<Arrived, Error> {
    let boundary = Boundary::of(&call.headers)?;
    let mut fields = Fields::of(&call.query);
    let known = fields.read(None)?;
    if known.is_whole() {
        drop(target(call, &known)?);
    }
    let body = call.take_body();
    call.store().check_room(body.remaining().unwrap_or_default())?;
    let mut form = Form::new(body, &boundary, CHUNK_FIELDS_MAX_BYTES);
    let (mut file, mut file_name) = (None, None);
    while let Some(part) = form.next_part().await? {
        if part.name != FILE {
            let value = form.text().await?;
            let value = std::str::from_utf8(&value).map_err(|_| Error::field(&part.name, "is not UTF-8"))?;
            fields.add(&part.name, value)?;
            continue;
        }
        if file.is_some() {
            return Err(Error::field(FILE, "is given twice"));
        }
        let early = fields.read(part.file_name.as_deref())?;
        match early.is_whole() {
            true => drop(target(call, &early)?),
            false => may_send_at_all(call, early.bucket.as_deref())?,
        }
        // A checksum may still follow behind the file, by an algorithm that nobody knows yet.
        let digests = if early.expected.is_empty() { ALL_DIGESTS } else { early.digests() };
        file = Some(stage(call, &mut form, digests).await?);
        file_name = part.file_name;
    }
    form.finish().await?;
    let wanted = fields.read(file_name.as_deref())?.or_one_chunk();
    let body = file.ok_or_else(|| Error::field(FILE, "is missing"))?;
    Ok(Arrived { body, wanted })
}

async fn stage(call: &Call, form: &mut Form, digests: crate::base::digest::DigestRequest) -> Result<StagedBody, Error> {
    let mut writer = call.store().body_writer(None, digests);
    while let Some(piece) = form.next_piece().await? {
        if piece.len() as u64 > PUT_SIZE_MAX_BYTES.saturating_sub(writer.size()) {
            let message = format!("a chunk has at most {PUT_SIZE_MAX_BYTES} bytes");
            return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message));
        }
        writer.write(piece).await?;
    }
    if writer.size() == 0 {
        return Err(Error::field(FILE, "has no bytes"));
    }
    Ok(writer.finish().await?)
}

/// What a file takes that comes before anybody knows where it shall go: a caller who may put something into the bucket, whatever
/// it is called, or a bucket where nobody in particular may do something. Whoever may put only what is called in a certain way
/// has to say first what it is called.
fn may_send_at_all(call: &Call, bucket: Option<&str>) -> Result<(), Error> {
    match call.caller.identity {
        Identity::Key(_) => {
            let (bucket, any) = (call.bucket(bucket)?, object_key("key", "-")?);
            let refused =
                |_| Error::denied("the fields must come before the file, so that it is known what may be sent");
            call.permit("s3:PutObject", Place(&bucket, &any)).map_err(refused)
        }
        Identity::Anonymous => call.config.judge.may_be_asked(&call.asker(), &call.bucket(bucket)?),
    }
}

/// Where the chunk goes, and permission to put it there.
fn target(call: &Call, wanted: &Wanted) -> Result<Target, Error> {
    let missing = |name: &str| Error::field(name, "is missing");
    let number = wanted.number.ok_or_else(|| missing("chunk_number"))?;
    if let Some(id) = wanted.upload_id {
        let session = named(call, id)?;
        let total = session.total.unwrap_or_default();
        call.permit("s3:PutObject", Place(&session.bucket, &session.key))?;
        if wanted.total.is_some_and(|wanted| wanted != total) {
            return Err(Error::field("total_chunks", format!("of this upload is {total}")));
        }
        if number.get() > total {
            return Err(Error::field("chunk_number", format!("must be 1 to {total}, as many as there are chunks")));
        }
        if let SessionState::Open { attributes, .. } = &session.state {
            call.config.judge.permit_completion(&call.asker(), &session.bucket, &session.key, attributes)?;
        }
        let filename = filename_of(&session);
        return Ok(Target {
            bucket: session.bucket,
            key: session.key,
            filename,
            total,
            number,
            id: Some(id),
            name: [0; 32],
        });
    }
    let bucket = call.bucket(wanted.bucket.as_deref())?;
    let key = wanted.key.clone().ok_or_else(|| missing("filename"))?;
    let total = wanted.total.ok_or_else(|| missing("total_chunks"))?;
    call.permit("s3:PutObject", Place(&bucket, &key))?;
    let filename = wanted.filename.clone().unwrap_or_else(|| key.as_str().to_owned());
    let name = name_of(call, &bucket, &key, total, wanted.client_id.as_deref());
    Ok(Target { bucket, key, filename, total, number, id: None, name })
}

/// What a session is found by: everything that tells two uploads apart, each with its length before it.
fn name_of(call: &Call, bucket: &Bucket, key: &ObjectKey, total: u32, client_id: Option<&str>) -> [u8; 32] {
    let who = call.caller.identity.key().map_or("", |key| key.user.as_str());
    let mut sha256 = Sha256::new();
    for text in [PROTOCOL, who, key.as_str(), client_id.unwrap_or_default()] {
        sha256.update((text.len() as u64).to_be_bytes());
        sha256.update(text);
    }
    sha256.update(bucket.number.to_be_bytes());
    sha256.update(total.to_be_bytes());
    sha256.finalize().into()
}

/// The session of form chunks with this id.
fn named(call: &Call, id: UploadId) -> Result<Session, Error> {
    let session = call.store().session(id)?;
    if note(&session).is_none() { Err(Error::no_such_upload()) } else { Ok(session) }
}

/// The completed session whose last chunk this is once more, where the client names none.
fn repeats_the_last(call: &Call, target: &Target, body: &StagedBody) -> Result<Option<Session>, Error> {
    let session = match call.store().session_named(&target.name) {
        Ok(session) => session,
        Err(StoreError::NotFound(Missing::Upload)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let SessionState::Completed { last: Some(last), .. } = &session.state else { return Ok(None) };
    let same = last.number == target.number.get() && last.size == body.size && last.md5 == body.digests.md5;
    Ok(same.then_some(session))
}

/// The open session of the target, begun where there is none.
async fn open(call: &Call, target: &Target, wanted: &Wanted) -> Result<UploadId, Error> {
    let mut attributes = Attributes::default();
    if let Some(content_type) = &wanted.content_type {
        attributes.headers.push(("content-type".to_owned(), content_type.clone()));
    }
    call.own(&target.bucket, &target.key, &mut attributes)?;
    let note = json!({ "protocol": PROTOCOL, "filename": target.filename }).to_string().into_bytes();
    let session = NewSession { name: Some(target.name), total: Some(target.total), note };
    let new = NewUpload { attributes, checksum: None };
    Ok(call.store().open_session(&target.bucket, &target.key, new, session).await?.0)
}

/// Which chunks are there: of one file, or whether one chunk is, as Resumable.js asks.
fn status(call: &Call) -> Result<Response<Body>, Error> {
    let session = asked_about(call, "s3:ListMultipartUploadParts")?;
    let fields = Fields::of(&call.query).read(None)?;
    if let (Some(number), Some(_)) = (fields.number, call.query.get("resumableChunkNumber")) {
        let there = session.map(|session| call.store().session_has(session.id, number)).transpose()?;
        let there = there.unwrap_or_default();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = if there { StatusCode::OK } else { StatusCode::NO_CONTENT };
        return Ok(response);
    }
    let session = session.ok_or_else(Error::no_such_upload)?;
    let shown = match &session.state {
        SessionState::Completed { .. } => completed(call, &session, None)?,
        SessionState::Open { parts, .. } => {
            let missing = call.store().session_missing(session.id, SESSION_PARTS_MAX as usize)?;
            progress(call, &session, &Progress { number: None, received: *parts, missing, complete: false })
        }
    };
    Ok(json_answer(StatusCode::OK, &shown))
}

async fn abort(call: &Call) -> Result<Response<Body>, Error> {
    let session = asked_about(call, "s3:AbortMultipartUpload")?.ok_or_else(Error::no_such_upload)?;
    call.store().abort_upload(&session.bucket, &session.key, session.id).await?;
    Ok(json_answer(StatusCode::OK, &json!({})))
}

/// The session that a query names, by id or by what it is about; permission for it comes first.
fn asked_about(call: &Call, action: &str) -> Result<Option<Session>, Error> {
    if let Some(id) = call.query.get("upload_id") {
        let session = named(call, upload_id(id)?)?;
        call.permit(action, Place(&session.bucket, &session.key))?;
        return Ok(Some(session));
    }
    let wanted = Fields::of(&call.query).read(None)?;
    let bucket = call.bucket(wanted.bucket.as_deref())?;
    let key =
        wanted.key.ok_or_else(|| Error::field("upload_id", "or \"filename\" and \"total_chunks\" must be given"))?;
    let total = wanted.total.ok_or_else(|| Error::field("total_chunks", "is missing"))?;
    call.permit(action, Place(&bucket, &key))?;
    match call.store().session_named(&name_of(call, &bucket, &key, total, wanted.client_id.as_deref())) {
        Ok(session) => Ok(Some(session)),
        Err(StoreError::NotFound(Missing::Upload)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How far a file is.
struct Progress {
    number: Option<PartNumber>,
    received: u32,
    missing: Vec<u32>,
    complete: bool,
}

fn progress(call: &Call, session: &Session, known: &Progress) -> Value {
    let total = session.total.unwrap_or_default();
    let number = known.number.map(PartNumber::get);
    json!({
        "message": message(call.prefers_korean(), known, total),
        "upload_id": session.id.to_string(),
        "filename": filename_of(session),
        "key": session.key.as_str(),
        "bucket": session.bucket.name.as_str(),
        "chunk_number": number,
        "total_chunks": total,
        "received": known.received,
        "missing": known.missing,
        "complete": known.complete,
    })
}

fn completed(call: &Call, session: &Session, number: Option<PartNumber>) -> Result<Value, Error> {
    let total = session.total.unwrap_or_default();
    let mut shown = progress(call, session, &Progress { number, received: total, missing: Vec::new(), complete: true });
    let SessionState::Completed { answer, .. } = &session.state else { return Ok(shown) };
    if let Some(members) = shown.as_object_mut() {
        members.insert("file_url".to_owned(), call.object_url(&session.bucket, &session.key)?.into());
        members.insert("eTag".to_owned(), answer.etag.to_string().into());
        members.insert("size".to_owned(), answer.size.into());
    }
    Ok(shown)
}

fn message(korean: bool, known: &Progress, total: u32) -> String {
    match (korean, known.complete, known.number) {
        (true, true, _) => "파일 업로드 완료".to_owned(),
        (true, false, Some(number)) => format!("청크 {}/{total} 업로드 성공", number.get()),
        (true, false, None) => format!("청크 {}/{total} 업로드됨", known.received),
        (false, true, _) => "file uploaded".to_owned(),
        (false, false, Some(number)) => format!("chunk {}/{total} uploaded", number.get()),
        (false, false, None) => format!("{} of {total} chunks uploaded", known.received),
    }
}

/// What is kept with a session of form chunks; none for one of another protocol.
fn note(session: &Session) -> Option<Value> {
    let note: Value = serde_json::from_slice(&session.note).ok()?;
    (note.get("protocol")?.as_str()? == PROTOCOL).then_some(note)
}

fn filename_of(session: &Session) -> String {
    let name = note(session).and_then(|note| note.get("filename")?.as_str().map(str::to_owned));
    name.unwrap_or_else(|| session.key.as_str().to_owned())
}
