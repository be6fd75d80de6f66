//! Presigned sessions: `/s3/init`, `/s3/part-urls`, `/s3/parts`, `/s3/complete`, `/s3/abort`, section 4.2 of the contract.
//!
//! They are multipart uploads of S3 under other names: begun, listed, completed and aborted here, while the parts go to the S3
//! port by the URLs that are handed out. So whatever holds there holds here: part numbers to 10,000, parts of at least 5 MiB but
//! for the last, a complete that may be repeated.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{Call, Fields, Scope, object_key, upload_id};
use super::error::{Error, answer as json_answer};
use super::judge::Place;
use super::links::{life, life_of_query};
use crate::base::limits::{
    LIST_PAGE_MAX, OBJECT_SIZE_MAX_BYTES, PART_SIZE_MIN_BYTES, PARTS_MAX, PUT_SIZE_MAX_BYTES, SESSION_PART_SIZE_BYTES,
    USER_METADATA_MAX_BYTES,
};
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::{
    Attributes, Bucket, CompleteRequest, CompletedUpload, ETag, ListedPart, NewUpload, ObjectKey, PartInfo, PartNumber,
    UploadId,
};
use crate::wire::Body;

/// An upload that a request names.
pub(super) struct Named {
    pub(super) bucket: Bucket,
    pub(super) key: ObjectKey,
    pub(super) id: UploadId,
}

/// Answers a request to `/s3/...` that is not Companion's.
///
/// # Errors
/// Whatever is wrong with it.
pub async fn answer(call: Call) -> Result<Response<Body>, Error> {
    let path: Vec<String> = call.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let only = |method: &Method, wanted: Method| {
        if *method == wanted { Ok(()) } else { Err(Error::method(wanted.as_str())) }
    };
    let shown = match path.as_slice() {
        ["s3", "init"] => {
            only(&call.method, Method::POST)?;
            let fields = call.fields().await?;
            init(&call, &fields).await?
        }
        ["s3", "part-urls"] => {
            only(&call.method, Method::POST)?;
            let fields = call.fields_of_parts().await?;
            let room = call.room_for_urls(numbers(&fields)?.len())?;
            // Ten thousand signatures take a while.
            let signed = tokio::task::spawn_blocking(move || part_urls(&call, &fields)).await;
            let signed = signed.map_err(|lost| StoreError::Io(lost.to_string()))??;
            return Ok(json_answer(StatusCode::OK, &signed).map(|body| body.at_end(move |_| drop(room))));
        }
        ["s3", "parts"] => {
            only(&call.method, Method::GET)?;
            parts(&call)?
        }
        ["s3", "complete"] => {
            only(&call.method, Method::POST)?;
            let fields = call.fields_of_parts().await?;
            complete(&call, &fields).await?
        }
        ["s3", "abort"] => {
            only(&call.method, Method::POST)?;
            let fields = call.fields().await?;
            let named = named(&call, &fields)?;
            abort(&call, &named).await?;
            json!({})
        }
        _ => return Err(Error::no_such_path()),
    };
    Ok(json_answer(StatusCode::OK, &shown))
}

async fn init(call: &Call, fields: &Fields) -> Result<Value, Error> {
    let bucket = call.bucket(fields.text("bucket")?)?;
    let name = fields.required("fileName")?;
    let key =
        match fields.text("prefix")?.map(|prefix| prefix.trim_end_matches('/')).filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => object_key("prefix", &format!("{prefix}/{name}"))?,
            None => object_key("fileName", name)?,
        };
    let size = fields.number("size")?;
    let part_size = part_size(size, fields.number("partSize")?)?;
    let mut attributes = Attributes::default();
    if let Some(content_type) = fields.text("contentType")?.filter(|text| !text.is_empty()) {
        attributes.headers.push(("content-type".to_owned(), header_text("contentType", content_type)?));
    }
    attributes.user_metadata = metadata("metadata", fields.object("metadata")?)?;
    let id = begin(call, &bucket, &key, attributes, size).await?;
    let mut shown = json!({
        "uploadId": id.to_string(),
        "objectName": key.as_str(),
        "bucket": bucket.name.as_str(),
        "imageUrl": call.object_url(&bucket, &key)?,
        "partSize": part_size,
    });
    if let (Some(size), Some(members)) = (size, shown.as_object_mut()) {
        members.insert("partCount".to_owned(), size.div_ceil(part_size).max(1).into());
    }
    Ok(shown)
}

/// Begins an upload, if the caller may put the object and, where its size is known, there is room for it.
pub(super) async fn begin(
    call: &Call,
    bucket: &Bucket,
    key: &ObjectKey,
    mut attributes: Attributes,
    size: Option<u64>,
) -> Result<UploadId, Error> {
    call.permit("s3:PutObject", Place(bucket, key))?;
    call.own(bucket, key, &mut attributes)?;
    call.store().check_room(size.unwrap_or_default())?;
    call.store().check_quota(bucket, key, size.unwrap_or_default())?;
    let new = NewUpload { attributes, checksum: None };
    Ok(call.store().create_upload(bucket, key, new).await?)
}

/// How large parts are to be: as the client says, or so that they are not too many.
pub(super) fn part_size(size: Option<u64>, wanted: Option<u64>) -> Result<u64, Error> {
    if size.is_some_and(|size| size > OBJECT_SIZE_MAX_BYTES) {
        return Err(Error::field("size", format!("must be at most {OBJECT_SIZE_MAX_BYTES}")));
    }
    // Whole MiB, so that parts begin at round offsets.
    let least = size.unwrap_or_default().div_ceil(u64::from(PARTS_MAX)).next_multiple_of(1 << 20);
    let range: RangeInclusive<u64> = PART_SIZE_MIN_BYTES..=PUT_SIZE_MAX_BYTES;
    match wanted {
        None => Ok(least.max(SESSION_PART_SIZE_BYTES)),
        Some(wanted) if !range.contains(&wanted) => {
            Err(Error::field("partSize", format!("must be {PART_SIZE_MIN_BYTES} to {PUT_SIZE_MAX_BYTES}")))
        }
        Some(wanted) if size.unwrap_or_default().div_ceil(wanted) > u64::from(PARTS_MAX) => {
            Err(Error::field("partSize", format!("makes more than {PARTS_MAX} parts of so many bytes")))
        }
        Some(wanted) => Ok(wanted),
    }
}

/// A text that can be the value of a header.
pub(super) fn header_text(field: &str, text: &str) -> Result<String, Error> {
    match http::HeaderValue::from_str(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Error::field(field, "cannot be the value of a header")),
    }
}

/// User metadata, as S3 takes it: names of header names, texts that headers can carry, 2 KiB in all.
pub(super) fn metadata(field: &str, given: Option<&Map<String, Value>>) -> Result<Vec<(String, String)>, Error> {
    let mut metadata = Vec::new();
    let mut bytes = 0_usize;
    for (name, value) in given.into_iter().flatten() {
        let known = http::HeaderName::try_from(format!("x-amz-meta-{name}"));
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => continue,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => return Err(Error::field(field, "must hold texts")),
        };
        let name = known.map_err(|_| Error::field(field, format!("cannot have a member {name:?}")))?;
        let name = name.as_str().trim_start_matches("x-amz-meta-").to_owned();
        bytes = bytes.saturating_add(name.len()).saturating_add(text.len());
        metadata.push((name, header_text(field, &encoded(&text))?));
    }
    if bytes > USER_METADATA_MAX_BYTES {
        return Err(Error::field(field, format!("must have at most {USER_METADATA_MAX_BYTES} bytes")));
    }
    metadata.sort();
    Ok(metadata)
}

/// A text as a header carries it: as it is where it is ASCII, else as an encoded word (RFC 2047), which is what S3's own
/// clients write.
pub(super) fn encoded(text: &str) -> String {
    use base64::Engine as _;
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if plain {
        return text.to_owned();
    }
    format!("=?UTF-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(text))
}

/// The upload that `objectName` and `uploadId` name.
fn named(call: &Call, fields: &Fields) -> Result<Named, Error> {
    let bucket = call.bucket(fields.text("bucket")?)?;
    let key = object_key("objectName", fields.required("objectName")?)?;
    Ok(Named { bucket, key, id: upload_id(fields.required("uploadId")?)? })
}

fn part_urls(call: &Call, fields: &Fields) -> Result<Value, Error> {
    let named = named(call, fields)?;
    let expires = life("expiresIn", fields.number("expiresIn")?, call.config.presign_expires)?;
    let numbers = numbers(fields)?;
    call.permit_upload("s3:PutObject", Place(&named.bucket, &named.key), named.id)?;
    check_open(call, &named)?;
    if let Some(Scope::Generation { part_count, .. }) = &call.caller.scope
        && numbers.iter().any(|number| number > part_count)
    {
        return Err(Error::denied(format!("this token is for the parts 1 to {part_count}")));
    }
    let mut urls = Vec::with_capacity(numbers.len());
    let mut expires_at = call.config.clock.now().after(expires);
    for number in numbers {
        let (url, until) = call.part_url(&named.bucket, &named.key, named.id, number, expires)?;
        expires_at = expires_at.min(until);
        urls.push(url);
    }
    Ok(json!({ "urls": urls, "expiresAt": expires_at.iso8601() }))
}

/// The part numbers that a request asks URLs for: a list, or so many from 1 on.
fn numbers(fields: &Fields) -> Result<Vec<u64>, Error> {
    let within = |field: &str, number: Option<u64>| {
        let number = number.filter(|number| PartNumber::new(*number).is_some());
        number.ok_or_else(|| Error::field(field, format!("must be from 1 to {PARTS_MAX}")))
    };
    match (fields.list("partNumbers")?, fields.number("partCount")?) {
        (Some(list), _) if list.len() > usize::from(PARTS_MAX) => {
            Err(Error::field("partNumbers", format!("must be at most {PARTS_MAX}")))
        }
        (Some(list), _) if list.is_empty() => Err(Error::field("partNumbers", "must name a part")),
        (Some(list), _) => {
            let numbers =
                list.iter().map(|number| within("partNumbers", number.as_u64())).collect::<Result<Vec<_>, _>>()?;
            let distinct: HashSet<_> = numbers.iter().collect();
            match distinct.len() == numbers.len() {
                true => Ok(numbers),
                false => Err(Error::field("partNumbers", "names a part twice")),
            }
        }
        (None, Some(count)) => Ok((1..=within("partCount", Some(count))?).collect()),
        (None, None) => Err(Error::field("partCount", "or \"partNumbers\" must be given")),
    }
}

/// The upload takes parts. Sessions of other protocols do not take these.
pub(super) fn check_open(call: &Call, named: &Named) -> Result<(), Error> {
    let upload = call.store().upload(&named.bucket, &named.key, named.id)?;
    if upload.session { Err(Error::no_such_upload()) } else { Ok(()) }
}

fn parts(call: &Call) -> Result<Value, Error> {
    let bucket = call.bucket(call.query.get("bucket"))?;
    let key = object_key("objectName", call.query.required("objectName")?)?;
    let named = Named { bucket, key, id: upload_id(call.query.required("uploadId")?)? };
    let listed = all_parts(call, &named)?;
    let shown = listed.iter().map(|part| {
        let etag = ETag::of_body(part.md5).quoted();
        json!({ "partNumber": part.number.get(), "eTag": etag, "size": part.size })
    });
    let shown = shown.collect::<Vec<_>>();
    Ok(json!({
        "uploadId": named.id.to_string(),
        "objectName": named.key.as_str(),
        "bucket": named.bucket.name.as_str(),
        "parts": shown,
    }))
}

/// Every part that is there, if the caller may know.
pub(super) fn all_parts(call: &Call, named: &Named) -> Result<Vec<PartInfo>, Error> {
    let place = Place(&named.bucket, &named.key);
    call.permit_upload("s3:ListMultipartUploadParts", place, named.id)?;
    let mut parts = Vec::new();
    let mut after = None;
    loop {
        let page = call.store().list_parts(&named.bucket, &named.key, named.id, after, LIST_PAGE_MAX)?;
        parts.extend(page.parts);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(parts),
        }
    }
}

async fn complete(call: &Call, fields: &Fields) -> Result<Value, Error> {
    let named = named(call, fields)?;
    let list = fields.list("parts")?.ok_or_else(|| Error::field("parts", "is missing"))?;
    let parts = list.iter().map(|part| listed(part, "partNumber", "eTag")).collect::<Result<Vec<_>, _>>()?;
    let completed = finish(call, &named, parts).await?;
    Ok(json!({
        "objectName": named.key.as_str(),
        "bucket": named.bucket.name.as_str(),
        "imageUrl": call.object_url(&named.bucket, &named.key)?,
        "eTag": completed.etag.quoted(),
        "size": completed.size,
    }))
}

/// A part as a client lists it.
pub(super) fn listed(part: &Value, number: &str, etag: &str) -> Result<ListedPart, Error> {
    let wrong =
        || Error::field("parts", format!("must be objects with {number} (1 to {PARTS_MAX}) and {etag} (a text)"));
    let part = part.as_object().ok_or_else(wrong)?;
    let parsed = part.get(number).and_then(Value::as_u64).and_then(PartNumber::new).ok_or_else(wrong)?;
    let text = part.get(etag).and_then(Value::as_str).ok_or_else(wrong)?;
    let etag = ETag::parse(text).ok_or_else(|| {
        Error::new(StatusCode::BAD_REQUEST, "InvalidPart", format!("part {} was not sent with this ETag", parsed.get()))
    })?;
    Ok(ListedPart { number: parsed, etag, checksums: Vec::new() })
}

/// Completes an upload; once more with the same parts gets the same answer.
pub(super) async fn finish(call: &Call, named: &Named, mut parts: Vec<ListedPart>) -> Result<CompletedUpload, Error> {
    let place = Place(&named.bucket, &named.key);
    call.permit_upload("s3:PutObject", place, named.id)?;
    match call.store().upload(&named.bucket, &named.key, named.id) {
        Ok(upload) if upload.session => return Err(Error::no_such_upload()),
        Ok(upload) if call.caller.scope.is_none() => {
            call.config.judge.permit_completion(&call.asker(), &named.bucket, &named.key, &upload.attributes)?;
        }
        // It may have been completed before.
        Ok(_) | Err(StoreError::NotFound(Missing::Upload)) => {}
        Err(error) => return Err(error.into()),
    }
    // Clients of this API collect ETags as the parts are done, in any order.
    parts.sort_by_key(|part| part.number);
    let mut request = CompleteRequest { parts, part_size_min_bytes: PART_SIZE_MIN_BYTES, ..CompleteRequest::default() };
    // What a generator completes replaces what is there, so it is the whole image or nothing.
    if let Some(Scope::Generation { volume_bytes, part_count, .. }) = &call.caller.scope {
        if !request.parts.iter().map(|part| u64::from(part.number.get())).eq(1..=*part_count) {
            let message = format!("the image has the parts 1 to {part_count}, and these are others");
            return Err(Error::new(StatusCode::CONFLICT, "Conflict", message));
        }
        request.object_size = Some(*volume_bytes);
    }
    Ok(call.store().complete_upload(&named.bucket, &named.key, named.id, request).await?)
}

pub(super) async fn abort(call: &Call, named: &Named) -> Result<(), Error> {
    call.permit_upload("s3:AbortMultipartUpload", Place(&named.bucket, &named.key), named.id)?;
    Ok(call.store().abort_upload(&named.bucket, &named.key, named.id).await?)
}

/// The life of URLs that Companion's clients get, who ask for none.
pub(super) fn companion_life(call: &Call) -> Result<std::time::Duration, Error> {
    life_of_query(&call.query, call.config.presign_expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_asked_or_few_enough() {
        let gib = 1 << 30;
        assert_eq!(part_size(None, None).unwrap(), 8 << 20);
        assert_eq!(part_size(Some(gib), None).unwrap(), 8 << 20);
        assert_eq!(part_size(Some(100 * gib), None).unwrap(), 11 << 20);
        assert_eq!(part_size(Some(OBJECT_SIZE_MAX_BYTES), None).unwrap(), PUT_SIZE_MAX_BYTES);
        assert_eq!(part_size(Some(gib), Some(PART_SIZE_MIN_BYTES)).unwrap(), PART_SIZE_MIN_BYTES);
        for (size, wanted) in [
            (None, Some(PART_SIZE_MIN_BYTES - 1)),
            (None, Some(PUT_SIZE_MAX_BYTES + 1)),
            (Some(100 * gib), Some(PART_SIZE_MIN_BYTES)),
            (Some(OBJECT_SIZE_MAX_BYTES + 1), None),
        ] {
            assert_eq!(part_size(size, wanted).unwrap_err().status(), 400, "{size:?} {wanted:?}");
        }
    }

    #[test]
    fn metadata_is_what_headers_can_carry() {
        let given = json!({ "Name": "a.jpg", "titel": "Grüße", "size": 5, "none": null });
        let read = metadata("metadata", given.as_object()).unwrap();
        let expected = [("name", "a.jpg"), ("size", "5"), ("titel", "=?UTF-8?B?R3LDvMOfZQ==?=")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for bad in [json!({ "a b": "x" }), json!({ "a": [] }), json!({ "a": "x".repeat(2048) })] {
            assert!(metadata("metadata", bad.as_object()).is_err(), "{bad}");
        }
    }

    #[test]
    fn part_lists() {
        let good = json!({ "partNumber": 3, "eTag": "\"900150983cd24fb0d6963f7d28e17f72\"" });
        assert_eq!(listed(&good, "partNumber", "eTag").unwrap().number.get(), 3);
        for bad in [json!(1), json!({ "partNumber": 0, "eTag": "x" }), json!({ "partNumber": "1", "eTag": "x" })] {
            assert_eq!(listed(&bad, "partNumber", "eTag").unwrap_err().code(), "InvalidRequest", "{bad}");
        }
        let unknown = json!({ "partNumber": 1, "eTag": "zz" });
        assert_eq!(listed(&unknown, "partNumber", "eTag").unwrap_err().code(), "InvalidPart");
    }
}
