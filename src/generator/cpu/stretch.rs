//! Stretches of a row, drawn by what neighbours have in common.

use super::super::params::{Params, kind};
use super::super::pattern::{from_centre, grey, noise, philox, pixel, rings};

/// Points whose direction is found at a time.
const DIRECTIONS: usize = 8;
/// Blocks of random words made at a time.
const BLOCKS: usize = 4;

/// What the drawing of any row of an image needs, made once.
pub(super) enum Drawing<'a> {
    /// Pixel by pixel.
    Plain(&'a Params),
    /// The levels of all phases.
    Zoneplate(&'a Params, Vec<u32>),
    /// Directions, several at a time.
    Siemens(&'a Params),
    /// What is interpolated.
    Noise(Clouds<'a>),
    /// Random words, a block for four pixels.
    Random(&'a Params),
}

impl<'a> Drawing<'a> {
    pub(super) fn new(params: &'a Params) -> Self {
        match params.kind {
            kind::ZONEPLATE => {
                let levels = (0..rings::PHASES).map(|phase| grey(rings::cosine_level(phase)));
                Self::Zoneplate(params, levels.collect())
            }
            kind::SIEMENS => Self::Siemens(params),
            kind::NOISE => Self::Noise(Clouds::new(params)),
            kind::RANDOM => Self::Random(params),
            _ => Self::Plain(params),
        }
    }

    /// Gets ready for row `y`.
    pub(super) fn begin(&mut self, y: u32) {
        if let Self::Noise(clouds) = self {
            clouds.begin(y);
        }
    }

    /// The pixels of row `y` from `x` on, which is a multiple of four.
    pub(super) fn stretch(&self, x: u32, y: u32, pixels: &mut [u32]) {
        match self {
            Self::Plain(params) => {
                for (place, x) in pixels.iter_mut().zip(x..) {
                    *place = pixel(params, x, y);
                }
            }
            Self::Zoneplate(params, levels) => zoneplate(params, levels, x, y, pixels),
            Self::Siemens(params) => siemens(params, x, y, pixels),
            Self::Noise(clouds) => clouds.stretch(x, pixels),
            Self::Random(params) => random(params, x, y, pixels),
        }
    }
}

/// The phase of a square goes on by an amount that itself grows evenly: two additions a pixel.
fn zoneplate(params: &Params, levels: &[u32], x: u32, y: u32, pixels: &mut [u32]) {
    let (dx, dy) = (from_centre(x, params.width), from_centre(y, params.height));
    let mut phase = params.step.wrapping_mul((dx * dx + dy * dy) as u64);
    // (dx + 2)² - dx² is 4 dx + 4, which grows by 8.
    let mut change = params.step.wrapping_mul((4 * dx + 4) as u64);
    let growth = params.step.wrapping_mul(8);
    for place in pixels {
        *place = levels.get((phase >> 52) as usize).copied().unwrap_or_default();
        phase = phase.wrapping_add(change);
        change = change.wrapping_add(growth);
    }
}

/// As [`rings::direction`], step by step for several points, which compilers turn into SIMD.
fn siemens(params: &Params, x: u32, y: u32, pixels: &mut [u32]) {
    let dy = from_centre(y, params.height) as i32;
    let mut dx = from_centre(x, params.width) as i32;
    for places in pixels.chunks_mut(DIRECTIONS) {
        let dxs: [i32; DIRECTIONS] = std::array::from_fn(|index| dx + 2 * index as i32);
        for (place, direction) in places.iter_mut().zip(directions(dxs, dy)) {
            *place = grey(255 * (1 - rings::is_dark(direction, params.cell)));
        }
        dx += 2 * DIRECTIONS as i32;
    }
}

fn directions(dxs: [i32; DIRECTIONS], dy: i32) -> [u32; DIRECTIONS] {
    let mirrored = dxs.map(|dx| dx >> 31);
    let mut points = [[0_i32; DIRECTIONS]; 2];
    let [xs, ys] = &mut points;
    for ((x, y), (dx, mirrored)) in xs.iter_mut().zip(ys.iter_mut()).zip(dxs.into_iter().zip(mirrored)) {
        *x = ((dx << 13) ^ mirrored) - mirrored;
        *y = ((dy << 13) ^ mirrored) - mirrored;
    }
    let mut turned = mirrored.map(|mirrored| (mirrored as u32) << 31);
    for (step, angle) in rings::ARC_TANGENTS.into_iter().enumerate() {
        for ((x, y), turned) in xs.iter_mut().zip(ys.iter_mut()).zip(turned.iter_mut()) {
            let below = *y >> 31;
            let (along, across) = (*x >> step, *y >> step);
            *x += (across ^ below) - below;
            *y -= (along ^ below) - below;
            *turned = turned.wrapping_add((angle ^ below as u32).wrapping_sub(below as u32));
        }
    }
    turned
}

/// Noise, of which neighbours in a row share the points of the lattice, and rows the weights.
pub(super) struct Clouds<'a> {
    params: &'a Params,
    /// The weights of a cell's columns, as far as the picture has them.
    weights: Vec<u32>,
    /// The levels of this row above and below, interpolated between, one a column of the lattice.
    levels: Vec<u32>,
}

impl<'a> Clouds<'a> {
    fn new(params: &'a Params) -> Self {
        let columns = params.cell.min(params.width);
        let weights = (0..columns).map(|at| noise::weight(at, params.cell)).collect();
        Self { params, weights, levels: Vec::new() }
    }

    fn begin(&mut self, y: u32) {
        let Params { width, cell, seed, .. } = *self.params;
        let row = y / cell;
        let down = noise::weight(y - row * cell, cell);
        let level = |column| {
            let (above, below) = (noise::lattice(seed, column, row), noise::lattice(seed, column, row + 1));
            noise::between(above, below, down)
        };
        self.levels.clear();
        self.levels.extend((0..(width - 1) / cell + 2).map(level));
    }

    fn stretch(&self, x: u32, pixels: &mut [u32]) {
        let cell = self.params.cell;
        let (mut column, mut within) = ((x / cell) as usize, (x % cell) as usize);
        let mut rest = pixels;
        while !rest.is_empty() {
            let weights = self.weights.get(within..).unwrap_or_default();
            let (run, behind) = rest.split_at_mut(rest.len().min(weights.len()));
            let Some([first, second]) = self.levels.get(column..column + 2) else { return };
            for (place, weight) in run.iter_mut().zip(weights) {
                *place = grey(noise::between(*first, *second, *weight) >> 8);
            }
            (rest, column, within) = (behind, column + 1, 0);
        }
    }
}

/// Each block serves four pixels, and several blocks are made at a time.
fn random(params: &Params, x: u32, y: u32, pixels: &mut [u32]) {
    let key = philox::key(params.seed);
    let mut counter = x / 4;
    for places in pixels.chunks_mut(4 * BLOCKS) {
        let blocks: [[u32; 4]; BLOCKS] =
            std::array::from_fn(|index| philox::block([counter + index as u32, y, 0, 0], key));
        for (place, word) in places.iter_mut().zip(blocks.as_flattened()) {
            *place = word & 0x00ff_ffff;
        }
        counter += BLOCKS as u32;
    }
}
