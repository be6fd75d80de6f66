//! Patterns and their parameters: names, bounds and defaults.
//!
//! One row a parameter stands in [`parameters`]: the README's table comes from there, and a test holds the parser to it.

use serde_json::{Map, Value, json};

use super::{ImageError, present};
use crate::base::limits::{
    PATTERN_CELL_MAX_PIXELS, PATTERN_MANDELBROT_CENTRE_MAX, PATTERN_MANDELBROT_SPAN_MAX, PATTERN_MANDELBROT_SPAN_MIN,
    PATTERN_SEED_MAX, PATTERN_SPOKES_MAX, PATTERN_ZONEPLATE_MAX_PERCENT,
};

/// A colour, eight bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(u32);

impl Color {
    /// From `0xRRGGBB`; higher bits are dropped.
    pub const fn new(rgb: u32) -> Self {
        Self(rgb & 0x00ff_ffff)
    }

    /// `0xRRGGBB`.
    pub const fn rgb(self) -> u32 {
        self.0
    }

    /// Reads `#RRGGBB`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| all).map(Self::new)
    }
}

/// Where a gradient goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the left to the right.
    Horizontal,
    /// From the top to the bottom.
    Vertical,
}

/// A number of the plane in steps of 2^-28: what the Mandelbrot set is computed in, so that all machines agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fixed(i32);

impl Fixed {
    const ONE: f64 = (1_u32 << 28) as f64;

    /// The nearest one, cut to what is held: from -8 to 8.
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates, as the comment says")]
    pub fn nearest(value: f64) -> Self {
        Self((value * Self::ONE).round() as i32)
    }

    /// In steps of 2^-28.
    pub const fn steps(self) -> i32 {
        self.0
    }

    /// As a number of JSON, exactly.
    fn to_f64(self) -> f64 {
        f64::from(self.0) / Self::ONE
    }
}

/// What is drawn. Rows are counted from the top of the picture, whichever row the file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One colour.
    Solid {
        /// The colour.
        color: Color,
    },
    /// From one colour to another, in even steps.
    Gradient {
        /// At the left or at the top.
        from: Color,
        /// At the right or at the bottom.
        to: Color,
        /// Which of the two.
        direction: Direction,
    },
    /// Squares in turn.
    Checkerboard {
        /// A square's side in pixels.
        cell: u32,
        /// The square at the top left.
        color1: Color,
        /// Its neighbours.
        color2: Color,
    },
    /// Lines at the left and at the top of each cell: a crosshatch.
    Grid {
        /// A cell's side in pixels, its lines included.
        cell: u32,
        /// A line's thickness in pixels, at most a cell.
        line: u32,
        /// The lines.
        color: Color,
        /// What is between them.
        background: Color,
    },
    /// The colour bars of SMPTE EG 1.
    Smpte,
    /// The eight vertical bars of the EBU, 100/0/75/0.
    Ebu,
    /// Rings that grow finer outwards.
    Zoneplate {
        /// Their fineness in the middle of the shorter side's edge, in percent of half a cycle a pixel.
        k: u32,
    },
    /// Spokes that grow finer inwards.
    Siemens {
        /// Pairs of a dark and a light one.
        spokes: u32,
    },
    /// Soft grey clouds.
    Noise {
        /// The same seed draws the same clouds.
        seed: u64,
        /// Distance of the values that are interpolated, in pixels.
        cell: u32,
    },
    /// Each pixel a random colour: bytes that no one compresses.
    Random {
        /// The same seed draws the same pixels.
        seed: u64,
    },
    /// The Mandelbrot set.
    Mandelbrot {
        /// Real part of the picture's centre.
        x: Fixed,
        /// Imaginary part of the picture's centre; it grows upwards.
        y: Fixed,
        /// What the longer side spans.
        span: Fixed,
    },
}

impl Default for Pattern {
    /// A gradient from black at the left to white at the right.
    fn default() -> Self {
        Self::Gradient { from: BLACK, to: WHITE, direction: Direction::Horizontal }
    }
}

const BLACK: Color = Color::new(0);
const WHITE: Color = Color::new(0x00ff_ffff);
const GREY: Color = Color::new(0x0080_8080);
const CELL_DEFAULT: u32 = 64;
const LINE_DEFAULT: u32 = 1;
const ZONEPLATE_DEFAULT: u32 = 100;
const SPOKES_DEFAULT: u32 = 36;
const MANDELBROT_X_DEFAULT: f64 = -0.5;
const MANDELBROT_Y_DEFAULT: f64 = 0.0;
const MANDELBROT_SPAN_DEFAULT: f64 = 3.0;

/// The kinds in the order of the documentation, for a message.
const KINDS: &str = "solid, gradient, checkerboard, grid, smpte, ebu, zoneplate, siemens, noise, random or mandelbrot";

impl Pattern {
    /// Reads a `pattern`; none is the default.
    pub fn from_json(value: Option<&Value>) -> Result<Self, ImageError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let fields = value.as_object().ok_or_else(|| ImageError::new("pattern", "must be an object"))?;
        let wrong_kind = || ImageError::new("pattern.kind", format!("must be one of {KINDS}"));
        let kind = fields.get("kind").and_then(Value::as_str).ok_or_else(wrong_kind)?;
        let read = Reader { fields };
        Ok(match kind {
            "solid" => Self::Solid { color: read.color("color", GREY)? },
            "gradient" => Self::Gradient {
                from: read.color("from", BLACK)?,
                to: read.color("to", WHITE)?,
                direction: read.direction()?,
            },
            "checkerboard" => Self::Checkerboard {
                cell: read.pixels("cell", CELL_DEFAULT)?,
                color1: read.color("color1", WHITE)?,
                color2: read.color("color2", BLACK)?,
            },
            "grid" => read.grid()?,
            "smpte" => Self::Smpte,
            "ebu" => Self::Ebu,
            "zoneplate" => Self::Zoneplate { k: read.whole("k", PATTERN_ZONEPLATE_MAX_PERCENT, ZONEPLATE_DEFAULT)? },
            "siemens" => Self::Siemens { spokes: read.whole("spokes", PATTERN_SPOKES_MAX, SPOKES_DEFAULT)? },
            "noise" => Self::Noise { seed: read.seed()?, cell: read.pixels("cell", CELL_DEFAULT)? },
            "random" => Self::Random { seed: read.seed()? },
            "mandelbrot" => Self::Mandelbrot {
                x: read.centre("x", MANDELBROT_X_DEFAULT)?,
                y: read.centre("y", MANDELBROT_Y_DEFAULT)?,
                span: read.span()?,
            },
            _ => return Err(wrong_kind()),
        })
    }

    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Solid { .. } => "solid",
            Self::Gradient { .. } => "gradient",
            Self::Checkerboard { .. } => "checkerboard",
            Self::Grid { .. } => "grid",
            Self::Smpte => "smpte",
            Self::Ebu => "ebu",
            Self::Zoneplate { .. } => "zoneplate",
            Self::Siemens { .. } => "siemens",
            Self::Noise { .. } => "noise",
            Self::Random { .. } => "random",
            Self::Mandelbrot { .. } => "mandelbrot",
        }
    }

    /// What [`Self::from_json`] reads, every parameter included.
    pub fn to_json(&self) -> Value {
        let text = |color: &Color| format!("#{:06x}", color.rgb());
        let kind = self.kind();
        match self {
            Self::Solid { color } => json!({"kind": kind, "color": text(color)}),
            Self::Gradient { from, to, direction } => {
                let direction = match direction {
                    Direction::Horizontal => "horizontal",
                    Direction::Vertical => "vertical",
                };
                json!({"kind": kind, "from": text(from), "to": text(to), "direction": direction})
            }
            Self::Checkerboard { cell, color1, color2 } => {
                json!({"kind": kind, "cell": cell, "color1": text(color1), "color2": text(color2)})
            }
            Self::Grid { cell, line, color, background } => {
                let (color, background) = (text(color), text(background));
                json!({"kind": kind, "cell": cell, "line": line, "color": color, "background": background})
            }
            Self::Smpte | Self::Ebu => json!({"kind": kind}),
            Self::Zoneplate { k } => json!({"kind": kind, "k": k}),
            Self::Siemens { spokes } => json!({"kind": kind, "spokes": spokes}),
            Self::Noise { seed, cell } => json!({"kind": kind, "seed": seed, "cell": cell}),
            Self::Random { seed } => json!({"kind": kind, "seed": seed}),
            Self::Mandelbrot { x, y, span } => {
                json!({"kind": kind, "x": x.to_f64(), "y": y.to_f64(), "span": span.to_f64()})
            }
        }
    }
}

/// The parameters of one pattern, of which each may be absent.
struct Reader<'a> {
    fields: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        present(self.fields, name)
    }

    fn wrong(name: &str, message: impl Into<String>) -> ImageError {
        ImageError::new(&format!("pattern.{name}"), message)
    }

    fn color(&self, name: &str, default: Color) -> Result<Color, ImageError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let color = value.as_str().and_then(Color::parse);
        color.ok_or_else(|| Self::wrong(name, "must be a colour like \"#RRGGBB\""))
    }

    fn direction(&self) -> Result<Direction, ImageError> {
        match self.get("direction").map(|value| value.as_str()) {
            None | Some(Some("horizontal")) => Ok(Direction::Horizontal),
            Some(Some("vertical")) => Ok(Direction::Vertical),
            Some(_) => Err(Self::wrong("direction", "must be \"horizontal\" or \"vertical\"")),
        }
    }

    /// A whole number from 1 on.
    fn whole(&self, name: &str, max: u32, default: u32) -> Result<u32, ImageError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| Self::wrong(name, format!("must be a whole number from 1 to {max}")))
    }

    fn pixels(&self, name: &str, default: u32) -> Result<u32, ImageError> {
        self.whole(name, PATTERN_CELL_MAX_PIXELS, default)
    }

    fn seed(&self) -> Result<u64, ImageError> {
        let Some(value) = self.get("seed") else { return Ok(0) };
        let seed = value.as_u64().filter(|seed| *seed <= PATTERN_SEED_MAX);
        seed.ok_or_else(|| Self::wrong("seed", format!("must be a whole number from 0 to {PATTERN_SEED_MAX}")))
    }

    fn grid(&self) -> Result<Pattern, ImageError> {
        let cell = self.pixels("cell", CELL_DEFAULT)?;
        let line = self.pixels("line", LINE_DEFAULT)?;
        if line > cell {
            return Err(Self::wrong("line", format!("must not be above pattern.cell, {cell}")));
        }
        let color = self.color("color", WHITE)?;
        Ok(Pattern::Grid { cell, line, color, background: self.color("background", BLACK)? })
    }

    fn number(&self, name: &str, min: f64, max: f64, default: f64) -> Result<Fixed, ImageError> {
        let Some(value) = self.get(name) else { return Ok(Fixed::nearest(default)) };
        // Judged as it will be used, so that what was read and written again is in bounds still.
        let fits = |fixed: &Fixed| (Fixed::nearest(min)..=Fixed::nearest(max)).contains(fixed);
        let number = value.as_f64().map(Fixed::nearest).filter(fits);
        number.ok_or_else(|| Self::wrong(name, format!("must be a number from {min} to {max}")))
    }

    fn centre(&self, name: &str, default: f64) -> Result<Fixed, ImageError> {
        self.number(name, -PATTERN_MANDELBROT_CENTRE_MAX, PATTERN_MANDELBROT_CENTRE_MAX, default)
    }

    fn span(&self) -> Result<Fixed, ImageError> {
        let (min, max) = (PATTERN_MANDELBROT_SPAN_MIN, PATTERN_MANDELBROT_SPAN_MAX);
        self.number("span", min, max, MANDELBROT_SPAN_DEFAULT)
    }
}

/// A parameter as the README tells of it.
pub(super) struct Parameter {
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    /// Its bounds, in words.
    pub(super) bounds: String,
    pub(super) default: String,
    pub(super) meaning: &'static str,
}

/// Every parameter of every pattern.
pub(super) fn parameters() -> Vec<Parameter> {
    let row = |kind, name, bounds: String, default: String, meaning| Parameter { kind, name, bounds, default, meaning };
    let color = || "`\"#RRGGBB\"`".to_owned();
    let shown = |color: Color| format!("`\"#{:06x}\"`", color.rgb());
    let whole = |min: u64, max: u64| format!("whole number, {min} to {max}");
    let cell = || whole(1, PATTERN_CELL_MAX_PIXELS.into());
    let seed = || whole(0, PATTERN_SEED_MAX);
    let centre = || format!("number, -{0} to {0}", PATTERN_MANDELBROT_CENTRE_MAX);
    let span = format!("number, {PATTERN_MANDELBROT_SPAN_MIN} to {PATTERN_MANDELBROT_SPAN_MAX}");
    let (sixty_four, zero) = (|| CELL_DEFAULT.to_string(), || "0".to_owned());
    let horizontal = "`\"horizontal\"`".to_owned();
    vec![
        row("solid", "color", color(), shown(GREY), "the one colour"),
        row("gradient", "from", color(), shown(BLACK), "colour at the left, or at the top"),
        row("gradient", "to", color(), shown(WHITE), "colour at the right, or at the bottom"),
        row("gradient", "direction", format!("{horizontal}, `\"vertical\"`"), horizontal, "where it goes"),
        row("checkerboard", "cell", cell(), sixty_four(), "side of a square, pixels"),
        row("checkerboard", "color1", color(), shown(WHITE), "the square at the top left"),
        row("checkerboard", "color2", color(), shown(BLACK), "its neighbours"),
        row("grid", "cell", cell(), sixty_four(), "distance of the lines, pixels"),
        row("grid", "line", "whole number, 1 to `cell`".to_owned(), LINE_DEFAULT.to_string(), "thickness, pixels"),
        row("grid", "color", color(), shown(WHITE), "the lines"),
        row("grid", "background", color(), shown(BLACK), "what is between them"),
        row("smpte", "", String::new(), String::new(), "colour bars of SMPTE EG 1: bars, castellations, PLUGE"),
        row("ebu", "", String::new(), String::new(), "colour bars of the EBU, 100/0/75/0"),
        row(
            "zoneplate",
            "k",
            whole(1, PATTERN_ZONEPLATE_MAX_PERCENT.into()),
            ZONEPLATE_DEFAULT.to_string(),
            "fineness of the rings where they first meet an edge, percent of half a cycle a pixel",
        ),
        row(
            "siemens",
            "spokes",
            whole(1, PATTERN_SPOKES_MAX.into()),
            SPOKES_DEFAULT.to_string(),
            "pairs of a light and a dark spoke",
        ),
        row("noise", "seed", seed(), zero(), "which clouds"),
        row("noise", "cell", cell(), sixty_four(), "size of the clouds, pixels"),
        row("random", "seed", seed(), zero(), "which pixels (Philox4x32-10): nothing compresses it"),
        row("mandelbrot", "x", centre(), MANDELBROT_X_DEFAULT.to_string(), "real part of the centre"),
        row("mandelbrot", "y", centre(), MANDELBROT_Y_DEFAULT.to_string(), "imaginary part of the centre"),
        row("mandelbrot", "span", span, MANDELBROT_SPAN_DEFAULT.to_string(), "what the longer side spans"),
    ]
}

/// The table of patterns and parameters in Markdown, as the README shows it.
pub fn patterns_table() -> String {
    let mut table = "| `kind` | parameter | bounds | default | what |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for Parameter { kind, name, bounds, default, meaning } in parameters() {
        let name = if name.is_empty() { String::new() } else { format!("`{name}`") };
        table.push_str(&format!("| `{kind}` | {name} | {bounds} | {default} | {meaning} |\n"));
    }
    table
}
