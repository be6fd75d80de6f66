//! Objects: put, look up, delete.

use crate::base::clock::Timestamp;
use crate::base::digest::{Checksum, ChecksumType};
use crate::base::limits::COMMIT_TRIES_MAX;
use crate::store::Store;
use crate::store::error::{Error, Missing};
use crate::store::meta::schema::{
    self, AttributesRecord, BadRecord, ChecksumRecord, Content, ObjectChecksumRecord, ObjectRecord,
};
use crate::store::meta::{Batch, CommitError, Require, Snapshot, Space, Write};
use crate::store::types::{Attributes, Bucket, Condition, ETag, ObjectChecksum, ObjectInfo, ObjectKey, StagedBody};
use crate::store::usage;

impl Store {
    /// Names a received body: it replaces whatever stands at the key.
    pub async fn put_object(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        body: StagedBody,
        attributes: Attributes,
        condition: Option<Condition>,
    ) -> Result<ObjectInfo, Error> {
        let checksum = body.digests.checksum.clone().unwrap_or_else(|| body.crc64nvme.clone());
        let (size, etag, modified) = (body.size, ETag::of_body(body.digests.md5), self.now());
        let (named, content, guard) = self.place(body);
        let info = ObjectInfo {
            key: key.clone(),
            revision: self.numbers.next(),
            size,
            etag,
            modified,
            attributes,
            checksum: ObjectChecksum { value: checksum, kind: ChecksumType::FullObject, parts: None },
            parts: None,
        };
        let batch = Batch { requires: vec![Self::require_bucket(bucket)], writes: named };
        self.replace(bucket, &info, content, batch, condition.as_ref()).await?;
        if let Some(guard) = guard {
            guard.named();
        }
        Ok(info)
    }

    /// What is known of the object.
    pub fn object(&self, bucket: &Bucket, key: &ObjectKey) -> Result<ObjectInfo, Error> {
        let record = self.snapshot()?.get(Space::Current, &schema::object_key(bucket.number, key.as_str()))?;
        Ok(read_object(key.clone(), &record.ok_or(Error::NotFound(Missing::Object))?)?.0)
    }

    /// Removes the object. One that is not there is fine, unless the condition asks for it.
    pub async fn delete_object(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        condition: Option<&Condition>,
    ) -> Result<(), Error> {
        let row = schema::object_key(bucket.number, key.as_str());
        let burial = usage::burial(bucket, row.clone(), self.numbers.next());
        let batch = Batch::default().require(Self::require_bucket(bucket)).write(burial);
        self.commit_if(batch, &row, condition, None).await
    }

    /// Commits `batch` with the object's record added: what stood at the key is buried, `condition` and quota hold. The first
    /// requirement of `batch` is the bucket; refusals of its others come back as `Conflict`.
    pub(super) async fn replace(
        &self,
        bucket: &Bucket,
        info: &ObjectInfo,
        content: Content,
        batch: Batch,
        condition: Option<&Condition>,
    ) -> Result<(), Error> {
        let row = schema::object_key(bucket.number, info.key.as_str());
        let record = schema::encode(info.revision, &object_record(info, content));
        let mut batch = batch.write(usage::burial(bucket, row.clone(), self.numbers.next())).write(Write::Put(
            Space::Current,
            row.clone(),
            record,
        ));
        batch.writes.extend(usage::additions(bucket, info.size));
        self.commit_if(batch, &row, condition, Some((bucket, info.size))).await
    }

    /// Commits `batch` if `condition` holds for `row` at that moment, and the bucket's quota with so many bytes there. The first
    /// requirement of `batch` is the bucket; refusals of its others come back as `Conflict`.
    async fn commit_if(
        &self,
        batch: Batch,
        row: &[u8],
        condition: Option<&Condition>,
        bytes: Option<(&Bucket, u64)>,
    ) -> Result<(), Error> {
        let given = batch.requires.len();
        self.commit_seen(given, |snapshot| {
            let mut batch = batch.clone();
            if let Some(condition) = condition {
                batch.requires.push(judge(snapshot.as_ref(), row, condition)?);
            }
            if let Some((bucket, size)) = bytes {
                batch.requires.extend(self.judge_quota(snapshot.as_ref(), bucket, row, size)?);
            }
            Ok(((), batch))
        })
        .await
    }

    /// Commits the batch that `make` makes of a snapshot, and answers what came with it. The first requirement of every batch is
    /// the bucket; those from index `seen` on say that something is as the snapshot shows it. When one of these is refused,
    /// somebody else has changed it, and a new batch is made of a new snapshot: a refused commit changed nothing, so no try
    /// meets what one before it did. Refusals of the others come back as `Conflict`, as does losing every try.
    pub(super) async fn commit_seen<T, E: From<Error>>(
        &self,
        seen: usize,
        make: impl Fn(Box<dyn Snapshot>) -> Result<(T, Batch), E>,
    ) -> Result<T, E> {
        for _ in 0..COMMIT_TRIES_MAX {
            let (made, batch) = make(self.snapshot()?)?;
            match self.meta.commit(batch).await {
                Ok(()) => return Ok(made),
                Err(CommitError::Refused(0)) => return Err(Error::NotFound(Missing::Bucket).into()),
                Err(CommitError::Refused(index)) if index >= seen => {}
                Err(error) => return Err(Error::from(error).into()),
            }
        }
        Err(Error::Conflict.into())
    }
}

/// The requirement that makes `condition` hold at the commit, or the error when it does not hold in the snapshot.
pub(super) fn judge(snapshot: &dyn Snapshot, row: &[u8], condition: &Condition) -> Result<Require, Error> {
    let Some(standing) = snapshot.get(Space::Current, row)? else {
        return match condition {
            Condition::Absent => Ok(Require::Absent(Space::Current, row.to_vec())),
            _ => Err(Error::NotFound(Missing::Object)),
        };
    };
    let (revision, record) = schema::decode::<ObjectRecord>(&standing)?;
    match condition {
        Condition::Present => Ok(Require::Present(Space::Current, row.to_vec())),
        Condition::Matches(etag) if etag_of(&record) == *etag => {
            Ok(Require::Revision(Space::Current, row.to_vec(), revision))
        }
        Condition::Absent | Condition::Matches(_) | Condition::MatchesNone => Err(Error::Precondition),
    }
}

/// The record of an object.
pub(super) fn object_record(info: &ObjectInfo, content: Content) -> ObjectRecord {
    ObjectRecord {
        size: info.size,
        md5: info.etag.md5.into(),
        parts: info.parts,
        modified: info.modified.0,
        content,
        attributes: attributes_record(&info.attributes),
        checksum: object_checksum_record(&info.checksum),
    }
}

/// The object in a row of `Current`, and where its bytes are.
pub(super) fn read_object(key: ObjectKey, record: &[u8]) -> Result<(ObjectInfo, Content), BadRecord> {
    let (revision, record) = schema::decode::<ObjectRecord>(record)?;
    let etag = etag_of(&record);
    let info = ObjectInfo {
        key,
        revision,
        size: record.size,
        etag,
        modified: Timestamp(record.modified),
        attributes: read_attributes(record.attributes),
        checksum: read_object_checksum(&record.checksum)?,
        parts: record.parts,
    };
    Ok((info, record.content))
}

fn etag_of(record: &ObjectRecord) -> ETag {
    ETag { md5: *record.md5, parts: record.parts }
}

pub(super) fn attributes_record(attributes: &Attributes) -> AttributesRecord {
    AttributesRecord {
        headers: attributes.headers.clone(),
        user_metadata: attributes.user_metadata.clone(),
        tags: Some(attributes.tags.clone()).filter(|tags| !tags.is_empty()),
        owner: attributes.owner.clone(),
        acl: attributes.acl,
    }
}

pub(super) fn read_attributes(record: AttributesRecord) -> Attributes {
    Attributes {
        headers: record.headers,
        user_metadata: record.user_metadata,
        tags: record.tags.unwrap_or_default(),
        owner: record.owner,
        acl: record.acl,
    }
}

pub(super) fn object_checksum_record(checksum: &ObjectChecksum) -> ObjectChecksumRecord {
    ObjectChecksumRecord {
        checksum: ChecksumRecord::from(&checksum.value),
        kind: schema::type_number(checksum.kind),
        parts: checksum.parts,
    }
}

pub(super) fn read_object_checksum(record: &ObjectChecksumRecord) -> Result<ObjectChecksum, BadRecord> {
    Ok(ObjectChecksum {
        value: Checksum::try_from(&record.checksum)?,
        kind: schema::type_from_number(record.kind)
            .ok_or_else(|| BadRecord(format!("checksum type {}", record.kind)))?,
        parts: record.parts,
    })
}
