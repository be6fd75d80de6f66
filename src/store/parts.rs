//! The parts an object was made of: what a read of one part, and the attributes of an object, show of them.
//!
//! Parts of an object are numbered by their place, from 1 on without gaps, whatever their numbers in the upload were: so a
//! client that is told of three parts finds 1, 2 and 3. Since every record of a manifest but its last holds exactly
//! [`EXTENTS_PER_RECORD`] extents and each extent is one part, a part is found in one record, however many there are.

use std::ops::Range;

use crate::base::digest::{Checksum, ChecksumType};
use crate::base::limits::EXTENTS_PER_RECORD;
use crate::store::Store;
use crate::store::error::{Error, Missing};
use crate::store::manifest;
use crate::store::meta::schema::{self, ChecksumRecord, Content, ManifestRecord};
use crate::store::meta::{Snapshot, Space};
use crate::store::object::read_object;
use crate::store::types::{Bucket, ObjectInfo, ObjectKey, ObjectPart, ObjectPartsPage, PartNumber};

impl Store {
    /// The object, and its parts after place `after`, at most `max`; none for an object that was not made of parts.
    pub fn object_parts(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        after: usize,
        max: usize,
    ) -> Result<ObjectPartsPage, Error> {
        let snapshot = self.snapshot()?;
        let record = snapshot.get(Space::Current, &schema::object_key(bucket.number, key.as_str()))?;
        let (info, content) = read_object(key.clone(), &record.ok_or(Error::NotFound(Missing::Object))?)?;
        let parts = match content {
            Content::Manifest(number) if info.parts.is_some() => {
                let manifest = manifest::read(snapshot.as_ref(), number)?;
                let manifest = manifest.ok_or_else(|| Error::Corrupt(format!("manifest {number} is missing")))?;
                of_manifest(snapshot.as_ref(), &info, number, &manifest, after, max)?
            }
            _ => of_one_body(&info).into_iter().skip(after).take(max).collect(),
        };
        Ok(ObjectPartsPage { info, parts })
    }
}

/// The parts of an object whose bytes are one body: the body, where the object was made of it.
pub(super) fn of_one_body(info: &ObjectInfo) -> Option<ObjectPart> {
    // What a composite of one part covers is the part's checksum, and that is not known.
    let known = info.checksum.kind == ChecksumType::FullObject;
    let checksum = known.then(|| info.checksum.value.clone());
    info.parts.and(PartNumber::new(1)).map(|number| ObjectPart { number, range: 0..info.size, checksum })
}

/// The parts of an object of many after place `after`, at most `max`.
pub(super) fn of_manifest(
    snapshot: &dyn Snapshot,
    info: &ObjectInfo,
    number: u64,
    manifest: &ManifestRecord,
    after: usize,
    max: usize,
) -> Result<Vec<ObjectPart>, Error> {
    let end = after.saturating_add(max).min(usize::try_from(manifest.extents).unwrap_or(usize::MAX));
    let mut parts = Vec::new();
    for index in records(after..end) {
        let missing = || Error::Corrupt(format!("record {index} of manifest {number} is missing"));
        let record = u32::try_from(index).map_err(|_| missing())?;
        let mut offset = *manifest.starts.get(index).ok_or_else(missing)?;
        let extents = manifest::extents(snapshot, number, record)?.ok_or_else(missing)?;
        for (place, extent) in (index * EXTENTS_PER_RECORD..).zip(extents) {
            let range = offset..offset.saturating_add(extent.len);
            offset = range.end;
            if (after..end).contains(&place) {
                parts.push(part(info, place, range, &extent.checksum)?);
            }
        }
    }
    Ok(parts)
}

/// The records that hold the extents at these places.
fn records(places: Range<usize>) -> Range<usize> {
    if places.is_empty() { 0..0 } else { places.start / EXTENTS_PER_RECORD..places.end.div_ceil(EXTENTS_PER_RECORD) }
}

fn part(info: &ObjectInfo, place: usize, range: Range<u64>, checksum: &ChecksumRecord) -> Result<ObjectPart, Error> {
    let number = PartNumber::in_session(place as u64 + 1)
        .ok_or_else(|| Error::Corrupt("a manifest has more extents than an upload can have parts".to_owned()))?;
    let checksum = Checksum::try_from(checksum)?;
    let same = checksum.algorithm() == info.checksum.value.algorithm();
    Ok(ObjectPart { number, range, checksum: same.then_some(checksum) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_its_own_records_alone() {
        for (places, expected) in [
            (0..0, 0..0),
            (700..700, 0..0),
            (0..1, 0..1),
            (511..512, 0..1),
            (512..513, 1..2),
            (511..513, 0..2),
            (0..1000, 0..2),
            (9_999..10_000, 19..20),
        ] {
            assert_eq!(records(places.clone()), expected, "{places:?}");
        }
    }
}
