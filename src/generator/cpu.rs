//! The image's bytes, made by the CPU.

use super::bmp;
use super::params::Params;
use super::pattern::pixel;
use crate::wire::image::{HEADER_BYTES, Image};

/// Writes the file's bytes from `offset` on, as many as `out` takes. What lies behind the file's end becomes zero.
pub fn fill(image: &Image, params: &Params, offset: u64, out: &mut [u8]) {
    let header = bmp::header(image);
    for (place, at) in out.iter_mut().zip(offset..) {
        *place = match usize::try_from(at).ok().and_then(|at| header.get(at)) {
            Some(byte) => *byte,
            None => pixel_byte(params, at - HEADER_BYTES),
        };
    }
}

fn pixel_byte(params: &Params, at: u64) -> u8 {
    let stride = u64::from(params.stride);
    let (row, column) = ((at / stride) as u32, (at % stride) as u32);
    let (x, channel) = (column / params.bytes_per_pixel, column % params.bytes_per_pixel);
    if row >= params.height || x >= params.width {
        return 0;
    }
    let y = if params.top_down == 1 { row } else { params.height - 1 - row };
    ((pixel(params, x, y) | 0xff00_0000) >> (8 * channel)) as u8
}
