//! Tags of an object that is there.

use crate::store::Store;
use crate::store::error::Error;
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
        let tags = Some(tags).filter(|tags| !tags.is_empty());
        self.change_attributes(bucket, key, |attributes| attributes.tags.clone_from(&tags)).await
    }

    /// Removes the tags of an object.
    ///
    /// # Errors
    /// As [`Store::put_object_tags`].
    pub async fn delete_object_tags(&self, bucket: &Bucket, key: &ObjectKey) -> Result<(), Error> {
        self.change_attributes(bucket, key, |attributes| attributes.tags = None).await
    }
}
