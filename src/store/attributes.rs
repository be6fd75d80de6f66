//! Attributes of an object that is there: its record is written again with others, and nothing else of it changes.
//!
//! The body stays where it is, so nothing is buried. The commit requires the very record the new one was made from: whoever
//! replaces or removes the object meanwhile wins, and the attributes go to what then stands there, or nowhere.

use crate::store::Store;
use crate::store::error::{Error, Missing};
use crate::store::meta::schema::{self, AttributesRecord, ObjectRecord};
use crate::store::meta::{Batch, Require, Space, Write};
use crate::store::types::{Bucket, ObjectKey};

impl Store {
    /// Changes attributes of an object. Its bytes, its ETag and the time it was written stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others changed the object each time this was tried.
    pub(super) async fn change_attributes(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        change: impl Fn(&mut AttributesRecord),
    ) -> Result<(), Error> {
        let row = schema::object_key(bucket.number, key.as_str());
        self.commit_seen(1, |snapshot| {
            let standing = snapshot.get(Space::Current, &row)?.ok_or(Error::NotFound(Missing::Object))?;
            let (revision, mut record) = schema::decode::<ObjectRecord>(&standing)?;
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

    /// Sets or takes away the number that stands for the object's ACL.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others changed the object each time this was tried.
    pub async fn put_object_acl(&self, bucket: &Bucket, key: &ObjectKey, acl: Option<u8>) -> Result<(), Error> {
        // What closes an object works below the reserve too.
        if acl.is_some() {
            self.room.check(0)?;
        }
        self.change_attributes(bucket, key, |attributes| attributes.acl = acl).await
    }
}
