//! An image as numbers: the one description that the CPU, the GPU's kernel and the tests share.
//!
//! The kernel takes it by value, so its layout is `kernel/pattern.cu`'s `Params`, field by field.

use std::mem::offset_of;

use crate::wire::image::{Direction, Image, Pattern};

/// Which pattern: the kernel's numbers.
pub mod kind {
    /// One colour.
    pub const SOLID: u32 = 0;
    /// From left to right.
    pub const GRADIENT_HORIZONTAL: u32 = 1;
    /// From top to bottom.
    pub const GRADIENT_VERTICAL: u32 = 2;
    /// Squares in turn.
    pub const CHECKERBOARD: u32 = 3;
    /// Lines at the left and at the top of each cell.
    pub const GRID: u32 = 4;
    /// SMPTE's colour bars.
    pub const SMPTE: u32 = 5;
    /// The EBU's colour bars.
    pub const EBU: u32 = 6;
    /// Rings that grow finer outwards.
    pub const ZONEPLATE: u32 = 7;
    /// Spokes that grow finer inwards.
    pub const SIEMENS: u32 = 8;
    /// Interpolated random values.
    pub const NOISE: u32 = 9;
    /// A random colour each pixel.
    pub const RANDOM: u32 = 10;
    /// The Mandelbrot set.
    pub const MANDELBROT: u32 = 11;
}

/// What a back end must know to make any byte of an image behind the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Params {
    /// Pixels of a row, 1 to 65,535.
    pub width: u32,
    /// Rows, 1 to 65,535.
    pub height: u32,
    /// Bytes of a row in the file, its padding included.
    pub stride: u32,
    /// 3 or 4.
    pub bytes_per_pixel: u32,
    /// 1 where the file begins with the top row, else 0.
    pub top_down: u32,
    /// One of [`kind`].
    pub kind: u32,
    /// `0xRRGGBB`: the colour, where a gradient begins, the first square, the lines.
    pub color1: u32,
    /// `0xRRGGBB`: where a gradient ends, the second square, the background.
    pub color2: u32,
    /// The cell's side in pixels; the spokes of a star.
    pub cell: u32,
    /// The lines' thickness in pixels.
    pub line: u32,
    /// The seed.
    pub seed: u64,
    /// A zone plate's phase: turns of 2^-64 for each unit of the square of the distance, which is counted in half pixels.
    /// The Mandelbrot set's distance of two pixels, in steps of 2^-44.
    pub step: u64,
    /// The Mandelbrot set's centre, in steps of 2^-28.
    pub centre_x: i32,
    /// ... and upwards.
    pub centre_y: i32,
}

/// The kernel's `Params` has this size; a field too many would shift what it reads.
const _: () = {
    assert!(size_of::<Params>() == 64 && align_of::<Params>() == 8);
    assert!(offset_of!(Params, color1) == 24 && offset_of!(Params, seed) == 40 && offset_of!(Params, centre_x) == 56);
};

impl Params {
    /// The numbers of an image.
    pub fn of(image: &Image) -> Self {
        let blank = Self {
            width: image.width,
            height: image.height,
            stride: u32::try_from(image.stride_bytes()).unwrap_or(u32::MAX),
            bytes_per_pixel: image.bits_per_pixel.bytes(),
            top_down: u32::from(image.top_down),
            kind: kind::SOLID,
            color1: 0,
            color2: 0,
            cell: 1,
            line: 0,
            seed: 0,
            step: 0,
            centre_x: 0,
            centre_y: 0,
        };
        match image.pattern {
            Pattern::Solid { color } => Self { color1: color.rgb(), ..blank },
            Pattern::Gradient { from, to, direction } => {
                let kind = match direction {
                    Direction::Horizontal => kind::GRADIENT_HORIZONTAL,
                    Direction::Vertical => kind::GRADIENT_VERTICAL,
                };
                Self { kind, color1: from.rgb(), color2: to.rgb(), ..blank }
            }
            Pattern::Checkerboard { cell, color1, color2 } => {
                Self { kind: kind::CHECKERBOARD, cell, color1: color1.rgb(), color2: color2.rgb(), ..blank }
            }
            Pattern::Grid { cell, line, color, background } => {
                Self { kind: kind::GRID, cell, line, color1: color.rgb(), color2: background.rgb(), ..blank }
            }
            Pattern::Smpte => Self { kind: kind::SMPTE, ..blank },
            Pattern::Ebu => Self { kind: kind::EBU, ..blank },
            Pattern::Zoneplate { k } => {
                let step = zoneplate_step(k, image.width.min(image.height));
                Self { kind: kind::ZONEPLATE, step, ..blank }
            }
            Pattern::Siemens { spokes } => Self { kind: kind::SIEMENS, cell: spokes, ..blank },
            Pattern::Noise { seed, cell } => Self { kind: kind::NOISE, cell, seed, ..blank },
            Pattern::Random { seed } => Self { kind: kind::RANDOM, seed, ..blank },
            Pattern::Mandelbrot { x, y, span } => {
                let span = u64::try_from(span.steps()).unwrap_or(0) << 16;
                let step = span / u64::from(image.width.max(image.height));
                Self { kind: kind::MANDELBROT, step, centre_x: x.steps(), centre_y: y.steps(), ..blank }
            }
        }
    }
}

/// The phase at distance r is c r², so there are 2 c r cycles a pixel; they are `k` percent of one half at r = side / 2, where
/// the shorter side ends: c = k / (200 side). Distances are counted in half pixels, which makes it a quarter of that.
#[expect(clippy::cast_possible_truncation, reason = "whole turns do not matter")]
fn zoneplate_step(k: u32, side: u32) -> u64 {
    ((u128::from(k) << 64) / (800 * u128::from(side.max(1)))) as u64
}
