//! What a bucket's objects take, and how much they may: two counters and a quota for each bucket.
//!
//! The counters are exact at every moment: they say what the rows of `Current` say, those of the bucket together. Each commit
//! that names an object adds its size; what an object replaces or a delete removes gives its own back in the same commit, which
//! is where its size becomes known, since an overwrite is blind ([`Write::BuryCounted`]). So a crash has nothing to mend, no
//! replay counts twice, and room is there as soon as a delete is answered. (Giving back where gc frees the bytes would count what
//! is on its way out, and refuse to overwrite an object in a full bucket; and a row of the grave does not know its bucket.)
//! What stays where it is, under other attributes or as a manifest, changes no counter.
//!
//! A bucket is removed empty, when its counters are at zero and so have no rows. A catalog from before there were counters is
//! counted once, when it is opened ([`count_once`]).
//!
//! The quota is a document beside the bucket. It is kept in memory for as long as no document changes, so that a put reads
//! nothing for it. A commit that would go above it is refused by what it then finds; bytes are counted as clients see them, a
//! copy in full, and parts when they become an object.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use crate::store::Store;
use crate::store::error::Error;
use crate::store::meta::schema::{self, RECORD_FORMAT, USAGE_KEY};
use crate::store::meta::{Batch, Meta, Require, Snapshot, Space, Visit, Write};
use crate::store::multipart::signed;
use crate::store::types::{Bucket, BucketUsage, DocumentKind, ObjectKey};

/// Quotas that were read, for as long as no document changed since.
#[derive(Default)]
pub(super) struct KnownQuotas(Mutex<(u64, HashMap<u64, Option<u64>>)>);

impl KnownQuotas {
    fn get(&self, generation: u64, bucket: u64) -> Option<Option<u64>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.1.get(&bucket).copied().filter(|_| known.0 == generation)
    }

    /// Keeps what was read after this generation was looked at.
    fn learn(&self, generation: u64, bucket: u64, quota: Option<u64>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != generation {
            *known = (generation, HashMap::new());
        }
        known.1.insert(bucket, quota);
    }
}

impl Store {
    /// What the bucket's objects take.
    pub fn bucket_usage(&self, bucket: &Bucket) -> Result<BucketUsage, Error> {
        let snapshot = self.snapshot()?;
        let tally = schema::usage_tally(bucket.number);
        let count = |name: &[u8]| Ok::<_, Error>(u64::try_from(snapshot.counter(name)?).unwrap_or_default());
        Ok(BucketUsage { bytes: count(&tally.bytes)?, objects: count(&tally.rows)? })
    }

    /// Sets how many bytes the bucket's objects may take together, or lifts the limit. What is there already stays.
    pub async fn set_bucket_quota(&self, bucket: &Bucket, bytes: Option<u64>) -> Result<(), Error> {
        match bytes {
            Some(bytes) => self.put_bucket_document(bucket, DocumentKind::Quota, bytes.to_be_bytes().to_vec()).await,
            None => self.delete_bucket_document(bucket, DocumentKind::Quota).await,
        }
    }

    /// How many bytes the bucket's objects may take together, where that is limited.
    pub fn bucket_quota(&self, bucket: &Bucket) -> Result<Option<u64>, Error> {
        let generation = self.documents_generation();
        if let Some(quota) = self.quotas.get(generation, bucket.number) {
            return Ok(quota);
        }
        let document = self.bucket_document(bucket, DocumentKind::Quota)?;
        let quota = document.map(|document| {
            let bytes = document.bytes.try_into().map(u64::from_be_bytes);
            bytes.map_err(|_| Error::Corrupt(format!("the quota of {} is unreadable", bucket.name)))
        });
        let quota = quota.transpose()?;
        self.quotas.learn(generation, bucket.number, quota);
        Ok(quota)
    }

    /// [`Error::QuotaExceeded`] when an object of `len` bytes at this key would take the bucket above its quota. Asked before a
    /// body is read; the commit that names it judges again.
    pub fn check_quota(&self, bucket: &Bucket, key: &ObjectKey, len: u64) -> Result<(), Error> {
        if self.bucket_quota(bucket)?.is_none() {
            return Ok(());
        }
        let row = schema::object_key(bucket.number, key.as_str());
        self.judge_quota(self.snapshot()?.as_ref(), bucket, &row, len).map(drop)
    }

    /// The requirement that keeps the bucket within its quota at the commit, or the error when by the snapshot an object of `len`
    /// bytes in place of what stands at `row` would not.
    pub(super) fn judge_quota(
        &self,
        snapshot: &dyn Snapshot,
        bucket: &Bucket,
        row: &[u8],
        len: u64,
    ) -> Result<Option<Require>, Error> {
        let Some(quota) = self.bucket_quota(bucket)? else { return Ok(None) };
        let counter = schema::usage_tally(bucket.number).bytes;
        let replaced = snapshot.get(Space::Current, row)?.as_deref().and_then(schema::size_of).unwrap_or_default();
        let kept = snapshot.counter(&counter)?.saturating_sub(signed(replaced));
        if kept.saturating_add(signed(len)) > signed(quota) {
            return Err(Error::QuotaExceeded);
        }
        Ok(Some(Require::CounterAtMost(counter, signed(quota))))
    }
}

/// The writes that count a further object.
pub(super) fn additions(bucket: &Bucket, size: u64) -> [Write; 2] {
    let tally = schema::usage_tally(bucket.number);
    [Write::Add(tally.bytes, signed(size)), Write::Add(tally.rows, 1)]
}

/// The write that buries what stands at `row` and counts it no more.
pub(super) fn burial(bucket: &Bucket, row: Vec<u8>, grave: u64) -> Write {
    Write::BuryCounted(Space::Current, row, grave, schema::usage_tally(bucket.number))
}

/// Counts every bucket's objects, in a catalog where nobody did so far: one pass over their rows, 3 million a second, in memory
/// that grows with the buckets alone, and one commit. A crash before it leaves the work to the next opening. Nobody may write
/// meanwhile.
pub async fn count_once(meta: &dyn Meta) -> Result<(), Error> {
    let batch =
        {
            let snapshot = meta.snapshot()?;
            if snapshot.get(Space::System, USAGE_KEY)?.is_some() {
                return Ok(());
            }
            let mut batch = Batch::default()
                .require(Require::Absent(Space::System, USAGE_KEY.to_vec()))
                .write(Write::Put(Space::System, USAGE_KEY.to_vec(), vec![RECORD_FORMAT]));
            for (bucket, usage) in counted(snapshot.as_ref())? {
                let tally = schema::usage_tally(bucket);
                for (name, there) in [(tally.bytes, usage.bytes), (tally.rows, usage.objects)] {
                    let missing = signed(there).saturating_sub(snapshot.counter(&name)?);
                    batch.writes.push(Write::Add(name, missing));
                }
            }
            batch
        };
    Ok(meta.commit(batch).await?)
}

/// Each bucket's usage, by its number, from the rows of its objects. They are sorted by bucket.
fn counted(snapshot: &dyn Snapshot) -> Result<Vec<(u64, BucketUsage)>, Error> {
    let mut buckets: Vec<(u64, BucketUsage)> = Vec::new();
    snapshot.scan(Space::Current, &[], &[], &mut |row, record| {
        let Some(bucket) = row.first_chunk::<8>().map(|number| u64::from_be_bytes(*number)) else {
            return ControlFlow::Continue(Visit::Next);
        };
        if buckets.last().is_none_or(|(last, _)| *last != bucket) {
            buckets.push((bucket, BucketUsage::default()));
        }
        if let Some((_, usage)) = buckets.last_mut() {
            usage.bytes = usage.bytes.saturating_add(schema::size_of(record).unwrap_or_default());
            usage.objects += 1;
        }
        ControlFlow::Continue(Visit::Next)
    })?;
    Ok(buckets)
}
