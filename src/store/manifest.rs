//! Manifests: the bodies of objects made of several parts, as extents in records of 512.

use crate::base::limits::EXTENTS_PER_RECORD;
use crate::store::error::Error;
use crate::store::meta::schema::{self, ExtentRecord, ExtentsRecord, ManifestRecord};
use crate::store::meta::{Snapshot, Space, Write};

/// The writes that make manifest `number` of these extents.
pub(super) fn writes(number: u64, extents: Vec<ExtentRecord>) -> Vec<Write> {
    let mut writes = Vec::with_capacity(2 + extents.len() / EXTENTS_PER_RECORD);
    let mut manifest = ManifestRecord { references: 1, size: 0, extents: count(extents.len()), starts: Vec::new() };
    let mut rest = extents;
    while !rest.is_empty() {
        let next = rest.split_off(rest.len().min(EXTENTS_PER_RECORD));
        let record = ExtentsRecord { extents: std::mem::replace(&mut rest, next) };
        let key = schema::extents_key(number, count(manifest.starts.len()));
        manifest.starts.push(manifest.size);
        manifest.size += record.extents.iter().map(|extent| extent.len).sum::<u64>();
        writes.push(Write::Put(Space::Extents, key, schema::encode(number, &record)));
    }
    writes.push(Write::Put(Space::Manifests, schema::number_key(number), schema::encode(number, &manifest)));
    writes
}

/// The manifest of this number.
pub(super) fn read(snapshot: &dyn Snapshot, number: u64) -> Result<Option<ManifestRecord>, Error> {
    match snapshot.get(Space::Manifests, &schema::number_key(number))? {
        Some(record) => Ok(Some(schema::decode::<ManifestRecord>(&record)?.1)),
        None => Ok(None),
    }
}

/// The record of extents at `index`, as long as the manifest has one there.
pub(super) fn extents(snapshot: &dyn Snapshot, number: u64, index: u32) -> Result<Option<Vec<ExtentRecord>>, Error> {
    match snapshot.get(Space::Extents, &schema::extents_key(number, index))? {
        Some(record) => Ok(Some(schema::decode::<ExtentsRecord>(&record)?.1.extents)),
        None => Ok(None),
    }
}

/// The index of the record that holds byte `offset`.
pub(super) fn record_at(manifest: &ManifestRecord, offset: u64) -> u32 {
    count(manifest.starts.partition_point(|start| *start <= offset).saturating_sub(1))
}

/// Counts here are bounded by the parts of an upload.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::{Checksum, ChecksumAlgorithm};
    use crate::store::meta::schema::{ChecksumRecord, Content};

    #[test]
    fn ten_thousand_parts_take_twenty_records_and_each_byte_is_found_in_one() {
        let checksum = ChecksumRecord::from(&Checksum::of(ChecksumAlgorithm::Crc64Nvme, b""));
        let extents: Vec<_> = (1..=10_000)
            .map(|part| ExtentRecord { content: Content::Empty, offset: 0, len: 7, part, checksum: checksum.clone() })
            .collect();
        let writes = writes(5, extents);
        assert_eq!(writes.len(), 21);
        let Some(Write::Put(Space::Manifests, _, record)) = writes.last() else { panic!("no manifest") };
        let (_, manifest) = schema::decode::<ManifestRecord>(record).unwrap();
        assert_eq!((manifest.size, manifest.extents, manifest.starts.len()), (70_000, 10_000, 20));
        let places: Vec<_> = [0, 512 * 7 - 1, 512 * 7, 69_999].iter().map(|at| record_at(&manifest, *at)).collect();
        assert_eq!(places, [0, 0, 1, 19]);
    }
}
