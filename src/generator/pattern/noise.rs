//! Value noise: random levels on a lattice, smoothly interpolated between.

use super::super::params::Params;
use super::grey;

/// One in the interpolation's weights.
pub const ONE: u32 = 1 << 16;

/// A permutation of 32 bits that leaves no trace of its input's order (`lowbias32`, <https://nullprogram.com/blog/2018/07/31/>).
fn mixed(value: u32) -> u32 {
    let value = (value ^ (value >> 16)).wrapping_mul(0x7feb_352d);
    let value = (value ^ (value >> 15)).wrapping_mul(0x846c_a68b);
    value ^ (value >> 16)
}

/// The level at a point of the lattice, in 16 bits.
pub fn lattice(seed: u64, column: u32, row: u32) -> u32 {
    let seed = mixed(seed as u32 ^ mixed((seed >> 32) as u32 ^ 0x9e37_79b9));
    mixed(column ^ mixed(row ^ seed)) >> 16
}

/// The weight of the next point of the lattice, `at` pixels into a cell: 3t² - 2t³ of [`ONE`].
pub fn weight(at: u32, cell: u32) -> u32 {
    let t = (at << 16) / cell;
    let squared = (t * t) >> 16;
    ((u64::from(squared) * u64::from(3 * ONE - 2 * t)) >> 16) as u32
}

/// Between two levels of 16 bits, again in 16 bits.
pub fn between(first: u32, second: u32, weight: u32) -> u32 {
    (first * (ONE - weight) + second * weight) >> 16
}

/// Clouds of grey.
pub fn noise(params: &Params, x: u32, y: u32) -> u32 {
    let (column, row) = (x / params.cell, y / params.cell);
    let down = weight(y - row * params.cell, params.cell);
    let right = weight(x - column * params.cell, params.cell);
    let at = |column, row| lattice(params.seed, column, row);
    let first = between(at(column, row), at(column, row + 1), down);
    let second = between(at(column + 1, row), at(column + 1, row + 1), down);
    grey(between(first, second, right) >> 8)
}
