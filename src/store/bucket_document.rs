//! Documents beside a bucket: its tags, and whatever else clients put on buckets as a whole.
//!
//! They have rows of their own, because a bucket's record never changes: its revision is the bucket's number. A document is
//! bytes to the store, of a [`DocumentKind`]; who wrote them reads them. Each change requires the bucket, so none outlives it:
//! [`Store::delete_bucket`] removes those that are there in its own commit.
//!
//! Whoever keeps what was read out of a document asks [`Store::documents_generation`] whether it may still be true.

use crate::base::clock::Timestamp;
use crate::store::Store;
use crate::store::error::{Error, Missing};
use crate::store::meta::schema::{self, BucketDocumentRecord};
use crate::store::meta::{Batch, CommitError, Space, Write};
use crate::store::types::{Bucket, BucketDocument, DocumentKind};

impl Store {
    /// Another number after each commit that may have changed a document, made a bucket or removed one, whatever it answered,
    /// and before it answers. So what was read after this gave a number is true for as long as it gives the same.
    pub fn documents_generation(&self) -> u64 {
        self.documents.current()
    }

    /// The bucket's document of this kind, if there is one.
    pub fn bucket_document(&self, bucket: &Bucket, kind: DocumentKind) -> Result<Option<BucketDocument>, Error> {
        let record = self.snapshot()?.get(Space::BucketDocuments, &row(bucket, kind))?;
        record.map(|record| read(&record)).transpose()
    }

    /// Puts a document in place of the one of this kind.
    pub async fn put_bucket_document(&self, bucket: &Bucket, kind: DocumentKind, bytes: Vec<u8>) -> Result<(), Error> {
        self.room.check(bytes.len() as u64)?;
        let record = BucketDocumentRecord { document: bytes, modified: self.now().0 };
        let record = schema::encode(self.numbers.next(), &record);
        self.change(bucket, Write::Put(Space::BucketDocuments, row(bucket, kind), record)).await
    }

    /// Removes the document of this kind; one that is not there is fine.
    pub async fn delete_bucket_document(&self, bucket: &Bucket, kind: DocumentKind) -> Result<(), Error> {
        self.change(bucket, Write::Delete(Space::BucketDocuments, row(bucket, kind))).await
    }

    async fn change(&self, bucket: &Bucket, write: Write) -> Result<(), Error> {
        let batch = Batch::default().require(Self::require_bucket(bucket)).write(write);
        match self.documents.commit(self.meta.as_ref(), batch).await {
            Err(CommitError::Refused(_)) => Err(Error::NotFound(Missing::Bucket)),
            answer => Ok(answer?),
        }
    }
}

/// The writes that remove every document of a bucket.
pub(super) fn removals(bucket: &Bucket) -> impl Iterator<Item = Write> {
    DocumentKind::ALL.into_iter().map(|kind| Write::Delete(Space::BucketDocuments, row(bucket, kind)))
}

fn row(bucket: &Bucket, kind: DocumentKind) -> Vec<u8> {
    schema::bucket_document_key(bucket.number, kind as u8)
}

fn read(record: &[u8]) -> Result<BucketDocument, Error> {
    let (revision, record) = schema::decode::<BucketDocumentRecord>(record)?;
    Ok(BucketDocument { revision, modified: Timestamp(record.modified), bytes: record.document })
}
