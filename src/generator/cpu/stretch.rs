//! Stretches of a row, drawn by what neighbours have in common.

use super::super::params::{Params, kind};
use super::super::pattern::{from_centre, grey, noise, philox, pixel, rings};

/// Pixels of a spoke that are drawn one by one, where their ends do not decide.
const SPOKE_PIXELS: usize = 8;

/// What the drawing of any row of an image needs, made once.
pub(super) enum Drawing<'a> {
    /// Pixel by pixel.
    Plain(&'a Params),
    /// The levels of all phases.
    Zoneplate(&'a Params, Vec<u32>),
    /// From one edge of a spoke to the next.
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

/// Spokes are as wide as a row is long, but for the few rows and pixels about the centre: the ends of a run decide where both lie
/// well inside of one spoke.
fn siemens(params: &Params, x: u32, y: u32, pixels: &mut [u32]) {
    let dy = from_centre(y, params.height) as i32;
    let spokes = Spokes { spokes: params.cell, dy, margin: direction_margin(dy) };
    spokes.draw(from_centre(x, params.width) as i32, pixels);
}

/// Twice how far [`rings::direction`] may be off in this row, in turns of 2^-32: the last of its turns and the rounding of their
/// table, below 2^-21 turns, and a unit in each of 20 shifts of a vector at least 2^13 times as long as `dy`, below 2^-10 turns
/// divided by `dy`. The true direction goes one way along a row, so the directions between two points are between theirs but for
/// this.
fn direction_margin(dy: i32) -> u64 {
    2 * ((1 << 11) + (1 << 22) / u64::from(dy.unsigned_abs().max(1)))
}

struct Spokes {
    spokes: u32,
    dy: i32,
    margin: u64,
}

impl Spokes {
    fn draw(&self, dx: i32, pixels: &mut [u32]) {
        let last = dx + 2 * (pixels.len() as i32 - 1);
        let ends = (pixels.len() > SPOKE_PIXELS).then(|| (self.inside(dx), self.inside(last)));
        match ends {
            None => {
                for (place, index) in pixels.iter_mut().zip(0..) {
                    *place = self.color(dx + 2 * index);
                }
            }
            Some((Some(first), Some(last))) if first == last => pixels.fill(self.color(dx)),
            Some(_) => {
                let half = pixels.len() / 2;
                let (left, right) = pixels.split_at_mut(half);
                self.draw(dx, left);
                self.draw(dx + 2 * half as i32, right);
            }
        }
    }

    fn color(&self, dx: i32) -> u32 {
        grey(255 * (1 - rings::is_dark(rings::direction(dx, self.dy), self.spokes)))
    }

    /// The spoke that a point lies in, if it is farther from its edges than a direction may be off.
    fn inside(&self, dx: i32) -> Option<u64> {
        let (turn, spokes) = (u64::from(rings::direction(dx, self.dy)), 2 * u64::from(self.spokes));
        let spoke = |turn: u64| (turn * spokes) >> 32;
        let (low, high) = (turn.checked_sub(self.margin)?, turn + self.margin);
        (spoke(low) == spoke(high)).then(|| spoke(turn))
    }
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

/// Each block serves four pixels.
fn random(params: &Params, x: u32, y: u32, pixels: &mut [u32]) {
    let key = philox::key(params.seed);
    for (four, counter) in pixels.chunks_mut(4).zip(x / 4..) {
        for (place, word) in four.iter_mut().zip(philox::block([counter, y, 0, 0], key)) {
            *place = word & 0x00ff_ffff;
        }
    }
}
