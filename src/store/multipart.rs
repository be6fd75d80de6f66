//! Multipart uploads up to their completion: create, stage parts, list, abort. [`super::assemble`] completes them.

use std::ops::ControlFlow;

use crate::base::clock::Timestamp;
use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::store::Store;
use crate::store::error::{Error, Invalid, Missing};
use crate::store::meta::schema::{self, BadRecord, ChecksumRecord, PartRecord, UploadRecord};
use crate::store::meta::{Batch, CommitError, Require, Snapshot, Space, Visit, Write, prefix_end};
use crate::store::object::{attributes_record, read_attributes};
use crate::store::types::{
    Bucket, NewUpload, ObjectKey, PartInfo, PartNumber, PartsPage, StagedBody, UploadId, UploadInfo,
};

impl Store {
    /// Creates an upload.
    pub async fn create_upload(&self, bucket: &Bucket, key: &ObjectKey, new: NewUpload) -> Result<UploadId, Error> {
        self.room.check(0)?;
        let id = UploadId { number: self.numbers.next(), secret: self.rng.next_u64() };
        let record = UploadRecord {
            number: id.number,
            secret: id.secret,
            initiated: self.now().0,
            attributes: attributes_record(&new.attributes),
            algorithm: new.checksum.map(|(algorithm, _)| schema::algorithm_number(algorithm)),
            kind: new.checksum.map(|(_, kind)| schema::type_number(kind)),
            session: None,
        };
        let row = schema::upload_key(bucket.number, key.as_str(), id.number);
        let batch = Batch::default()
            .require(Self::require_bucket(bucket))
            .write(Write::Put(Space::Uploads, row, schema::encode(id.number, &record)))
            .write(Write::Add(schema::UPLOADS_COUNTER.to_vec(), 1));
        match self.meta.commit(batch).await {
            Err(CommitError::Refused(_)) => Err(Error::NotFound(Missing::Bucket)),
            answer => Ok(answer.map(|()| id)?),
        }
    }

    /// The open upload of this id and key.
    pub fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<UploadInfo, Error> {
        find_upload(self.snapshot()?.as_ref(), bucket, key, id)?.ok_or(Error::NotFound(Missing::Upload))
    }

    /// Names a received body as a part. A number that was staged before gets a further row; complete picks by number and
    /// ETag.
    pub async fn stage_part(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        number: PartNumber,
        body: StagedBody,
    ) -> Result<PartInfo, Error> {
        let upload = self.upload(bucket, key, id)?;
        // Parts of a session are counted, and not by this.
        if upload.session {
            return Err(Error::NotFound(Missing::Upload));
        }
        if let Some((expected, _)) = upload.checksum {
            let actual = body.digests.checksum.as_ref().map(Checksum::algorithm);
            let given = actual.or((expected == ChecksumAlgorithm::Crc64Nvme).then_some(expected));
            if given != Some(expected) {
                let actual = actual.map_or("null", ChecksumAlgorithm::name);
                return Err(Invalid::ChecksumAlgorithm { expected: expected.name(), actual }.into());
            }
        }
        let (size, md5, modified) = (body.size, body.digests.md5, self.now());
        let (crc64nvme, checksum) = (body.crc64nvme.clone(), body.digests.checksum.clone());
        let (named, content, guard) = self.place(body);
        let record = PartRecord {
            size,
            md5: md5.into(),
            content,
            crc64nvme: ChecksumRecord::from(&crc64nvme),
            checksum: checksum.as_ref().map(ChecksumRecord::from),
            modified: modified.0,
            stray: None,
        };
        let sequence = self.numbers.next();
        let row = schema::part_key(id.number, number.get(), sequence);
        let batch = Batch { requires: vec![require_upload(bucket, key, id)], writes: named }
            .write(Write::Put(Space::Parts, row, schema::encode(sequence, &record)))
            .write(Write::Add(schema::STAGED_COUNTER.to_vec(), signed(size)));
        match self.meta.commit(batch).await {
            Err(CommitError::Refused(_)) => return Err(Error::NotFound(Missing::Upload)),
            answer => answer?,
        }
        if let Some(guard) = guard {
            guard.named();
        }
        Ok(PartInfo { number, size, md5, checksum: checksum.unwrap_or(crc64nvme), modified })
    }

    /// Aborts an open upload: no further part is accepted, gc frees those that are there.
    pub async fn abort_upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<(), Error> {
        self.upload(bucket, key, id)?;
        let row = schema::upload_key(bucket.number, key.as_str(), id.number);
        let batch = bury_upload(row, id.number, self.numbers.next());
        match self.meta.commit(batch).await {
            Err(CommitError::Refused(_)) => Err(Error::NotFound(Missing::Upload)),
            answer => Ok(answer?),
        }
    }

    /// A page of an upload's parts after `after`, at most `max`.
    pub fn list_parts(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        after: Option<PartNumber>,
        max: usize,
    ) -> Result<PartsPage, Error> {
        let snapshot = self.snapshot()?;
        let upload = find_upload(snapshot.as_ref(), bucket, key, id)?.ok_or(Error::NotFound(Missing::Upload))?;
        let mut parts: Vec<PartInfo> = Vec::new();
        let mut more = false;
        visit_parts(snapshot.as_ref(), id.number, after, &mut |number, record| {
            let part = part_info(number, &record)?;
            let full = parts.len() == max;
            match parts.last_mut() {
                // Rows of one number come oldest first: the latest stays.
                Some(last) if last.number == number => *last = part,
                _ if full => {
                    more = true;
                    return Ok(ControlFlow::Break(()));
                }
                _ => parts.push(part),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let next = if more { parts.last().map(|part| part.number).or(after) } else { None };
        Ok(PartsPage { upload, parts, next })
    }
}

/// The batch that closes an open upload and leaves its parts to gc.
pub(super) fn bury_upload(row: Vec<u8>, upload: u64, grave: u64) -> Batch {
    Batch::default()
        .require(Require::Revision(Space::Uploads, row.clone(), upload))
        .write(Write::Bury(Space::Uploads, row, grave))
        .write(Write::Add(schema::UPLOADS_COUNTER.to_vec(), -1))
}

/// The upload is open.
pub(super) fn require_upload(bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Require {
    Require::Revision(Space::Uploads, schema::upload_key(bucket.number, key.as_str(), id.number), id.number)
}

pub(super) fn find_upload(
    snapshot: &dyn Snapshot,
    bucket: &Bucket,
    key: &ObjectKey,
    id: UploadId,
) -> Result<Option<UploadInfo>, Error> {
    let row = schema::upload_key(bucket.number, key.as_str(), id.number);
    match snapshot.get(Space::Uploads, &row)? {
        Some(record) => Ok(Some(read_upload(key.clone(), &record)?).filter(|upload| upload.id == id)),
        None => Ok(None),
    }
}

pub(super) fn read_upload(key: ObjectKey, record: &[u8]) -> Result<UploadInfo, BadRecord> {
    let (_, record) = schema::decode::<UploadRecord>(record)?;
    let checksum = match (record.algorithm, record.kind) {
        (Some(algorithm), Some(kind)) => Some(read_promise(algorithm, kind)?),
        _ => None,
    };
    Ok(UploadInfo {
        key,
        id: UploadId { number: record.number, secret: record.secret },
        initiated: Timestamp(record.initiated),
        checksum,
        attributes: read_attributes(record.attributes),
        session: record.session.is_some(),
    })
}

fn read_promise(algorithm: u8, kind: u8) -> Result<(ChecksumAlgorithm, ChecksumType), BadRecord> {
    schema::algorithm_from_number(algorithm)
        .zip(schema::type_from_number(kind))
        .ok_or_else(|| BadRecord(format!("checksum algorithm {algorithm} of type {kind}")))
}

/// What a part's visitor answers.
type PartVisit = Result<ControlFlow<()>, Error>;

/// Visits the part rows of an upload in order of number and staging.
pub(super) fn visit_parts(
    snapshot: &dyn Snapshot,
    upload: u64,
    after: Option<PartNumber>,
    visit: &mut dyn FnMut(PartNumber, PartRecord) -> PartVisit,
) -> Result<(), Error> {
    let end = prefix_end(&schema::number_key(upload));
    let start = match after {
        Some(after) => schema::part_key(upload, after.get().saturating_add(1), 0),
        None => schema::number_key(upload),
    };
    let mut failure = None;
    snapshot.scan(Space::Parts, &start, &end, &mut |row, record| {
        let visited = read_part(row, record).and_then(|(number, record)| visit(number, record));
        match visited {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(Visit::Next),
            Ok(ControlFlow::Break(())) => ControlFlow::Break(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failure.map_or(Ok(()), Err)
}

fn read_part(row: &[u8], record: &[u8]) -> Result<(PartNumber, PartRecord), Error> {
    let number = schema::part_number_of_row(row)
        .and_then(|number| PartNumber::in_session(u64::from(number)))
        .ok_or_else(|| Error::Corrupt("a part's number is unreadable".to_owned()))?;
    Ok((number, schema::decode::<PartRecord>(record)?.1))
}

fn part_info(number: PartNumber, record: &PartRecord) -> Result<PartInfo, Error> {
    let checksum = record.checksum.as_ref().unwrap_or(&record.crc64nvme);
    Ok(PartInfo {
        number,
        size: record.size,
        md5: *record.md5,
        checksum: Checksum::try_from(checksum)?,
        modified: Timestamp(record.modified),
    })
}

pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
