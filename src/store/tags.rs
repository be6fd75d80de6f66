//! Tags of an object that is there.

use crate::store::Store;
use crate::store::error::Error;
use crate::store::types::{Bucket, ObjectInfo, ObjectKey};

impl Store {
    /// Replaces the tags of an object, if `approve` lets it be done to what stands there. Its bytes, its ETag and the time it was
    /// written stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others changed the object each time this was tried, and those of `approve`.
    pub async fn put_object_tags<E: From<Error>>(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        tags: Vec<(String, String)>,
        approve: impl Fn(&ObjectInfo) -> Result<(), E>,
    ) -> Result<(), E> {
        self.room.check(0)?;
        let tags = Some(tags).filter(|tags| !tags.is_empty());
        self.change_attributes(bucket, key, approve, |attributes| attributes.tags.clone_from(&tags)).await
    }

    /// Removes the tags of an object, if `approve` lets it be done to what stands there.
    ///
    /// # Errors
    /// As [`Store::put_object_tags`].
    pub async fn delete_object_tags<E: From<Error>>(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        approve: impl Fn(&ObjectInfo) -> Result<(), E>,
    ) -> Result<(), E> {
        self.change_attributes(bucket, key, approve, |attributes| attributes.tags = None).await
    }
}
