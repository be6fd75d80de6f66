//! What clients ask for next: chosen by a seed, from what they know.

use std::collections::BTreeMap;

use wharf::base::rng::{Rng as _, SeededRng};

use crate::body::{Bodies, Body};
use crate::book::{Book, COPIED_KEYS, COPIES, GOES, GOING_KEYS, KEYS, KnownUpload, STAYS, place_of};
use crate::model::{Op, OpId, Place, Standing, State};

/// Sizes around every border that the store knows, small ones often: bytes, and how often out of 32.
const SIZES: [(u32, u64); 9] =
    [(0, 3), (1, 4), (100, 7), (4096, 5), (4097, 6), (65_536, 1), (70_000, 4), (300_000, 1), (1_100_000, 1)];
const NUMBERS: [u32; 5] = [1, 2, 3, 7, 10_000];

fn body(rng: &SeededRng) -> Body {
    let mut at = rng.below(SIZES.iter().map(|(_, weight)| weight).sum());
    let size = SIZES.iter().find(|(_, weight)| {
        let here = at < *weight;
        at = at.saturating_sub(*weight);
        here
    });
    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
    Body::new(rng.next_u64() as u32, size.map_or(0, |(len, _)| *len))
}

/// The next operation.
pub(crate) fn next(rng: &SeededRng, book: &Book) -> (Place, Op) {
    let (bucket, key) = match rng.below(8) {
        0 => (GOES, one_of(rng, &GOING_KEYS)),
        1..=2 => (COPIES, one_of(rng, &COPIED_KEYS)),
        _ => (STAYS, one_of(rng, &KEYS)),
    };
    let place = place_of(bucket, key);
    if rng.below(if bucket == COPIES { 2 } else { 12 }) == 0 {
        return (place, copy(rng, book, place, key));
    }
    if rng.below(12) == 0 {
        return (place, Op::Tag { key });
    }
    match rng.below(32) {
        0..=5 => (place, Op::Put { key, body: body(rng), condition: None }),
        6..=7 => (place, Op::Put { key, body: body(rng), condition: Some(standing(rng, book, place, key)) }),
        8..=10 => (place, Op::Delete { key }),
        11..=13 => (place, Op::Get { key }),
        14..=16 => (place, Op::Create { key }),
        17..=23 => with_upload(rng, book, stage).unwrap_or((place, Op::Create { key })),
        24..=26 => with_upload(rng, book, complete).unwrap_or((place, Op::Get { key })),
        27 => with_upload(rng, book, complete_again).unwrap_or((place, Op::Get { key })),
        28 => {
            with_upload(rng, book, |_, tag, _| Some(Op::Abort { upload: tag })).unwrap_or((place, Op::Delete { key }))
        }
        29 => (Place { bucket: GOES, key: None }, Op::DeleteBucket),
        _ => (Place { bucket: GOES, key: None }, Op::CreateBucket),
    }
}

/// A copy within the place: of what a key of its own holds alone onto itself.
fn copy(rng: &SeededRng, book: &Book, place: Place, to: &'static str) -> Op {
    let from = match place.bucket {
        GOES => one_of(rng, &GOING_KEYS),
        COPIES => one_of(rng, &COPIED_KEYS),
        _ => to,
    };
    let condition = (rng.below(4) == 0).then(|| standing(rng, book, place, to));
    Op::Copy { from, to, keeps_attributes: rng.below(2) == 0, condition }
}

/// What ends this upload.
pub(crate) fn end_of(rng: &SeededRng, book: &Book, upload: OpId) -> Option<(Place, Op)> {
    let known = book.uploads.get(&upload)?;
    let abort = Op::Abort { upload };
    let op = if rng.below(3) == 0 { abort } else { complete(rng, upload, known).unwrap_or(abort) };
    Some((known.place, op))
}

fn one_of<T: Copy>(rng: &SeededRng, choice: &[T]) -> T {
    choice[usize::try_from(rng.below(choice.len() as u64)).unwrap_or_default()]
}

/// Nothing, what may stand there, or something else.
fn standing(rng: &SeededRng, book: &Book, place: Place, key: &str) -> Standing {
    let there = book.possible(place).find_map(|state: &State| state.objects.get(key));
    match (rng.below(4), there) {
        (0..=1, Some(object)) => Standing::Object(object.bodies.clone()),
        (2, _) => Standing::Object(Bodies::One(body(rng))),
        _ => Standing::Nothing,
    }
}

/// Something to do with an upload whose id is known; the youngest most often.
fn with_upload(
    rng: &SeededRng,
    book: &Book,
    choose: impl Fn(&SeededRng, OpId, &KnownUpload) -> Option<Op>,
) -> Option<(Place, Op)> {
    let known: Vec<_> = book.uploads.iter().rev().filter(|(_, upload)| upload.id.is_some()).take(4).collect();
    let at = rng.below(known.len() as u64 + 1).min(rng.below(known.len() as u64 + 1));
    let (tag, upload) = known.get(usize::try_from(at).ok()?)?;
    Some((upload.place, choose(rng, **tag, upload)?))
}

/// A part: a new one, one that was sent before, or other bytes for its number.
fn stage(rng: &SeededRng, upload: OpId, known: &KnownUpload) -> Option<Op> {
    match known.staged.last() {
        Some(last) if rng.below(6) == 0 => Some(Op::Stage { upload, number: last.number, body: last.body }),
        _ => Some(Op::Stage { upload, number: one_of(rng, &NUMBERS), body: body(rng) }),
    }
}

/// Completes with parts that are there; sometimes not all of them, sometimes one that is not.
fn complete(rng: &SeededRng, upload: OpId, known: &KnownUpload) -> Option<Op> {
    let mut parts = latest_parts(known);
    if rng.below(6) == 0 {
        parts.push((10_000, body(rng)));
        parts.dedup_by_key(|(number, _)| *number);
    }
    if parts.len() > 1 && rng.below(4) == 0 {
        parts.remove(usize::try_from(rng.below(parts.len() as u64)).ok()?);
    }
    (!parts.is_empty()).then_some(Op::Complete { upload, parts })
}

/// For each number the part that was acknowledged last.
fn latest_parts(known: &KnownUpload) -> Vec<(u32, Body)> {
    let done = known.staged.iter().filter(|staged| staged.done);
    let latest: BTreeMap<_, _> = done.map(|staged| (staged.number, staged.body)).collect();
    latest.into_iter().collect()
}

/// A complete that was sent before.
fn complete_again(rng: &SeededRng, upload: OpId, known: &KnownUpload) -> Option<Op> {
    let parts = known.completes.get(usize::try_from(rng.below(known.completes.len() as u64)).ok()?)?.clone();
    Some(Op::Complete { upload, parts })
}
