//! The one place where permission is decided.
//!
//! A request is denied if any statement of the caller's policy, of the policy that narrows its session, or of the bucket's
//! policy denies it. Else it is allowed if the caller's policy allows it, or the bucket's policy does, or an ACL grants it; a
//! session's policy has to allow it besides. The root key needs no policy, and no bucket's policy can keep it from reading,
//! replacing or removing that very policy: nobody locks himself out. Owning a bucket or an object gives nothing by itself.
//!
//! - A bucket that is not there is `NoSuchBucket` for everybody, as at AWS.
//! - An object that is not there is `NoSuchKey` only for those who may list its bucket; others cannot tell it from one that
//!   they may not read.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

use std::cell::Cell;
use std::sync::Arc;

use http::HeaderMap;

use super::S3Config;
use super::acl::{Access, CannedAcl};
use super::error::{Code, Error};
use super::op::{Op, Target};
use super::query::Query;
use super::rules::{Ownership, Rules};
use crate::auth::policy::{PolicyRequest, Verdict};
use crate::auth::{Authenticated, Identity};
use crate::store::error::Error as StoreError;
use crate::store::types::{Attributes, Bucket, BucketName, Condition, ObjectInfo, ObjectKey};
use crate::wire::ConnectionInfo;

mod context;

use context::Facts;

/// What the root key may do with a bucket whatever the bucket's policy says.
const NEVER_DENIED_TO_ROOT: [&str; 3] = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];

/// Somebody asking for something: who, and what of the request policies may look at.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The gateway.
    pub config: &'a S3Config,
    /// Who asks, and how that was shown.
    pub auth: &'a Authenticated,
    /// The request's headers and what stands for headers.
    pub headers: &'a HeaderMap,
    /// Its query.
    pub query: &'a Query,
    /// The connection it came by.
    pub connection: Option<ConnectionInfo>,
    /// The tags it brings, where a header does not say them: they stand in a document or a field, or are another object's.
    pub tags: Option<&'a [(String, String)]>,
    /// The object that is asked about, once it has been looked at: it is judged, and not whatever stands there by then.
    pub object: Option<&'a ObjectInfo>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The gateway.
    Service,
    /// A bucket that is not there yet.
    NewBucket(&'a BucketName),
    /// A bucket.
    Bucket(&'a Bucket),
    /// An object, whether it is there or not.
    Object(&'a Bucket, &'a ObjectKey),
    /// What an ARN names that is not of S3.
    Named(&'a str),
}

impl<'a> Place<'a> {
    fn bucket(self) -> Option<&'a Bucket> {
        match self {
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
            Self::Service | Self::NewBucket(_) | Self::Named(_) => None,
        }
    }

    fn arn(self) -> String {
        match self {
            Self::Service => "arn:aws:s3:::*".to_owned(),
            Self::Named(arn) => arn.to_owned(),
            Self::NewBucket(name) => format!("arn:aws:s3:::{name}"),
            Self::Bucket(bucket) => format!("arn:aws:s3:::{}", bucket.name),
            Self::Object(bucket, key) => format!("arn:aws:s3:::{}/{}", bucket.name, key.as_str()),
        }
    }
}

impl Asking<'_> {
    /// Permission for an operation on what the request's own address names. Some ask for themselves, when they know more.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub fn authorize(&self, op: &Op, place: Place<'_>) -> Result<(), Error> {
        match place {
            place if op.asks_itself() => self.may_be_asked(place),
            place => self.permit(op.action, place),
        }
    }

    /// Refuses somebody without a key where the bucket allows nothing to such: then no body need come that says what is asked.
    ///
    /// # Errors
    /// `AccessDenied`, and failures of the store.
    pub fn may_be_asked(&self, place: Place<'_>) -> Result<(), Error> {
        let rules = self.rules(place)?;
        let silent =
            rules.is_none_or(|rules| rules.policy.is_none() && !self.granted(&rules, rules.acl, Access::Write));
        match self.auth.identity {
            Identity::Anonymous if silent => Err(Code::ACCESS_DENIED.into()),
            Identity::Anonymous | Identity::Key(_) => Ok(()),
        }
    }

    /// Permission for an action.
    ///
    /// # Errors
    /// `AccessDenied`, and failures of the store.
    pub fn permit(&self, action: &str, place: Place<'_>) -> Result<(), Error> {
        let rules = self.rules(place)?;
        if self.allowed(action, place, rules.as_deref())? {
            return Ok(());
        }
        // Whoever could have listed it is told that it is not there.
        if let Place::Object(bucket, key) = place
            && grant_needed(action) == Some((Access::Read, Target::Object))
            && self.attributes(bucket, key)?.is_none()
            && self.may_list(bucket, key)?
        {
            return Err(Error::new(Code::NO_SUCH_KEY).with("Key", key.as_str()));
        }
        Err(Code::ACCESS_DENIED.into())
    }

    /// Whether the caller could list this key of the bucket, and so find out whether it is there. The question is judged as that
    /// of a listing with the key as prefix, whatever the request's own query says.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn may_list(&self, bucket: &Bucket, key: &ObjectKey) -> Result<bool, Error> {
        let (place, query) = (Place::Bucket(bucket), Query::of("prefix", key.as_str()));
        Asking { query: &query, ..*self }.allowed("s3:ListBucket", place, self.rules(place)?.as_deref())
    }

    /// What a condition on a tag takes besides: whoever may not read an object must not find out its tag by guessing.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub fn permit_condition(&self, condition: Option<&Condition>, place: Place<'_>) -> Result<(), Error> {
        match condition {
            Some(Condition::Matches(_) | Condition::MatchesNone) => self.permit("s3:GetObject", place),
            Some(Condition::Absent | Condition::Present) | None => Ok(()),
        }
    }

    /// Whether the caller is to see this bucket in the list of all: those it owns, and those that its own policy lets it list.
    pub fn sees(&self, bucket: &Bucket) -> bool {
        let owns = self.auth.identity.key().is_some_and(|key| key.canonical_user_id == self.owner_of(bucket));
        let place = Place::Bucket(bucket);
        self.by_session("s3:ListBucket", place) == Verdict::Allow
            && (owns || self.by_identity("s3:ListBucket", place) == Verdict::Allow)
    }

    fn owner_of<'b>(&'b self, bucket: &'b Bucket) -> &'b str {
        self.config.owner_of(bucket)
    }

    /// Settles whose an object to be is, and its ACL, by the request's headers, and asks for what they take besides the
    /// permission to write: `s3:PutObjectAcl` for an ACL that opens something, `s3:PutObjectTagging` for tags.
    ///
    /// # Errors
    /// `AccessDenied`, `AccessControlListNotSupported`, and for an ACL that is none.
    pub fn own(&self, bucket: &Bucket, key: &ObjectKey, attributes: &mut Attributes) -> Result<(), Error> {
        let place = Place::Object(bucket, key);
        let rules = self.config.rules.of(&self.config.store, bucket)?;
        let acl = CannedAcl::of_headers(self.headers)?;
        check_acl(&rules, acl)?;
        let acl = acl.unwrap_or_default();
        if !acl.is_owners() {
            self.permit_beside_write("s3:PutObjectAcl", place, &rules)?;
        }
        if !attributes.tags.is_empty() {
            self.permit_beside_write("s3:PutObjectTagging", place, &rules)?;
        }
        let writer = self.writer();
        let to_bucket_owner = match rules.ownership {
            Ownership::ObjectWriter => false,
            Ownership::BucketOwnerPreferred => acl == CannedAcl::BucketOwnerFullControl,
            Ownership::BucketOwnerEnforced => true,
        };
        attributes.owner =
            Some(writer).filter(|writer| !to_bucket_owner && *writer != self.owner_of(bucket)).map(str::to_owned);
        attributes.acl = acl.number().filter(|_| rules.ownership != Ownership::BucketOwnerEnforced);
        Ok(())
    }

    /// What it takes to complete an upload: its ACL is one that the bucket takes by now, and whoever did not begin it may give
    /// the object the ACL and the tags that it was begun with.
    ///
    /// # Errors
    /// As [`Self::own`].
    pub fn permit_completion(&self, bucket: &Bucket, key: &ObjectKey, begun: &Attributes) -> Result<(), Error> {
        let rules = self.config.rules.of(&self.config.store, bucket)?;
        let acl = CannedAcl::stored(begun.acl);
        check_acl(&rules, Some(acl))?;
        if begun.owner.as_deref().unwrap_or(self.owner_of(bucket)) == self.writer() {
            return Ok(());
        }
        let asking = Asking { tags: Some(&begun.tags), ..*self };
        if !acl.is_owners() {
            asking.permit_beside_write("s3:PutObjectAcl", Place::Object(bucket, key), &rules)?;
        }
        if !begun.tags.is_empty() {
            asking.permit_beside_write("s3:PutObjectTagging", Place::Object(bucket, key), &rules)?;
        }
        Ok(())
    }

    /// Canonical user id of whoever owns what the caller writes.
    fn writer(&self) -> &str {
        self.auth.identity.key().map_or(ANONYMOUS_USER_ID, |key| &key.canonical_user_id)
    }

    /// What is known of the object that is asked about; none where there is none.
    fn attributes(&self, bucket: &Bucket, key: &ObjectKey) -> Result<Option<Attributes>, StoreError> {
        match self.object {
            Some(info) => Ok(Some(info.attributes.clone())),
            None => match self.config.store.object(bucket, key) {
                Ok(info) => Ok(Some(info.attributes)),
                Err(StoreError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Whoever may write by the bucket's ACL may also say what the ACL and the tags of the new object are.
    fn permit_beside_write(&self, action: &str, place: Place<'_>, rules: &Rules) -> Result<(), Error> {
        match self.by_policies(action, place, Some(rules)) {
            Verdict::Allow => Ok(()),
            Verdict::Silent if self.granted(rules, rules.acl, Access::Write) => Ok(()),
            Verdict::Deny | Verdict::Silent => Err(Code::ACCESS_DENIED.into()),
        }
    }

    fn rules(&self, place: Place<'_>) -> Result<Option<Arc<Rules>>, Error> {
        place.bucket().map(|bucket| self.config.rules.of(&self.config.store, bucket)).transpose()
    }

    fn allowed(&self, action: &str, place: Place<'_>, rules: Option<&Rules>) -> Result<bool, Error> {
        match (self.by_policies(action, place, rules), rules) {
            (Verdict::Deny, _) => Ok(false),
            (Verdict::Allow, _) => Ok(true),
            (Verdict::Silent, None) => Ok(false),
            (Verdict::Silent, Some(rules)) => self.by_acl(action, place, rules),
        }
    }

    fn by_policies(&self, action: &str, place: Place<'_>, rules: Option<&Rules>) -> Verdict {
        let by_identity = self.by_identity(action, place);
        let by_session = self.by_session(action, place);
        let by_bucket = rules.map_or(Verdict::Silent, |rules| self.by_bucket(action, place, rules));
        match (by_identity, by_session, by_bucket) {
            (Verdict::Deny, _, _) | (_, Verdict::Deny, _) | (_, _, Verdict::Deny) => Verdict::Deny,
            // What a session is not allowed it is refused, whatever else would allow it.
            (_, Verdict::Silent, _) => Verdict::Deny,
            (Verdict::Allow, _, _) | (_, _, Verdict::Allow) => Verdict::Allow,
            (Verdict::Silent, _, Verdict::Silent) => Verdict::Silent,
        }
    }

    /// What the caller's own policies say of something that no bucket's policy is about.
    pub fn by_identity_alone(&self, action: &str, place: Place<'_>) -> Verdict {
        match self.by_session(action, place) {
            Verdict::Deny => Verdict::Deny,
            _ => self.by_identity(action, place),
        }
    }

    fn by_identity(&self, action: &str, place: Place<'_>) -> Verdict {
        match self.auth.identity.key() {
            None => Verdict::Silent,
            Some(key) if key.root => Verdict::Allow,
            Some(key) => key.policy.as_ref().map_or(Verdict::Silent, |policy| self.evaluate(policy, action, place)),
        }
    }

    /// Whoever has no session, or one that nothing narrows, is allowed everything in this respect.
    fn by_session(&self, action: &str, place: Place<'_>) -> Verdict {
        let narrowed = self.auth.identity.key().and_then(|key| key.session.as_ref()?.policy.as_ref());
        narrowed.map_or(Verdict::Allow, |policy| self.evaluate(policy, action, place))
    }

    fn by_bucket(&self, action: &str, place: Place<'_>, rules: &Rules) -> Verdict {
        let Some(policy) = &rules.policy else { return Verdict::Silent };
        let key = self.auth.identity.key();
        let is_root = key.is_some_and(crate::auth::KeyIdentity::is_unrestricted_root);
        if is_root && NEVER_DENIED_TO_ROOT.contains(&action) {
            return Verdict::Silent;
        }
        match self.evaluate(policy, action, place) {
            Verdict::Allow if rules.block.restrict_buckets && rules.policy_is_public && key.is_none() => {
                Verdict::Silent
            }
            verdict => verdict,
        }
    }

    fn evaluate(&self, policy: &crate::auth::policy::Policy, action: &str, place: Place<'_>) -> Verdict {
        let facts = Facts { asking: self, action, place, now: self.config.clock.now(), failed: Cell::new(false) };
        let resource = place.arn();
        let principal = self.auth.identity.principal();
        let verdict = policy.evaluate(&PolicyRequest { principal, action, resource: &resource, context: &facts });
        // What could not be looked up must not be taken for what is not there: a denial may depend on it.
        if facts.failed.get() { Verdict::Deny } else { verdict }
    }

    fn by_acl(&self, action: &str, place: Place<'_>, rules: &Rules) -> Result<bool, Error> {
        let Some((access, target)) = grant_needed(action) else { return Ok(false) };
        let acl = match (target, place) {
            (Target::Object, Place::Object(bucket, key)) => match self.attributes(bucket, key)? {
                Some(attributes) => CannedAcl::stored(attributes.acl),
                None => return Ok(false),
            },
            (Target::Bucket, Place::Bucket(_) | Place::Object(..)) => rules.acl,
            _ => return Ok(false),
        };
        Ok(self.granted(rules, acl, access))
    }

    fn granted(&self, rules: &Rules, acl: CannedAcl, access: Access) -> bool {
        !rules.acls_are_off() && acl.grants(access, self.auth.identity != Identity::Anonymous)
    }
}

/// The owner of what nobody in particular wrote, as AWS names it.
pub const ANONYMOUS_USER_ID: &str = "65a011a29cdf8ec533ec3d1ccaae921c";

/// Refuses an ACL that the bucket does not take.
///
/// # Errors
/// `AccessControlListNotSupported`, `AccessDenied`.
pub fn check_acl(rules: &Rules, acl: Option<CannedAcl>) -> Result<(), Error> {
    let Some(acl) = acl else { return Ok(()) };
    if rules.ownership == Ownership::BucketOwnerEnforced && !acl.is_owners() {
        return Err(Code::ACCESS_CONTROL_LIST_NOT_SUPPORTED.into());
    }
    if rules.block.block_acls && acl.is_public() {
        return Err(Code::ACCESS_DENIED.into());
    }
    Ok(())
}

/// The access that an ACL has to grant for an action, and whose ACL; none for what only policies allow.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#acl-access-policy-permission-mapping>
fn grant_needed(action: &str) -> Option<(Access, Target)> {
    match action {
        "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads" => {
            Some((Access::Read, Target::Bucket))
        }
        "s3:PutObject" | "s3:DeleteObject" | "s3:AbortMultipartUpload" | "s3:ListMultipartUploadParts" => {
            Some((Access::Write, Target::Bucket))
        }
        "s3:GetObject" | "s3:GetObjectAttributes" => Some((Access::Read, Target::Object)),
        _ => None,
    }
}
