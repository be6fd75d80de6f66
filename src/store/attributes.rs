//! Attributes of an object that is there: its record is written again with others, and nothing else of it changes.
//!
//! The body stays where it is, so nothing is buried. The commit requires the very record the new one was made from: whoever
//! replaces or removes the object meanwhile wins, and the attributes go to what then stands there, or nowhere.

use crate::store::Store;
use crate::store::error::{Error, Missing};
use crate::store::meta::schema::{self, AttributesRecord, ObjectRecord};
use crate::store::meta::{Batch, Require, Space, Write};
use crate::store::object::read_object;
use crate::store::types::{Bucket, ObjectInfo, ObjectKey};

impl Store {
    /// Changes attributes of an object. Its bytes, its ETag and the time it was written stay. Each object that this is tried on
    /// is shown to `approve` first: what was approved of one is not done to another that has taken its place.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others changed the object each time this was tried, and those of `approve`.
    pub(super) async fn change_attributes<E: From<Error>>(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        approve: impl Fn(&ObjectInfo) -> Result<(), E>,
        change: impl Fn(&mut AttributesRecord),
    ) -> Result<(), E> {
        let row = schema::object_key(bucket.number, key.as_str());
        self.commit_seen(1, |snapshot| {
            let standing = snapshot.get(Space::Current, &row).map_err(Error::from)?;
            let standing = standing.ok_or(Error::NotFound(Missing::Object))?;
            approve(&read_object(key.clone(), &standing).map_err(Error::from)?.0)?;
            let (revision, mut record) = schema::decode::<ObjectRecord>(&standing).map_err(Error::from)?;
            change(&mut record.attributes);
            let record = schema::encode(self.numbers.next(), &record);
            let batch = Batch::default()
                .require(Self::require_bucket(bucket))
                .require(Require::Revision(Space::Current, row.clone(), revision))
                .write(Write::Put(Space::Current, row.clone(), record));
            Ok(((), batch))
        })
        .await
    }

    /// Sets or takes away the number that stands for the object's ACL, if `approve` lets it be done to what stands there.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others changed the object each time this was tried, and those of `approve`.
    pub async fn put_object_acl<E: From<Error>>(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        acl: Option<u8>,
        approve: impl Fn(&ObjectInfo) -> Result<(), E>,
    ) -> Result<(), E> {
        // What closes an object works below the reserve too.
        if acl.is_some() {
            self.room.check(0)?;
        }
        self.change_attributes(bucket, key, approve, |attributes| attributes.acl = acl).await
    }
}
