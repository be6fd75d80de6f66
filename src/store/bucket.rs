//! Buckets. A bucket's number is also its record's revision, for ever: requiring the revision requires this very bucket.

use std::ops::ControlFlow;

use crate::base::clock::Timestamp;
use crate::base::limits::BUCKETS_MAX;
use crate::store::Store;
use crate::store::bucket_document;
use crate::store::error::{Error, Missing};
use crate::store::meta::schema::{self, BucketRecord};
use crate::store::meta::{Batch, CommitError, Require, Space, Visit, Write, prefix_end};
use crate::store::types::{Bucket, BucketName};

impl Store {
    /// Makes a bucket for `owner`, or for whoever owns the gateway; [`Error::Exists`] when there is one of that name, whosever
    /// it is, [`Error::TooManyBuckets`] when there are as many as there may be.
    pub async fn create_bucket(&self, name: &BucketName, owner: Option<&str>) -> Result<Bucket, Error> {
        if self.bucket(name).is_ok() {
            return Err(Error::Exists);
        }
        self.room.check(0)?;
        let owner = owner.map(str::to_owned);
        let bucket = Bucket { name: name.clone(), number: self.numbers.next(), created: self.now(), owner };
        let key = name.as_str().as_bytes().to_vec();
        let record = BucketRecord { created: bucket.created.0, owner: bucket.owner.clone() };
        let record = schema::encode(bucket.number, &record);
        let batch = Batch::default()
            .require(Require::Absent(Space::Buckets, key.clone()))
            .require(Require::CounterAtMost(schema::BUCKETS_COUNTER.to_vec(), BUCKETS_MAX as i64))
            .write(Write::Put(Space::Buckets, key, record))
            .write(Write::Add(schema::BUCKETS_COUNTER.to_vec(), 1));
        match self.documents.commit(self.meta.as_ref(), batch).await {
            Err(CommitError::Refused(0)) => Err(Error::Exists),
            Err(CommitError::Refused(_)) => Err(Error::TooManyBuckets),
            answer => Ok(answer.map(|()| bucket)?),
        }
    }

    /// The bucket of this name.
    pub fn bucket(&self, name: &BucketName) -> Result<Bucket, Error> {
        let record = self.snapshot()?.get(Space::Buckets, name.as_str().as_bytes())?;
        read_bucket(name, &record.ok_or(Error::NotFound(Missing::Bucket))?)
    }

    /// Removes an empty bucket and its documents. Its open uploads are aborted by gc.
    pub async fn delete_bucket(&self, name: &BucketName) -> Result<(), Error> {
        let bucket = self.bucket(name)?;
        let key = name.as_str().as_bytes().to_vec();
        let first = schema::number_key(bucket.number);
        let end = prefix_end(&first);
        let mut batch = Batch::default()
            .require(Require::Revision(Space::Buckets, key.clone(), bucket.number))
            .require(Require::RangeEmpty(Space::Current, first, end))
            .write(Write::Bury(Space::Buckets, key, self.numbers.next()))
            .write(Write::Add(schema::BUCKETS_COUNTER.to_vec(), -1));
        batch.writes.extend(bucket_document::removals(&bucket));
        match self.documents.commit(self.meta.as_ref(), batch).await {
            Err(CommitError::Refused(0)) => Err(Error::NotFound(Missing::Bucket)),
            Err(CommitError::Refused(_)) => Err(Error::NotEmpty),
            answer => Ok(answer?),
        }
    }

    /// The first `max` buckets whose names begin with `prefix` and come after `after`, by name, and whether there are more.
    pub fn buckets_page(&self, prefix: &str, after: &str, max: usize) -> Result<(Vec<Bucket>, bool), Error> {
        let prefix = prefix.as_bytes();
        let behind = if after.is_empty() { Vec::new() } else { [after.as_bytes(), &[0]].concat() };
        let (start, end) = (behind.as_slice().max(prefix), prefix_end(prefix));
        let (mut buckets, mut more) = (Vec::new(), false);
        self.snapshot()?.scan(Space::Buckets, start, &end, &mut |key, record| {
            if buckets.len() == max {
                more = true;
                return ControlFlow::Break(());
            }
            let name = std::str::from_utf8(key).ok().and_then(BucketName::parse);
            buckets.push(match name {
                Some(name) => read_bucket(&name, record),
                None => Err(Error::Corrupt("a bucket's name is unreadable".to_owned())),
            });
            ControlFlow::Continue(Visit::Next)
        })?;
        Ok((buckets.into_iter().collect::<Result<_, _>>()?, more))
    }

    /// This very bucket still exists.
    pub(super) fn require_bucket(bucket: &Bucket) -> Require {
        Require::Revision(Space::Buckets, bucket.name.as_str().as_bytes().to_vec(), bucket.number)
    }
}

fn read_bucket(name: &BucketName, record: &[u8]) -> Result<Bucket, Error> {
    let (number, record) = schema::decode::<BucketRecord>(record)?;
    Ok(Bucket { name: name.clone(), number, created: Timestamp(record.created), owner: record.owner })
}
