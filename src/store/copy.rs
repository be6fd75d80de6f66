//! Copying an object: one more reference to its bytes, in one commit. No byte of a blob moves, whatever the size.
//!
//! An inline body is copied, for it costs no more than a reference. What is in a manifest is shared: the catalog counts the
//! objects that name it. A blob of its own is first **promoted**: in the batch of its first copy the source's record is put
//! anew, with a manifest of one extent in place of the blob; nothing a client can see of it changes.
//!
//! What may happen at the same moment:
//! - **The source is overwritten or deleted, or another copy promotes it.** The batch requires the revision of the source's
//!   record, is refused, and the copy looks again. So a blob is promoted once.
//! - **Many copies of one object.** They add to a counter, which commutes: none is refused, and no count is lost.
//! - **The source is deleted right after.** The burial moves whatever record stands, so the grave's row names the manifest, and
//!   gc gives back a reference in place of freeing a blob.
//! - **gc frees the manifest's last reference.** The last one is in the grave, so no object that stands names the manifest,
//!   and no copy of one can be committed.
//! - **Somebody has read the source since before it was promoted.** They have pinned the blob under its own name, which gc
//!   asks for too before it frees the extent.
//! - **The upload that made the source was completed a moment ago, and gc has not looked at its parts yet.** The completed
//!   upload names the blob, or the manifest, that it became; gc keeps both.
//! - **That complete is repeated, with a condition.** Its record names the blob; [`is_promoted`] finds it in the manifest.
//! - **The sweep.** It asks for the blob's own row, which a promotion leaves alone.
//!
//! An object that is copied onto itself keeps its bytes where they are: only its record is put anew, and nothing is buried.

use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumHasher, ChecksumType};
use crate::store::Store;
use crate::store::error::{Error, Missing};
use crate::store::manifest;
use crate::store::meta::schema::{self, BlobRecord, ChecksumRecord, Content, ExtentRecord};
use crate::store::meta::{Batch, Require, Snapshot, Space, Write};
use crate::store::object::{judge, object_record, read_object};
use crate::store::read::OpenObject;
use crate::store::types::{CopyRequest, CopyTerms, ObjectInfo};
use crate::store::usage;

/// A source as a snapshot shows it.
struct Found {
    snapshot: Box<dyn Snapshot>,
    row: Vec<u8>,
    info: ObjectInfo,
    content: Content,
}

impl Store {
    /// Makes the target an object with the source's bytes; what stood there is replaced. The source's record is shown to
    /// `terms`, which refuse it or say what the copy has of its own: what they see is what is copied.
    ///
    /// # Errors
    /// `NotFound` of the source, of the target's bucket, or (with a condition) of what should stand at the target;
    /// `Precondition`; `QuotaExceeded`; `Conflict` when source or target change all the time; and what `terms` answer.
    pub async fn copy_object<E: From<Error>>(
        &self,
        request: &CopyRequest<'_>,
        terms: impl Fn(&ObjectInfo) -> Result<CopyTerms, E> + Send,
    ) -> Result<ObjectInfo, E> {
        self.room.check(0)?;
        self.commit_seen(1, |snapshot| {
            let source = find_source(snapshot, request)?;
            let terms = terms(&source.info)?;
            Ok(self.plan_copy(request, source, terms)?)
        })
        .await
    }

    /// The checksum of all bytes of an object, which are read for it.
    pub async fn compute_checksum(&self, object: OpenObject, algorithm: ChecksumAlgorithm) -> Result<Checksum, Error> {
        let mut reader = object.read(0..u64::MAX);
        let mut hasher = ChecksumHasher::new(algorithm);
        while let Some(piece) = reader.next().await {
            let piece = piece?;
            let hashed = self.offload.run(move || {
                hasher.update(&piece);
                hasher
            });
            hasher = hashed.await?;
        }
        Ok(hasher.finish())
    }

    /// The copy and the batch that makes it. Its first requirement is the target's bucket.
    fn plan_copy(
        &self,
        request: &CopyRequest<'_>,
        source: Found,
        terms: CopyTerms,
    ) -> Result<(ObjectInfo, Batch), Error> {
        let (bucket, key) = request.target;
        let copy = ObjectInfo {
            key: key.clone(),
            revision: self.numbers.next(),
            modified: self.now(),
            attributes: terms.attributes,
            checksum: terms.checksum.unwrap_or_else(|| source.info.checksum.clone()),
            ..source.info.clone()
        };
        let row = schema::object_key(bucket.number, key.as_str());
        let mut batch = Batch::default().require(Self::require_bucket(bucket)).require(Require::Revision(
            Space::Current,
            source.row.clone(),
            source.info.revision,
        ));
        if let Some(condition) = &request.condition {
            batch.requires.push(judge(source.snapshot.as_ref(), &row, condition)?);
        }
        let content = if row == source.row {
            source.content
        } else {
            batch.requires.extend(self.judge_quota(source.snapshot.as_ref(), bucket, &row, copy.size)?);
            let content = self.share(source, &mut batch)?;
            batch.writes.push(usage::burial(bucket, row.clone(), self.numbers.next()));
            batch.writes.extend(usage::additions(bucket, copy.size));
            content
        };
        let record = schema::encode(copy.revision, &object_record(&copy, content));
        Ok((copy, batch.write(Write::Put(Space::Current, row, record))))
    }

    /// What a second object names to have the source's bytes, and in `batch` the writes for it.
    fn share(&self, source: Found, batch: &mut Batch) -> Result<Content, Error> {
        match source.content {
            Content::Empty => Ok(Content::Empty),
            Content::Inline(number) => {
                let row = source.snapshot.get(Space::Inline, &schema::number_key(number))?;
                let row = row.ok_or_else(|| Error::Corrupt(format!("inline body {number} is missing")))?;
                let body = schema::decode_inline(row)?;
                let number = self.numbers.next();
                let key = schema::number_key(number);
                batch.writes.push(Write::Put(Space::Inline, key, schema::encode_inline(&body)));
                Ok(Content::Inline(number))
            }
            Content::Blob(_) => self.promote(source, batch),
            Content::Manifest(number) => {
                batch.writes.push(Write::Add(schema::references_counter(number), 1));
                Ok(Content::Manifest(number))
            }
        }
    }

    /// Puts a manifest of two references in the place of the source's own blob.
    fn promote(&self, source: Found, batch: &mut Batch) -> Result<Content, Error> {
        let Found { snapshot, row, info, content } = source;
        let checksum = match info.checksum.kind {
            ChecksumType::FullObject => ChecksumRecord::from(&info.checksum.value),
            // A composite is no checksum of bytes; the blob has one of its own.
            ChecksumType::Composite => blob_checksum(snapshot.as_ref(), &content)?,
        };
        let number = self.numbers.next();
        let extent = ExtentRecord { content, offset: 0, len: info.size, part: 1, checksum };
        batch.writes.extend(manifest::writes(number, vec![extent]));
        batch.writes.push(Write::Add(schema::references_counter(number), 1));
        let promoted = object_record(&info, Content::Manifest(number));
        // A new revision: who looked before must look again, or the blob would be promoted twice.
        let record = schema::encode(self.numbers.next(), &promoted);
        batch.writes.push(Write::Put(Space::Current, row, record));
        Ok(Content::Manifest(number))
    }
}

fn find_source(snapshot: Box<dyn Snapshot>, request: &CopyRequest<'_>) -> Result<Found, Error> {
    let (bucket, key) = request.source;
    let row = schema::object_key(bucket.number, key.as_str());
    let record = snapshot.get(Space::Current, &row)?.ok_or(Error::NotFound(Missing::Source))?;
    let (info, content) = read_object(key.clone(), &record)?;
    Ok(Found { snapshot, row, info, content })
}

/// Whether `content` is the manifest that the first copy made of the blob `before`.
pub(super) fn is_promoted(snapshot: &dyn Snapshot, content: &Content, before: &Content) -> Result<bool, Error> {
    let (Content::Manifest(number), Content::Blob(_)) = (content, before) else { return Ok(false) };
    let extents = manifest::extents(snapshot, *number, 0)?.unwrap_or_default();
    Ok(matches!(extents.as_slice(), [extent] if extent.content == *before))
}

fn blob_checksum(snapshot: &dyn Snapshot, content: &Content) -> Result<ChecksumRecord, Error> {
    let id = content.blob_id().ok_or_else(|| Error::Corrupt("an extent names no blob".to_owned()))?;
    let record = snapshot.get(Space::Blobs, &id.to_bytes())?;
    let record = record.ok_or_else(|| Error::Corrupt(format!("blob {id} has no record")))?;
    Ok(schema::decode::<BlobRecord>(&record)?.1.crc64nvme)
}
