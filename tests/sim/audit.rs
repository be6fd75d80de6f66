//! Looking at a whole store: what clients see, the rows below it, and the files below those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wharf::base::clock::Clock as _;
use wharf::base::id::BlobId;
use wharf::base::limits::{BUCKETS_MAX, DIRECTORY_FILES_MAX};
use wharf::store::blob::{Blobs as _, ReadMode};
use wharf::store::error::Error;
use wharf::store::meta::schema::{
    self, BlobRecord, Content, ExtentsRecord, ManifestRecord, ObjectRecord, PartRecord, UploadRecord,
};
use wharf::store::meta::{Meta as _, Space};
use wharf::store::types::{Bucket, BucketName, Entry, ListPage, ListRequest, NextPage, UploadId, UploadInfo};

use crate::body::Body;
use crate::book::{BUCKETS, Book, COPIED_KEYS, GOING_KEYS, KEYS, all_places, place_of};
use crate::client::{read_info, tag_of};
use crate::machine::{Machine, Rows, Running};
use crate::model::{Object, OpId, Parts, Place, State, Upload};

/// Entries of a page: few, so that every listing takes several.
const PAGE: usize = 2;

/// What the store holds, read through the calls that clients use and from the rows of parts, every byte compared.
pub(crate) fn look(running: &mut Running, book: &mut Book) -> Result<BTreeMap<Place, State>, String> {
    let rows = running.rows()?;
    let mut found: BTreeMap<_, _> = all_places().map(|place| (place, State::default())).collect();
    let buckets = running.store.buckets_page("", "", BUCKETS_MAX).map_err(|error| error.to_string())?.0;
    for bucket in &buckets {
        let name = BUCKETS.into_iter().find(|name| *name == bucket.name.as_str());
        let name = name.ok_or_else(|| format!("a bucket that nobody asked for: {bucket:?}"))?;
        for place in found.keys().copied().filter(|place| place.bucket == name).collect::<Vec<_>>() {
            found.entry(place).or_default().exists = true;
        }
        for (key, object) in objects(running, bucket, book)? {
            found.entry(place_of(name, key)).or_default().objects.insert(key, object);
        }
        for upload in uploads(running, bucket)? {
            let (key, tag) = (known_key(upload.key.as_str())?, learn_upload(&upload, book)?);
            let parts = parts(running, &rows, upload.id.number, book)?;
            check_listed_parts(running, bucket, &upload, tag, &parts.staged, book)?;
            found.entry(place_of(name, key)).or_default().uploads.insert(tag, Upload::Open { key, parts });
        }
    }
    for (key, record) in rows.get(&Space::Completed).into_iter().flatten() {
        let (_, record) = decode::<schema::CompletedRecord>(key, record)?;
        let id = UploadId { number: record.number, secret: record.secret };
        let tag = book.upload_tag(id).ok_or_else(|| format!("a completed upload that nobody made: {record:?}"))?;
        let upload = &book.uploads[&tag];
        // The bucket may be gone; then nobody can ask for this answer any more.
        if buckets.iter().any(|bucket| bucket.number == record.bucket) {
            let same = |parts: &&Vec<(u32, Body)>| fingerprint(parts) == *record.fingerprint;
            let parts = upload.completes.iter().find(same).cloned();
            let parts = parts.ok_or_else(|| format!("upload {tag} was completed as nobody asked: {record:?}"))?;
            found.entry(upload.place).or_default().uploads.insert(tag, Upload::Completed { parts });
        }
    }
    Ok(found)
}

/// What the catalog keeps of a complete: SHA-256 over its part numbers and their MD5s.
fn fingerprint(parts: &[(u32, Body)]) -> [u8; 32] {
    let mut sha256 = Sha256::new();
    for (number, body) in parts {
        sha256.update(u16::try_from(*number).unwrap_or_default().to_be_bytes());
        sha256.update(body.content().md5);
    }
    sha256.finalize().into()
}

fn known_key(key: &str) -> Result<&'static str, String> {
    let known = KEYS.into_iter().chain(GOING_KEYS).chain(COPIED_KEYS).find(|known| *known == key);
    known.ok_or_else(|| format!("a key that nobody asked for: {key:?}"))
}

/// All pages of a listing.
fn all_pages<T>(page: impl Fn(Option<NextPage>) -> Result<ListPage<T>, String>) -> Result<Vec<T>, String> {
    let (mut items, mut next) = (Vec::new(), None);
    loop {
        let page = page(next)?;
        for entry in page.entries {
            match entry {
                Entry::Item(item) => items.push(item),
                Entry::CommonPrefix(prefix) => return Err(format!("{prefix} was folded without a delimiter")),
            }
        }
        next = match page.next {
            Some(next) => Some(next),
            None => return Ok(items),
        };
    }
}

fn objects(running: &mut Running, bucket: &Bucket, book: &Book) -> Result<Vec<(&'static str, Object)>, String> {
    let listed = all_pages(|next| {
        let after = next.map(|next| next.after).unwrap_or_default();
        let request = ListRequest { after, max: PAGE, ..ListRequest::default() };
        running.store.list_objects(bucket, &request).map_err(|error| error.to_string())
    })?;
    let mut objects = Vec::new();
    for info in listed {
        let object = read_info(&info, book)?;
        let open = running.store.open_object(bucket, &info.key).map_err(|error| format!("{object:?}: {error}"))?;
        if open.info != info {
            return Err(format!("listed as {info:?}, opened as {:?}", open.info));
        }
        let mut reader = open.read(0..u64::MAX);
        let mut read = Vec::new();
        while let Some(bytes) = running.wait(reader.next())? {
            read.extend_from_slice(&bytes.map_err(|error| format!("{object:?}: {error}"))?);
        }
        if read != object.bodies.bytes() {
            return Err(format!("{object:?} has {} other bytes", read.len()));
        }
        objects.push((known_key(info.key.as_str())?, object));
    }
    Ok(objects)
}

fn uploads(running: &Running, bucket: &Bucket) -> Result<Vec<UploadInfo>, String> {
    all_pages(|next| {
        let (after, upload) = next.map(|next| (next.after, next.upload)).unwrap_or_default();
        let request = ListRequest { after, max: PAGE, ..ListRequest::default() };
        running.store.list_uploads(bucket, &request, upload).map_err(|error| error.to_string())
    })
}

/// The tag of an upload; its id is learnt where no answer told it.
fn learn_upload(info: &UploadInfo, book: &mut Book) -> Result<OpId, String> {
    let unknown = || format!("an upload that nobody asked for: {info:?}");
    let tag = tag_of(&info.attributes).ok_or_else(unknown)?;
    let upload = book.uploads.get_mut(&tag).ok_or_else(unknown)?;
    let id = *upload.id.get_or_insert(info.id);
    if id != info.id || upload.key != info.key.as_str() { Err(unknown()) } else { Ok(tag) }
}

/// The parts of an upload from their rows, every byte compared.
fn parts(running: &Running, rows: &Rows, upload: u64, book: &Book) -> Result<Parts, String> {
    let mut parts = Parts::default();
    for (key, record) in rows.get(&Space::Parts).into_iter().flatten() {
        if leading_number(key) != Some(upload) {
            continue;
        }
        let (_, record) = decode::<PartRecord>(key, record)?;
        let body = book.body(*record.md5)?;
        if stored(running, rows, &record.content)? != body.content().bytes {
            return Err(format!("{body:?} is staged with other bytes"));
        }
        let number = schema::part_number_of_row(key).unwrap_or_default();
        parts.stage(number, body);
    }
    Ok(parts)
}

fn stored(running: &Running, rows: &Rows, content: &Content) -> Result<Vec<u8>, String> {
    match content {
        Content::Empty => Ok(Vec::new()),
        Content::Inline(number) => {
            let row = rows[&Space::Inline].get(&schema::number_key(*number)).cloned();
            let row = row.ok_or_else(|| format!("inline body {number} is missing"))?;
            Ok(schema::decode_inline(row).map_err(|error| error.to_string())?.into())
        }
        Content::Manifest(number) => Err(format!("a part with manifest {number}")),
        Content::Blob(_) => {
            let id = content.blob_id().expect("a blob");
            let reader = running.blobs.open(id).map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            while (bytes.len() as u64) < reader.len() {
                let read = reader.read(bytes.len() as u64..reader.len(), ReadMode::Wait);
                bytes.extend_from_slice(&read.map_err(|error| error.to_string())?.expect("it waited"));
            }
            Ok(bytes)
        }
    }
}

/// What clients are shown of the parts: one for each number, and one that may be the latest.
fn check_listed_parts(
    running: &Running,
    bucket: &Bucket,
    upload: &UploadInfo,
    tag: OpId,
    parts: &BTreeMap<(u32, Body), usize>,
    book: &Book,
) -> Result<(), String> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = running.store.list_parts(bucket, &upload.key, upload.id, after, PAGE);
        let page = page.map_err(|error| error.to_string())?;
        listed.extend(page.parts);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let numbers: BTreeSet<_> = parts.keys().map(|(number, _)| *number).collect();
    if !listed.iter().map(|part| part.number.get()).eq(numbers.iter().copied()) {
        return Err(format!("parts {numbers:?} are listed as {listed:?}"));
    }
    for part in listed {
        let (number, body) = (part.number.get(), book.body(part.md5)?);
        if part.size != body.len() || !parts.contains_key(&(number, body)) || !book.may_be_latest(tag, number, body) {
            return Err(format!("part {number} of {tag} is listed as {part:?}, staged are {parts:?}"));
        }
    }
    Ok(())
}

/// The law: what is named is there. Holds at any moment.
pub(crate) fn check_named(machine: &Machine, running: &Running) -> Result<(), String> {
    let rows = running.rows()?;
    let files = machine.blob_files()?;
    let named = Named::read(&rows)?;
    for id in &named.blobs {
        if !files.contains(&file_of(*id)) || !rows[&Space::Blobs].contains_key(id.to_bytes().as_slice()) {
            return Err(format!("blob {id} is named and missing"));
        }
    }
    match named.inline.iter().find(|number| !rows[&Space::Inline].contains_key(&schema::number_key(**number))) {
        Some(number) => Err(format!("inline body {number} is named and missing")),
        None => {
            check_usage(&rows)?;
            check_references(running, &rows)
        }
    }
}

/// Every bucket's objects are counted, and nothing else is.
fn check_usage(rows: &Rows) -> Result<(), String> {
    let mut expected = BTreeMap::<Vec<u8>, i64>::new();
    for (row, record) in &rows[&Space::Current] {
        let tally = schema::usage_tally(leading_number(row).unwrap_or_default());
        let size = decode::<ObjectRecord>(row, record)?.1.size;
        *expected.entry(tally.bytes).or_default() += i64::try_from(size).map_err(|error| error.to_string())?;
        *expected.entry(tally.rows).or_default() += 1;
    }
    expected.retain(|_, count| *count != 0);
    let counters = rows[&Space::Counters].iter().filter(|(name, _)| name.starts_with(b"usage-"));
    let counted: BTreeMap<_, _> = counters
        .map(|(name, value)| (name.clone(), value.as_slice().try_into().map_or(-1, i64::from_be_bytes)))
        .collect();
    if counted == expected { Ok(()) } else { Err(format!("usage is counted as {counted:?}, there is {expected:?}")) }
}

/// Each manifest is counted as often as objects name it, those that stand and those in the grave, and each blob has one owner.
fn check_references(running: &Running, rows: &Rows) -> Result<(), String> {
    let mut namers = BTreeMap::<u64, i64>::new();
    let mut owners = BTreeMap::<BlobId, usize>::new();
    let objects = rows[&Space::Grave].iter().filter(|(_, buried)| buried.first() == Some(&(Space::Current as u8)));
    let objects = objects.map(|(key, buried)| (key, buried.get(1..).unwrap_or_default()));
    for (key, record) in objects.chain(rows[&Space::Current].iter().map(|(key, record)| (key, record.as_slice()))) {
        match decode::<ObjectRecord>(key, record)?.1.content {
            Content::Manifest(number) => *namers.entry(number).or_default() += 1,
            content => content.blob_id().into_iter().for_each(|id| *owners.entry(id).or_default() += 1),
        }
    }
    for (key, record) in &rows[&Space::Extents] {
        let extents = decode::<ExtentsRecord>(key, record)?.1.extents;
        extents.iter().filter_map(|extent| extent.content.blob_id()).for_each(|id| *owners.entry(id).or_default() += 1);
    }
    if let Some((id, count)) = owners.iter().find(|(_, count)| **count != 1) {
        return Err(format!("blob {id} belongs to {count} objects or manifests"));
    }
    let snapshot = running.meta.snapshot().map_err(|error| error.to_string())?;
    for key in rows[&Space::Manifests].keys() {
        let number = leading_number(key).unwrap_or_default();
        let further = snapshot.counter(&schema::references_counter(number)).map_err(|error| error.to_string())?;
        let named = namers.remove(&number).unwrap_or_default();
        if named != 1 + further {
            return Err(format!("manifest {number} is named by {named} and counted {further} beyond the first"));
        }
    }
    match namers.is_empty() {
        true => Ok(()),
        false => Err(format!("manifests are named and missing: {namers:?}")),
    }
}

/// After the workers came to rest: nothing is there that nothing names, and the counters count.
pub(crate) fn check_at_rest(machine: &Machine, running: &Running) -> Result<(), String> {
    let rows = running.rows()?;
    let named = Named::read(&rows)?;
    let grave = rows[&Space::Grave].len();
    if grave > 0 {
        return Err(format!("{grave} rows are left in the grave"));
    }
    let files: BTreeSet<_> = named.blobs.iter().map(|id| file_of(*id)).collect();
    let on_disk = machine.blob_files()?;
    if files != on_disk {
        let (orphans, missing) = (on_disk.difference(&files), files.difference(&on_disk));
        return Err(format!("orphans: {:?}, missing: {:?}", orphans.collect::<Vec<_>>(), missing.collect::<Vec<_>>()));
    }
    let ids: BTreeSet<_> = named.blobs.iter().map(|id| id.to_bytes().to_vec()).collect();
    same("blob", &ids, &rows[&Space::Blobs])?;
    let inline: BTreeSet<_> = named.inline.iter().map(|number| schema::number_key(*number)).collect();
    same("inline body", &inline, &rows[&Space::Inline])?;
    let manifests: BTreeSet<_> = named.manifests.iter().map(|number| schema::number_key(*number)).collect();
    same("manifest", &manifests, &rows[&Space::Manifests])?;
    same("extents record", &named.extents, &rows[&Space::Extents])?;
    let parts = rows[&Space::Parts].len();
    if parts != named.parts {
        return Err(format!("{parts} part rows are there, {} belong to open uploads", named.parts));
    }
    for (key, record) in &rows[&Space::Blobs] {
        check_blob(running, key, record)?;
    }
    check_references(running, &rows)?;
    let runs: Vec<_> = rows[&Space::Runs].keys().cloned().collect();
    if runs != [schema::run_key(running.run)] {
        return Err(format!("runs are left over: {runs:?}"));
    }
    check_usage(&rows)?;
    check_counters(running, &rows, &named)
}

fn check_blob(running: &Running, key: &[u8], record: &[u8]) -> Result<(), String> {
    let id = BlobId::from_bytes(key.try_into().map_err(|_| "a blob's key is unreadable".to_owned())?);
    let (_, record) = decode::<BlobRecord>(key, record)?;
    let reader = running.blobs.open(id).map_err(|error| error.to_string())?;
    if reader.len() == record.len { Ok(()) } else { Err(format!("blob {id} has {} bytes: {record:?}", reader.len())) }
}

fn check_counters(running: &Running, rows: &Rows, named: &Named) -> Result<(), String> {
    let snapshot = running.meta.snapshot().map_err(|error| error.to_string())?;
    let shared = rows[&Space::Counters].keys().filter(|name| name.starts_with(b"references-"));
    for number in shared.filter_map(|name| leading_number(name.strip_prefix(b"references-")?)) {
        if !named.manifests.contains(&number) {
            return Err(format!("manifest {number} is counted and gone"));
        }
    }
    let counts = [
        (schema::BUCKETS_COUNTER, rows[&Space::Buckets].len() as u64),
        (schema::UPLOADS_COUNTER, rows[&Space::Uploads].len() as u64),
        (schema::STAGED_COUNTER, named.staged_bytes),
    ];
    for (name, expected) in counts {
        let counted = snapshot.counter(name).map_err(|error| error.to_string())?;
        if u64::try_from(counted) != Ok(expected) {
            let name = String::from_utf8_lossy(name);
            return Err(format!("counter {name} says {counted}, there are {expected}"));
        }
    }
    Ok(())
}

fn same(what: &str, named: &BTreeSet<Vec<u8>>, rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), String> {
    let there: BTreeSet<_> = rows.keys().cloned().collect();
    if *named == there { Ok(()) } else { Err(format!("{what}: named {named:?}, there {there:?}")) }
}

/// No upload is left that nothing kept alive, and no answer that is too old to be asked for.
pub(crate) fn check_expired(machine: &Machine, found: &BTreeMap<Place, State>, book: &Book) -> Result<(), String> {
    let now = machine.clock.now();
    for (tag, upload) in found.values().flat_map(|state| &state.uploads) {
        if book.is_overdue(*tag, matches!(upload, Upload::Completed { .. }), now) {
            return Err(format!("upload {tag} should be gone: {upload:?}"));
        }
    }
    Ok(())
}

/// What the rows that clients can reach name.
#[derive(Default)]
struct Named {
    blobs: BTreeSet<BlobId>,
    inline: BTreeSet<u64>,
    manifests: BTreeSet<u64>,
    extents: BTreeSet<Vec<u8>>,
    parts: usize,
    staged_bytes: u64,
}

impl Named {
    fn read(rows: &Rows) -> Result<Self, String> {
        let mut named = Self::default();
        for (key, record) in &rows[&Space::Current] {
            named.content(rows, &decode::<ObjectRecord>(key, record)?.1.content)?;
        }
        let mut open = BTreeSet::new();
        for (key, record) in &rows[&Space::Uploads] {
            open.insert(decode::<UploadRecord>(key, record)?.1.number);
        }
        for (key, record) in &rows[&Space::Parts] {
            if leading_number(key).is_some_and(|upload| open.contains(&upload)) {
                let (_, part) = decode::<PartRecord>(key, record)?;
                named.content(rows, &part.content)?;
                named.staged_bytes += part.size;
                named.parts += 1;
            }
        }
        Ok(named)
    }

    fn content(&mut self, rows: &Rows, content: &Content) -> Result<(), String> {
        match content {
            Content::Empty => {}
            Content::Inline(number) => {
                self.inline.insert(*number);
            }
            Content::Blob(_) => self.blobs.extend(content.blob_id()),
            Content::Manifest(number) => {
                let key = schema::number_key(*number);
                let record =
                    rows[&Space::Manifests].get(&key).ok_or_else(|| format!("manifest {number} is missing"))?;
                self.manifests.insert(*number);
                let (_, manifest) = decode::<ManifestRecord>(&key, record)?;
                for index in (0..).take(manifest.starts.len()) {
                    let key = schema::extents_key(*number, index);
                    let record =
                        rows[&Space::Extents].get(&key).ok_or_else(|| format!("extents {number} are missing"))?;
                    for extent in decode::<ExtentsRecord>(&key, record)?.1.extents {
                        self.content(rows, &extent.content)?;
                    }
                    self.extents.insert(key);
                }
            }
        }
        Ok(())
    }
}

fn decode<'b, T: minicbor::Decode<'b, ()>>(key: &[u8], record: &'b [u8]) -> Result<(u64, T), String> {
    schema::decode(record).map_err(|error| format!("{key:?}: {error}"))
}

/// The number that a key begins with.
fn leading_number(key: &[u8]) -> Option<u64> {
    key.get(..8)?.try_into().ok().map(u64::from_be_bytes)
}

/// The path below `blobs` that the format gives to a blob.
fn file_of(id: BlobId) -> String {
    let directory = id.sequence / DIRECTORY_FILES_MAX;
    format!("{:08x}-{directory:06x}/{:016x}-{:08x}", id.run, id.sequence, id.random)
}

/// The bucket of this name, made where it is missing.
pub(crate) fn make_bucket(running: &mut Running, name: &str) -> Result<(), String> {
    let name = BucketName::parse(name).expect("a good name");
    let store = Arc::clone(&running.store);
    match running.wait(store.create_bucket(&name, None))? {
        Ok(_) | Err(Error::Exists) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
