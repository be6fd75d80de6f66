//! How generations change. Each change is one commit that requires the record to be what it was, so of two that end a generation
//! one does. The final state and the callback that tells it are the same commit.
//!
//! Whether an image is there is for the store to say: a generation is complete when its upload is, with the bytes of its image,
//! and whoever says otherwise is wrong. One that ends without an image gives up its upload first: what is aborted cannot be
//! completed any more. That it is about to end is in its record before that, so a gateway that is killed in between goes on.

use http::StatusCode;

use super::super::callbacks;
use super::super::error::Error;
use super::record::{Ending, Record, Status};
use super::{Generations, history::Part};
use crate::auth::Identity;
use crate::base::limits::{COMMIT_TRIES_MAX, GENERATION_ERROR_MAX_CHARACTERS, LIST_PAGE_MAX};
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::{Bucket, CompletedUpload, ETag, Expected, PartInfo, RecordChange, RecordKind};

/// A record and its revision.
pub(super) struct Kept {
    pub(super) record: Record,
    revision: u64,
}

/// What became of an upload.
pub(super) enum Upload {
    /// It takes parts; these are there.
    Open(Vec<PartInfo>),
    /// It is an object.
    Completed(CompletedUpload),
    /// It was aborted, or expired, or its bucket is gone.
    Gone,
}

/// How a generation ends.
enum End {
    Completed(ETag),
    Without(Ending),
}

impl Ending {
    /// It failed.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        let error = why.into().chars().take(GENERATION_ERROR_MAX_CHARACTERS).collect();
        Self { status: Status::Failed, error: Some(error) }
    }

    /// Somebody does not want it any more.
    pub(super) fn cancelled() -> Self {
        Self { status: Status::Cancelled, error: None }
    }
}

impl From<PartInfo> for Part {
    fn from(part: PartInfo) -> Self {
        Self { number: u64::from(part.number.get()), etag: ETag::of_body(part.md5).quoted(), bytes: part.size }
    }
}

impl Generations {
    /// The generation of this name.
    ///
    /// # Errors
    /// 404.
    pub(super) fn kept(&self, uuid: &str) -> Result<Kept, Error> {
        let record = self.config().store.record(RecordKind::Generation, uuid)?.ok_or_else(unknown)?;
        Ok(Kept { record: Record::read(&record.bytes)?, revision: record.revision })
    }

    /// Changes a generation that is not over, and commits what else `make` says with it. Says whether it did.
    async fn change(
        &self,
        uuid: &str,
        mut make: impl FnMut(&mut Record) -> Result<Vec<RecordChange>, Error>,
    ) -> Result<(Record, bool), Error> {
        for _ in 0..COMMIT_TRIES_MAX {
            let Kept { mut record, revision } = self.kept(uuid)?;
            if record.status.is_over() {
                return Ok((record, false));
            }
            let mut changes = make(&mut record)?;
            changes.push(RecordChange {
                kind: RecordKind::Generation,
                name: uuid.to_owned(),
                bytes: Some(record.bytes()?),
                expires: None,
                expected: Expected::Revision(revision),
            });
            match self.config().store.change_records(&changes).await {
                Ok(_) => return Ok((record, true)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// A generator has taken it, by the order of this attempt.
    pub(super) async fn started(&self, uuid: &str, attempt: u64) -> Result<(), Error> {
        let now = self.config().clock.now();
        let start = |record: &mut Record| {
            record.status = Status::Running;
            record.attempt = record.attempt.max(attempt);
            record.started_ms = record.started_ms.or(Some(now.0));
            Ok(Vec::new())
        };
        let (record, _) = self.change(uuid, start).await?;
        self.history().changed(&record);
        Ok(())
    }

    /// What became of its upload.
    pub(super) fn upload_of(&self, record: &Record) -> Result<Upload, Error> {
        let store = &self.config().store;
        let place = record.place()?;
        let Some(bucket) = self.bucket_of(record)? else { return Ok(Upload::Gone) };
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            match store.list_parts(&bucket, &place.key, place.upload, after, LIST_PAGE_MAX) {
                Ok(page) => {
                    parts.extend(page.parts);
                    after = page.next;
                    if after.is_none() {
                        return Ok(Upload::Open(parts));
                    }
                }
                Err(StoreError::NotFound(_)) => break,
                Err(error) => return Err(error.into()),
            }
        }
        match store.completed_upload(&bucket, &place.key, place.upload) {
            Ok(completed) => Ok(Upload::Completed(completed)),
            Err(StoreError::NotFound(_)) => Ok(Upload::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// The bucket of a generation; none where it is gone.
    pub(super) fn bucket_of(&self, record: &Record) -> Result<Option<Bucket>, Error> {
        match self.config().store.bucket(&record.place()?.bucket) {
            Ok(bucket) => Ok(Some(bucket)),
            Err(StoreError::NotFound(Missing::Bucket)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a generation as its upload says, and where that is still open as `wish` says. Without a wish its generator believes
    /// that it is complete.
    pub(super) async fn settle(&self, uuid: &str, wish: Option<Ending>) -> Result<Record, Error> {
        let record = self.kept(uuid)?.record;
        if record.status.is_over() {
            return Ok(record);
        }
        if matches!(self.upload_of(&record)?, Upload::Open(_)) {
            let early = || Ending::failed("the generator reported success, and its upload is not complete");
            return self.give_up(record, wish.unwrap_or_else(early)).await;
        }
        self.close(record, wish).await
    }

    /// Ends a generation whose upload is still open.
    async fn give_up(&self, record: Record, wish: Ending) -> Result<Record, Error> {
        let place = record.place()?;
        let decide = |record: &mut Record| {
            record.ending.get_or_insert_with(|| wish.clone());
            Ok(Vec::new())
        };
        let (record, _) = self.change(&record.uuid, decide).await?;
        if record.status.is_over() {
            return Ok(record);
        }
        if let Some(bucket) = self.bucket_of(&record)? {
            match self.config().store.abort_upload(&bucket, &place.key, place.upload).await {
                // Somebody completed or aborted it meanwhile; which of the two shows below.
                Ok(()) | Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.close(record, None).await
    }

    /// Ends a generation whose upload is not open any more.
    async fn close(&self, record: Record, wish: Option<Ending>) -> Result<Record, Error> {
        let end = match self.upload_of(&record)? {
            Upload::Completed(done) if done.size == record.volume_bytes => End::Completed(done.etag),
            Upload::Completed(done) => End::Without(Ending::failed(format!(
                "its upload was completed with {} bytes instead of {}",
                done.size, record.volume_bytes
            ))),
            Upload::Gone | Upload::Open(_) => {
                let gone = || Ending::failed("its upload was aborted or has expired");
                End::Without(record.ending.clone().or(wish).unwrap_or_else(gone))
            }
        };
        self.finish(&record.uuid, end).await
    }

    async fn finish(&self, uuid: &str, end: End) -> Result<Record, Error> {
        let now = self.config().clock.now();
        let live = self.history().live(uuid);
        let (parts, bytes) = live.as_ref().map(|live| live.done()).unwrap_or_default();
        let backend = live.and_then(|live| live.course().backend.clone());
        let finish = |record: &mut Record| {
            record.finished_ms = Some(now.0);
            record.ending = None;
            record.backend = backend.clone().or(record.backend.take());
            match &end {
                End::Completed(etag) => {
                    record.status = Status::Completed;
                    record.etag = Some(etag.quoted());
                    (record.parts_done, record.bytes_done) = (record.part_count(), record.volume_bytes);
                }
                End::Without(ending) => {
                    record.status = ending.status;
                    record.error.clone_from(&ending.error);
                    (record.parts_done, record.bytes_done) = (parts, bytes);
                }
            }
            Ok(callbacks::of_generation(self.config(), record)?.into_iter().collect())
        };
        let (record, finished) = self.change(uuid, finish).await?;
        self.history().changed(&record);
        if finished {
            tracing::info!(
                uuid,
                status = record.status.name(),
                error = record.error.as_deref(),
                "a generation is over"
            );
            if record.callback.is_some() {
                self.callbacks().take_up(&record);
            }
        }
        Ok(record)
    }

    /// On whose behalf a generation runs; none where that key is gone.
    pub(super) fn owner(&self, record: &Record) -> Option<Identity> {
        let config = self.config();
        match &record.owner {
            None => Some(Identity::Anonymous),
            Some(owner) => owner.identity(config.authenticator.keyring(), config.clock.now()),
        }
    }
}

/// 404: also for one that the caller may not know of.
pub(super) fn unknown() -> Error {
    Error::new(StatusCode::NOT_FOUND, "NoSuchGeneration", "the generation does not exist")
}
