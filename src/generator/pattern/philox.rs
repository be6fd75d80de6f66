//! Random pixels by a counter, so that each can be had on its own: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random
//! Numbers: As Easy as 1, 2, 3; SC11), the generator of cuRAND and of Random123, whose known answers it gives.

use super::super::params::Params;

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// The golden ratio and the square root of three, less one.
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// Four random words for a counter of four under a key of two.
pub fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k0, mut k1]) = (counter, key);
    for _ in 0..ROUNDS {
        let first = u64::from(a) * u64::from(MULTIPLIERS[0]);
        let second = u64::from(c) * u64::from(MULTIPLIERS[1]);
        (a, b, c, d) = ((second >> 32) as u32 ^ b ^ k0, second as u32, (first >> 32) as u32 ^ d ^ k1, first as u32);
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
    }
    [a, b, c, d]
}

/// The key of a seed.
pub fn key(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// A random colour: 24 bits of a word. A block serves four pixels beside each other.
pub fn random(params: &Params, x: u32, y: u32) -> u32 {
    let [a, b, c, d] = block([x / 4, y, 0, 0], key(params.seed));
    let word = match x & 3 {
        0 => a,
        1 => b,
        2 => c,
        _ => d,
    };
    word & 0x00ff_ffff
}
