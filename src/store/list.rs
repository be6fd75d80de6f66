//! Listings: one range scan a page. Common prefixes are skipped by seeking past them, never by reading their keys, so a page
//! of `max` entries visits at most `max + 1` rows, wherever it begins and whatever lies below its prefixes.

use std::ops::ControlFlow;

use crate::store::Store;
use crate::store::error::Error;
use crate::store::meta::schema;
use crate::store::meta::{Snapshot, Space, Visit, prefix_end};
use crate::store::multipart::read_upload;
use crate::store::object::read_object;
use crate::store::types::{
    Bucket, Entry, ListPage, ListRequest, NextPage, ObjectInfo, ObjectKey, UploadId, UploadInfo,
};

impl Store {
    /// A page of a bucket's objects.
    pub fn list_objects(&self, bucket: &Bucket, request: &ListRequest) -> Result<ListPage<ObjectInfo>, Error> {
        let start = match request.after.as_str() {
            "" => schema::number_key(bucket.number),
            // The first row after the key itself: its end mark is 00 01, so 00 02 lies behind it and before longer keys.
            after => past_key(bucket.number, after),
        };
        let mut page = Page::new(bucket, request, start);
        page.fill(self.snapshot()?.as_ref(), Space::Current, &mut |key, _, record| {
            Ok((read_object(key, record)?.0, None))
        })?;
        Ok(page.finish())
    }

    /// A page of a bucket's open uploads, by key and then by age. After the key `request.after`; with `upload_after` also that
    /// key's uploads after this one.
    pub fn list_uploads(
        &self,
        bucket: &Bucket,
        request: &ListRequest,
        upload_after: Option<UploadId>,
    ) -> Result<ListPage<UploadInfo>, Error> {
        let start = match (request.after.as_str(), upload_after) {
            ("", _) => schema::number_key(bucket.number),
            (after, Some(upload)) => schema::upload_key(bucket.number, after, upload.number.saturating_add(1)),
            (after, None) => past_key(bucket.number, after),
        };
        let mut page = Page::new(bucket, request, start);
        page.fill(self.snapshot()?.as_ref(), Space::Uploads, &mut |key, _, record| {
            let upload = read_upload(key, record)?;
            let id = upload.id;
            Ok((upload, Some(id)))
        })?;
        Ok(page.finish())
    }
}

/// The first possible row after all rows of `key`.
fn past_key(bucket: u64, key: &str) -> Vec<u8> {
    let mut row = schema::prefix_key(bucket, key);
    row.extend_from_slice(&[0, 2]);
    row
}

/// The common prefix this key is folded into.
fn common_prefix<'k>(request: &ListRequest, key: &'k str) -> Option<&'k str> {
    let delimiter = request.delimiter.as_str();
    let rest = key.strip_prefix(request.prefix.as_str()).filter(|_| !delimiter.is_empty())?;
    key.get(..request.prefix.len() + rest.find(delimiter)? + delimiter.len())
}

/// The first possible row after all rows of keys that begin with `prefix`.
fn past_prefix(bucket: u64, prefix: &str) -> Vec<u8> {
    prefix_end(&schema::prefix_key(bucket, prefix))
}

/// Reads a row: the item, and the upload it is where that matters for the next page.
type ReadRow<'a, T> = dyn FnMut(ObjectKey, &[u8], &[u8]) -> Result<(T, Option<UploadId>), Error> + 'a;

/// A page while it fills.
struct Page<'a, T> {
    request: &'a ListRequest,
    bucket: u64,
    start: Vec<u8>,
    end: Vec<u8>,
    entries: Vec<Entry<T>>,
    last: Option<NextPage>,
    more: bool,
}

impl<'a, T> Page<'a, T> {
    fn new(bucket: &Bucket, request: &'a ListRequest, start: Vec<u8>) -> Self {
        let first = schema::prefix_key(bucket.number, &request.prefix);
        // A marker within a common prefix lies behind it in order, so the prefix is done, and with it all keys below it.
        let folded = common_prefix(request, &request.after).map(|prefix| past_prefix(bucket.number, prefix));
        Self {
            request,
            bucket: bucket.number,
            end: prefix_end(&first),
            start: start.max(first).max(folded.unwrap_or_default()),
            entries: Vec::new(),
            last: None,
            more: false,
        }
    }

    fn fill(&mut self, snapshot: &dyn Snapshot, space: Space, read: &mut ReadRow<'_, T>) -> Result<(), Error> {
        if self.request.max == 0 {
            return Ok(());
        }
        let (start, end) = (self.start.clone(), self.end.clone());
        let mut failure = None;
        snapshot.scan(space, &start, &end, &mut |row, record| {
            self.row(row, record, read).unwrap_or_else(|error| {
                failure = Some(error);
                ControlFlow::Break(())
            })
        })?;
        failure.map_or(Ok(()), Err)
    }

    fn row(&mut self, row: &[u8], record: &[u8], read: &mut ReadRow<'_, T>) -> Result<ControlFlow<(), Visit>, Error> {
        let key = schema::key_of_row(row)
            .and_then(|key| ObjectKey::parse(&key))
            .ok_or_else(|| Error::Corrupt("a row's key is unreadable".to_owned()))?;
        if self.entries.len() == self.request.max {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        match common_prefix(self.request, key.as_str()).map(str::to_owned) {
            Some(prefix) => {
                let seek = Visit::Seek(past_prefix(self.bucket, &prefix));
                self.last = Some(NextPage { after: prefix.clone(), upload: None });
                self.entries.push(Entry::CommonPrefix(prefix));
                Ok(ControlFlow::Continue(seek))
            }
            None => {
                let after = key.as_str().to_owned();
                let (item, upload) = read(key, row, record)?;
                self.last = Some(NextPage { after, upload });
                self.entries.push(Entry::Item(item));
                Ok(ControlFlow::Continue(Visit::Next))
            }
        }
    }

    fn finish(self) -> ListPage<T> {
        ListPage { entries: self.entries, next: self.last.filter(|_| self.more) }
    }
}
