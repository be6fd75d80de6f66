//! Tags of an object that is there: its record is written again with other tags, and nothing else of it changes.
//!
//! The body stays where it is, so nothing is buried. The commit requires the very record the new one was made from: whoever
//! replaces or removes the object meanwhile wins, and the tags go to what then stands there, or nowhere.

use crate::store::Store;
use crate::store::error::{Error, Missing};
use crate::store::meta::schema::{self, ObjectRecord};
use crate::store::meta::{Batch, Require, Space, Write};
use crate::store::types::{Bucket, ObjectKey};

impl Store {
    /// Replaces the tags of an object. Its bytes, its ETag and the time it was written stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others changed the object each time this was tried.
    pub async fn put_object_tags(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        tags: Vec<(String, String)>,
    ) -> Result<(), Error> {
        self.room.check(0)?;
        self.change_tags(bucket, key, tags).await
    }

    /// Removes the tags of an object.
    ///
    /// # Errors
    /// As [`Store::put_object_tags`].
    pub async fn delete_object_tags(&self, bucket: &Bucket, key: &ObjectKey) -> Result<(), Error> {
        self.change_tags(bucket, key, Vec::new()).await
    }

    async fn change_tags(&self, bucket: &Bucket, key: &ObjectKey, tags: Vec<(String, String)>) -> Result<(), Error> {
        let row = schema::object_key(bucket.number, key.as_str());
        let tags = Some(tags).filter(|tags| !tags.is_empty());
        self.commit_seen(1, |snapshot| {
            let standing = snapshot.get(Space::Current, &row)?.ok_or(Error::NotFound(Missing::Object))?;
            let (revision, mut record) = schema::decode::<ObjectRecord>(&standing)?;
            record.attributes.tags.clone_from(&tags);
            let record = schema::encode(self.numbers.next(), &record);
            let batch = Batch::default()
                .require(Self::require_bucket(bucket))
                .require(Require::Revision(Space::Current, row.clone(), revision))
                .write(Write::Put(Space::Current, row.clone(), record));
            Ok(((), batch))
        })
        .await
    }
}
