//! Which parts of a session are not there.
//!
//! Each chunk's answer names some of them, so finding them must not look at every part that is there. Clients send in order, or
//! nearly: there may be a hole or two in front, then the many that are there, and a few behind them that came out of turn.

use std::ops::ControlFlow;

use super::{OpenSession, range_of};
use crate::store::error::Error;
use crate::store::meta::schema;
use crate::store::meta::{Snapshot, Space, Visit, prefix_end};

/// After so many gaps parts came in no order at all, and looking at the end once more after each would only cost.
const GAPS_IN_FRONT: usize = 4;

/// Numbers that are not there, ascending, at most `max`.
pub(super) fn numbers(snapshot: &dyn Snapshot, open: &OpenSession, max: usize) -> Result<Vec<u32>, Error> {
    let (upload, total) = (open.upload.id.number, open.record.total.unwrap_or_default());
    let mut missing = Vec::new();
    // Every number up to `seen` has been looked at, and `there` of those are there.
    let (mut seen, mut there) = (0_u32, 0_u32);
    for gap in 0_usize.. {
        if missing.len() >= max || seen >= total {
            break;
        }
        let left = open.parts.saturating_sub(there);
        if gap < GAPS_IN_FRONT
            && let Some((from, behind)) = end(snapshot, upload, seen, left)?
        {
            let mut behind = behind.into_iter().peekable();
            let absent = (from.saturating_add(1)..=total).filter(|number| behind.next_if_eq(number).is_none());
            missing.extend(absent.take(max - missing.len()));
            break;
        }
        let (last, next) = run(snapshot, upload, seen)?;
        let until = next.map_or(total, |next| next - 1);
        there = there.saturating_add(last - seen);
        missing.extend((last.saturating_add(1)..=until).take(max - missing.len()));
        seen = until;
    }
    Ok(missing)
}

/// The numbers at the end, and the one from which on they are all that there are, while none is missing between `seen` and it.
/// Of `left` distinct numbers behind `seen`, all up to `from` are there exactly if as many lie behind `from` as are then left.
/// None where too many lie there.
fn end(snapshot: &dyn Snapshot, upload: u64, seen: u32, left: u32) -> Result<Option<(u32, Vec<u32>)>, Error> {
    for back in [64, 1024] {
        let skipped = left.saturating_sub(back);
        let (from, expected) = (seen.saturating_add(skipped), (left - skipped) as usize);
        let mut behind: Vec<u32> = Vec::new();
        visit(snapshot, upload, from, &mut |number| {
            if behind.last() != Some(&number) {
                behind.push(number);
            }
            behind.len() <= expected
        })?;
        if behind.len() == expected {
            return Ok(Some((from, behind)));
        }
    }
    Ok(None)
}

/// The last of the numbers that follow `seen` without a gap, and the one behind the gap.
fn run(snapshot: &dyn Snapshot, upload: u64, seen: u32) -> Result<(u32, Option<u32>), Error> {
    let (mut last, mut next) = (seen, None);
    visit(snapshot, upload, seen, &mut |number| {
        match number.checked_sub(last) {
            None | Some(0) => {}
            Some(1) => last = number,
            Some(_) => next = Some(number),
        }
        next.is_none()
    })?;
    Ok((last, next))
}

/// Hands over the numbers of the rows behind a number, as long as more are wanted.
fn visit(snapshot: &dyn Snapshot, upload: u64, after: u32, each: &mut dyn FnMut(u32) -> bool) -> Result<(), Error> {
    let (start, end) = (range_of(upload, after).1, prefix_end(&schema::number_key(upload)));
    snapshot.scan(Space::Parts, &start, &end, &mut |row, _| {
        let goes_on = schema::part_number_of_row(row).is_none_or(&mut *each);
        if goes_on { ControlFlow::Continue(Visit::Next) } else { ControlFlow::Break(()) }
    })?;
    Ok(())
}
