//! Permission, as the pipeline asks for it. Who decides is handed in: it is the same that decides on the S3 port.

use http::HeaderMap;

use super::error::Error;
use crate::auth::Identity;
use crate::store::types::{Attributes, Bucket, ObjectKey};
use crate::wire::ConnectionInfo;

/// Somebody asking.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// The request's headers, for policies that look at them.
    pub headers: &'a HeaderMap,
    /// The connection it came by.
    pub connection: Option<ConnectionInfo>,
}

/// What is asked about: an object, whether it is there or not.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a>(pub &'a Bucket, pub &'a ObjectKey);

/// Decides.
pub trait Judge: Send + Sync {
    /// Permission for an action of S3, such as `s3:PutObject`.
    ///
    /// # Errors
    /// Why not, as a client is told.
    fn permit(&self, asker: &Asker<'_>, action: &str, place: Place<'_>) -> Result<(), Error>;

    /// Refuses somebody without a key where the bucket allows nothing to such, whatever it may be that is asked.
    ///
    /// # Errors
    /// Why not, as a client is told.
    fn may_be_asked(&self, asker: &Asker<'_>, bucket: &Bucket) -> Result<(), Error>;

    /// Settles whose an object to be is, by the rules of its bucket.
    ///
    /// # Errors
    /// Why not, as a client is told.
    fn own(
        &self,
        asker: &Asker<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
        attributes: &mut Attributes,
    ) -> Result<(), Error>;

    /// Whether an upload that was begun with these attributes may be completed by whoever asks.
    ///
    /// # Errors
    /// Why not, as a client is told.
    fn permit_completion(
        &self,
        asker: &Asker<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
        begun: &Attributes,
    ) -> Result<(), Error>;
}
