//! Which images are compared.

use serde_json::{Value, json};
use wharf::wire::image::{BitsPerPixel, Image, Pattern};

/// Every kind, with its defaults and with parameters that go to bounds.
fn descriptions() -> Vec<Value> {
    let seed = (1_u64 << 53) - 1;
    vec![
        json!({"kind": "solid", "color": "#123456"}),
        json!({"kind": "gradient"}),
        json!({"kind": "gradient", "from": "#ff0080", "to": "#0102fe", "direction": "vertical"}),
        json!({"kind": "checkerboard"}),
        json!({"kind": "checkerboard", "cell": 1, "color1": "#010203", "color2": "#fdfeff"}),
        json!({"kind": "grid", "cell": 7, "line": 3, "color": "#00ff00", "background": "#400040"}),
        json!({"kind": "grid", "cell": 65535, "line": 65535}),
        json!({"kind": "smpte"}),
        json!({"kind": "ebu"}),
        json!({"kind": "zoneplate"}),
        json!({"kind": "zoneplate", "k": 1000}),
        json!({"kind": "siemens"}),
        json!({"kind": "siemens", "spokes": 1}),
        json!({"kind": "siemens", "spokes": 1024}),
        json!({"kind": "noise"}),
        json!({"kind": "noise", "seed": seed, "cell": 3}),
        json!({"kind": "random"}),
        json!({"kind": "random", "seed": seed}),
        json!({"kind": "mandelbrot"}),
        json!({"kind": "mandelbrot", "x": -0.743_643_9, "y": 0.131_825_9, "span": 0.000_01}),
        json!({"kind": "mandelbrot", "x": -2, "y": 2, "span": 4}),
    ]
}

/// Every kind once, for measurements.
const KINDS: [&str; 11] = [
    "solid",
    "gradient",
    "checkerboard",
    "grid",
    "smpte",
    "ebu",
    "zoneplate",
    "siemens",
    "noise",
    "random",
    "mandelbrot",
];

const QUICK_SIZES: [(u32, u32); 5] = [(1, 1), (3, 2), (17, 13), (130, 45), (65_535, 1)];
const SIZES: [(u32, u32); 14] = [
    (1, 1),
    (2, 1),
    (1, 2),
    (3, 3),
    (5, 7),
    (17, 13),
    (64, 64),
    (127, 33),
    (257, 129),
    (640, 480),
    (1001, 701),
    (1920, 1080),
    (65_535, 3),
    (3, 65_535),
];

fn pattern(description: &Value) -> Pattern {
    Pattern::from_json(Some(description)).unwrap_or_default()
}

/// Images that are compared whole: each pattern in each size, depth and order.
pub(super) fn whole(is_quick: bool) -> Vec<Image> {
    let sizes: &[_] = if is_quick { &QUICK_SIZES } else { &SIZES };
    let mut images = Vec::new();
    for description in &descriptions() {
        for (width, height) in sizes {
            for (depth, top_down) in layouts() {
                images.extend(Image::new(*width, *height, depth, top_down, pattern(description)).ok());
            }
        }
    }
    images
}

/// The longest files the format has, of which only some places are compared.
pub(super) fn largest() -> Vec<Image> {
    let mut images = Vec::new();
    for description in &descriptions() {
        for (depth, top_down) in layouts() {
            let measure = Image::largest(u64::from(u32::MAX), depth);
            images.push(Image { top_down, pattern: pattern(description), ..measure });
        }
    }
    images
}

fn layouts() -> [(BitsPerPixel, bool); 4] {
    [(BitsPerPixel::B24, false), (BitsPerPixel::B24, true), (BitsPerPixel::B32, false), (BitsPerPixel::B32, true)]
}

/// One image of each kind, with its name, as near to so many bytes as can be.
pub(super) fn of_each_kind(file_bytes: u64) -> Vec<(&'static str, Image)> {
    let measure = Image::largest(file_bytes, BitsPerPixel::B24);
    KINDS
        .into_iter()
        .map(|kind| (kind, Image { pattern: pattern(&json!({"kind": kind})), ..measure.clone() }))
        .collect()
}
