//! Patterns around the picture's centre: the zone plate's rings and the spokes of a Siemens star.

use super::super::params::Params;
use super::{from_centre, grey};

/// The phases that the cosine tells apart.
pub const PHASES: u32 = 4096;

/// The level of a phase, from 255 at 0 to 0 in the middle: (1 + cos) / 2 by the polynomial of fifth degree that agrees with
/// the sine at 0 and a quarter turn, and in its slopes there. It is off by less than a level.
pub fn cosine_level(phase: u32) -> u32 {
    let from_half = (phase as i32 - 2048).abs();
    // -1 in the middle, 1 at 0, in steps of 2^-15.
    let s = (from_half - 1024) << 5;
    let s2 = (s * s) >> 15;
    let inner = 21_024 - ((2320 * s2) >> 15);
    let sine = (s * (51_472 - ((s2 * inner) >> 15))) >> 15;
    (((sine + 32_768) * 255 + 32_768) >> 16) as u32
}

/// The phase of a pixel at this squared distance, which is counted in half pixels.
pub fn phase(step: u64, squared: u64) -> u32 {
    (step.wrapping_mul(squared) >> 52) as u32
}

/// cos(c r²): white in the centre, rings that grow finer outwards.
pub fn zoneplate(params: &Params, x: u32, y: u32) -> u32 {
    let (dx, dy) = (from_centre(x, params.width), from_centre(y, params.height));
    grey(cosine_level(phase(params.step, (dx * dx + dy * dy) as u64)))
}

/// The arc tangents of 1, 1/2, 1/4, ... in turns of 2^-32.
pub const ARC_TANGENTS: [u32; 20] = [
    536_870_912,
    316_933_406,
    167_458_907,
    85_004_756,
    42_667_331,
    21_354_465,
    10_679_838,
    5_340_245,
    2_670_163,
    1_335_087,
    667_544,
    333_772,
    166_886,
    83_443,
    41_722,
    20_861,
    10_430,
    5215,
    2608,
    1304,
];

/// The direction of a point as seen from the centre, clockwise from the right, in turns of 2^-32: CORDIC's vectoring. Both
/// numbers are below 2^16, and the vector grows by less than 2.4, so that 2^13 times as fine a grid fits 32 bits.
pub fn direction(dx: i32, dy: i32) -> u32 {
    let (mut x, mut y, mut turned) = (dx << 13, dy << 13, 0_u32);
    if x < 0 {
        (x, y, turned) = (-x, -y, 1 << 31);
    }
    for (step, angle) in ARC_TANGENTS.into_iter().enumerate() {
        // -1 below the axis, 0 on it and above: adding and flipping by it negates, without a branch.
        let below = y >> 31;
        let (along, across) = (x >> step, y >> step);
        x += (across ^ below) - below;
        y -= (along ^ below) - below;
        turned = turned.wrapping_add((angle ^ below as u32).wrapping_sub(below as u32));
    }
    turned
}

/// Whether a direction lies in a dark spoke, 1 or 0: pairs of spokes begin at the right with a light one.
pub fn is_dark(direction: u32, spokes: u32) -> u32 {
    ((u64::from(direction) * u64::from(2 * spokes)) >> 32) as u32 & 1
}

/// Spokes of white and black.
pub fn siemens(params: &Params, x: u32, y: u32) -> u32 {
    let (dx, dy) = (from_centre(x, params.width), from_centre(y, params.height));
    grey(255 * (1 - is_dark(direction(dx as i32, dy as i32), params.cell)))
}
