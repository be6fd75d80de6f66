//! Actions: a service and a name, both with wildcards, compared without case.
//!
//! A bucket's policy is checked against the table below: an action that S3 does not have is refused, and so is one that none
//! of the statement's resources could be the object of. The policy of an identity may speak of any service.
//!
//! Source of the table: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>.

use super::resource::Reach;
use super::variables::{Syntax, Template};
use super::{PolicyError, PolicyKind};

/// What S3's actions are performed on: buckets ...
const ON_BUCKETS: [&str; 60] = [
    "CreateBucket",
    "CreateBucketMetadataTableConfiguration",
    "CreateSession",
    "DeleteBucket",
    "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketPolicy",
    "DeleteBucketWebsite",
    "GetAccelerateConfiguration",
    "GetAnalyticsConfiguration",
    "GetBucketAbac",
    "GetBucketAcl",
    "GetBucketCORS",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketMetadataTableConfiguration",
    "GetBucketNotification",
    "GetBucketObjectLockConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketPublicAccessBlock",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetEncryptionConfiguration",
    "GetIntelligentTieringConfiguration",
    "GetInventoryConfiguration",
    "GetLifecycleConfiguration",
    "GetMetricsConfiguration",
    "GetReplicationConfiguration",
    "ListBucket",
    "ListBucketMultipartUploads",
    "ListBucketVersions",
    "ListTagsForResource",
    "PutAccelerateConfiguration",
    "PutAnalyticsConfiguration",
    "PutBucketAbac",
    "PutBucketAcl",
    "PutBucketCORS",
    "PutBucketLogging",
    "PutBucketNotification",
    "PutBucketObjectLockConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketRequestPayment",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutBucketWebsite",
    "PutEncryptionConfiguration",
    "PutIntelligentTieringConfiguration",
    "PutInventoryConfiguration",
    "PutLifecycleConfiguration",
    "PutMetricsConfiguration",
    "PutReplicationConfiguration",
    "TagResource",
    "UntagResource",
    "UpdateBucketMetadataInventoryTableConfiguration",
    "UpdateBucketMetadataJournalTableConfiguration",
];
/// ... objects ...
const ON_OBJECTS: [&str; 35] = [
    "AbortMultipartUpload",
    "BypassGovernanceRetention",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjectVersion",
    "DeleteObjectVersionTagging",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "GetObjectTorrent",
    "GetObjectVersion",
    "GetObjectVersionAcl",
    "GetObjectVersionAttributes",
    "GetObjectVersionForReplication",
    "GetObjectVersionTagging",
    "GetObjectVersionTorrent",
    "InitiateReplication",
    "ListMultipartUploadParts",
    "ObjectOwnerOverrideToBucketOwner",
    "PutObject",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectTagging",
    "PutObjectVersionAcl",
    "PutObjectVersionTagging",
    "RenameObject",
    "ReplicateDelete",
    "ReplicateObject",
    "ReplicateTags",
    "RestoreObject",
    "UpdateObjectEncryption",
];
/// ... and the account, which no bucket's policy is asked about.
const ON_THE_ACCOUNT: [&str; 3] = ["GetAccountPublicAccessBlock", "ListAllMyBuckets", "PutAccountPublicAccessBlock"];

const SYNTAX: Syntax = Syntax { variables: false, wildcards: true, fold: true };

/// Reads one action.
pub(super) fn read(text: &str, kind: PolicyKind<'_>) -> Result<Template, PolicyError> {
    let well_formed =
        text == "*" || text.split_once(':').is_some_and(|(service, name)| is_word(service) && is_word(name));
    let action = Template::parse(text, SYNTAX).filter(|action| match kind {
        PolicyKind::Identity | PolicyKind::Session => well_formed,
        PolicyKind::Bucket(_) => well_formed && (Reach::of_action(action) != Reach::NONE || on_the_account(action)),
    });
    action.ok_or_else(|| PolicyError::new("Policy has invalid action"))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '?'))
}

fn matches_any(action: &Template, names: &[&str]) -> bool {
    names.iter().any(|name| action.matches_alone(&format!("s3:{name}")))
}

fn on_the_account(action: &Template) -> bool {
    matches_any(action, &ON_THE_ACCOUNT)
}

impl Reach {
    /// What the actions that are meant are performed on.
    pub(super) fn of_action(action: &Template) -> Self {
        Self { bucket: matches_any(action, &ON_BUCKETS), objects: matches_any(action, &ON_OBJECTS) }
    }
}
