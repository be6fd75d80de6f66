//! Open multipart uploads, with their age and their bytes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};

use super::Admin;
use super::call::{Call, PageRequest};
use super::reply::{AdminError, Reply};
use crate::base::limits::{ADMIN_PAGE_PARTS_MAX, LIST_PAGE_MAX, PARTS_MAX};
use crate::store::Store;
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::{Bucket, Entry, ListRequest, ObjectKey, UploadId, UploadInfo};

impl Admin {
    pub(super) async fn uploads_call(&self, call: Call) -> Result<Reply, AdminError> {
        if call.method != Method::GET {
            return Err(AdminError::Method("GET"));
        }
        let page = call.page()?;
        let bucket = call.parameter("bucket").map(|name| self.bucket(name)).transpose()?;
        let prefix = call.parameter("prefix").unwrap_or_default().to_owned();
        let store = Arc::clone(&self.store);
        // Adding up the parts of a page reads up to a hundred thousand rows.
        let listing = tokio::task::spawn_blocking(move || list(&store, bucket, &prefix, &page));
        listing.await.map_err(|error| AdminError::Internal(error.to_string()))?.map(Reply::Here)
    }

    pub(super) async fn upload_call(&self, call: Call, id: &str) -> Result<Reply, AdminError> {
        if call.method != Method::DELETE {
            return Err(AdminError::Method("DELETE"));
        }
        let missing = |name: &str| AdminError::invalid(format!("the query names no \"{name}\""));
        let bucket = self.bucket(call.parameter("bucket").ok_or_else(|| missing("bucket"))?)?;
        let key = call.parameter("key").ok_or_else(|| missing("key"))?;
        let gone = StoreError::NotFound(Missing::Upload);
        let (Some(key), Some(id)) = (ObjectKey::parse(key), UploadId::parse(id)) else { return Err(gone.into()) };
        self.store.abort_upload(&bucket, &key, id).await?;
        tracing::info!(bucket = %bucket.name, key = key.as_str(), upload = %id, "an upload was aborted");
        Ok(Reply::Done)
    }
}

/// Where the next page begins: behind this upload.
struct Cursor {
    bucket: String,
    key: String,
    upload: UploadId,
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (bucket, key, upload): (String, String, String) = serde_json::from_slice(&bytes).ok()?;
        Some(Self { bucket, key, upload: UploadId::parse(&upload)? })
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!([self.bucket, self.key, self.upload.to_string()]).to_string())
    }
}

/// A page while it fills.
struct Listing {
    limit: usize,
    uploads: Vec<Value>,
    parts: usize,
    last: Option<Cursor>,
    more: bool,
}

fn list(store: &Store, only: Option<Bucket>, prefix: &str, page: &PageRequest) -> Result<Value, AdminError> {
    let cursor = match page.after.as_str() {
        "" => None,
        text => Some(Cursor::read(text).ok_or_else(|| AdminError::invalid("\"after\" is no \"next\" of ours"))?),
    };
    let mut listing = Listing { limit: page.limit, uploads: Vec::new(), parts: 0, last: None, more: false };
    let mut bucket = match (&only, &cursor) {
        (Some(bucket), _) => Some(bucket.clone()),
        // The cursor's own bucket, if it is still there, or the next one.
        (None, Some(cursor)) => match first_after(store, &cursor.bucket)? {
            (Some(same), _) => Some(same),
            (None, next) => next,
        },
        (None, None) => next_bucket(store, "")?,
    };
    while let Some(current) = bucket {
        let from = cursor.as_ref().filter(|cursor| cursor.bucket == current.name.as_str());
        listing.add(store, &current, prefix, from)?;
        if listing.more || only.is_some() {
            break;
        }
        bucket = next_bucket(store, current.name.as_str())?;
    }
    let next = listing.last.filter(|_| listing.more).map(|cursor| cursor.text());
    Ok(json!({ "uploads": listing.uploads, "next": next }))
}

/// The bucket of this name, if there is one, and the one after it.
fn first_after(store: &Store, name: &str) -> Result<(Option<Bucket>, Option<Bucket>), AdminError> {
    let same = store.buckets_page(name, "", 1)?.0.into_iter().find(|bucket| bucket.name.as_str() == name);
    Ok((same, next_bucket(store, name)?))
}

fn next_bucket(store: &Store, after: &str) -> Result<Option<Bucket>, AdminError> {
    Ok(store.buckets_page("", after, 1)?.0.into_iter().next())
}

impl Listing {
    /// Adds the uploads of one bucket, until the page is full.
    fn add(&mut self, store: &Store, bucket: &Bucket, prefix: &str, from: Option<&Cursor>) -> Result<(), AdminError> {
        let (mut after, mut upload) = (from.map(|cursor| cursor.key.clone()), from.map(|cursor| cursor.upload));
        loop {
            let request = ListRequest {
                prefix: prefix.to_owned(),
                delimiter: String::new(),
                after: after.unwrap_or_default(),
                max: LIST_PAGE_MAX,
            };
            let page = store.list_uploads(bucket, &request, upload)?;
            for entry in page.entries {
                let Entry::Item(found) = entry else { continue };
                if self.uploads.len() == self.limit || self.parts >= ADMIN_PAGE_PARTS_MAX {
                    self.more = true;
                    return Ok(());
                }
                self.show(store, bucket, &found)?;
            }
            let Some(next) = page.next else { return Ok(()) };
            (after, upload) = (Some(next.after), next.upload);
        }
    }

    fn show(&mut self, store: &Store, bucket: &Bucket, upload: &UploadInfo) -> Result<(), AdminError> {
        let parts = match store.list_parts(bucket, &upload.key, upload.id, None, usize::from(PARTS_MAX)) {
            Ok(page) => page.parts,
            // Completed or aborted meanwhile.
            Err(StoreError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let now = store.now();
        let active = parts.iter().map(|part| part.modified).max().unwrap_or_default().max(upload.initiated);
        self.uploads.push(json!({
            "bucket": bucket.name.as_str(),
            "key": upload.key.as_str(),
            "uploadId": upload.id.to_string(),
            "initiated": upload.initiated.iso8601(),
            "ageSeconds": now.since(upload.initiated).as_secs(),
            "idleSeconds": now.since(active).as_secs(),
            "parts": parts.len(),
            "bytes": parts.iter().map(|part| part.size).sum::<u64>(),
        }));
        self.parts = self.parts.saturating_add(parts.len());
        self.last = Some(Cursor {
            bucket: bucket.name.as_str().to_owned(),
            key: upload.key.as_str().to_owned(),
            upload: upload.id,
        });
        Ok(())
    }
}
