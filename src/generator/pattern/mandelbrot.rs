//! The Mandelbrot set, in fixed point: numbers of the plane count steps of 2^-28.

use super::super::params::Params;
use super::from_centre;

/// Points that have not left by then count as inside.
const ITERATIONS: u32 = 255;
/// The square of the distance from which on a point is lost.
const FOUR: i64 = 4 << 28;

/// How many steps the point takes to leave; [`ITERATIONS`] where it does not. The parts of a point are at most 4, those of its
/// orbit at most 8 before they are found to have left, so that products stay below 2^62.
fn steps(x: i64, y: i64) -> u32 {
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
