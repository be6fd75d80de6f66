//! The header of a BMP file: BITMAPFILEHEADER and BITMAPINFOHEADER, without compression (BI_RGB), as
//! <https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapinfoheader> lays them out.
//!
//! The later headers add colour spaces and masks, which nothing here needs and fewer programs read.

use crate::wire::image::{HEADER_BYTES, Image};

/// Pixels a metre, both ways: 72 to the inch. Programs that print want a number here.
const RESOLUTION: u32 = 2835;
/// Bytes of BITMAPINFOHEADER.
const INFO_BYTES: u32 = 40;

/// The 54 bytes in front of the pixels.
pub fn header(image: &Image) -> [u8; HEADER_BYTES as usize] {
    let short = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    // A negative height says that the top row comes first.
    let height = if image.top_down { image.height.wrapping_neg() } else { image.height };
    let fields = [
        short(image.file_bytes()),
        0,
        short(HEADER_BYTES),
        INFO_BYTES,
        image.width,
        height,
        1 | (image.bits_per_pixel.bits() << 16),
        0,
        short(image.file_bytes() - HEADER_BYTES),
        RESOLUTION,
        RESOLUTION,
        0,
        0,
    ];
    let mut header = [0; HEADER_BYTES as usize];
    let bytes = b"BM".iter().copied().chain(fields.into_iter().flat_map(u32::to_le_bytes));
    for (place, byte) in header.iter_mut().zip(bytes) {
        *place = byte;
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::image::{BitsPerPixel, Pattern};

    #[test]
    fn the_header_is_the_formats() {
        let image = |top_down| Image::new(3, 2, BitsPerPixel::B24, top_down, Pattern::Ebu).unwrap();
        let expected = [
            0x42, 0x4d, 78, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 24, 0, 0, 0,
            0, 0, 24, 0, 0, 0, 0x13, 0x0b, 0, 0, 0x13, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(header(&image(false)), expected);
        assert_eq!(header(&image(true))[22..26], (-2_i32).to_le_bytes());
        let largest = Image::new(65535, 21845, BitsPerPixel::B24, false, Pattern::Ebu).unwrap();
        assert_eq!(header(&largest)[2..6], 4_294_901_814_u32.to_le_bytes());
    }
}
