//! What every store of blobs promises, as code: [`run`] against each implementation.
//!
//! It needs nothing but the traits, so it also runs against a store behind a network. Crashes and damage are not in it:
//! they need a hand on the device (see the tests of each implementation). Nor is it in it that open readers outlive a
//! removal: a store behind a network fetches each range by the blob's name, so all that can be promised everywhere is that
//! a reader says so. gc keeps what is being read (`store::pins`); the disk, which can promise more, shows it in its tests.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{BlobError, Blobs, ReadMode, Reader, Sealed};
use crate::base::digest::{Checksum, ChecksumAlgorithm};
use crate::base::id::{BlobId, RunNumber};
use crate::base::limits::{BLOCK_BYTES, READ_UNIT_BYTES};
use crate::base::rng::{Rng as _, SeededRng};

/// A promise that was not kept.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// What was found instead.
    #[error("{0}")]
    Broken(String),
    /// A call failed that may not.
    #[error("a call failed: {0}")]
    Failed(#[from] BlobError),
}

type Outcome = Result<(), Violation>;

/// A check: its name and itself.
type Check = (&'static str, fn(&dyn Blobs) -> Outcome);

const CHECKS: [Check; 13] = [
    ("every length comes back", every_length_comes_back),
    ("pieces of any size make the same blob", pieces_of_any_size),
    ("the expected length is only a hint", expected_length_is_a_hint),
    ("ranges across blocks", ranges_across_blocks),
    ("one read gives at most a unit", one_read_gives_at_most_a_unit),
    ("cached reads are right or none", cached_reads_are_right_or_none),
    ("a missing blob is not found", missing_is_not_found),
    ("nothing can be opened before it is sealed", nothing_before_seal),
    ("a dropped writer leaves nothing", dropped_writer_leaves_nothing),
    ("removal is repeatable and leaves the others", removal),
    ("a reader of a removed blob gives its bytes or says it is gone", removal_under_a_reader),
    ("listing is in order and in pages", listing),
    ("writers do not disturb each other", writers_interleaved),
];

/// Runs every check, each against a new store from `make` (which may share what lies beneath, but not a run).
pub fn run(make: &dyn Fn() -> Arc<dyn Blobs>) -> Outcome {
    for (name, check) in CHECKS {
        let blobs = make();
        check(blobs.as_ref()).map_err(|violation| Violation::Broken(format!("{name}: {violation}")))?;
        blobs.free()?;
    }
    Ok(())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Violation::Broken(what())) }
}

/// Content that belongs to a length: no two blocks alike.
pub fn content_of(len: usize) -> Vec<u8> {
    let mut content = vec![0; len];
    SeededRng::new(len as u64).fill(&mut content);
    content
}

/// Writes a blob in pieces of this size and seals it.
pub fn store(blobs: &dyn Blobs, content: &[u8], piece: usize) -> Result<Sealed, BlobError> {
    let mut writer = blobs.create(Some(content.len() as u64))?;
    for pieces in content.chunks(piece.saturating_mul(3)) {
        let pieces: Vec<_> = pieces.chunks(piece).map(Bytes::copy_from_slice).collect();
        writer.write(&pieces)?;
    }
    writer.seal()
}

/// All bytes of `range`, read as often as it takes.
pub fn read_all(reader: &dyn Reader, range: Range<u64>) -> Result<Vec<u8>, Violation> {
    let mut bytes = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let Some(piece) = reader.read(at..range.end, ReadMode::Wait)? else {
            return Err(Violation::Broken("a read that may wait gave nothing".to_owned()));
        };
        let len = piece.len() as u64;
        ensure(len > 0 && len <= range.end - at, || format!("a read of {at}..{} gave {len} bytes", range.end))?;
        ensure(piece.len() <= READ_UNIT_BYTES, || format!("one read gave {len} bytes"))?;
        bytes.extend_from_slice(&piece);
        at += len;
    }
    Ok(bytes)
}

/// The sealed blob is there and holds this content.
pub fn verify(blobs: &dyn Blobs, sealed: &Sealed, content: &[u8]) -> Outcome {
    let expected = Checksum::of(ChecksumAlgorithm::Crc64Nvme, content);
    ensure(sealed.len == content.len() as u64 && sealed.crc64nvme == expected, || format!("sealed as {sealed:?}"))?;
    let reader = blobs.open(sealed.id)?;
    ensure(reader.len() == sealed.len, || format!("{} opened with {} bytes", sealed.id, reader.len()))?;
    let found = read_all(reader.as_ref(), 0..reader.len())?;
    ensure(found == content, || format!("{} holds other bytes", sealed.id))
}

fn every_length_comes_back(blobs: &dyn Blobs) -> Outcome {
    const LENGTHS: [usize; 12] = [
        0,
        1,
        4095,
        BLOCK_BYTES - 1,
        BLOCK_BYTES,
        BLOCK_BYTES + 1,
        3 * BLOCK_BYTES,
        READ_UNIT_BYTES - 1,
        READ_UNIT_BYTES,
        READ_UNIT_BYTES + 1,
        (1 << 20) + 1,
        (5 << 20) + 4097,
    ];
    for len in LENGTHS {
        let content = content_of(len);
        verify(blobs, &store(blobs, &content, 100_003)?, &content)?;
    }
    Ok(())
}

fn pieces_of_any_size(blobs: &dyn Blobs) -> Outcome {
    let content = content_of(2 * BLOCK_BYTES + 777);
    for piece in [97, 4093, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 1 << 20] {
        verify(blobs, &store(blobs, &content, piece)?, &content)?;
    }
    let mut writer = blobs.create(None)?;
    writer.write(&[])?;
    writer.write(&[Bytes::new(), Bytes::from_static(b"a"), Bytes::new(), Bytes::from_static(b"bc")])?;
    writer.write(&[Bytes::new()])?;
    verify(blobs, &writer.seal()?, b"abc")
}

fn expected_length_is_a_hint(blobs: &dyn Blobs) -> Outcome {
    let content = content_of(BLOCK_BYTES + 5);
    for expected in [None, Some(0), Some(1), Some(content.len() as u64), Some(3 << 20)] {
        let mut writer = blobs.create(expected)?;
        writer.write(&[Bytes::copy_from_slice(&content)])?;
        verify(blobs, &writer.seal()?, &content)?;
    }
    Ok(())
}

fn ranges_across_blocks(blobs: &dyn Blobs) -> Outcome {
    let block = BLOCK_BYTES as u64;
    let content = content_of(5 * BLOCK_BYTES + 10);
    let reader = blobs.open(store(blobs, &content, 50_000)?.id)?;
    let edges = [
        0,
        1,
        block - 1,
        block,
        block + 1,
        2 * block,
        4 * block - 1,
        4 * block + 1,
        5 * block,
        5 * block + 9,
        5 * block + 10,
    ];
    for (index, start) in edges.into_iter().enumerate() {
        for end in edges.into_iter().skip(index + 1) {
            let found = read_all(reader.as_ref(), start..end)?;
            let expected = content.iter().skip(start as usize).take((end - start) as usize);
            ensure(found.iter().eq(expected), || format!("{start}..{end} gave other bytes"))?;
        }
    }
    Ok(())
}

fn one_read_gives_at_most_a_unit(blobs: &dyn Blobs) -> Outcome {
    let content = content_of(3 * READ_UNIT_BYTES);
    let reader = blobs.open(store(blobs, &content, 1 << 20)?.id)?;
    // `read_all` checks every piece.
    let found = read_all(reader.as_ref(), 7..reader.len())?;
    ensure(content.get(7..) == Some(&found[..]), || "other bytes".to_owned())
}

fn cached_reads_are_right_or_none(blobs: &dyn Blobs) -> Outcome {
    let content = content_of(BLOCK_BYTES + 100);
    let reader = blobs.open(store(blobs, &content, 10_000)?.id)?;
    let wanted = 5..BLOCK_BYTES as u64 + 50;
    match reader.read(wanted, ReadMode::CachedOnly)? {
        None => Ok(()),
        Some(bytes) => ensure(!bytes.is_empty() && content.get(5..5 + bytes.len()) == Some(&bytes[..]), || {
            format!("{} bytes from memory, and not the right ones", bytes.len())
        }),
    }
}

fn is_missing(blobs: &dyn Blobs, id: BlobId) -> Outcome {
    match blobs.open(id) {
        Err(BlobError::NotFound(named)) if named == id => Ok(()),
        Err(error) => Err(Violation::Broken(format!("{id} should be missing: {error}"))),
        Ok(_) => Err(Violation::Broken(format!("{id} should be missing and opens"))),
    }
}

fn missing_is_not_found(blobs: &dyn Blobs) -> Outcome {
    let there = store(blobs, b"there", 5)?.id;
    is_missing(blobs, BlobId { run: there.run.wrapping_add(1000), ..there })?;
    is_missing(blobs, BlobId { sequence: there.sequence + 1, ..there })?;
    is_missing(blobs, BlobId { sequence: u64::MAX, ..there })?;
    is_missing(blobs, BlobId { random: !there.random, ..there })
}

fn nothing_before_seal(blobs: &dyn Blobs) -> Outcome {
    let run = store(blobs, b"first", 5)?.id.run;
    let mut writer = blobs.create(None)?;
    writer.write(&[Bytes::from(content_of(BLOCK_BYTES + 1))])?;
    let openable = all_of(blobs, run)?.into_iter().filter(|id| blobs.open(*id).is_ok()).count();
    ensure(openable == 1, || format!("{openable} blobs can be opened and one is sealed"))?;
    let sealed = writer.seal()?;
    blobs.open(sealed.id)?;
    Ok(())
}

fn dropped_writer_leaves_nothing(blobs: &dyn Blobs) -> Outcome {
    let kept = store(blobs, b"kept", 4)?.id;
    let mut writer = blobs.create(Some(1 << 20))?;
    writer.write(&[Bytes::from(content_of(1 << 20))])?;
    drop(writer);
    let left = all_of(blobs, kept.run)?;
    ensure(left == [kept], || format!("left: {left:?}"))
}

fn removal(blobs: &dyn Blobs) -> Outcome {
    let sealed = (1..=4).map(|len| store(blobs, &content_of(len), 2)).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<_> = sealed.iter().map(|sealed| sealed.id).collect();
    let [first, second, third, fourth] = ids[..] else {
        return Err(Violation::Broken("four blobs were stored".to_owned()));
    };
    let never = BlobId { run: first.run.wrapping_add(1000), ..first };
    blobs.remove(&[])?;
    blobs.remove(&[third, first, never, third])?;
    blobs.remove(&[first])?;
    is_missing(blobs, first)?;
    is_missing(blobs, third)?;
    let left = all_of(blobs, first.run)?;
    ensure(left == [second, fourth], || format!("left: {left:?}"))?;
    for (sealed, len) in sealed.iter().zip(1..).filter(|(sealed, _)| left.contains(&sealed.id)) {
        verify(blobs, sealed, &content_of(len))?;
    }
    Ok(())
}

fn removal_under_a_reader(blobs: &dyn Blobs) -> Outcome {
    let content = content_of(2 * READ_UNIT_BYTES);
    let sealed = store(blobs, &content, 1 << 20)?;
    let reader = blobs.open(sealed.id)?;
    let half = read_all(reader.as_ref(), 0..10)?;
    blobs.remove(&[sealed.id])?;
    is_missing(blobs, sealed.id)?;
    match read_all(reader.as_ref(), 10..reader.len()) {
        Err(Violation::Failed(BlobError::NotFound(id))) if id == sealed.id => Ok(()),
        rest => ensure([half, rest?].concat() == content, || "an open reader sees other bytes".to_owned()),
    }
}

/// Every listed blob of the run, in pages of a size that does not divide anything.
fn all_of(blobs: &dyn Blobs, run: RunNumber) -> Result<Vec<BlobId>, BlobError> {
    let mut all: Vec<BlobId> = Vec::new();
    loop {
        let page = blobs.list(run, all.last().copied(), 3)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn listing(blobs: &dyn Blobs) -> Outcome {
    let ids = (0..10).map(|_| Ok(store(blobs, b"x", 1)?.id)).collect::<Result<Vec<_>, BlobError>>()?;
    ensure(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == 10, || format!("ids do not grow: {ids:?}"))?;
    let (Some(first), Some(last)) = (ids.first().copied(), ids.last().copied()) else { return Ok(()) };
    let listed = all_of(blobs, first.run)?;
    ensure(listed == ids, || format!("listed: {listed:?}, stored: {ids:?}"))?;
    ensure(blobs.list(first.run, None, 1)? == [first], || "a page of one".to_owned())?;
    ensure(blobs.list(first.run, None, 0)?.is_empty(), || "a page of none".to_owned())?;
    ensure(blobs.list(first.run, Some(last), 10)?.is_empty(), || "a page behind the last".to_owned())?;
    let earlier = BlobId { run: first.run.wrapping_sub(1), ..last };
    ensure(blobs.list(first.run, Some(earlier), 100)? == ids, || "a page after an earlier run".to_owned())?;
    ensure(blobs.list(first.run.wrapping_add(1000), None, 10)?.is_empty(), || "blobs of no run".to_owned())?;
    let runs = blobs.runs()?;
    ensure(runs.contains(&first.run) && runs.is_sorted(), || format!("runs: {runs:?}"))
}

fn writers_interleaved(blobs: &dyn Blobs) -> Outcome {
    let contents: Vec<_> = (1..=5).map(|index| content_of(index * 30_001)).collect();
    let mut writers = contents.iter().map(|_| blobs.create(None)).collect::<Result<Vec<_>, _>>()?;
    for start in (0..5 * 30_001).step_by(10_000) {
        for (writer, content) in writers.iter_mut().zip(&contents) {
            let piece: Vec<u8> = content.iter().skip(start).take(10_000).copied().collect();
            writer.write(&[Bytes::from(piece)])?;
        }
    }
    for (writer, content) in writers.into_iter().zip(&contents).rev() {
        verify(blobs, &writer.seal()?, content)?;
    }
    Ok(())
}
