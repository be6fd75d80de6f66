//! What a generated image is, as the HTTP API says it: size, depth, order of its rows, and a pattern. The gateway checks a
//! request for one before it opens an upload, the generator before it draws; both read it here.
//!
//! The file is a BMP: a header of 54 bytes, then rows of pixels, each padded to a multiple of four bytes. So its length
//! follows from the image's size alone. What colour a pixel has is the generator's business.

mod pattern;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::base::limits::{IMAGE_FILE_MAX_BYTES, IMAGE_SIDE_MAX_PIXELS};

pub use pattern::{Color, Direction, Fixed, Pattern, patterns_table};

/// BITMAPFILEHEADER and BITMAPINFOHEADER, in front of the pixels.
pub const HEADER_BYTES: u64 = 54;

/// How many bits a pixel takes in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitsPerPixel {
    /// Blue, green, red.
    B24,
    /// Blue, green, red, and a byte that is always 0xFF.
    B32,
}

impl BitsPerPixel {
    /// 24 or 32.
    pub fn bits(self) -> u32 {
        self.bytes() * 8
    }

    /// 3 or 4.
    pub fn bytes(self) -> u32 {
        match self {
            Self::B24 => 3,
            Self::B32 => 4,
        }
    }
}

/// An image whose every byte is determined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels of a row, 1 to 65,535.
    pub width: u32,
    /// Rows, 1 to 65,535.
    pub height: u32,
    /// The depth.
    pub bits_per_pixel: BitsPerPixel,
    /// Whether the file begins with the top row; BMP's custom is to begin with the bottom one.
    pub top_down: bool,
    /// What is drawn.
    pub pattern: Pattern,
}

/// What is wrong with a description of an image, and in which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct ImageError {
    /// The field as the request names it, `pattern.cell` for one inside the pattern.
    pub field: String,
    /// What the field must be: it reads on from the field's name.
    pub message: String,
}

impl ImageError {
    fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}

impl Image {
    /// An image of these measures; an error where a side is out of bounds or the file would be too long for the format.
    pub fn new(
        width: u32,
        height: u32,
        bits_per_pixel: BitsPerPixel,
        top_down: bool,
        pattern: Pattern,
    ) -> Result<Self, ImageError> {
        Self::named(("width", "height"), Self { width, height, bits_per_pixel, top_down, pattern })
    }

    /// Reads `width`, `height`, `bitsPerPixel` (24 where absent), `topDown` (false) and `pattern` (a gradient) out of a
    /// request's JSON. Other fields do not matter; an optional field that is null is absent.
    pub fn from_json(fields: &Map<String, Value>) -> Result<Self, ImageError> {
        Self::from_json_named(fields, "width", "height")
    }

    /// The same where width and height have these names.
    pub fn from_json_named(fields: &Map<String, Value>, width: &str, height: &str) -> Result<Self, ImageError> {
        let bits_per_pixel = match present(fields, "bitsPerPixel").map(|value| value.as_u64()) {
            None | Some(Some(24)) => BitsPerPixel::B24,
            Some(Some(32)) => BitsPerPixel::B32,
            Some(_) => return Err(ImageError::new("bitsPerPixel", "must be 24 or 32")),
        };
        let top_down = match present(fields, "topDown") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| ImageError::new("topDown", "must be true or false"))?,
        };
        let image = Self {
            width: side(fields, width)?,
            height: side(fields, height)?,
            bits_per_pixel,
            top_down,
            pattern: Pattern::from_json(present(fields, "pattern"))?,
        };
        Self::named((width, height), image)
    }

    /// The image, if its measures are allowed; else an error that names them so.
    fn named((width, height): (&str, &str), image: Self) -> Result<Self, ImageError> {
        for (name, pixels) in [(width, image.width), (height, image.height)] {
            if !(1..=IMAGE_SIDE_MAX_PIXELS).contains(&pixels) {
                return Err(ImageError::new(name, format!("must be from 1 to {IMAGE_SIDE_MAX_PIXELS}")));
            }
        }
        let bytes = image.file_bytes();
        if bytes > IMAGE_FILE_MAX_BYTES {
            let message = format!("makes a file of {bytes} bytes, and the format has room for {IMAGE_FILE_MAX_BYTES}");
            return Err(ImageError::new(height, message));
        }
        Ok(image)
    }

    /// The image with the longest file of at most so many bytes, and of those the one nearest to a square: a gradient from
    /// the bottom up. Below 58 bytes there is none, and a single pixel stands for it.
    pub fn largest(max_file_bytes: u64, bits_per_pixel: BitsPerPixel) -> Self {
        let room = max_file_bytes.min(IMAGE_FILE_MAX_BYTES).saturating_sub(HEADER_BYTES);
        let sized = |height: u32| {
            let stride = (room / u64::from(height)) & !3;
            let width = (stride / u64::from(bits_per_pixel.bytes())).min(u64::from(IMAGE_SIDE_MAX_PIXELS));
            let width = u32::try_from(width).ok().filter(|width| *width > 0)?;
            Some(Self { width, height, bits_per_pixel, top_down: false, pattern: Pattern::default() })
        };
        let single = Self { width: 1, height: 1, bits_per_pixel, top_down: false, pattern: Pattern::default() };
        let rank = |image: &Self| (image.file_bytes(), std::cmp::Reverse(image.width.abs_diff(image.height)));
        (1..=IMAGE_SIDE_MAX_PIXELS).filter_map(sized).max_by_key(rank).unwrap_or(single)
    }

    /// The fields that [`Self::from_json`] reads, all of them.
    pub fn to_json(&self) -> Map<String, Value> {
        let fields = [
            ("width", json!(self.width)),
            ("height", json!(self.height)),
            ("bitsPerPixel", json!(self.bits_per_pixel.bits())),
            ("topDown", json!(self.top_down)),
            ("pattern", self.pattern.to_json()),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Bytes of a row in the file, its padding included.
    pub fn stride_bytes(&self) -> u64 {
        (u64::from(self.width) * u64::from(self.bits_per_pixel.bytes())).next_multiple_of(4)
    }

    /// Bytes of the whole file.
    pub fn file_bytes(&self) -> u64 {
        HEADER_BYTES + self.stride_bytes() * u64::from(self.height)
    }
}

/// A field that is there and not null.
fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// A side's pixels. What does not fit the number's type is out of bounds, which is judged with the rest.
fn side(fields: &Map<String, Value>, name: &str) -> Result<u32, ImageError> {
    let value = fields.get(name).ok_or_else(|| ImageError::new(name, "is missing"))?;
    let wrong = || ImageError::new(name, format!("must be a whole number from 1 to {IMAGE_SIDE_MAX_PIXELS}"));
    value.as_u64().and_then(|pixels| u32::try_from(pixels).ok()).ok_or_else(wrong)
}
