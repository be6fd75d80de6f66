//! Completing an upload: its parts become the object in one commit. No byte moves, whatever the size.
//!
//! The parts are checked on a snapshot: part rows are only ever added while the upload is open, so what was there stays there,
//! and the commit requires the upload to be open still. A part that is sent again between look and commit comes too late, as
//! one does that comes after the commit. A repeated complete finds the kept answer.

use std::ops::ControlFlow;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumHasher, ChecksumType, hex};
use crate::base::limits::{OBJECT_SIZE_MAX_BYTES, PARTS_MAX};
use crate::store::Store;
use crate::store::copy::is_promoted;
use crate::store::error::{Error, Invalid, Missing};
use crate::store::manifest;
use crate::store::meta::schema::{
    self, ChecksumRecord, CompletedRecord, Content, ExtentRecord, LastPartRecord, ObjectRecord, PartRecord,
    SessionRecord,
};
use crate::store::meta::{Batch, Snapshot, Space, Write};
use crate::store::multipart::{find_upload, require_upload, visit_parts};
use crate::store::object::{judge, object_checksum_record, read_object, read_object_checksum};
use crate::store::types::{
    Bucket, CompleteRequest, CompletedUpload, Condition, ETag, ListedPart, ObjectChecksum, ObjectInfo, ObjectKey,
    UploadId, UploadInfo,
};

/// An upload about to become an object.
pub(super) struct Assembly<'a> {
    pub(super) bucket: &'a Bucket,
    pub(super) upload: &'a UploadInfo,
    pub(super) answer: &'a CompletedUpload,
    pub(super) parts: Vec<(u32, PartRecord)>,
    pub(super) fingerprint: [u8; 32],
    pub(super) session: Option<SessionRecord>,
    pub(super) last: Option<LastPartRecord>,
}

impl Store {
    /// Turns the listed parts into the object. Repeating it gives the same answer for as long as completed uploads are kept;
    /// a condition then holds where the object is still the one that this upload made.
    pub async fn complete_upload(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        request: CompleteRequest,
    ) -> Result<CompletedUpload, Error> {
        let fingerprint = fingerprint(&request.parts);
        let (upload, parts) = {
            let snapshot = self.snapshot()?;
            let Some(upload) = find_upload(snapshot.as_ref(), bucket, key, id)? else {
                return self.completed_before(bucket, key, id, &fingerprint, &request);
            };
            // A session completes by its own rules ([`super::sessions`]).
            if upload.session {
                return Err(Error::NotFound(Missing::Upload));
            }
            let parts = pick_parts(snapshot.as_ref(), id, &request)?;
            check_not_overtaken(snapshot.as_ref(), bucket, key, &upload, request.condition.as_ref())?;
            (upload, parts)
        };
        let answer = check(&upload, &request, &parts)?;
        let assembly =
            Assembly { bucket, upload: &upload, answer: &answer, parts, fingerprint, session: None, last: None };
        let (info, content, writes) = self.assemble(assembly)?;
        let requires = vec![Self::require_bucket(bucket), require_upload(bucket, key, id)];
        let batch = Batch { requires, writes };
        match self.replace(bucket, &info, content, batch, request.condition.as_ref()).await {
            Ok(()) => Ok(answer),
            // Somebody else completed or aborted it between the look and the commit.
            Err(Error::Conflict | Error::Precondition | Error::QuotaExceeded)
                if self.upload(bucket, key, id).is_err() =>
            {
                self.completed_before(bucket, key, id, &fingerprint, &request)
            }
            Err(error) => Err(error),
        }
    }

    /// What makes the parts of an upload the object: its record, where its bytes are, and the writes beside the object's own.
    pub(super) fn assemble(&self, assembly: Assembly<'_>) -> Result<(ObjectInfo, Content, Vec<Write>), Error> {
        let Assembly { bucket, upload, answer, parts, fingerprint, session, last } = assembly;
        let (id, key) = (upload.id, &upload.key);
        let info = ObjectInfo {
            key: key.clone(),
            revision: self.numbers.next(),
            size: answer.size,
            etag: answer.etag,
            modified: self.now(),
            attributes: upload.attributes.clone(),
            checksum: answer.checksum.clone(),
            parts: answer.etag.parts,
        };
        let (mut writes, content) = self.body_of(parts, &answer.checksum.value)?;
        let completed = CompletedRecord {
            number: id.number,
            secret: id.secret,
            bucket: bucket.number,
            key: key.as_str().to_owned(),
            size: answer.size,
            md5: answer.etag.md5.into(),
            parts: answer.etag.parts.unwrap_or_default(),
            checksum: object_checksum_record(&answer.checksum),
            fingerprint: fingerprint.into(),
            content: content.clone(),
            completed: info.modified.0,
            session,
            last,
        };
        let completed = schema::encode(id.number, &completed);
        let mut buried = vec![Space::Completed as u8];
        buried.extend_from_slice(&completed);
        writes.extend([
            Write::Delete(Space::Uploads, schema::upload_key(bucket.number, key.as_str(), id.number)),
            Write::Put(Space::Completed, schema::number_key(id.number), completed),
            Write::Put(Space::Grave, schema::number_key(self.numbers.next()), buried),
            Write::Add(schema::UPLOADS_COUNTER.to_vec(), -1),
        ]);
        Ok((info, content, writes))
    }

    /// Where the object's bytes are. A first part alone needs no manifest, where the object's checksum is the part's: then
    /// nothing of it is lost.
    fn body_of(&self, parts: Vec<(u32, PartRecord)>, whole: &Checksum) -> Result<(Vec<Write>, Content), Error> {
        let algorithm = whole.algorithm();
        if let [(1, part)] = parts.as_slice()
            && part_checksum(part, algorithm)? == *whole
        {
            return Ok((Vec::new(), part.content.clone()));
        }
        let number = self.numbers.next();
        let extent = |(number, part): (u32, PartRecord)| {
            let checksum = ChecksumRecord::from(&part_checksum(&part, algorithm)?);
            Ok(ExtentRecord { content: part.content, offset: 0, len: part.size, part: number, checksum })
        };
        let extents = parts.into_iter().map(extent).collect::<Result<_, Error>>()?;
        Ok((manifest::writes(number, extents), Content::Manifest(number)))
    }

    /// What an upload became that was completed, for as long as completed uploads are kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is open, was aborted or is unknown.
    pub fn completed_upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<CompletedUpload, Error> {
        completed_answer(&completed_record(self.snapshot()?.as_ref(), bucket, key, id)?)
    }

    /// The kept answer of an upload that is no longer open.
    fn completed_before(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        fingerprint: &[u8; 32],
        request: &CompleteRequest,
    ) -> Result<CompletedUpload, Error> {
        let snapshot = self.snapshot()?;
        let record = completed_record(snapshot.as_ref(), bucket, key, id)?;
        if *record.fingerprint != *fingerprint {
            return Err(Invalid::CompletedDifferently.into());
        }
        let answer = completed_answer(&record)?;
        check_object_size(request, answer.size)?;
        check_checksum_type(request, Some(answer.checksum.kind))?;
        check_object_checksum(request, &answer.checksum)?;
        if let Some(condition) = &request.condition {
            let row = schema::object_key(bucket.number, key.as_str());
            let standing = snapshot.get(Space::Current, &row)?;
            if !made_by(snapshot.as_ref(), standing.as_deref(), &record)? {
                judge(self.snapshot()?.as_ref(), &row, condition)?;
            }
        }
        Ok(answer)
    }
}

/// The record of an upload that was completed.
fn completed_record(
    snapshot: &dyn Snapshot,
    bucket: &Bucket,
    key: &ObjectKey,
    id: UploadId,
) -> Result<CompletedRecord, Error> {
    let unknown = Error::NotFound(Missing::Upload);
    let Some(record) = snapshot.get(Space::Completed, &schema::number_key(id.number))? else { return Err(unknown) };
    let (_, record) = schema::decode::<CompletedRecord>(&record)?;
    let same = record.secret == id.secret && record.bucket == bucket.number && record.key == key.as_str();
    if same { Ok(record) } else { Err(unknown) }
}

fn completed_answer(record: &CompletedRecord) -> Result<CompletedUpload, Error> {
    let checksum = read_object_checksum(&record.checksum)?;
    Ok(CompletedUpload { etag: ETag { md5: *record.md5, parts: Some(record.parts) }, size: record.size, checksum })
}

/// Whether what stands at the key is the object that this upload made.
fn made_by(snapshot: &dyn Snapshot, standing: Option<&[u8]>, completed: &CompletedRecord) -> Result<bool, Error> {
    let Some(standing) = standing else { return Ok(false) };
    let (_, object) = schema::decode::<ObjectRecord>(standing)?;
    let same_body = object.content == completed.content || is_promoted(snapshot, &object.content, &completed.content)?;
    Ok(same_body
        && object.modified == completed.completed
        && object.md5 == completed.md5
        && object.parts == Some(completed.parts))
}

/// [`Error::Conflict`] where the condition names the object that stands there, but that was written while the upload was open:
/// as at AWS, whoever would replace it has to begin the upload after it. (Whether the condition holds is the commit's to say.)
fn check_not_overtaken(
    snapshot: &dyn Snapshot,
    bucket: &Bucket,
    key: &ObjectKey,
    upload: &UploadInfo,
    condition: Option<&Condition>,
) -> Result<(), Error> {
    let Some(Condition::Matches(etag)) = condition else { return Ok(()) };
    let standing = snapshot.get(Space::Current, &schema::object_key(bucket.number, key.as_str()))?;
    let Some(standing) = standing else { return Ok(()) };
    let (object, _) = read_object(key.clone(), &standing)?;
    // Other tags give an older object a newer revision; the clock alone cannot tell what happened within a millisecond.
    let later = object.revision > upload.id.number && object.modified >= upload.initiated;
    if later && object.etag == *etag { Err(Error::Conflict) } else { Ok(()) }
}

/// For each listed part the latest row of its number, which must have its ETag.
fn pick_parts(
    snapshot: &dyn Snapshot,
    id: UploadId,
    request: &CompleteRequest,
) -> Result<Vec<(u32, PartRecord)>, Error> {
    let listed = &request.parts;
    if listed.is_empty() || listed.len() > usize::from(PARTS_MAX) {
        return Err(Invalid::PartCount.into());
    }
    if !listed.is_sorted_by(|a, b| a.number < b.number) {
        return Err(Invalid::PartOrder.into());
    }
    let mut picked: Vec<Option<PartRecord>> = vec![None; listed.len()];
    let mut at = 0;
    visit_parts(snapshot, id.number, None, &mut |number, record| {
        while listed.get(at).is_some_and(|part| part.number < number) {
            at += 1;
        }
        match (listed.get(at), picked.get_mut(at)) {
            (Some(part), Some(place)) if part.number == number => {
                // A part that was sent again replaces the earlier one: naming the earlier ETag is an error, as on AWS.
                *place = (part.etag == ETag::of_body(*record.md5)).then_some(record);
                Ok(ControlFlow::Continue(()))
            }
            (None, _) => Ok(ControlFlow::Break(())),
            _ => Ok(ControlFlow::Continue(())),
        }
    })?;
    let missing = |part: &ListedPart| Invalid::Part { number: part.number.get(), etag: part.etag.to_string() };
    listed
        .iter()
        .zip(picked)
        .map(|(part, record)| Ok((part.number.get(), record.ok_or_else(|| missing(part))?)))
        .collect()
}

/// The object these parts make, if they are what the client says.
fn check(
    upload: &UploadInfo,
    request: &CompleteRequest,
    parts: &[(u32, PartRecord)],
) -> Result<CompletedUpload, Error> {
    check_checksum_type(request, upload.checksum.map(|(_, kind)| kind))?;
    check_sizes(request, parts)?;
    check_part_checksums(upload, request, parts)?;
    let size = parts.iter().map(|(_, part)| part.size).sum::<u64>();
    if size > OBJECT_SIZE_MAX_BYTES {
        return Err(Invalid::ObjectTooLarge(size).into());
    }
    check_object_size(request, size)?;
    let answer = answer(upload, parts, size)?;
    check_object_checksum(request, &answer.checksum)?;
    Ok(answer)
}

/// The object these parts make: its tag, its size, its checksum.
pub(super) fn answer(upload: &UploadInfo, parts: &[(u32, PartRecord)], size: u64) -> Result<CompletedUpload, Error> {
    let mut md5 = Md5::new();
    for (_, part) in parts {
        md5.update(*part.md5);
    }
    let count = u32::try_from(parts.len()).map_err(|_| Invalid::PartCount)?;
    let checksum = object_checksum(upload, parts)?;
    Ok(CompletedUpload { etag: ETag { md5: md5.finalize().into(), parts: Some(count) }, size, checksum })
}

fn check_sizes(request: &CompleteRequest, parts: &[(u32, PartRecord)]) -> Result<(), Invalid> {
    let (_, all_but_last) = parts.split_last().ok_or(Invalid::PartCount)?;
    match all_but_last.iter().find(|(_, part)| part.size < request.part_size_min_bytes) {
        Some((number, part)) => Err(Invalid::PartTooSmall {
            number: *number,
            size: part.size,
            min: request.part_size_min_bytes,
            etag: hex(&*part.md5),
        }),
        None => Ok(()),
    }
}

/// Each checksum the client repeats is the part's; composites need one for every part.
fn check_part_checksums(
    upload: &UploadInfo,
    request: &CompleteRequest,
    parts: &[(u32, PartRecord)],
) -> Result<(), Error> {
    for (listed, (number, part)) in request.parts.iter().zip(parts) {
        let number = *number;
        if let Some((algorithm, ChecksumType::Composite)) = upload.checksum
            && !listed.checksums.iter().any(|given| given.algorithm() == algorithm)
        {
            return Err(match listed.checksums.first() {
                None => Invalid::PartChecksumMissing { number, algorithm: algorithm.name() },
                Some(other) => Invalid::PartChecksum { number, algorithm: other.algorithm().name() },
            }
            .into());
        }
        let own = Checksum::try_from(part.checksum.as_ref().unwrap_or(&part.crc64nvme))?;
        let crc64nvme = Checksum::try_from(&part.crc64nvme)?;
        if listed.checksums.iter().any(|given| *given != own && *given != crc64nvme) {
            return Err(Invalid::Part { number, etag: listed.etag.to_string() }.into());
        }
    }
    Ok(())
}

/// The object's checksum out of its parts', by the promise of the upload; CRC64NVME of the whole without one.
fn object_checksum(upload: &UploadInfo, parts: &[(u32, PartRecord)]) -> Result<ObjectChecksum, Error> {
    match upload.checksum {
        Some((algorithm, ChecksumType::Composite)) => {
            let mut hasher = ChecksumHasher::new(algorithm);
            for (_, part) in parts {
                hasher.update(part_checksum(part, algorithm)?.bytes());
            }
            let count = u16::try_from(parts.len()).map_err(|_| Invalid::PartCount)?;
            Ok(ObjectChecksum { value: hasher.finish(), kind: ChecksumType::Composite, parts: Some(count) })
        }
        promised => {
            let algorithm = promised.map_or(ChecksumAlgorithm::Crc64Nvme, |(algorithm, _)| algorithm);
            let mut whole = Checksum::of(algorithm, b"");
            for (_, part) in parts {
                whole = whole
                    .combine(&part_checksum(part, algorithm)?, part.size)
                    .ok_or_else(|| Error::Corrupt(format!("{} does not combine", algorithm.name())))?;
            }
            Ok(ObjectChecksum { value: whole, kind: ChecksumType::FullObject, parts: None })
        }
    }
}

fn part_checksum(part: &PartRecord, algorithm: ChecksumAlgorithm) -> Result<Checksum, Error> {
    let record = match (&part.checksum, algorithm) {
        (_, ChecksumAlgorithm::Crc64Nvme) => Some(&part.crc64nvme),
        (checksum, _) => checksum.as_ref(),
    };
    record
        .map(Checksum::try_from)
        .transpose()?
        .filter(|checksum| checksum.algorithm() == algorithm)
        .ok_or_else(|| Error::Corrupt(format!("a part has no {} checksum", algorithm.name())))
}

fn check_object_size(request: &CompleteRequest, actual: u64) -> Result<(), Invalid> {
    match request.object_size {
        Some(expected) if expected != actual => Err(Invalid::ObjectSize { expected, actual }),
        _ => Ok(()),
    }
}

/// The type the client names is the promised one. An upload without a promise has none that could be named.
fn check_checksum_type(request: &CompleteRequest, promised: Option<ChecksumType>) -> Result<(), Invalid> {
    match request.checksum_type {
        Some(named) if promised != Some(named) => {
            Err(Invalid::ChecksumType { expected: promised.map_or("null", ChecksumType::name) })
        }
        _ => Ok(()),
    }
}

fn check_object_checksum(request: &CompleteRequest, actual: &ObjectChecksum) -> Result<(), Invalid> {
    let Some((given, parts)) = &request.checksum else { return Ok(()) };
    // A composite may be named with or without its count; a checksum by another algorithm is another checksum.
    if *given != actual.value || parts.is_some_and(|parts| Some(parts) != actual.parts) {
        return Err(Invalid::Checksum { algorithm: actual.value.algorithm().name() });
    }
    Ok(())
}

/// What makes two completes the same: their part numbers and ETags.
fn fingerprint(parts: &[ListedPart]) -> [u8; 32] {
    let mut sha256 = Sha256::new();
    for part in parts {
        // Two bytes, as it always was: what was completed before must be known again.
        match u16::try_from(part.number.get()) {
            Ok(number) => sha256.update(number.to_be_bytes()),
            Err(_) => sha256.update(part.number.get().to_be_bytes()),
        }
        sha256.update(part.etag.md5);
    }
    sha256.finalize().into()
}
