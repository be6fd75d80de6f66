//! What the patterns look like where it can be said beforehand.

use super::super::params::Params;
use super::*;
use crate::wire::image::{BitsPerPixel, Image, Pattern};

fn params(width: u32, height: u32, pattern: &str) -> Params {
    let pattern = Pattern::from_json(Some(&serde_json::from_str(pattern).unwrap())).unwrap();
    Params::of(&Image::new(width, height, BitsPerPixel::B24, false, pattern).unwrap())
}

fn row(params: &Params, y: u32) -> Vec<u32> {
    (0..params.width).map(|x| pixel(params, x, y)).collect()
}

fn column(params: &Params, x: u32) -> Vec<u32> {
    (0..params.height).map(|y| pixel(params, x, y)).collect()
}

#[test]
fn flat_colours_and_gradients() {
    assert_eq!(row(&params(2, 1, r##"{"kind":"solid","color":"#123456"}"##), 0), [0x123456; 2]);
    let across = params(5, 3, r##"{"kind":"gradient","from":"#ff0010","to":"#000020"}"##);
    assert_eq!(row(&across, 2), [0xff0010, 0xbf0014, 0x800018, 0x40001c, 0x000020]);
    let down = params(1, 256, r#"{"kind":"gradient","direction":"vertical"}"#);
    assert!(column(&down, 0).iter().zip(0..).all(|(color, level)| *color == grey(level)));
    assert_eq!(row(&params(1, 1, r##"{"kind":"gradient","from":"#000007"}"##), 0), [7]);
}

#[test]
fn squares_and_lines_begin_at_the_top_left() {
    let checkers = params(5, 4, r##"{"kind":"checkerboard","cell":2,"color1":"#000001","color2":"#000002"}"##);
    assert_eq!(row(&checkers, 1), [1, 1, 2, 2, 1]);
    assert_eq!(row(&checkers, 2), [2, 2, 1, 1, 2]);
    let grid = params(5, 4, r##"{"kind":"grid","cell":3,"line":1,"color":"#000001","background":"#000002"}"##);
    assert_eq!(row(&grid, 3), [1; 5]);
    assert_eq!(row(&grid, 1), [1, 2, 2, 1, 2]);
}

/// The colours of EG 1 and of the EBU's 100/0/75/0, as the tables give them.
#[test]
fn bars_have_the_colours_of_the_tables() {
    let smpte = params(84, 12, r#"{"kind":"smpte"}"#);
    let every = |y: u32, step: usize| row(&smpte, y).into_iter().step_by(step).collect::<Vec<_>>();
    let bars = [0xbfbfbf, 0xbfbf00, 0x00bfbf, 0x00bf00, 0xbf00bf, 0xbf0000, 0x0000bf];
    assert_eq!(every(0, 12), bars);
    assert_eq!(every(7, 12), bars);
    assert_eq!(every(8, 12), [0x0000bf, 0, 0xbf00bf, 0, 0x00bfbf, 0, 0xbfbfbf]);
    for y in 9..12 {
        let last = row(&smpte, y);
        assert_eq!(
            [last[14], last[15], last[29], last[30], last[44], last[45]],
            [0x3f69, 0xffffff, 0xffffff, 0x410077, 0x410077, 0]
        );
        assert_eq!(
            last[45..].iter().zip(45..).filter(|(color, _)| **color != 0).map(|(_, x)| x).collect::<Vec<_>>(),
            [68, 69, 70, 71]
        );
        assert_eq!(last[68], 0x0a0a0a);
    }
    let ebu = row(&params(8, 1, r#"{"kind":"ebu"}"#), 0);
    assert_eq!(ebu, [0xffffff, 0xbfbf00, 0x00bfbf, 0x00bf00, 0xbf00bf, 0xbf0000, 0x0000bf, 0]);
}

/// The integers say what floating point says, to a level.
#[test]
fn the_cosine_is_one() {
    for phase in 0..rings::PHASES {
        let angle = f64::from(phase) / f64::from(rings::PHASES) * std::f64::consts::TAU;
        let level = (1.0 + angle.cos()) / 2.0 * 255.0;
        let found = f64::from(rings::cosine_level(phase));
        assert!((found - level).abs() < 0.6, "{phase}: {found} and not {level}");
    }
    let plate = params(2001, 1001, r#"{"kind":"zoneplate"}"#);
    assert_eq!(pixel(&plate, 1000, 500), 0xffffff);
    for (x, y) in [(1000, 0), (0, 500), (1003, 507), (17, 900)] {
        let (dx, dy) = (f64::from(x) - 1000.0, f64::from(y) - 500.0);
        // Half a cycle a pixel at 500.5 pixels from the centre.
        let level = (1.0 + (std::f64::consts::TAU * (dx * dx + dy * dy) / (2.0 * 1001.0)).cos()) / 2.0 * 255.0;
        let found = f64::from(pixel(&plate, x, y) & 0xff);
        assert!((found - level).abs() < 1.0, "{x} {y}: {found} and not {level}");
    }
    for (x, y) in [(2000, 500), (1000, 1000), (0, 0)] {
        assert_eq!(pixel(&plate, x, y), pixel(&plate, 2000 - x, 1000 - y));
    }
}

#[test]
fn the_direction_is_the_arc_tangent() {
    for (dx, dy) in
        [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-3, 2), (65_534, 1), (-65_534, -65_534), (12_345, -54_321)]
    {
        let angle = f64::from(dy).atan2(f64::from(dx)).rem_euclid(std::f64::consts::TAU) / std::f64::consts::TAU;
        let found = f64::from(rings::direction(dx, dy)) / f64::from(u32::MAX);
        let apart = (found - angle).abs();
        // Near the centre the grid is coarse, where pixels are few and far apart.
        let most = if dx.abs().max(dy.abs()) > 1000 { 1e-6 } else { 2e-5 };
        assert!(apart.min(1.0 - apart) < most, "{dx} {dy}: {found} and not {angle}");
    }
    let star = params(400, 400, r#"{"kind":"siemens","spokes":4}"#);
    // Eight spokes, the first light one below the right half of the horizontal axis.
    let around = [(399, 230), (230, 399), (170, 399), (0, 230), (0, 170), (170, 0), (230, 0), (399, 170)];
    assert_eq!(around.map(|(x, y)| pixel(&star, x, y) & 1), [1, 0, 1, 0, 1, 0, 1, 0]);
}

/// Random123's known answers (kat_vectors, philox4x32 10).
#[test]
fn philox_gives_the_known_answers() {
    for (counter, key, answer) in [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ] {
        assert_eq!(philox::block(counter, key), answer);
    }
    let pixels = row(&params(5, 1, r#"{"kind":"random"}"#), 0);
    assert_eq!(pixels[..4], [0x0027_e8d5, 0x0069_c58d, 0x0057_ac4c, 0x0000_dbd8]);
    assert_ne!(pixels[4], pixels[0]);
}

#[test]
fn noise_is_smooth_and_its_own_by_seed() {
    let clouds = |seed| params(300, 300, &format!(r#"{{"kind":"noise","cell":50,"seed":{seed}}}"#));
    let (first, second) = (clouds(1), clouds(2));
    let levels: Vec<_> = (0..300).map(|y| row(&first, y)).collect();
    for (above, below) in levels.iter().zip(&levels[1..]) {
        for (x, (a, b)) in above.iter().zip(below).enumerate() {
            let steep = |a: u32, b: u32| (a & 0xff).abs_diff(b & 0xff) > 8;
            assert!(!steep(*a, *b) && (x == 0 || !steep(*a, above[x - 1])), "a step at {x}");
        }
    }
    let all: Vec<u32> = levels.concat();
    assert!(all.iter().max().unwrap() > &grey(200) && all.iter().min().unwrap() < &grey(55));
    assert_ne!(row(&second, 0), levels[0]);
    // At its points the lattice shows itself.
    assert_eq!(pixel(&first, 50, 100), grey(noise::lattice(1, 1, 2) >> 8));
}

#[test]
fn the_set_is_where_it_is() {
    let set = params(301, 201, r#"{"kind":"mandelbrot"}"#);
    // The picture spans -2 to 1 and -1 to 1; the main body, the left disc and the tip of the needle are inside.
    for (x, y, inside) in
        [(200, 100, true), (100, 100, true), (180, 130, true), (0, 0, false), (300, 100, false), (150, 10, false)]
    {
        assert_eq!(pixel(&set, x, y) == 0, inside, "{x} {y}");
    }
    // The set is symmetric; shifts round downwards, so that its edge is so nearly.
    let unlike = |y| row(&set, y).iter().zip(row(&set, 200 - y)).filter(|(a, b)| **a != *b).count();
    assert!((0..100).map(unlike).sum::<usize>() < 100);
}

/// Debug builds stop where numbers overflow; these are the extremes of what is allowed.
#[test]
fn nothing_overflows_at_the_bounds() {
    for pattern in [
        r##"{"kind":"gradient","from":"#ffffff","to":"#ffffff"}"##,
        r##"{"kind":"gradient","from":"#ffffff","to":"#ffffff","direction":"vertical"}"##,
        r#"{"kind":"checkerboard","cell":65535}"#,
        r#"{"kind":"grid","cell":65535,"line":65535}"#,
        r#"{"kind":"smpte"}"#,
        r#"{"kind":"ebu"}"#,
        r#"{"kind":"zoneplate","k":1000}"#,
        r#"{"kind":"siemens","spokes":1024}"#,
        r#"{"kind":"noise","seed":9007199254740991,"cell":65535}"#,
        r#"{"kind":"random","seed":9007199254740991}"#,
        r#"{"kind":"mandelbrot","x":2,"y":2,"span":4}"#,
        r#"{"kind":"mandelbrot","x":-2,"y":-2,"span":4}"#,
        r#"{"kind":"mandelbrot","x":-2,"y":2,"span":0.000001}"#,
    ] {
        for (width, height) in [(1, 1), (65_535, 1), (1, 65_535), (65_535, 21_845), (21_845, 65_535)] {
            let params = params(width, height, pattern);
            for x in [0, width / 2, width - 1] {
                for y in [0, height / 2, height - 1] {
                    assert!(pixel(&params, x, y) <= 0x00ff_ffff, "{pattern} {width}x{height}");
                }
            }
        }
    }
    assert!(rings::cosine_level(0) == 255 && rings::cosine_level(2048) == 0);
}
