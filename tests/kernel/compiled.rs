//! `kernel/pattern.cu`, compiled as C.

use crate::child::{Piece, compile, run};
use crate::images::{defined, difference, far_pieces, few, pieces, small};

const KERNEL: &str = include_str!("../../src/generator/kernel/pattern.cu");

#[test]
fn the_kernel_makes_the_defined_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), KERNEL);
    let wanted: Vec<Piece> = small().iter().flat_map(pieces).chain(far_pieces()).collect();
    let expected: Vec<_> = wanted.iter().map(defined).collect();
    let made = run(&program, &wanted).unwrap();
    assert_eq!(difference(&wanted, &made, &expected), None);
    let bytes: usize = made.iter().map(Vec::len).sum();
    assert!(bytes > 10_000_000, "only {bytes} bytes were compared");
}

/// A wrong last digit of an angle shows in few pixels of large pictures alone, so the digits are compared as well.
#[test]
fn the_kernel_turns_by_the_same_angles() {
    for (step, angle) in wharf::generator::pattern::rings::ARC_TANGENTS.iter().enumerate() {
        let line = format!("\n    TURN({step}, {angle})\n");
        assert!(KERNEL.contains(&line), "the kernel has no{line}");
    }
}

/// A piece of the source, and what a slip of the pen makes of it.
const SLIPS: [(&str, &str); 46] = [
    ("index >= n16", "index > n16"),
    ("HEADER_BYTES 54", "HEADER_BYTES 53"),
    ("HEADER_BYTES - offset >= 16 ? 16", "HEADER_BYTES - offset >= 16 ? 15"),
    ("rows > P.height ? P.height : (u32)rows", "(u32)rows + 1"),
    ("begin = -(i32)(column - row_bytes)", "begin = (i32)(row_bytes - column) + 1"),
    ("begin = -(i32)(column - x", "begin = 1 - (i32)(column - x"),
    ("begin < 16 && row", "begin < 15 && row"),
    ("row < P.height)", "row < P.height - 1)"),
    ("if (x < P.width) {", "if (x <= P.width) {"),
    ("row : P.height - 1 - row", "P.height - 1 - row : row"),
    ("P.height - 1 - row)", "P.height - row)"),
    ("|= 0xff000000u", "|= 0xfe000000u"),
    ("-8 * begin)", "-8 * begin - 8)"),
    ("begin < 8)", "begin < 7)"),
    ("begin > 4)", "begin > 6)"),
    ("64 - 8 * begin", "63 - 8 * begin"),
    ("8 * begin - 64", "8 * begin - 56"),
    ("x++;", "x += 2;"),
    ("P.stride - row_bytes", "P.stride - row_bytes + 1"),
    ("2 * (i64)at + 1", "2 * (i64)at"),
    ("+ last / 2) / last", ") / last"),
    ("if (last == 0) return p->color1;", "if (last == 0) return p->color2;"),
    ("& 1) == 0 ? p->color1", "& 1) == 1 ? p->color1"),
    ("x % p->cell < p->line ||", "x % p->cell <= p->line ||"),
    ("0xbf00u", "0xc000u"),
    ("x * 8 / p->width", "x * 7 / p->width"),
    ("0x01452367u, bar)", "0x01542367u, bar)"),
    ("twelfth < 8", "twelfth <= 8"),
    ("place < 45", "place <= 45"),
    ("place < 72", "place <= 72"),
    ("- 2048", "- 2047"),
    ("(from_half - 1024)", "(from_half - 1023)"),
    ("21024", "21025"),
    ("(dx * dx + dy * dy) >> 52", "(dx * dx + dy * dy) >> 51"),
    ("TURN(8, 2670163)", "TURN(8, 2680163)"),
    ("(u64)(2 * p->cell)", "(u64)(2 * p->cell + 1)"),
    ("0x846ca68bu", "0x846ca68du"),
    ("3 * 65536 - 2 * t", "3 * 65536 - 3 * t"),
    ("65536 - weight", "65535 - weight"),
    ("round < 10", "round < 9"),
    ("u32 a = x / 4", "u32 a = x / 2"),
    ("disc < 1 << 24", "disc < 1 << 25"),
    ("q < 1 << 28 && ", ""),
    ("y2 >> 2)", "y2 >> 1)"),
    ("step < 255", "step < 254"),
    ("* (i64)p->step >> 17);\n    i64 at_y", "* (i64)p->step >> 16);\n    i64 at_y"),
];

#[test]
fn every_slip_in_the_kernel_is_seen() {
    let wanted: Vec<Piece> = few().iter().flat_map(pieces).chain(far_pieces()).collect();
    let expected: Vec<_> = wanted.iter().map(defined).collect();
    let unseen = |slip: &(&str, &str)| {
        assert!(KERNEL.contains(slip.0), "the kernel has no {}", slip.0);
        let folder = tempfile::tempdir().unwrap();
        let program = compile(folder.path(), &KERNEL.replacen(slip.0, slip.1, 1));
        let made = run(&program, &wanted);
        made.is_ok_and(|made| difference(&wanted, &made, &expected).is_none())
    };
    let survivors: Vec<_> = SLIPS.iter().filter(|slip| unseen(slip)).collect();
    assert!(survivors.is_empty(), "not seen: {survivors:?}");
}
