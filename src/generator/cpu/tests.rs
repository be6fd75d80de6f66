//! What is drawn fast is what is defined, whatever piece is asked for; and programs that nobody here wrote see the picture.

use tinybmp::RawBmp;

use super::*;
use crate::wire::image::{BitsPerPixel, Pattern};

const PATTERNS: [&str; 20] = [
    r##"{"kind":"solid","color":"#123456"}"##,
    r##"{"kind":"gradient","from":"#ff8001","to":"#00fe40"}"##,
    r#"{"kind":"gradient","direction":"vertical"}"#,
    r#"{"kind":"checkerboard","cell":1}"#,
    r##"{"kind":"checkerboard","cell":7,"color1":"#010203","color2":"#fdfeff"}"##,
    r#"{"kind":"grid","cell":1,"line":1}"#,
    r##"{"kind":"grid","cell":9,"line":2,"color":"#0000ff","background":"#400000"}"##,
    r#"{"kind":"smpte"}"#,
    r#"{"kind":"ebu"}"#,
    r#"{"kind":"zoneplate","k":1}"#,
    r#"{"kind":"zoneplate","k":1000}"#,
    r#"{"kind":"siemens"}"#,
    r#"{"kind":"siemens","spokes":1024}"#,
    r#"{"kind":"noise","cell":1,"seed":1}"#,
    r#"{"kind":"noise","cell":13,"seed":9007199254740991}"#,
    r#"{"kind":"noise","cell":65535,"seed":77}"#,
    r#"{"kind":"random"}"#,
    r#"{"kind":"random","seed":9007199254740991}"#,
    r#"{"kind":"mandelbrot"}"#,
    r#"{"kind":"mandelbrot","x":-0.7436,"y":0.1318,"span":0.01}"#,
];

fn image(width: u32, height: u32, bits: BitsPerPixel, top_down: bool, pattern: &str) -> Image {
    let pattern = Pattern::from_json(Some(&serde_json::from_str(pattern).unwrap())).unwrap();
    Image::new(width, height, bits, top_down, pattern).unwrap()
}

/// Every pattern in small sizes, both depths and both orders; widths cross the stretches that are drawn at a time.
fn images() -> Vec<Image> {
    let mut images = Vec::new();
    for pattern in PATTERNS {
        for (width, height) in [(1, 1), (2, 3), (7, 11), (85, 37), (1024, 2), (1025, 3), (2051, 4)] {
            for bits in [BitsPerPixel::B24, BitsPerPixel::B32] {
                images.extend([false, true].map(|top_down| image(width, height, bits, top_down, pattern)));
            }
        }
    }
    images
}

fn filled(image: &Image, offset: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0xcc; bytes];
    fill(image, &Params::of(image), offset, &mut out);
    out
}

/// The bytes by the format's layout and the definition, pixel by pixel.
fn defined(image: &Image, offset: u64, bytes: usize) -> Vec<u8> {
    let (params, header, stride) = (Params::of(image), bmp::header(image), image.stride_bytes());
    let byte = |at: u64| {
        let Some(behind) = at.checked_sub(HEADER_BYTES) else { return header[at as usize] };
        let (row, column) = ((behind / stride) as u32, (behind % stride) as u32);
        let (x, channel) = (column / params.bytes_per_pixel, column % params.bytes_per_pixel);
        let y = if image.top_down { row } else { image.height.wrapping_sub(1 + row) };
        match (row < image.height && x < image.width, channel) {
            (true, 3) => 0xff,
            (true, _) => pixel(&params, x, y).to_le_bytes()[channel as usize],
            (false, _) => 0,
        }
    };
    (offset..offset + bytes as u64).map(byte).collect()
}

#[test]
fn whole_files_are_as_defined() {
    for image in images() {
        let bytes = image.file_bytes() as usize;
        assert!(filled(&image, 0, bytes) == defined(&image, 0, bytes), "{image:?}");
    }
}

#[test]
fn any_piece_is_the_same_piece_of_the_file() {
    for image in images() {
        let whole = filled(&image, 0, image.file_bytes() as usize + 10);
        assert_eq!(whole[whole.len() - 10..], [0; 10]);
        let (stride, end) = (image.stride_bytes() as usize, image.file_bytes() as usize);
        for begin in [0, 1, 53, 54, 55, 54 + stride - 1, 54 + stride, end / 2 + 1, end - 1, end] {
            for bytes in [1, 3, 16, stride, stride + 1, 2 * stride + 5, 3000] {
                let bytes = bytes.min(whole.len().saturating_sub(begin));
                let piece = filled(&image, begin as u64, bytes);
                assert!(piece == whole[begin..begin + bytes], "{image:?}: {bytes} from {begin}");
            }
        }
    }
}

#[test]
fn the_ends_of_the_largest_files_are_as_defined() {
    for pattern in PATTERNS {
        for (width, height) in [(65_535, 21_845), (21_845, 65_535)] {
            for top_down in [false, true] {
                let image = image(width, height, BitsPerPixel::B24, top_down, pattern);
                let middle = image.file_bytes() / 2;
                for (offset, bytes) in [(0, 200), (middle, 4000), (image.file_bytes() - 300, 300)] {
                    assert!(filled(&image, offset, bytes) == defined(&image, offset, bytes), "{image:?}: {offset}");
                }
            }
        }
    }
}

/// The picture as tinybmp reads it is the one that is defined.
#[test]
fn a_decoder_sees_the_defined_picture() {
    for image in images() {
        let file = filled(&image, 0, image.file_bytes() as usize);
        let bmp = RawBmp::from_slice(&file).unwrap();
        let size = bmp.header().image_size;
        assert_eq!((size.width, size.height), (image.width, image.height));
        let params = Params::of(&image);
        let mut at = tinybmp::RawPixel::default().position;
        for (x, y) in (0..image.height).flat_map(|y| (0..image.width).map(move |x| (x, y))) {
            (at.x, at.y) = (x as i32, y as i32);
            // In 32 bits there is a fourth byte, of which the format says nothing.
            let seen = bmp.pixel(at).unwrap() & 0x00ff_ffff;
            assert_eq!(seen, pixel(&params, x, y), "{image:?} at {x} {y}");
        }
    }
}
