//! Images that find mistakes, pieces of them, and what the definition says their bytes are.

use wharf::generator::params::Params;
use wharf::generator::pattern::pixel;
use wharf::wire::image::{BitsPerPixel, HEADER_BYTES, Image, Pattern};

use crate::child::Piece;

/// Every pattern, with parameters at their bounds and between.
const PATTERNS: [&str; 30] = [
    r##"{"kind":"solid","color":"#123456"}"##,
    r##"{"kind":"gradient","from":"#ff8001","to":"#00fe40"}"##,
    r##"{"kind":"gradient","from":"#000000","to":"#ffffff","direction":"vertical"}"##,
    r##"{"kind":"checkerboard","cell":1}"##,
    r##"{"kind":"checkerboard","cell":7,"color1":"#010203","color2":"#fdfeff"}"##,
    r##"{"kind":"checkerboard","cell":65535}"##,
    r##"{"kind":"grid","cell":1,"line":1}"##,
    r##"{"kind":"grid","cell":9,"line":2,"color":"#0000ff","background":"#400000"}"##,
    r##"{"kind":"grid","cell":65535,"line":65535}"##,
    r##"{"kind":"smpte"}"##,
    r##"{"kind":"ebu"}"##,
    r##"{"kind":"zoneplate"}"##,
    r##"{"kind":"zoneplate","k":1}"##,
    r##"{"kind":"zoneplate","k":1000}"##,
    r##"{"kind":"siemens"}"##,
    r##"{"kind":"siemens","spokes":1}"##,
    r##"{"kind":"siemens","spokes":1024}"##,
    r##"{"kind":"noise"}"##,
    r##"{"kind":"noise","cell":1,"seed":1}"##,
    r##"{"kind":"noise","cell":5,"seed":9007199254740991}"##,
    r##"{"kind":"noise","cell":65535,"seed":77}"##,
    r##"{"kind":"random"}"##,
    r##"{"kind":"random","seed":4294967296}"##,
    r##"{"kind":"random","seed":9007199254740991}"##,
    r##"{"kind":"mandelbrot"}"##,
    r##"{"kind":"mandelbrot","x":2,"y":2,"span":4}"##,
    r##"{"kind":"mandelbrot","x":-2,"y":-2,"span":4}"##,
    r##"{"kind":"mandelbrot","x":0,"y":0,"span":4}"##,
    r##"{"kind":"mandelbrot","x":-0.7436,"y":0.1318,"span":0.000001}"##,
    r##"{"kind":"mandelbrot","x":-0.7436,"y":0.1318,"span":0.01}"##,
];

/// Widths and heights: single pixels and rows, paddings of every length, and what twelfths, sevenths and cells fit badly.
const SIZES: [(u32, u32); 14] = [
    (1, 1),
    (2, 3),
    (3, 2),
    (5, 5),
    (7, 11),
    (16, 16),
    (17, 9),
    (33, 20),
    (84, 24),
    (85, 37),
    (131, 67),
    (255, 3),
    (3, 255),
    (64, 150),
];

/// The largest of which the format has room, whose far corners count.
const LARGEST: [(u32, u32, BitsPerPixel); 4] = [
    (65_535, 21_845, BitsPerPixel::B24),
    (21_845, 65_535, BitsPerPixel::B24),
    (65_535, 16_383, BitsPerPixel::B32),
    (16_383, 65_535, BitsPerPixel::B32),
];

fn pattern(text: &str) -> Pattern {
    Pattern::from_json(Some(&serde_json::from_str(text).unwrap())).unwrap()
}

/// Every pattern in every size, depth and order.
pub(crate) fn small() -> Vec<Image> {
    let mut images = Vec::new();
    for text in PATTERNS {
        for (width, height) in SIZES {
            for bits in [BitsPerPixel::B24, BitsPerPixel::B32] {
                let image = |top_down| Image::new(width, height, bits, top_down, pattern(text)).unwrap();
                images.extend([image(false), image(true)]);
            }
        }
    }
    images
}

/// Each pattern in a size with padding that has most cases, and as a single pixel.
pub(crate) fn few() -> Vec<Image> {
    let image =
        |side: (u32, u32), text, bits, top_down| Image::new(side.0, side.1, bits, top_down, pattern(text)).unwrap();
    let images = PATTERNS.into_iter().flat_map(|text| {
        let of = |side| [image(side, text, BitsPerPixel::B24, false), image(side, text, BitsPerPixel::B32, true)];
        of((131, 67)).into_iter().chain(of((1, 1)))
    });
    images.collect()
}

/// The whole file, padded to what the kernel makes, and pieces that begin and end anywhere a kernel's may.
pub(crate) fn pieces(image: &Image) -> Vec<Piece> {
    let params = Params::of(image);
    let whole = image.file_bytes().div_ceil(16);
    let mut pieces = vec![Piece { params, offset: 0, n16: whole }];
    for (offset16, n16) in [(0, 1), (3, 1), (4, 2), (whole / 2, 5), (whole - 1, 2), (whole, 1)] {
        pieces.push(Piece { params, offset: offset16 * 16, n16 });
    }
    pieces
}

/// Pieces of the largest files: where they begin, a few places between, and where they end.
pub(crate) fn far_pieces() -> Vec<Piece> {
    let mut pieces = Vec::new();
    for text in PATTERNS {
        for (width, height, bits) in LARGEST {
            let image = |top_down| Image::new(width, height, bits, top_down, pattern(text)).unwrap();
            for image in [image(false), image(true)] {
                let (params, end) = (Params::of(&image), image.file_bytes());
                // The middle of the picture lies in the middle of its middle row.
                let middle = HEADER_BYTES + image.stride_bytes() * u64::from(height / 2) + image.stride_bytes() / 2;
                for offset in [0, image.stride_bytes(), middle, end / 3, end - 400] {
                    pieces.push(Piece { params, offset: offset / 16 * 16, n16: 32 });
                }
            }
        }
    }
    pieces
}

/// What the definition says: pixel by pixel, by the layout of the format. The header and what lies behind the file are zero.
pub(crate) fn defined(piece: &Piece) -> Vec<u8> {
    let params = &piece.params;
    let stride = u64::from(params.stride);
    let byte = |at: u64| {
        let Some(behind) = at.checked_sub(HEADER_BYTES) else { return 0 };
        let (row, column) = (behind / stride, u32::try_from(behind % stride).unwrap());
        let (x, channel) = (column / params.bytes_per_pixel, column % params.bytes_per_pixel);
        if row >= u64::from(params.height) || x >= params.width {
            return 0;
        }
        let row = u32::try_from(row).unwrap();
        let y = if params.top_down == 1 { row } else { params.height - 1 - row };
        if channel == 3 { 0xff } else { pixel(params, x, y).to_le_bytes()[channel as usize] }
    };
    (piece.offset..piece.offset + piece.n16 * 16).map(byte).collect()
}

/// The first piece that a kernel made wrongly, said for people.
pub(crate) fn difference(pieces: &[Piece], made: &[Vec<u8>], expected: &[Vec<u8>]) -> Option<String> {
    assert!(pieces.len() == made.len() && made.len() == expected.len());
    let mut all = pieces.iter().zip(made.iter().zip(expected));
    let (piece, (made, expected)) = all.find(|(_, (made, expected))| made != expected)?;
    let at = made.iter().zip(expected).position(|(made, expected)| made != expected)?;
    Some(format!("{piece:?}: byte {at} is {:#x} and not {:#x}", made[at], expected[at]))
}
