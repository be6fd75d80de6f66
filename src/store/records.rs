//! Records that the ranks above keep: small durable keyspaces, one for each [`RecordKind`], with names and bytes of theirs.
//!
//! A record whose time is over counts as gone from that moment on, whether or not [`super::maintain::expire`] has removed its
//! row yet. The records of a kind are counted and limited. So every change looks at what stands there first, and its commit
//! requires that it stands there still; when it does not, the change looks again.

use std::ops::ControlFlow;

use crate::base::clock::Timestamp;
use crate::base::limits::{COMMIT_TRIES_MAX, RECORD_MAX_BYTES, RECORD_NAME_MAX_BYTES, RECORDS_MAX};
use crate::store::Store;
use crate::store::error::{Error, Invalid};
use crate::store::meta::schema::{self, KeptRecord};
use crate::store::meta::{Batch, CommitError, Require, Snapshot, Space, Visit, Write, prefix_end};
use crate::store::types::{Expected, Record, RecordKind};

impl Store {
    /// Another number after each commit that may have changed a record, whatever it answered, and before it answers. What time
    /// ends does not raise it.
    pub fn records_generation(&self) -> u64 {
        self.records.current()
    }

    /// The record of this name, if there is one and its time is not over.
    pub fn record(&self, kind: RecordKind, name: &str) -> Result<Option<Record>, Error> {
        let record = standing(self.snapshot()?.as_ref(), &row(kind, name)?)?;
        Ok(record.filter(|record| self.is_live(record)))
    }

    /// Puts a record in place of what is `expected` to stand there; it counts as gone when its time `expires`.
    ///
    /// # Errors
    /// [`Error::Exists`] where something stands that should be absent, [`Error::Conflict`] where the record of the expected
    /// revision does not stand, [`Error::TooManyRecords`].
    pub async fn put_record(
        &self,
        kind: RecordKind,
        name: &str,
        bytes: Vec<u8>,
        expires: Option<Timestamp>,
        expected: Expected,
    ) -> Result<Record, Error> {
        let row = row(kind, name)?;
        if bytes.len() > RECORD_MAX_BYTES {
            return Err(Invalid::RecordSize(bytes.len()).into());
        }
        self.room.check(bytes.len() as u64)?;
        let counter = schema::records_counter(kind as u8);
        for _ in 0..COMMIT_TRIES_MAX {
            let standing = standing(self.snapshot()?.as_ref(), &row)?;
            let live = standing.as_ref().filter(|record| self.is_live(record));
            match (expected, live) {
                (Expected::Absent, Some(_)) => return Err(Error::Exists),
                (Expected::Revision(wanted), live) if live.map(|record| record.revision) != Some(wanted) => {
                    return Err(Error::Conflict);
                }
                _ => {}
            }
            let record = Record { revision: self.numbers.next(), modified: self.now(), expires, bytes: bytes.clone() };
            let kept = KeptRecord {
                bytes: bytes.clone(),
                modified: record.modified.0,
                expires: expires.map(|expires| expires.0),
            };
            let mut batch = Batch::default().require(as_seen(&row, standing.as_ref())).write(Write::Put(
                Space::Records,
                row.clone(),
                schema::encode(record.revision, &kept),
            ));
            if standing.is_none() {
                batch = batch
                    .require(Require::CounterAtMost(counter.clone(), RECORDS_MAX as i64))
                    .write(Write::Add(counter.clone(), 1));
            }
            match self.records.commit(self.meta.as_ref(), batch).await {
                Ok(()) => return Ok(record),
                Err(CommitError::Refused(0)) => {}
                Err(CommitError::Refused(_)) => return Err(Error::TooManyRecords),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// Removes the record of this name; answers whether there was one.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others changed it each time this was tried.
    pub async fn delete_record(&self, kind: RecordKind, name: &str) -> Result<bool, Error> {
        let row = row(kind, name)?;
        for _ in 0..COMMIT_TRIES_MAX {
            let Some(record) = standing(self.snapshot()?.as_ref(), &row)? else { return Ok(false) };
            let mut batch = Batch::default().require(as_seen(&row, Some(&record)));
            batch.writes.extend(removal(&row));
            match self.records.commit(self.meta.as_ref(), batch).await {
                Ok(()) => return Ok(self.is_live(&record)),
                Err(CommitError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// The first `max` records of the kind whose names come after `after`, by name, and whether there are more.
    pub fn records_page(
        &self,
        kind: RecordKind,
        after: &str,
        max: usize,
    ) -> Result<(Vec<(String, Record)>, bool), Error> {
        let mut start = schema::record_key(kind as u8, after);
        if !after.is_empty() {
            start.push(0);
        }
        let (mut records, mut more) = (Vec::new(), false);
        let mut failure = None;
        self.snapshot()?.scan(Space::Records, &start, &prefix_end(&[kind as u8]), &mut |key, record| {
            match read_named(key, record) {
                Ok((_, record)) if !self.is_live(&record) => {}
                Ok(_) if records.len() == max => {
                    more = true;
                    return ControlFlow::Break(());
                }
                Ok(named) => records.push(named),
                Err(error) => {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(Visit::Next)
        })?;
        failure.map_or(Ok((records, more)), Err)
    }

    fn is_live(&self, record: &Record) -> bool {
        !is_over(record.expires, self.now())
    }
}

/// Whether the time of something that expires is over.
fn is_over(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_some_and(|expires| expires <= now)
}

/// The requirement and the writes that remove the record at `key`, if its time is over.
pub(super) fn expiry(key: &[u8], record: &[u8], now: Timestamp) -> Result<Option<(Require, [Write; 2])>, Error> {
    let record = read(record)?;
    Ok(is_over(record.expires, now).then(|| (as_seen(key, Some(&record)), removal(key))))
}

/// The row of a record, if the name may be one.
fn row(kind: RecordKind, name: &str) -> Result<Vec<u8>, Error> {
    match name.len() {
        1..=RECORD_NAME_MAX_BYTES => Ok(schema::record_key(kind as u8, name)),
        len => Err(Invalid::RecordName(len).into()),
    }
}

fn as_seen(row: &[u8], standing: Option<&Record>) -> Require {
    match standing {
        Some(record) => Require::Revision(Space::Records, row.to_vec(), record.revision),
        None => Require::Absent(Space::Records, row.to_vec()),
    }
}

fn removal(row: &[u8]) -> [Write; 2] {
    let counter = schema::records_counter(row.first().copied().unwrap_or_default());
    [Write::Delete(Space::Records, row.to_vec()), Write::Add(counter, -1)]
}

fn standing(snapshot: &dyn Snapshot, row: &[u8]) -> Result<Option<Record>, Error> {
    snapshot.get(Space::Records, row)?.map(|record| read(&record)).transpose()
}

fn read(record: &[u8]) -> Result<Record, Error> {
    let (revision, kept) = schema::decode::<KeptRecord>(record)?;
    let expires = kept.expires.map(Timestamp);
    Ok(Record { revision, modified: Timestamp(kept.modified), expires, bytes: kept.bytes })
}

fn read_named(key: &[u8], record: &[u8]) -> Result<(String, Record), Error> {
    let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
    let name = name.ok_or_else(|| Error::Corrupt("a record's name is unreadable".to_owned()))?;
    Ok((name.to_owned(), read(record)?))
}
