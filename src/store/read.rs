//! Reading objects: a snapshot finds where the bytes are, a pin keeps them, a reader streams them extent after extent.
//!
//! Bytes in the page cache are read in place; only what would wait for the device goes to a blocking thread. A damaged block
//! ends the stream with an error: the caller aborts the response, wrong bytes are never sent.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::offload::Offload;
use crate::store::Store;
use crate::store::blob::{BlobError, Blobs, ReadMode, Reader};
use crate::store::error::{Error, Missing};
use crate::store::manifest;
use crate::store::meta::schema::{self, Content, ExtentRecord, ManifestRecord};
use crate::store::meta::{Meta, Snapshot, Space};
use crate::store::object::read_object;
use crate::store::parts;
use crate::store::pins::Pin;
use crate::store::types::{Bucket, ObjectInfo, ObjectKey, ObjectPart, PartNumber};
use crate::telemetry::metrics::Metrics;

/// From this many wanted bytes on a blob is opened on a blocking thread; below, the hop costs more than the open of a file.
const OPEN_AWAY_BYTES: u64 = 1 << 20;

/// An object and its bytes, which stay until this is dropped.
pub struct OpenObject {
    /// What is known of it.
    pub info: ObjectInfo,
    body: Body,
    source: Source,
    pin: Option<Pin>,
}

enum Body {
    Empty,
    Inline(Bytes),
    Blob(Content),
    Manifest(u64, ManifestRecord),
}

#[derive(Clone)]
struct Source {
    meta: Arc<dyn Meta>,
    blobs: Arc<dyn Blobs>,
    offload: Offload,
    metrics: Metrics,
}

/// A stream of an object's bytes.
pub struct ObjectReader {
    source: Source,
    /// What is still to be sent of the extents at hand.
    pieces: VecDeque<Piece>,
    /// The manifest's records after those.
    rest: Option<Rest>,
    open: Option<(Content, Arc<dyn Reader>)>,
    failed: bool,
    _pin: Option<Pin>,
}

struct Piece {
    place: Place,
    range: Range<u64>,
}

enum Place {
    Bytes(Bytes),
    Stored(Content),
}

struct Rest {
    manifest: u64,
    next_record: u32,
    records: u32,
    /// Bytes to skip at the start of the next record.
    skip: u64,
    /// Bytes still wanted from there on.
    wanted: u64,
}

impl Store {
    /// The object, with its bytes pinned.
    pub fn open_object(&self, bucket: &Bucket, key: &ObjectKey) -> Result<OpenObject, Error> {
        let entered = self.pins.enter();
        let snapshot = self.snapshot()?;
        let record = snapshot.get(Space::Current, &schema::object_key(bucket.number, key.as_str()))?;
        let (info, content) = read_object(key.clone(), &record.ok_or(Error::NotFound(Missing::Object))?)?;
        let pin = matches!(content, Content::Blob(_) | Content::Manifest(_)).then(|| entered.pin(&content));
        let body = match content {
            Content::Empty => Body::Empty,
            Content::Inline(number) => Body::Inline(inline(snapshot.as_ref(), number)?),
            Content::Blob(_) => Body::Blob(content),
            Content::Manifest(number) => Body::Manifest(
                number,
                manifest::read(snapshot.as_ref(), number)?
                    .ok_or_else(|| Error::Corrupt(format!("manifest {number} is missing")))?,
            ),
        };
        let source = Source {
            meta: Arc::clone(&self.meta),
            blobs: Arc::clone(&self.blobs),
            offload: self.offload.clone(),
            metrics: self.metrics.clone(),
        };
        Ok(OpenObject { info, body, source, pin })
    }
}

impl OpenObject {
    /// The part at this place; `None` beyond the last. An object that was not made of parts is one part.
    pub fn part(&self, number: PartNumber) -> Result<Option<ObjectPart>, Error> {
        let place = (number.get() as usize).saturating_sub(1);
        let mut parts = match (&self.body, self.info.parts) {
            (_, None) => {
                let checksum = Some(self.info.checksum.value.clone());
                vec![ObjectPart { number, range: 0..self.info.size, checksum }].into_iter().skip(place).collect()
            }
            (Body::Manifest(manifest, record), Some(_)) => {
                parts::of_manifest(self.source.meta.snapshot()?.as_ref(), &self.info, *manifest, record, place, 1)?
            }
            (Body::Empty | Body::Inline(_) | Body::Blob(_), Some(_)) => {
                parts::of_one_body(&self.info).into_iter().skip(place).collect()
            }
        };
        Ok(parts.pop())
    }

    /// The bytes `range`, cut to the object.
    pub fn read(self, range: Range<u64>) -> ObjectReader {
        let end = range.end.min(self.info.size);
        let range = range.start.min(end)..end;
        let mut pieces = VecDeque::new();
        let mut rest = None;
        match self.body {
            _ if range.is_empty() => {}
            Body::Empty => {}
            Body::Inline(bytes) => pieces.push_back(Piece { place: Place::Bytes(bytes), range }),
            Body::Blob(content) => pieces.push_back(Piece { place: Place::Stored(content), range }),
            Body::Manifest(number, manifest) => {
                let next_record = manifest::record_at(&manifest, range.start);
                let start = manifest.starts.get(next_record as usize).copied().unwrap_or_default();
                rest = Some(Rest {
                    manifest: number,
                    next_record,
                    records: u32::try_from(manifest.starts.len()).unwrap_or(u32::MAX),
                    skip: range.start.saturating_sub(start),
                    wanted: range.end - range.start,
                });
            }
        }
        ObjectReader { source: self.source, pieces, rest, open: None, failed: false, _pin: self.pin }
    }
}

impl ObjectReader {
    /// The next bytes, verified; `None` at the end. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if self.failed {
            return None;
        }
        let answer = self.step().await;
        self.failed = answer.is_err();
        answer.transpose()
    }

    async fn step(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Some(piece) = self.pieces.front_mut() else {
                if self.load_record()? {
                    continue;
                }
                return Ok(None);
            };
            if piece.range.is_empty() {
                self.pieces.pop_front();
                continue;
            }
            let wanted = piece.range.clone();
            let content = match &piece.place {
                Place::Bytes(bytes) => {
                    let (first, last) = (index(wanted.start)?, index(wanted.end)?);
                    let bytes = bytes
                        .get(first..last)
                        .map(|slice| bytes.slice_ref(slice))
                        .ok_or_else(|| Error::Corrupt("an inline body is shorter than its record says".to_owned()))?;
                    self.pieces.pop_front();
                    return Ok(Some(bytes));
                }
                Place::Stored(content) => content.clone(),
            };
            let bytes = self.read_blob(content, wanted).await?;
            if let Some(piece) = self.pieces.front_mut() {
                piece.range.start += bytes.len() as u64;
            }
            return Ok(Some(bytes));
        }
    }

    async fn read_blob(&mut self, content: Content, wanted: Range<u64>) -> Result<Bytes, Error> {
        let reader = self.reader(content, &wanted).await?;
        if wanted.end > reader.len() {
            return Err(Error::Corrupt(format!("a blob has {} bytes, {} are named", reader.len(), wanted.end)));
        }
        if let Some(bytes) =
            reader.read(wanted.clone(), ReadMode::CachedOnly).map_err(|error| self.source.reported(error))?
        {
            return Ok(bytes);
        }
        let read = self.source.offload.run(move || reader.read(wanted, ReadMode::Wait)).await?;
        read.map_err(|error| self.source.reported(error))?
            .ok_or_else(|| Error::Io("a waiting read gave nothing".to_owned()))
    }

    async fn reader(&mut self, content: Content, wanted: &Range<u64>) -> Result<Arc<dyn Reader>, Error> {
        if let Some((open, reader)) = &self.open
            && *open == content
        {
            return Ok(Arc::clone(reader));
        }
        let id = content.blob_id().ok_or_else(|| Error::Corrupt("an extent names no blob".to_owned()))?;
        let blobs = Arc::clone(&self.source.blobs);
        let opened = if wanted.end - wanted.start >= OPEN_AWAY_BYTES || !blobs.opens_at_once() {
            self.source.offload.run(move || blobs.open(id)).await?
        } else {
            blobs.open(id)
        };
        let reader = opened.map_err(|error| self.source.reported(error))?;
        self.open = Some((content, Arc::clone(&reader)));
        Ok(reader)
    }

    /// Turns the manifest's next record into pieces. False when nothing is left.
    fn load_record(&mut self) -> Result<bool, Error> {
        let Some(rest) = &mut self.rest else { return Ok(false) };
        if rest.wanted == 0 {
            return Ok(false);
        }
        let short = || Error::Corrupt("a manifest names fewer bytes than its object has".to_owned());
        if rest.next_record >= rest.records {
            return Err(short());
        }
        let snapshot = self.source.meta.snapshot()?;
        let extents = manifest::extents(snapshot.as_ref(), rest.manifest, rest.next_record)?.ok_or_else(short)?;
        rest.next_record += 1;
        for extent in extents {
            let Some(range) = rest.take(&extent) else { continue };
            let place = match extent.content {
                Content::Inline(number) => Place::Bytes(inline(snapshot.as_ref(), number)?),
                stored => Place::Stored(stored),
            };
            self.pieces.push_back(Piece { place, range });
        }
        Ok(true)
    }
}

impl Rest {
    /// The range of the extent's content that is wanted.
    fn take(&mut self, extent: &ExtentRecord) -> Option<Range<u64>> {
        if self.skip >= extent.len {
            self.skip -= extent.len;
            return None;
        }
        let start = extent.offset + self.skip;
        let len = (extent.len - self.skip).min(self.wanted);
        self.skip = 0;
        self.wanted -= len;
        (len > 0).then(|| start..start + len)
    }
}

fn inline(snapshot: &dyn Snapshot, number: u64) -> Result<Bytes, Error> {
    let row = snapshot
        .get(Space::Inline, &schema::number_key(number))?
        .ok_or_else(|| Error::Corrupt(format!("inline body {number} is missing")))?;
    Ok(schema::decode_inline(row)?)
}

impl Source {
    /// Damage is said in the log and counted, where an operator looks for it.
    fn reported(&self, error: BlobError) -> Error {
        if matches!(error, BlobError::Damaged { .. } | BlobError::NotFound(_)) {
            tracing::error!(%error, "a stored body is damaged");
            self.metrics.damaged_blob();
        }
        error.into()
    }
}

fn index(offset: u64) -> Result<usize, Error> {
    usize::try_from(offset).map_err(|_| Error::Corrupt("an inline body's offset is out of range".to_owned()))
}
