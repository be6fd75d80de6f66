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
use crate::store::types::{Expected, Record, RecordChange, RecordKind};

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
        let change = RecordChange { kind, name: name.to_owned(), bytes: Some(bytes.clone()), expires, expected };
        let (revisions, modified) = self.commit_changes(&[change]).await?;
        let revision = revisions.first().copied().unwrap_or_default();
        Ok(Record { revision, modified, expires, bytes })
    }

    /// Makes several changes, which name different records, in one commit: all of them or none. Answers with the revisions of
    /// those that put something.
    ///
    /// # Errors
    /// As for [`Store::put_record`], of whichever change it is.
    pub async fn change_records(&self, changes: &[RecordChange]) -> Result<Vec<u64>, Error> {
        Ok(self.commit_changes(changes).await?.0)
    }

    async fn commit_changes(&self, changes: &[RecordChange]) -> Result<(Vec<u64>, Timestamp), Error> {
        // What takes the place of what stands there is done however little room is left, with all that belongs to it: what
        // was begun can be ended. So is what removes.
        let goes_on = changes.iter().any(|change| matches!(change.expected, Expected::Revision(_)));
        for change in changes {
            let length = change.bytes.as_ref().map_or(0, Vec::len);
            if length > RECORD_MAX_BYTES {
                return Err(Invalid::RecordSize(length).into());
            }
            if change.bytes.is_some() && !goes_on {
                self.room.check(length as u64)?;
            }
        }
        for _ in 0..COMMIT_TRIES_MAX {
            let (mut batch, mut revisions) = (Batch::default(), Vec::new());
            let mut counters = Vec::new();
            let modified = self.now();
            {
                let snapshot = self.snapshot()?;
                for change in changes {
                    let row = row(change.kind, &change.name)?;
                    let standing = standing(snapshot.as_ref(), &row)?;
                    self.check_expected(change.expected, standing.as_ref())?;
                    batch.requires.push(as_seen(&row, standing.as_ref()));
                    match (&change.bytes, &standing) {
                        (Some(bytes), standing) => {
                            let (revision, expires) = (self.numbers.next(), change.expires);
                            let (bytes, modified) = (bytes.clone(), modified.0);
                            let kept = KeptRecord { bytes, modified, expires: expires.map(|expires| expires.0) };
                            revisions.push(revision);
                            let counter = schema::records_counter(change.kind as u8);
                            if standing.is_none() {
                                batch.writes.push(Write::Add(counter.clone(), 1));
                                counters.push(Require::CounterAtMost(counter, RECORDS_MAX as i64));
                            }
                            batch.writes.push(Write::Put(Space::Records, row, schema::encode(revision, &kept)));
                        }
                        (None, Some(_)) => batch.writes.extend(removal(&row)),
                        (None, None) => {}
                    }
                }
            }
            // What is expected to stand is judged before what there is room for.
            batch.requires.extend(counters);
            match self.records.commit(self.meta.as_ref(), batch).await {
                Ok(()) => return Ok((revisions, modified)),
                Err(CommitError::Refused(at)) if at < changes.len() => {}
                Err(CommitError::Refused(_)) => return Err(Error::TooManyRecords),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    fn check_expected(&self, expected: Expected, standing: Option<&Record>) -> Result<(), Error> {
        let live = standing.filter(|record| self.is_live(record));
        match expected {
            Expected::Absent if live.is_some() => Err(Error::Exists),
            Expected::Revision(wanted) if live.map(|record| record.revision) != Some(wanted) => Err(Error::Conflict),
            Expected::Any | Expected::Absent | Expected::Revision(_) => Ok(()),
        }
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
