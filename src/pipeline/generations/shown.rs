//! Generations as clients see them.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::error::{Error, answer as json_answer};
use super::course::Upload;
use super::dispatch::whole_parts;
use super::record::{Record, Status};
use super::{Generations, or_null};
use crate::base::clock::Timestamp;
use crate::base::limits::{GENERATIONS_LOOKED_AT_MAX, GENERATIONS_PAGE_DEFAULT, LIST_PAGE_MAX};
use crate::wire::Body;

impl Generations {
    pub(super) fn show(&self, call: &Call, uuid: &str) -> Result<Response<Body>, Error> {
        let record = self.visible(call, uuid)?;
        Ok(json_answer(StatusCode::OK, &self.shown(call, &record)?))
    }

    /// A page of the history, the newest first. `next` is there when there may be more, even where the caller may see none of
    /// those that this page looked at.
    pub(super) fn list(&self, call: &Call) -> Result<Response<Body>, Error> {
        if call.caller.scope.is_some() {
            return Err(Error::denied("this token is for one generation alone"));
        }
        let status = call.query.get("status").map(|name| {
            let known = "PENDING, RUNNING, COMPLETED, FAILED or CANCELLED";
            Status::parse(name).ok_or_else(|| Error::field("status", format!("must be {known}")))
        });
        let limit = match call.query.number("limit")? {
            None => GENERATIONS_PAGE_DEFAULT,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=LIST_PAGE_MAX).contains(limit))
                .ok_or_else(|| Error::field("limit", format!("must be from 1 to {LIST_PAGE_MAX}")))?,
        };
        let names = self.history().newest(call.query.get("after"), status.transpose()?, GENERATIONS_LOOKED_AT_MAX);
        let names = names.ok_or_else(|| Error::field("after", "names no generation"))?;
        let full = names.len() == GENERATIONS_LOOKED_AT_MAX;
        let (mut shown, mut last) = (Vec::new(), None);
        let mut names = names.into_iter();
        while shown.len() < limit
            && let Some(uuid) = names.next()
        {
            match self.visible(call, &uuid) {
                Ok(record) => shown.push(self.shown(call, &record)?),
                Err(error) if error.status() == StatusCode::NOT_FOUND => {}
                Err(error) => return Err(error),
            }
            last = Some(uuid);
        }
        let next = last.filter(|_| full || names.len() > 0);
        Ok(json_answer(StatusCode::OK, &json!({ "generations": shown, "next": next })))
    }

    /// What a caller who may see it sees.
    pub(super) fn shown(&self, call: &Call, record: &Record) -> Result<Value, Error> {
        let (mut parts, mut bytes) = (record.parts_done, record.bytes_done);
        let live = self.history().live(&record.uuid);
        if !record.status.is_over()
            && let Upload::Open(there) = self.upload_of(record)?
        {
            let there = whole_parts(record, there);
            parts = there.len() as u64;
            bytes = there.iter().map(|part| part.bytes).sum();
        }
        let backend = live.and_then(|live| live.course().backend.clone()).or_else(|| record.backend.clone());
        let time = |ms: Option<u64>| or_null(ms.map(|ms| Timestamp(ms).iso8601()));
        let member = |name: &str| record.image.get(name).cloned().unwrap_or(Value::Null);
        Ok(json!({
            "uuid": record.uuid,
            "status": record.status.name(),
            "width": member("width"),
            "height": member("height"),
            "bitsPerPixel": member("bitsPerPixel"),
            "topDown": member("topDown"),
            "pattern": member("pattern"),
            "bmpVolume": record.volume_bytes,
            "objectName": record.key,
            "bucket": record.bucket,
            "uploadId": record.upload,
            "partSize": record.part_size_bytes,
            "partCount": record.part_count(),
            "partsDone": parts,
            "bytesDone": bytes,
            "backend": or_null(backend),
            "createdAt": time(Some(record.created_ms)),
            "startedAt": time(record.started_ms),
            "finishedAt": time(record.finished_ms),
            "imageUrl": or_null(self.url_for(call, record)?),
            "eTag": or_null(record.etag.clone()),
            "error": or_null(record.error.clone()),
        }))
    }

    /// The image, in the caller's own name; a generator reads none.
    fn url_for(&self, call: &Call, record: &Record) -> Result<Option<String>, Error> {
        if record.status != Status::Completed || call.caller.scope.is_some() {
            return Ok(None);
        }
        let Some(bucket) = self.bucket_of(record)? else { return Ok(None) };
        call.object_url(&bucket, &record.place()?.key).map(Some)
    }
}
