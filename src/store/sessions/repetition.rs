//! Whether a part says again what an object has that its session became, or that the session before it became.

use super::{OpenSession, completed, unknown};
use crate::base::limits::EXTENTS_PER_RECORD;
use crate::store::error::Error;
use crate::store::manifest;
use crate::store::meta::Snapshot;
use crate::store::meta::schema::{CompletedRecord, Content, PartRecord};
use crate::store::types::{Staged, UploadId};

/// What a part of a session is that is not open any more: known, where the object has the same bytes there.
pub(super) fn repeated(snapshot: &dyn Snapshot, id: UploadId, number: u32, part: &PartRecord) -> Result<Staged, Error> {
    let record = completed(snapshot, id.number)?;
    if record.secret != id.secret || record.session.is_none() {
        return Err(unknown());
    }
    let same = match &record.last {
        Some(last) if last.number == number => last.size == part.size && last.md5 == part.md5,
        // The object is gone, and nobody knows any more what it was made of.
        _ => is_part_of(snapshot, &record, number, part)?.ok_or_else(unknown)?,
    };
    if same { Ok(Staged::Known { received: record.parts }) } else { Err(Error::Exists) }
}

/// Whether a part has the bytes that stand at its number in the object that had the session's name before.
pub(super) fn repeats_predecessor(
    snapshot: &dyn Snapshot,
    open: &OpenSession,
    number: u32,
    part: &PartRecord,
) -> Result<Option<bool>, Error> {
    let Some(predecessor) = open.record.predecessor else { return Ok(None) };
    match completed(snapshot, predecessor) {
        Ok(record) => Ok(is_part_of(snapshot, &record, number, part)?.filter(|same| *same)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether part `number` of a completed session has these bytes; none where nobody knows any more.
fn is_part_of(
    snapshot: &dyn Snapshot,
    completed: &CompletedRecord,
    number: u32,
    part: &PartRecord,
) -> Result<Option<bool>, Error> {
    let place = number.saturating_sub(1) as usize;
    let Content::Manifest(manifest) = completed.content else {
        let same = completed.size == part.size && completed.checksum.checksum == part.crc64nvme;
        return Ok(Some(place == 0 && same));
    };
    let index = u32::try_from(place / EXTENTS_PER_RECORD).unwrap_or(u32::MAX);
    let Some(extents) = manifest::extents(snapshot, manifest, index)? else { return Ok(None) };
    let extent = extents.get(place % EXTENTS_PER_RECORD);
    Ok(Some(extent.is_some_and(|extent| extent.len == part.size && extent.checksum == part.crc64nvme)))
}
