//! The definition of every pixel.

use super::params::Params;

/// The colour of a pixel, `0xRRGGBB`, by its place from the left and from the top of the picture.
pub fn pixel(params: &Params, _x: u32, _y: u32) -> u32 {
    params.color1
}
