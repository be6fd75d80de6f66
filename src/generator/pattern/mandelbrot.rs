//! The Mandelbrot set, in fixed point: numbers of the plane count steps of 2^-28.

use super::super::params::Params;
use super::from_centre;

/// Points that have not left by then count as inside.
const ITERATIONS: u32 = 255;
/// One of the plane.
const ONE: i64 = 1 << 28;
/// The square of the distance from which on a point is lost.
const FOUR: i64 = 4 * ONE;

/// Whether the point lies in the set's heart or in the disc at its left, most of the set, which would take all steps to find.
/// Beyond a distance of one from 1/4 there is no heart, which also keeps the product small.
fn is_in_main_body(x: i64, y: i64) -> bool {
    let (from_quarter, from_minus_one, y2) = (x - ONE / 4, x + ONE, (y * y) >> 28);
    let q = ((from_quarter * from_quarter) >> 28) + y2;
    let disc = ((from_minus_one * from_minus_one) >> 28) + y2;
    disc < ONE / 16 || q < ONE && (q * (q + from_quarter)) >> 28 < y2 >> 2
}

/// How many steps the point takes to leave; [`ITERATIONS`] where it does not. The parts of a point are at most 4, those of its
/// orbit at most 8 before they are found to have left, so that products stay below 2^62.
fn steps(x: i64, y: i64) -> u32 {
    if is_in_main_body(x, y) {
        return ITERATIONS;
    }
    let (mut real, mut imaginary) = (0_i64, 0_i64);
    for step in 0..ITERATIONS {
        let (real2, imaginary2) = ((real * real) >> 28, (imaginary * imaginary) >> 28);
        if real2 + imaginary2 > FOUR {
            return step;
        }
        imaginary = ((real * imaginary) >> 27) + y;
        real = real2 - imaginary2 + x;
    }
    ITERATIONS
}

/// Up to 255 and down again.
fn wave(value: u32) -> u32 {
    if value & 256 == 0 { value & 255 } else { 255 - (value & 255) }
}

/// Black inside; outside a colour by how soon the point leaves.
pub fn mandelbrot(params: &Params, x: u32, y: u32) -> u32 {
    // The distance of pixels has 16 bits more than the plane, and half pixels one.
    let offset = |at, side| (from_centre(at, side) * params.step as i64) >> 17;
    let real = i64::from(params.centre_x) + offset(x, params.width);
    let imaginary = i64::from(params.centre_y) - offset(y, params.height);
    match steps(real, imaginary) {
        ITERATIONS => 0,
        steps => (wave(steps * 5) << 16) | (wave(steps * 9) << 8) | wave(64 + steps * 15),
    }
}
