//! Buckets, their quotas and their policies.

use http::Method;
use serde_json::{Value, json};

use super::Admin;
use super::call::Call;
use super::reply::{AdminError, Reply};
use crate::auth::policy::{Policy, PolicyKind};
use crate::config::bucket_name;
use crate::s3::rules::PublicAccessBlock;
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::{Bucket, BucketName, DocumentKind};

impl Admin {
    pub(super) async fn buckets_call(&self, call: Call) -> Result<Reply, AdminError> {
        match call.method {
            Method::GET => {
                let page = call.page()?;
                let prefix = call.parameter("prefix").unwrap_or_default();
                let (buckets, more) = self.store.buckets_page(prefix, &page.after, page.limit)?;
                let next = buckets.last().filter(|_| more).map(|bucket| bucket.name.as_str().to_owned());
                let shown: Vec<Value> =
                    buckets.iter().map(|bucket| self.shown_bucket(bucket)).collect::<Result<_, _>>()?;
                Ok(Reply::Here(json!({ "buckets": shown, "next": next })))
            }
            Method::POST => {
                let fields = call.fields().await?;
                let name = fields.text("name")?.ok_or_else(|| AdminError::invalid("\"name\" is missing"))?;
                let name = bucket_name(name).map_err(|problem| AdminError::invalid(format!("\"name\": {problem}")))?;
                let (public, quota) = (fields.boolean("public")?.unwrap_or(false), fields.number("quota")?);
                let bucket = self.store.create_bucket(&name, None).await?;
                if public {
                    let policy = public_read_policy(&name).into_bytes();
                    self.store.put_bucket_document(&bucket, DocumentKind::Policy, policy).await?;
                }
                if quota.is_some() {
                    self.store.set_bucket_quota(&bucket, quota).await?;
                }
                tracing::info!(bucket = %name, public, "a bucket was made");
                Ok(Reply::Made(self.shown_bucket(&bucket)?))
            }
            _ => Err(AdminError::Method("GET, POST")),
        }
    }

    pub(super) async fn bucket_call(&self, call: Call, name: &str) -> Result<Reply, AdminError> {
        match call.method {
            Method::GET => Ok(Reply::Here(self.shown_bucket(&self.bucket(name)?)?)),
            Method::DELETE => {
                self.store.delete_bucket(&self.bucket(name)?.name).await?;
                tracing::info!(bucket = name, "a bucket was deleted");
                Ok(Reply::Done)
            }
            _ => Err(AdminError::Method("GET, DELETE")),
        }
    }

    pub(super) async fn quota_call(&self, call: Call, name: &str) -> Result<Reply, AdminError> {
        match call.method {
            Method::PUT => {
                let fields = call.fields().await?;
                let bytes = fields.number("bytes")?.ok_or_else(|| AdminError::invalid("\"bytes\" is missing"))?;
                let bucket = self.bucket(name)?;
                self.store.set_bucket_quota(&bucket, Some(bytes)).await?;
                Ok(Reply::Here(self.shown_bucket(&bucket)?))
            }
            Method::DELETE => {
                self.store.set_bucket_quota(&self.bucket(name)?, None).await?;
                Ok(Reply::Done)
            }
            _ => Err(AdminError::Method("PUT, DELETE")),
        }
    }

    pub(super) async fn policy_call(&self, call: Call, name: &str) -> Result<Reply, AdminError> {
        match call.method {
            Method::GET => match self.policy(&self.bucket(name)?)? {
                Some(policy) => Ok(Reply::Here(policy)),
                None => Err(AdminError::NoPolicy),
            },
            Method::PUT => {
                let bytes = call.bytes().await?;
                let bucket = self.bucket(name)?;
                let policy = Policy::parse(&bytes, PolicyKind::Bucket(name))?;
                if policy.is_public() && self.blocks_public_policies(&bucket)? {
                    return Err(AdminError::invalid("the bucket's public access block refuses public policies"));
                }
                self.store.put_bucket_document(&bucket, DocumentKind::Policy, bytes.to_vec()).await?;
                tracing::info!(bucket = name, "a bucket's policy was set");
                Ok(Reply::Done)
            }
            Method::DELETE => {
                self.store.delete_bucket_document(&self.bucket(name)?, DocumentKind::Policy).await?;
                tracing::info!(bucket = name, "a bucket's policy was taken away");
                Ok(Reply::Done)
            }
            _ => Err(AdminError::Method("GET, PUT, DELETE")),
        }
    }

    /// The bucket of this name.
    pub(super) fn bucket(&self, name: &str) -> Result<Bucket, AdminError> {
        let name = BucketName::parse(name).ok_or(StoreError::NotFound(Missing::Bucket))?;
        Ok(self.store.bucket(&name)?)
    }

    fn blocks_public_policies(&self, bucket: &Bucket) -> Result<bool, AdminError> {
        let Some(document) = self.store.bucket_document(bucket, DocumentKind::PublicAccessBlock)? else {
            return Ok(false);
        };
        let block = PublicAccessBlock::parse(&document.bytes);
        Ok(block.map_err(|error| AdminError::Internal(error.text().to_owned()))?.block_policy)
    }

    fn policy(&self, bucket: &Bucket) -> Result<Option<Value>, AdminError> {
        let Some(document) = self.store.bucket_document(bucket, DocumentKind::Policy)? else { return Ok(None) };
        let policy = serde_json::from_slice(&document.bytes);
        policy.map(Some).map_err(|error| AdminError::Internal(format!("the policy of {}: {error}", bucket.name)))
    }

    fn shown_bucket(&self, bucket: &Bucket) -> Result<Value, AdminError> {
        let usage = self.store.bucket_usage(bucket)?;
        Ok(json!({
            "name": bucket.name.as_str(),
            "created": bucket.created.iso8601(),
            "owner": bucket.owner,
            "objects": usage.objects,
            "bytes": usage.bytes,
            "quota": self.store.bucket_quota(bucket)?,
            "policy": self.policy(bucket)?,
        }))
    }
}

/// The policy that lets everybody read a bucket's objects.
pub(in crate::app) fn public_read_policy(bucket: &BucketName) -> String {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "PublicRead",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{bucket}/*"),
        }],
    });
    policy.to_string()
}
