//! Sessions: uploads that a protocol of the upload API began, whose parts come in chunks of any size, and which are complete by
//! what is there and not by a client's list.
//!
//! A session is a multipart upload like any other: its parts are the same rows and blobs, abort, expiry and gc are the same, and
//! so is the object it becomes. It has three things besides. A **place**: its id alone finds it. A **name**, where its protocol
//! has clients that know no id: of those who begin one of the same name at the same time, all get the same. And three **counters**
//! (parts, rows, bytes), so that the commit that brings the last part knows that it does: that commit itself makes the object,
//! and exactly one can.
//!
//! - [`Store::stage_chunk`] brings a part by its number, in any order; the session is complete when all numbers are there.
//! - [`Store::append`] brings the next part, where the client says at which byte it belongs; it says itself which is the last.
//! - [`Store::concatenate`] makes one object of several sessions.
//!
//! A name outlives its session by as long as completed uploads are kept. A session that takes the name over remembers its
//! predecessor: a part that is equal to the predecessor's may be a stray repetition, so other bytes may still take its place.

use std::ops::ControlFlow;

use crate::base::clock::Timestamp;
use crate::base::limits::{COMMIT_TRIES_MAX, OBJECT_SIZE_MAX_BYTES, SESSION_NOTE_MAX_BYTES, SESSION_PARTS_MAX};
use crate::store::Store;
use crate::store::assemble::{self, Assembly};
use crate::store::error::{Error, Invalid, Missing};
use crate::store::meta::schema::{
    self, ChecksumRecord, CompletedRecord, LastPartRecord, PartRecord, SessionNameRecord, SessionPlaceRecord,
    SessionRecord, UploadRecord,
};
use crate::store::meta::{Batch, CommitError, Require, Snapshot, Space, Visit, Write, prefix_end};
use crate::store::multipart::{read_upload, require_upload, signed, visit_parts};
use crate::store::object::{attributes_record, read_attributes, read_object_checksum};
use crate::store::orphans::OrphanGuard;
use crate::store::types::{
    Appended, Bucket, BucketName, CompletedUpload, ETag, LastPart, NewSession, NewUpload, ObjectKey, PartNumber,
    Session, SessionState, Staged, StagedBody, UploadId, UploadInfo,
};

mod concatenate;
mod missing;
mod repetition;

use repetition::{repeated, repeats_predecessor};

/// An open session as a snapshot shows it.
struct OpenSession {
    bucket: Bucket,
    upload: UploadInfo,
    record: SessionRecord,
    /// The row as it stands, for whoever changes its note.
    standing: UploadRecord,
    parts: u32,
    rows: i64,
    bytes: u64,
}

/// A part on its way into a session: its row, and the writes that name its bytes.
struct Arriving {
    record: PartRecord,
    named: Vec<Write>,
    guard: Option<OrphanGuard>,
}

/// Where a part goes, and what has to hold there.
struct Place {
    number: u32,
    /// Nothing stands in this range of rows.
    vacant: (Vec<u8>, Vec<u8>),
    /// Whether it makes the session complete.
    last: bool,
}

impl Store {
    /// Begins a session, or finds the open one of the same name. Says whether it is new.
    pub async fn open_session(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        new: NewUpload,
        session: NewSession,
    ) -> Result<(UploadId, bool), Error> {
        self.open_named(bucket, key, new, session, false).await
    }

    /// As [`Self::open_session`], for names that stand for one object alone.
    ///
    /// # Errors
    /// [`Error::Exists`] where a session of the name is complete, for as long as that is known.
    pub async fn open_session_once(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        new: NewUpload,
        session: NewSession,
    ) -> Result<(UploadId, bool), Error> {
        self.open_named(bucket, key, new, session, true).await
    }

    async fn open_named(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        new: NewUpload,
        session: NewSession,
        once: bool,
    ) -> Result<(UploadId, bool), Error> {
        check_note(&session.note)?;
        self.room.check(0)?;
        for _ in 0..COMMIT_TRIES_MAX {
            let name = session.name.as_ref().map(schema::session_name_key);
            let (named, predecessor) = match &name {
                None => (None, None),
                Some(name) => {
                    let snapshot = self.snapshot()?;
                    let standing = snapshot.get(Space::Sessions, name)?;
                    let standing = standing.map(|record| schema::decode::<SessionNameRecord>(&record)).transpose()?;
                    let number = standing.as_ref().map(|(number, _)| *number);
                    if let Some((number, record)) = standing
                        && let Some(open) = self.open(snapshot.as_ref(), number)?
                        && open.upload.id.secret == record.secret
                        && open.bucket.number == bucket.number
                    {
                        return Ok((open.upload.id, false));
                    }
                    let predecessor = number.filter(|number| completed(snapshot.as_ref(), *number).is_ok());
                    if once && predecessor.is_some() {
                        return Err(Error::Exists);
                    }
                    let require = match number {
                        Some(number) => Require::Revision(Space::Sessions, name.clone(), number),
                        None => Require::Absent(Space::Sessions, name.clone()),
                    };
                    (Some(require), predecessor)
                }
            };
            let id = UploadId { number: self.numbers.next(), secret: self.rng.next_u64() };
            let record = SessionRecord {
                bucket: bucket.name.to_string(),
                name: session.name.map(Into::into),
                total: session.total,
                note: session.note.clone(),
                predecessor,
            };
            let mut batch = self.beginning(bucket, key, id, &new, record);
            batch.requires.extend(named);
            if let Some(name) = name {
                let record = schema::encode(id.number, &SessionNameRecord { secret: id.secret });
                batch.writes.push(Write::Put(Space::Sessions, name, record));
            }
            match self.meta.commit(batch).await {
                Ok(()) => return Ok((id, true)),
                Err(CommitError::Refused(0)) => return Err(Error::NotFound(Missing::Bucket)),
                Err(CommitError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    fn beginning(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        new: &NewUpload,
        session: SessionRecord,
    ) -> Batch {
        let place = SessionPlaceRecord {
            bucket: bucket.name.to_string(),
            bucket_number: bucket.number,
            key: key.as_str().to_owned(),
        };
        let record = UploadRecord {
            number: id.number,
            secret: id.secret,
            initiated: self.now().0,
            attributes: attributes_record(&new.attributes),
            algorithm: None,
            kind: None,
            session: Some(session),
        };
        let row = schema::upload_key(bucket.number, key.as_str(), id.number);
        Batch::default()
            .require(Self::require_bucket(bucket))
            .write(Write::Put(Space::Uploads, row, schema::encode(id.number, &record)))
            .write(Write::Put(Space::Sessions, schema::session_place_key(id.number), schema::encode(id.number, &place)))
            .write(Write::Add(schema::UPLOADS_COUNTER.to_vec(), 1))
    }

    /// The session of this id, open or completed.
    pub fn session(&self, id: UploadId) -> Result<Session, Error> {
        let snapshot = self.snapshot()?;
        if let Some(open) = self.open(snapshot.as_ref(), id.number)? {
            return if open.upload.id == id { open.read(snapshot.as_ref()) } else { Err(unknown()) };
        }
        let record = completed(snapshot.as_ref(), id.number)?;
        if record.secret != id.secret { Err(unknown()) } else { self.read_completed(record) }
    }

    /// The session of this name: the open one, or the one that completed last.
    pub fn session_named(&self, name: &[u8; 32]) -> Result<Session, Error> {
        let record = self.snapshot()?.get(Space::Sessions, &schema::session_name_key(name))?;
        let (number, record) = schema::decode::<SessionNameRecord>(&record.ok_or_else(unknown)?)?;
        self.session(UploadId { number, secret: record.secret })
    }

    /// Numbers of a session's parts that are not there yet, ascending, at most `max`; empty once it is complete.
    pub fn session_missing(&self, id: UploadId, max: usize) -> Result<Vec<u32>, Error> {
        let snapshot = self.snapshot()?;
        match self.open(snapshot.as_ref(), id.number)? {
            Some(open) if open.upload.id == id => missing::numbers(snapshot.as_ref(), &open, max),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether this part of an open session is there.
    pub fn session_has(&self, id: UploadId, number: PartNumber) -> Result<bool, Error> {
        let snapshot = self.snapshot()?;
        match self.open(snapshot.as_ref(), id.number)? {
            Some(open) if open.upload.id == id => {
                Ok(latest(snapshot.as_ref(), &range_of(id.number, number.get()))?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Changes what the protocol keeps with an open session.
    pub async fn put_session_note(&self, id: UploadId, note: Vec<u8>) -> Result<(), Error> {
        check_note(&note)?;
        let open = self.open(self.snapshot()?.as_ref(), id.number)?.filter(|open| open.upload.id == id);
        let open = open.ok_or_else(unknown)?;
        let record = UploadRecord { session: Some(SessionRecord { note, ..open.record }), ..open.standing };
        let row = schema::upload_key(open.bucket.number, open.upload.key.as_str(), id.number);
        let batch = Batch::default().require(require_upload(&open.bucket, &open.upload.key, id)).write(Write::Put(
            Space::Uploads,
            row,
            schema::encode(id.number, &record),
        ));
        match self.meta.commit(batch).await {
            Err(CommitError::Refused(_)) => Err(unknown()),
            answer => Ok(answer?),
        }
    }

    /// Brings part `number` of a session of known total. The one that makes it whole makes the object.
    ///
    /// # Errors
    /// [`Error::Exists`] where other bytes stand at this number; [`Error::NotFound`].
    pub async fn stage_chunk(&self, id: UploadId, number: PartNumber, body: StagedBody) -> Result<Staged, Error> {
        let mut arriving = self.arriving(body);
        let number = number.get();
        for _ in 0..COMMIT_TRIES_MAX {
            let snapshot = self.snapshot()?;
            let Some(open) = self.open(snapshot.as_ref(), id.number)?.filter(|open| open.upload.id == id) else {
                return repeated(snapshot.as_ref(), id, number, &arriving.record);
            };
            let total = open.record.total.filter(|total| number <= *total).ok_or(Invalid::PartCount)?;
            arriving.record.stray = repeats_predecessor(snapshot.as_ref(), &open, number, &arriving.record)?;
            let vacant = range_of(id.number, number);
            let committed = match latest(snapshot.as_ref(), &vacant)? {
                Some(standing) if same_bytes(&standing, &arriving.record) => {
                    return Ok(Staged::Known { received: open.parts });
                }
                Some(standing) if standing.stray == Some(true) => {
                    self.replace_part(&open, number, &standing, &arriving).await
                }
                Some(_) => return Err(Error::Exists),
                None => {
                    let place = Place { number, vacant, last: open.parts + 1 == total };
                    self.add_part(snapshot, &open, &place, &arriving).await
                }
            };
            if let Some(staged) = committed? {
                arriving.guard.into_iter().for_each(OrphanGuard::named);
                return Ok(staged);
            }
        }
        Err(Error::Conflict)
    }

    /// Brings the bytes of a session that follow its first `offset` ones. The `last` make the object.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the session has another number of bytes by now; [`Error::NotFound`] also once it is complete.
    pub async fn append(&self, id: UploadId, offset: u64, body: StagedBody, last: bool) -> Result<Appended, Error> {
        let arriving = self.arriving(body);
        let snapshot = self.snapshot()?;
        let open = self.open(snapshot.as_ref(), id.number)?.filter(|open| open.upload.id == id).ok_or_else(unknown)?;
        if open.bytes != offset {
            return Err(Error::Conflict);
        }
        if open.parts >= SESSION_PARTS_MAX {
            return Err(Invalid::PartCount.into());
        }
        let number = open.parts + 1;
        let vacant = (schema::part_key(id.number, number, 0), prefix_end(&schema::number_key(id.number)));
        let place = Place { number, vacant, last };
        let offset = open.bytes.saturating_add(arriving.record.size);
        let staged = self.add_part(snapshot, &open, &place, &arriving).await?;
        let staged = staged.ok_or(Error::Conflict)?;
        arriving.guard.into_iter().for_each(OrphanGuard::named);
        Ok(match staged {
            Staged::Completed(answer) => Appended::Completed(answer),
            Staged::New { .. } | Staged::Known { .. } => Appended::To(offset),
        })
    }

    fn arriving(&self, body: StagedBody) -> Arriving {
        let (size, md5, modified) = (body.size, body.digests.md5, self.now().0);
        let crc64nvme = ChecksumRecord::from(&body.crc64nvme);
        let (named, content, guard) = self.place(body);
        let record = PartRecord { size, md5: md5.into(), content, crc64nvme, checksum: None, modified, stray: None };
        Arriving { record, named, guard }
    }

    /// Commits a part where nothing stands, and with the last one the object. None where somebody was faster.
    async fn add_part(
        &self,
        snapshot: Box<dyn Snapshot>,
        open: &OpenSession,
        place: &Place,
        arriving: &Arriving,
    ) -> Result<Option<Staged>, Error> {
        let id = open.upload.id;
        let [parts, rows, bytes] = schema::session_counters(id.number);
        let vacant = Require::RangeEmpty(Space::Parts, place.vacant.0.clone(), place.vacant.1.clone());
        if place.last {
            return self.complete_with(snapshot, open, place, arriving, vacant).await;
        }
        drop(snapshot);
        let sequence = self.numbers.next();
        let row = schema::part_key(id.number, place.number, sequence);
        let mut batch = Batch { requires: vec![], writes: arriving.named.clone() }
            .require(require_upload(&open.bucket, &open.upload.key, id))
            .require(vacant)
            .write(Write::Put(Space::Parts, row, schema::encode(sequence, &arriving.record)))
            .write(Write::Add(schema::STAGED_COUNTER.to_vec(), signed(arriving.record.size)))
            .write(Write::Add(parts.clone(), 1))
            .write(Write::Add(rows, 1))
            .write(Write::Add(bytes, signed(arriving.record.size)));
        if let Some(total) = open.record.total {
            // The last one is committed in another way: this one must not be it.
            batch = batch.require(Require::CounterAtMost(parts, i64::from(total) - 1));
        }
        match self.meta.commit(batch).await {
            Ok(()) => Ok(Some(Staged::New { received: open.parts + 1 })),
            Err(CommitError::Refused(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Commits the object of all parts that are there and this one.
    async fn complete_with(
        &self,
        snapshot: Box<dyn Snapshot>,
        open: &OpenSession,
        place: &Place,
        arriving: &Arriving,
        vacant: Require,
    ) -> Result<Option<Staged>, Error> {
        let mut parts = parts_of(snapshot.as_ref(), open.upload.id.number)?;
        drop(snapshot);
        let at = parts.partition_point(|(number, _)| *number < place.number);
        parts.insert(at, (place.number, arriving.record.clone()));
        let answer = object_of(&open.upload, &parts)?;
        let last = LastPartRecord { number: place.number, size: arriving.record.size, md5: arriving.record.md5 };
        let assembly = Assembly {
            bucket: &open.bucket,
            upload: &open.upload,
            answer: &answer,
            parts,
            fingerprint: [0; 32],
            session: Some(open.record.clone()),
            last: Some(last),
        };
        let (info, content, mut writes) = self.assemble(assembly)?;
        writes.extend(arriving.named.iter().cloned());
        writes.extend(open.leaving());
        let requires = vec![
            Self::require_bucket(&open.bucket),
            require_upload(&open.bucket, &open.upload.key, open.upload.id),
            vacant,
            open.unchanged(),
        ];
        match self.replace(&open.bucket, &info, content, Batch { requires, writes }, None).await {
            Ok(()) => Ok(Some(Staged::Completed(answer))),
            Err(Error::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a part in the place of what may have been a stray one.
    async fn replace_part(
        &self,
        open: &OpenSession,
        number: u32,
        standing: &PartRecord,
        arriving: &Arriving,
    ) -> Result<Option<Staged>, Error> {
        let id = open.upload.id;
        let [_, rows, bytes] = schema::session_counters(id.number);
        let sequence = self.numbers.next();
        let row = schema::part_key(id.number, number, sequence);
        let batch = Batch { requires: vec![], writes: arriving.named.clone() }
            .require(require_upload(&open.bucket, &open.upload.key, id))
            .require(Require::CounterAtMost(rows.clone(), open.rows.saturating_add(1)))
            .write(Write::Put(Space::Parts, row, schema::encode(sequence, &arriving.record)))
            .write(Write::Add(schema::STAGED_COUNTER.to_vec(), signed(arriving.record.size)))
            .write(Write::Add(rows, 1))
            .write(Write::Add(bytes, signed(arriving.record.size).saturating_sub(signed(standing.size))));
        match self.meta.commit(batch).await {
            Ok(()) => Ok(Some(Staged::New { received: open.parts })),
            Err(CommitError::Refused(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The open session whose upload has this number.
    fn open(&self, snapshot: &dyn Snapshot, number: u64) -> Result<Option<OpenSession>, Error> {
        let Some(place) = snapshot.get(Space::Sessions, &schema::session_place_key(number))? else { return Ok(None) };
        let (_, place) = schema::decode::<SessionPlaceRecord>(&place)?;
        let row = schema::upload_key(place.bucket_number, &place.key, number);
        let Some(record) = snapshot.get(Space::Uploads, &row)? else { return Ok(None) };
        let (_, standing) = schema::decode::<UploadRecord>(&record)?;
        let Some(session) = standing.session.clone() else { return Ok(None) };
        let Some(bucket) = self.bucket_of(&place.bucket, place.bucket_number)? else { return Ok(None) };
        let key = ObjectKey::parse(&place.key).ok_or_else(|| Error::Corrupt("a session's key".to_owned()))?;
        let [parts, rows, bytes] = schema::session_counters(number);
        Ok(Some(OpenSession {
            bucket,
            upload: read_upload(key, &record)?,
            record: session,
            standing,
            parts: u32::try_from(snapshot.counter(&parts)?).unwrap_or(u32::MAX),
            rows: snapshot.counter(&rows)?,
            bytes: u64::try_from(snapshot.counter(&bytes)?).unwrap_or_default(),
        }))
    }

    /// The bucket of this name, if it is still the one with this number.
    fn bucket_of(&self, name: &str, number: u64) -> Result<Option<Bucket>, Error> {
        let name = BucketName::parse(name).ok_or_else(|| Error::Corrupt("a session's bucket".to_owned()))?;
        match self.bucket(&name) {
            Ok(bucket) => Ok(Some(bucket).filter(|bucket| bucket.number == number)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_completed(&self, record: CompletedRecord) -> Result<Session, Error> {
        let session = record.session.ok_or_else(unknown)?;
        let bucket = self.bucket_of(&session.bucket, record.bucket)?.ok_or_else(unknown)?;
        let key = ObjectKey::parse(&record.key).ok_or_else(|| Error::Corrupt("a session's key".to_owned()))?;
        let etag = ETag { md5: *record.md5, parts: Some(record.parts) };
        let checksum = read_object_checksum(&record.checksum)?;
        Ok(Session {
            id: UploadId { number: record.number, secret: record.secret },
            bucket,
            key,
            name: session.name.map(|name| *name),
            total: session.total,
            note: session.note,
            state: SessionState::Completed {
                answer: CompletedUpload { etag, size: record.size, checksum },
                completed: Timestamp(record.completed),
                last: record.last.map(|last| LastPart { number: last.number, size: last.size, md5: *last.md5 }),
            },
        })
    }
}

impl OpenSession {
    fn read(self, snapshot: &dyn Snapshot) -> Result<Session, Error> {
        let latest = latest(snapshot, &range_of(self.upload.id.number, self.parts))?;
        let touched = latest.map_or(self.upload.initiated, |part| Timestamp(part.modified));
        Ok(Session {
            id: self.upload.id,
            bucket: self.bucket,
            key: self.upload.key,
            name: self.record.name.map(|name| *name),
            total: self.record.total,
            note: self.record.note,
            state: SessionState::Open {
                attributes: read_attributes(self.standing.attributes),
                parts: self.parts,
                bytes: self.bytes,
                touched,
            },
        })
    }

    /// No row came since the snapshot. Goes with [`Self::leaving`], whose own change of the counter it allows for.
    fn unchanged(&self) -> Require {
        let [_, rows, _] = schema::session_counters(self.upload.id.number);
        Require::CounterAtMost(rows, 0)
    }

    /// The writes that end it: its counters go back to nothing, its id finds no open upload.
    fn leaving(&self) -> [Write; 4] {
        let number = self.upload.id.number;
        let [parts, rows, bytes] = schema::session_counters(number);
        [
            Write::Add(parts, -i64::from(self.parts)),
            Write::Add(rows, -self.rows),
            Write::Add(bytes, -signed(self.bytes)),
            Write::Delete(Space::Sessions, schema::session_place_key(number)),
        ]
    }
}

/// What gc does with the rest of a session that was aborted: what it would otherwise leave behind for ever.
pub(super) fn remains(snapshot: &dyn Snapshot, number: u64, session: &SessionRecord) -> Result<Batch, Error> {
    let mut batch = Batch::default().write(Write::Delete(Space::Sessions, schema::session_place_key(number)));
    for name in schema::session_counters(number) {
        let left = snapshot.counter(&name)?;
        if left != 0 {
            batch.writes.push(Write::Add(name, -left));
        }
    }
    Ok(match &session.name {
        Some(name) => with_name_forgotten(snapshot, batch, name, number)?,
        None => batch,
    })
}

/// Adds that a name is forgotten, if it still means the upload of this number.
pub(super) fn with_name_forgotten(
    snapshot: &dyn Snapshot,
    batch: Batch,
    name: &[u8; 32],
    number: u64,
) -> Result<Batch, Error> {
    let row = schema::session_name_key(name);
    let standing = snapshot.get(Space::Sessions, &row)?;
    if standing.as_deref().and_then(crate::store::meta::revision_of) != Some(number) {
        return Ok(batch);
    }
    Ok(batch
        .require(Require::Revision(Space::Sessions, row.clone(), number))
        .write(Write::Delete(Space::Sessions, row)))
}

fn unknown() -> Error {
    Error::NotFound(Missing::Upload)
}

fn check_note(note: &[u8]) -> Result<(), Invalid> {
    if note.len() > SESSION_NOTE_MAX_BYTES { Err(Invalid::SessionNote(note.len())) } else { Ok(()) }
}

/// The rows of one part.
fn range_of(upload: u64, number: u32) -> (Vec<u8>, Vec<u8>) {
    (schema::part_key(upload, number, 0), schema::part_key(upload, number.saturating_add(1), 0))
}

fn completed(snapshot: &dyn Snapshot, number: u64) -> Result<CompletedRecord, Error> {
    let record = snapshot.get(Space::Completed, &schema::number_key(number))?.ok_or_else(unknown)?;
    Ok(schema::decode::<CompletedRecord>(&record)?.1)
}

/// The latest row of a part.
fn latest(snapshot: &dyn Snapshot, (start, end): &(Vec<u8>, Vec<u8>)) -> Result<Option<PartRecord>, Error> {
    let mut last = None;
    snapshot.scan(Space::Parts, start, end, &mut |_, record| {
        last = Some(record.to_vec());
        ControlFlow::Continue(Visit::Next)
    })?;
    Ok(last.map(|record| schema::decode::<PartRecord>(&record)).transpose()?.map(|(_, part)| part))
}

/// Every part that is there, by number; of one that came more than once the latest.
fn parts_of(snapshot: &dyn Snapshot, upload: u64) -> Result<Vec<(u32, PartRecord)>, Error> {
    let mut parts: Vec<(u32, PartRecord)> = Vec::new();
    visit_parts(snapshot, upload, None, &mut |number, record| {
        match parts.last_mut() {
            Some((last, place)) if *last == number.get() => *place = record,
            _ => parts.push((number.get(), record)),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(parts)
}

/// The object that these parts make.
fn object_of(upload: &UploadInfo, parts: &[(u32, PartRecord)]) -> Result<CompletedUpload, Error> {
    if parts.is_empty() || parts.len() > SESSION_PARTS_MAX as usize {
        return Err(Invalid::PartCount.into());
    }
    let size = parts.iter().fold(0_u64, |sum, (_, part)| sum.saturating_add(part.size));
    if size > OBJECT_SIZE_MAX_BYTES {
        return Err(Invalid::ObjectTooLarge(size).into());
    }
    assemble::answer(upload, parts, size)
}

fn same_bytes(a: &PartRecord, b: &PartRecord) -> bool {
    a.size == b.size && a.md5 == b.md5 && a.crc64nvme == b.crc64nvme
}
