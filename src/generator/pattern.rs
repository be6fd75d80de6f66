//! The definition of every pixel, in integers alone: what it says holds on every machine. `kernel/pattern.cu` says the same in
//! C, and [`super::cpu`] draws the same faster; tests compare all three, byte for byte.
//!
//! Places are counted from the left and from the top of the picture. A picture's centre lies between pixels where a side is
//! even, so distances from it are counted in half pixels. No value overflows for any image that
//! [`crate::wire::image`] lets through: the bounds of the parameters are chosen so.

pub mod bars;
pub mod mandelbrot;
pub mod noise;
pub mod philox;
pub mod rings;
#[cfg(test)]
mod tests;

use super::params::{Params, kind};

/// The colour of a pixel, `0xRRGGBB`.
pub fn pixel(params: &Params, x: u32, y: u32) -> u32 {
    match params.kind {
        kind::GRADIENT_HORIZONTAL => gradient(params, x, params.width - 1),
        kind::GRADIENT_VERTICAL => gradient(params, y, params.height - 1),
        kind::CHECKERBOARD => checkerboard(params, x, y),
        kind::GRID => grid(params, x, y),
        kind::SMPTE => bars::smpte(params, x, y),
        kind::EBU => bars::ebu(params, x),
        kind::ZONEPLATE => rings::zoneplate(params, x, y),
        kind::SIEMENS => rings::siemens(params, x, y),
        kind::NOISE => noise::noise(params, x, y),
        kind::RANDOM => philox::random(params, x, y),
        kind::MANDELBROT => mandelbrot::mandelbrot(params, x, y),
        _ => params.color1,
    }
}

/// The same level in all channels.
pub fn grey(level: u32) -> u32 {
    level * 0x0001_0101
}

/// Twice the distance from the middle of a side of `side` pixels.
pub fn from_centre(at: u32, side: u32) -> i64 {
    2 * i64::from(at) + 1 - i64::from(side)
}

/// Step `at` of `last` between the two colours, each channel rounded; the first colour where there is but one step.
fn gradient(params: &Params, at: u32, last: u32) -> u32 {
    if last == 0 {
        return params.color1;
    }
    let channel = |shift: u32| {
        let (from, to) = ((params.color1 >> shift) & 0xff, (params.color2 >> shift) & 0xff);
        ((from * (last - at) + to * at + last / 2) / last) << shift
    };
    channel(16) | channel(8) | channel(0)
}

/// Squares in turn, the first colour at the top left.
fn checkerboard(params: &Params, x: u32, y: u32) -> u32 {
    let odd = (x / params.cell + y / params.cell) & 1;
    if odd == 0 { params.color1 } else { params.color2 }
}

/// Lines at the left and at the top of each cell.
fn grid(params: &Params, x: u32, y: u32) -> u32 {
    let on_line = x % params.cell < params.line || y % params.cell < params.line;
    if on_line { params.color1 } else { params.color2 }
}
