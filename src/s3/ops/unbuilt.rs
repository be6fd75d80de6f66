//! The operations of S3's REST API that are not built: each answers 501 `NotImplemented` with its name.
//!
//! A row moves out of here into a file of its own when it is built. Absent, because no request to a bucket, an object or
//! `/` can mean them: ListDirectoryBuckets (ListBuckets at another host), WriteGetObjectResponse (a host of Object Lambda),
//! and the older names of the lifecycle and notification operations (the same requests).

use http::Method;

use crate::s3::op::{BodyRule, Op, Target};

/// The rows, by name.
pub static UNBUILT: &[Op] = &[
    bucket(
        "CreateBucketMetadataConfiguration",
        Method::POST,
        "metadataConfiguration",
        "s3:CreateBucketMetadataTableConfiguration",
    ),
    bucket(
        "CreateBucketMetadataTableConfiguration",
        Method::POST,
        "metadataTable",
        "s3:CreateBucketMetadataTableConfiguration",
    ),
    bucket("CreateSession", Method::GET, "session", "s3:CreateSession"),
    bucket("DeleteBucketAnalyticsConfiguration", Method::DELETE, "analytics&id", "s3:PutAnalyticsConfiguration"),
    bucket("DeleteBucketEncryption", Method::DELETE, "encryption", "s3:PutEncryptionConfiguration"),
    bucket(
        "DeleteBucketIntelligentTieringConfiguration",
        Method::DELETE,
        "intelligent-tiering&id",
        "s3:PutIntelligentTieringConfiguration",
    ),
    bucket("DeleteBucketInventoryConfiguration", Method::DELETE, "inventory&id", "s3:PutInventoryConfiguration"),
    bucket("DeleteBucketLifecycle", Method::DELETE, "lifecycle", "s3:PutLifecycleConfiguration"),
    bucket(
        "DeleteBucketMetadataConfiguration",
        Method::DELETE,
        "metadataConfiguration",
        "s3:DeleteBucketMetadataTableConfiguration",
    ),
    bucket(
        "DeleteBucketMetadataTableConfiguration",
        Method::DELETE,
        "metadataTable",
        "s3:DeleteBucketMetadataTableConfiguration",
    ),
    bucket("DeleteBucketMetricsConfiguration", Method::DELETE, "metrics&id", "s3:PutMetricsConfiguration"),
    bucket("DeleteBucketReplication", Method::DELETE, "replication", "s3:PutReplicationConfiguration"),
    bucket("DeleteBucketWebsite", Method::DELETE, "website", "s3:DeleteBucketWebsite"),
    bucket("GetBucketAbac", Method::GET, "abac", "s3:GetBucketAbac"),
    bucket("GetBucketAccelerateConfiguration", Method::GET, "accelerate", "s3:GetAccelerateConfiguration"),
    bucket("GetBucketAnalyticsConfiguration", Method::GET, "analytics&id", "s3:GetAnalyticsConfiguration"),
    bucket("GetBucketEncryption", Method::GET, "encryption", "s3:GetEncryptionConfiguration"),
    bucket(
        "GetBucketIntelligentTieringConfiguration",
        Method::GET,
        "intelligent-tiering&id",
        "s3:GetIntelligentTieringConfiguration",
    ),
    bucket("GetBucketInventoryConfiguration", Method::GET, "inventory&id", "s3:GetInventoryConfiguration"),
    bucket("GetBucketLifecycleConfiguration", Method::GET, "lifecycle", "s3:GetLifecycleConfiguration"),
    bucket("GetBucketLogging", Method::GET, "logging", "s3:GetBucketLogging"),
    bucket(
        "GetBucketMetadataConfiguration",
        Method::GET,
        "metadataConfiguration",
        "s3:GetBucketMetadataTableConfiguration",
    ),
    bucket(
        "GetBucketMetadataTableConfiguration",
        Method::GET,
        "metadataTable",
        "s3:GetBucketMetadataTableConfiguration",
    ),
    bucket("GetBucketMetricsConfiguration", Method::GET, "metrics&id", "s3:GetMetricsConfiguration"),
    bucket("GetBucketNotificationConfiguration", Method::GET, "notification", "s3:GetBucketNotification"),
    bucket("GetBucketReplication", Method::GET, "replication", "s3:GetReplicationConfiguration"),
    bucket("GetBucketRequestPayment", Method::GET, "requestPayment", "s3:GetBucketRequestPayment"),
    bucket("GetBucketWebsite", Method::GET, "website", "s3:GetBucketWebsite"),
    object("GetObjectLegalHold", Method::GET, "legal-hold", "s3:GetObjectLegalHold"),
    bucket("GetObjectLockConfiguration", Method::GET, "object-lock", "s3:GetBucketObjectLockConfiguration"),
    object("GetObjectRetention", Method::GET, "retention", "s3:GetObjectRetention"),
    object("GetObjectTorrent", Method::GET, "torrent", "s3:GetObjectTorrent"),
    bucket("ListBucketAnalyticsConfigurations", Method::GET, "analytics", "s3:GetAnalyticsConfiguration"),
    bucket(
        "ListBucketIntelligentTieringConfigurations",
        Method::GET,
        "intelligent-tiering",
        "s3:GetIntelligentTieringConfiguration",
    ),
    bucket("ListBucketInventoryConfigurations", Method::GET, "inventory", "s3:GetInventoryConfiguration"),
    bucket("ListBucketMetricsConfigurations", Method::GET, "metrics", "s3:GetMetricsConfiguration"),
    bucket("PutBucketAbac", Method::PUT, "abac", "s3:PutBucketAbac"),
    bucket("PutBucketAccelerateConfiguration", Method::PUT, "accelerate", "s3:PutAccelerateConfiguration"),
    bucket("PutBucketAnalyticsConfiguration", Method::PUT, "analytics&id", "s3:PutAnalyticsConfiguration"),
    bucket("PutBucketEncryption", Method::PUT, "encryption", "s3:PutEncryptionConfiguration"),
    bucket(
        "PutBucketIntelligentTieringConfiguration",
        Method::PUT,
        "intelligent-tiering&id",
        "s3:PutIntelligentTieringConfiguration",
    ),
    bucket("PutBucketInventoryConfiguration", Method::PUT, "inventory&id", "s3:PutInventoryConfiguration"),
    bucket("PutBucketLifecycleConfiguration", Method::PUT, "lifecycle", "s3:PutLifecycleConfiguration"),
    bucket("PutBucketLogging", Method::PUT, "logging", "s3:PutBucketLogging"),
    bucket("PutBucketMetricsConfiguration", Method::PUT, "metrics&id", "s3:PutMetricsConfiguration"),
    bucket("PutBucketNotificationConfiguration", Method::PUT, "notification", "s3:PutBucketNotification"),
    bucket("PutBucketReplication", Method::PUT, "replication", "s3:PutReplicationConfiguration"),
    bucket("PutBucketRequestPayment", Method::PUT, "requestPayment", "s3:PutBucketRequestPayment"),
    bucket("PutBucketVersioning", Method::PUT, "versioning", "s3:PutBucketVersioning"),
    bucket("PutBucketWebsite", Method::PUT, "website", "s3:PutBucketWebsite"),
    object("PutObjectLegalHold", Method::PUT, "legal-hold", "s3:PutObjectLegalHold"),
    bucket("PutObjectLockConfiguration", Method::PUT, "object-lock", "s3:PutBucketObjectLockConfiguration"),
    object("PutObjectRetention", Method::PUT, "retention", "s3:PutObjectRetention"),
    object("RenameObject", Method::PUT, "renameObject", "s3:PutObject"),
    object("RestoreObject", Method::POST, "restore", "s3:RestoreObject"),
    object("SelectObjectContent", Method::POST, "select&select-type=2", "s3:GetObject"),
    bucket(
        "UpdateBucketMetadataInventoryTableConfiguration",
        Method::PUT,
        "metadataInventoryTable",
        "s3:UpdateBucketMetadataInventoryTableConfiguration",
    ),
    bucket(
        "UpdateBucketMetadataJournalTableConfiguration",
        Method::PUT,
        "metadataJournalTable",
        "s3:UpdateBucketMetadataJournalTableConfiguration",
    ),
    object("UpdateObjectEncryption", Method::PUT, "encryption", "s3:UpdateObjectEncryption"),
];

const fn bucket(name: &'static str, method: Method, query: &'static str, action: &'static str) -> Op {
    row(name, method, Target::Bucket, query, action)
}

const fn object(name: &'static str, method: Method, query: &'static str, action: &'static str) -> Op {
    row(name, method, Target::Object, query, action)
}

const fn row(name: &'static str, method: Method, target: Target, query: &'static str, action: &'static str) -> Op {
    Op { name, method, target, query, also: &[], header: None, action, body: BodyRule::None, run: None }
}
