//! `POST /files/`: uploads begin, and are made of partial ones.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::checksum::Expected;
use super::metadata::Metadata;
use super::receive::{Incoming, Manner, Progress, receive, too_many_pieces};
use super::upload::{Note, Protocol, Upload};
use super::{
    UPLOAD_CONCAT, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, bare, carries_bytes, check_fits, not_bytes, number,
    put_progress, text, too_long,
};
use crate::base::limits::{OBJECT_SIZE_MAX_BYTES, TUS_CONCAT_MAX_BYTES};
use crate::pipeline::call::Call;
use crate::pipeline::companion::unique;
use crate::pipeline::error::Error;
use crate::pipeline::judge::Place;
use crate::store::error::{Error as StoreError, Invalid};
use crate::store::types::{Attributes, Bucket, NewSession, NewUpload, ObjectKey, UploadId};
use crate::wire::Body;

/// An upload to be.
struct New {
    bucket: Bucket,
    key: ObjectKey,
    attributes: Attributes,
    metadata: Metadata,
}

/// What `Upload-Concat` says.
enum Concat {
    Partial,
    Final(Vec<UploadId>),
}

pub(super) async fn answer(call: &Call, body: Body) -> Result<Response<Body>, Error> {
    let metadata = Metadata::read(&call.headers)?;
    let given = text(&call.headers, &UPLOAD_CONCAT)?.map(ToOwned::to_owned);
    let concat = given.as_deref().map(Concat::parse).transpose()?;
    let bucket = call.bucket(metadata.text("bucket")?)?;
    let key = metadata.key(&unique(call), None)?;
    let mut attributes = metadata.attributes()?;
    call.permit("s3:PutObject", Place(&bucket, &key))?;
    call.own(&bucket, &key, &mut attributes)?;
    let new = New { bucket, key, attributes, metadata };
    match concat {
        Some(Concat::Final(sources)) => concatenate(call, new, given, &sources, body.remaining()).await,
        Some(Concat::Partial) | None => begin(call, new, given, body).await,
    }
}

async fn begin(call: &Call, new: New, concat: Option<String>, body: Body) -> Result<Response<Body>, Error> {
    let length = length(&call.headers)?;
    let expected = Expected::read(&call.headers)?;
    let carries = carries_bytes(&call.headers);
    if !carries && body.remaining() != Some(0) {
        return Err(not_bytes());
    }
    let end = length.unwrap_or(OBJECT_SIZE_MAX_BYTES);
    check_fits(body.remaining(), end, 0)?;
    let coming = body.remaining().unwrap_or_default();
    call.store().check_room(length.unwrap_or(coming))?;
    call.store().check_quota(&new.bucket, &new.key, length.unwrap_or(coming))?;
    let whole = concat.is_none();
    let who = Some(call.caller.user().to_owned());
    let note = Note { protocol: Protocol::Tus, length, metadata: new.metadata.given, concat, who };
    let session = NewSession { name: None, total: None, note: note.write() };
    let upload = NewUpload { attributes: new.attributes, checksum: None };
    let (id, _) = call.store().open_session(&new.bucket, &new.key, upload, session).await?;
    let mut progress = Progress { offset: 0, completed: false };
    if carries || length == Some(0) {
        let incoming = Incoming {
            config: Arc::clone(&call.config),
            id,
            bucket: new.bucket.clone(),
            key: new.key.clone(),
            body,
            offset: 0,
            end,
            completes: whole && length.is_some(),
            manner: Manner::of(expected, length),
        };
        match receive(incoming).await {
            Ok(received) => progress = received,
            Err(error) => {
                // The client will never know its id. What cannot be undone now expires.
                let _ = call.store().abort_upload(&new.bucket, &new.key, id).await;
                return Err(error);
            }
        }
    }
    let mut response = created(call, id);
    put_progress(call, response.headers_mut(), &progress);
    Ok(response)
}

/// What the upload's length is; none where that is said later.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    match (number(headers, &UPLOAD_LENGTH)?, text(headers, &UPLOAD_DEFER_LENGTH)?) {
        (Some(length), None) if length > OBJECT_SIZE_MAX_BYTES => Err(too_long()),
        (Some(length), None) => Ok(Some(length)),
        (None, Some("1")) => Ok(None),
        (None, Some(_)) => Err(Error::field("Upload-Defer-Length", "must be 1")),
        (None, None) => Err(Error::field("Upload-Length", "or \"Upload-Defer-Length: 1\" must be given")),
        (Some(_), Some(_)) => Err(Error::field("Upload-Length", "and \"Upload-Defer-Length\" exclude each other")),
    }
}

/// The answer to an upload that began. Its address is one that is right wherever the client came by: as the settings say it, or
/// relative to where the client is.
fn created(call: &Call, id: UploadId) -> Response<Body> {
    let mut response = bare(StatusCode::CREATED);
    let base = call.config.addresses.api_public.as_ref().map(ToString::to_string).unwrap_or_default();
    if let Ok(location) = HeaderValue::from_str(&format!("{base}/files/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

impl Concat {
    fn parse(value: &str) -> Result<Self, Error> {
        let wrong = |message: &str| Error::field("Upload-Concat", message);
        if value.len() > TUS_CONCAT_MAX_BYTES {
            return Err(wrong(&format!("must have at most {TUS_CONCAT_MAX_BYTES} bytes")));
        }
        if value == "partial" {
            return Ok(Self::Partial);
        }
        let urls = value.strip_prefix("final;").ok_or_else(|| wrong("must be partial, or final and uploads"))?;
        let mut sources = Vec::new();
        for url in urls.split(' ').filter(|url| !url.is_empty()) {
            let source = source(url).ok_or_else(|| wrong("must name uploads of this gateway"))?;
            if sources.contains(&source) {
                return Err(wrong("names an upload twice: each becomes a part of one object"));
            }
            sources.push(source);
        }
        if sources.is_empty() { Err(wrong("names no uploads")) } else { Ok(Self::Final(sources)) }
    }
}

/// The upload of a URL, which may be absolute or relative: whoever is asked knows it by its last two segments.
fn source(url: &str) -> Option<UploadId> {
    let (before, id) = url.rsplit_once('/')?;
    let below = before == "files" || before.ends_with("/files");
    UploadId::parse(id).filter(|_| below)
}

/// Permission to make something else of a partial upload. Its bytes are then where others may read them, and it is gone: whoever
/// did not begin it, or takes it out of its bucket, needs the rights to both.
fn permit_source(call: &Call, bucket: &Bucket, partial: &Upload) -> Result<(), Error> {
    call.permit("s3:PutObject", partial.place())?;
    if partial.session.bucket.number == bucket.number && partial.is_of(&call.caller) {
        return Ok(());
    }
    call.permit("s3:GetObject", partial.place())?;
    call.permit("s3:AbortMultipartUpload", partial.place())
}

async fn concatenate(
    call: &Call,
    new: New,
    given: Option<String>,
    sources: &[UploadId],
    coming: Option<u64>,
) -> Result<Response<Body>, Error> {
    if call.headers.contains_key(UPLOAD_LENGTH) || call.headers.contains_key(UPLOAD_DEFER_LENGTH) {
        return Err(Error::field("Upload-Length", "of an upload that is made of others is theirs"));
    }
    if coming != Some(0) {
        return Err(Error::invalid("an upload that is made of others has no bytes of its own"));
    }
    for source in sources {
        let partial = Upload::find(call, &source.to_string(), Protocol::Tus)?;
        permit_source(call, &new.bucket, &partial)?;
        if !partial.is_partial() {
            return Err(Error::field("Upload-Concat", format!("names {source}, which is no partial upload")));
        }
        if partial.length() != Some(partial.offset()) {
            return Err(Error::field("Upload-Concat", format!("names {source}, which is not finished")));
        }
    }
    let note = Note { protocol: Protocol::Tus, length: None, metadata: new.metadata.given, concat: given, who: None };
    let session = NewSession { name: None, total: None, note: note.write() };
    let upload = NewUpload { attributes: new.attributes, checksum: None };
    let made = call.store().concatenate(&new.bucket, &new.key, upload, session, sources).await;
    let (id, _) = made.map_err(|error| match error {
        StoreError::Invalid(Invalid::PartCount) => too_many_pieces(),
        error => error.into(),
    })?;
    Ok(created(call, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000000000010000000000000002";
    const B: &str = "00000000000000030000000000000004";

    #[test]
    fn partial_uploads_are_named_by_any_url() {
        for url in
            ["/files/A", "files/A", "http://127.0.0.1:9001/files/A", "https://files.example/behind/a/proxy/files/A"]
        {
            let value = format!("final;{} /files/{B}", url.replace('A', A));
            let Ok(Concat::Final(sources)) = Concat::parse(&value) else { panic!("{value}") };
            assert_eq!(sources.iter().map(ToString::to_string).collect::<Vec<_>>(), [A, B]);
        }
        assert!(matches!(Concat::parse("partial"), Ok(Concat::Partial)));
    }

    #[test]
    fn whatever_else_is_refused() {
        let long = format!("final;{}", format!("/files/{A} ").repeat(300));
        let twice = format!("final;/files/{A} /files/{A}");
        let elsewhere = format!("final;/other/{A}");
        let shouted = format!("final;/files/{}", "A".repeat(32));
        for bad in
            ["", "PARTIAL", "final", "final;", "final; ", "final;/files/x", A, &long, &twice, &elsewhere, &shouted]
        {
            assert_eq!(Concat::parse(bad).err().map(|error| error.status().as_u16()), Some(400), "{bad}");
        }
    }

    #[test]
    fn lengths() {
        let read = |pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            length(&pairs.iter().map(pair).collect()).map_err(|error| error.status().as_u16())
        };
        assert_eq!(read(&[("upload-length", "0")]), Ok(Some(0)));
        assert_eq!(read(&[("upload-length", "53687091200000")]), Ok(Some(OBJECT_SIZE_MAX_BYTES)));
        assert_eq!(read(&[("upload-length", "53687091200001")]), Err(413));
        assert_eq!(read(&[("upload-defer-length", "1")]), Ok(None));
        for bad in [
            &[][..],
            &[("upload-defer-length", "0")],
            &[("upload-length", "-1")],
            &[("upload-length", "1.0")],
            &[("upload-length", "99999999999999999999")],
            &[("upload-length", "1"), ("upload-defer-length", "1")],
        ] {
            assert_eq!(read(bad), Err(400), "{bad:?}");
        }
    }
}
