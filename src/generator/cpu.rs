//! The image's bytes, made by the CPU: any range of the file, in the order of the file.
//!
//! Rows that are alike are drawn once and copied; the others are drawn a stretch of pixels at a time by what neighbours have in
//! common, and packed into bytes. What comes out is [`super::pattern::pixel`]'s, which tests hold it to.

mod stretch;
#[cfg(test)]
mod tests;

use super::bmp;
use super::params::{Params, kind};
use super::pattern::{bars, pixel};
use crate::wire::image::{HEADER_BYTES, Image};

use stretch::Drawing;

/// Pixels that are drawn, then packed: they stay in the innermost cache.
const STRETCH_PIXELS: usize = 1024;
/// Rows that are kept: SMPTE's picture has three kinds.
const ROWS_KEPT: usize = 3;

/// Writes the file's bytes from `offset` on, as many as `out` takes. What lies behind the file's end becomes zero. `params` are
/// those of the image.
pub fn fill(image: &Image, params: &Params, offset: u64, out: &mut [u8]) {
    let header = bmp::header(image);
    let begun = usize::try_from(offset).ok().and_then(|offset| header.get(offset..)).unwrap_or_default();
    let (front, mut rest) = out.split_at_mut(begun.len().min(out.len()));
    front.iter_mut().zip(begun).for_each(|(place, byte)| *place = *byte);
    let stride = u64::from(params.stride);
    let behind_header = offset.saturating_sub(HEADER_BYTES);
    let (mut row, mut column) = (behind_header / stride, (behind_header % stride) as usize);
    let mut rows = Rows::new(params);
    while !rest.is_empty() && row < u64::from(params.height) {
        let bytes = rest.len().min(params.stride as usize - column);
        let (piece, behind) = rest.split_at_mut(bytes);
        let y = if params.top_down == 1 { row as u32 } else { params.height - 1 - row as u32 };
        rows.write(y, column, piece);
        (rest, row, column) = (behind, row + 1, 0);
    }
    rest.fill(0);
}

/// Rows of one image, as bytes.
struct Rows<'a> {
    params: &'a Params,
    drawing: Drawing<'a>,
    /// Rows that stand for all that are alike, by what they have in common; the one that is replaced next is the last.
    kept: Vec<(u32, Vec<u8>)>,
    /// A row of which only a piece is wanted.
    scratch: Vec<u8>,
    pixels: Vec<u32>,
}

impl<'a> Rows<'a> {
    fn new(params: &'a Params) -> Self {
        Self {
            params,
            drawing: Drawing::new(params),
            kept: Vec::new(),
            scratch: Vec::new(),
            pixels: vec![0; STRETCH_PIXELS],
        }
    }

    /// The bytes of row `y` from `column` on, as many as `piece` takes.
    fn write(&mut self, y: u32, column: usize, piece: &mut [u8]) {
        let stride = self.params.stride as usize;
        match alike(self.params, y) {
            Some(class) => copy(self.kept_row(class, y), column, piece),
            None if piece.len() == stride => self.draw(y, piece),
            None => {
                let mut row = std::mem::take(&mut self.scratch);
                row.resize(stride, 0);
                self.draw(y, &mut row);
                copy(&row, column, piece);
                self.scratch = row;
            }
        }
    }

    /// The row that all of its class are like; `y` is one of them.
    fn kept_row(&mut self, class: u32, y: u32) -> &[u8] {
        match self.kept.iter().position(|(kept, _)| *kept == class) {
            // The class that was wanted last is most often wanted next.
            Some(at) => self.kept.swap(0, at),
            None => {
                let fresh = || vec![0; self.params.stride as usize];
                let mut row =
                    if self.kept.len() < ROWS_KEPT { None } else { self.kept.pop() }.map_or_else(fresh, |(_, row)| row);
                self.draw(y, &mut row);
                self.kept.insert(0, (class, row));
            }
        }
        self.kept.first().map(|(_, row)| row.as_slice()).unwrap_or_default()
    }

    /// A whole row, its padding zero.
    fn draw(&mut self, y: u32, row: &mut [u8]) {
        let bytes_per_pixel = self.params.bytes_per_pixel as usize;
        let (drawn, padding) = row.split_at_mut(self.params.width as usize * bytes_per_pixel);
        padding.fill(0);
        self.drawing.begin(y);
        let mut x = 0;
        for bytes in drawn.chunks_mut(STRETCH_PIXELS * bytes_per_pixel) {
            let count = bytes.len() / bytes_per_pixel;
            let pixels = self.pixels.get_mut(..count).unwrap_or_default();
            self.drawing.stretch(x, y, pixels);
            if bytes_per_pixel == 4 {
                pack32(pixels, bytes)
            } else {
                pack24(pixels, bytes)
            }
            x += count as u32;
        }
    }
}

/// What a row has in common with all that are like it; none where each differs.
fn alike(params: &Params, y: u32) -> Option<u32> {
    match params.kind {
        kind::SOLID | kind::GRADIENT_HORIZONTAL | kind::EBU => Some(0),
        kind::GRADIENT_VERTICAL => Some(pixel(params, 0, y)),
        kind::CHECKERBOARD => Some((y / params.cell) & 1),
        kind::GRID => Some(u32::from(y % params.cell < params.line)),
        kind::SMPTE => Some(bars::smpte_band(params, y)),
        _ => None,
    }
}

fn copy(row: &[u8], column: usize, piece: &mut [u8]) {
    if let Some(bytes) = row.get(column..column + piece.len()) {
        piece.copy_from_slice(bytes);
    }
}

/// Blue, green, red: four pixels in three words.
fn pack24(pixels: &[u32], bytes: &mut [u8]) {
    let (fours, few) = pixels.as_chunks::<4>();
    let (twelves, rest) = bytes.as_chunks_mut::<12>();
    for ([a, b, c, d], twelve) in fours.iter().zip(twelves) {
        let front = u64::from(*a) | (u64::from(*b) << 24) | (u64::from(*c) << 48);
        let back = (c >> 16) | (d << 8);
        if let Some((eight, four)) = twelve.split_first_chunk_mut::<8>() {
            *eight = front.to_le_bytes();
            four.copy_from_slice(&back.to_le_bytes());
        }
    }
    for (pixel, place) in few.iter().zip(rest.as_chunks_mut::<3>().0) {
        let [blue, green, red, _] = pixel.to_le_bytes();
        *place = [blue, green, red];
    }
}

/// Blue, green, red, and 0xFF, which some programs take for opacity.
fn pack32(pixels: &[u32], bytes: &mut [u8]) {
    for (pixel, place) in pixels.iter().zip(bytes.as_chunks_mut::<4>().0) {
        *place = (pixel | 0xff00_0000).to_le_bytes();
    }
}
