//! The PTX that is shipped, translated to C.

use crate::child::{Piece, compile, run};
use crate::images::{defined, difference, far_pieces, few, pieces, small};
use crate::ptx::PTX;
use crate::translator::translated;

#[test]
fn the_shipped_ptx_makes_the_defined_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), &translated(PTX));
    let wanted: Vec<Piece> = small().iter().flat_map(pieces).chain(far_pieces()).collect();
    let expected: Vec<_> = wanted.iter().map(defined).collect();
    let made = run(&program, &wanted).unwrap();
    assert_eq!(difference(&wanted, &made, &expected), None);
}

/// Every so manieth number in the PTX is made larger by a quarter.
const SLIP_EVERY: usize = 11;

#[test]
fn slips_in_the_ptx_are_seen() {
    let wanted: Vec<Piece> = few().iter().flat_map(pieces).chain(far_pieces()).collect();
    let expected: Vec<_> = wanted.iter().map(defined).collect();
    let lines: Vec<&str> = PTX.lines().collect();
    let raised: Vec<(usize, String)> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((at, raised(line)?))).collect();
    let mut survivors = Vec::new();
    for (at, slip) in raised.iter().step_by(SLIP_EVERY) {
        let mut ptx = lines.clone();
        ptx[*at] = slip;
        let folder = tempfile::tempdir().unwrap();
        let program = compile(folder.path(), &translated(&ptx.join("\n")));
        let made = run(&program, &wanted);
        if made.is_ok_and(|made| difference(&wanted, &made, &expected).is_none()) {
            survivors.push(format!("{}: {slip}", at + 1));
        }
    }
    // Some change nothing: a mask of what is small anyway, a shift by nothing that is taken another way.
    let tried = raised.len().div_ceil(SLIP_EVERY);
    assert!(tried > 20 && survivors.len() * 10 <= tried, "{tried} slips, not seen: {survivors:#?}");
}

/// An instruction whose last operand is a number, with a larger one in its place. Shifts that leave the sign alone would leave
/// it with any larger number too.
fn raised(line: &str) -> Option<String> {
    let (before, number) = line.strip_suffix(';').filter(|line| line.starts_with('\t'))?.rsplit_once(", ")?;
    let number: i64 = number.parse().ok().filter(|number| *number != 31)?;
    Some(format!("{before}, {};", number + number.abs() / 4 + 1))
}
