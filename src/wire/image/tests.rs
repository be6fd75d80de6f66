//! What is read, what is refused and where, and how large files become.

use super::*;

fn fields(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}

fn read(text: &str) -> Result<Image, ImageError> {
    Image::from_json(&fields(text))
}

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

fn with_pattern(pattern: &str) -> Result<Image, ImageError> {
    read(&format!(r#"{{"width":1,"height":1,"pattern":{pattern}}}"#))
}

#[test]
fn what_is_absent_has_a_default() {
    let image = read(r#"{"width":640,"height":480,"fileName":"a.bmp","topDown":null,"pattern":null}"#).unwrap();
    assert_eq!(image, Image::new(640, 480, BitsPerPixel::B24, false, Pattern::default()).unwrap());
    assert_eq!(image.pattern.kind(), "gradient");
    let named =
        Image::from_json_named(&fields(r#"{"bmpWidth":3,"bmpHeight":4,"bitsPerPixel":32}"#), "bmpWidth", "bmpHeight");
    assert_eq!(named, Image::new(3, 4, BitsPerPixel::B32, false, Pattern::default()));
}

#[test]
fn every_pattern_comes_back_as_it_went() {
    for pattern in [
        r##"{"kind":"solid","color":"#12ABef"}"##,
        r##"{"kind":"gradient","from":"#000001","to":"#ff0000","direction":"vertical"}"##,
        r##"{"kind":"checkerboard","cell":3,"color1":"#000001","color2":"#000002"}"##,
        r##"{"kind":"grid","cell":9,"line":9,"color":"#000001","background":"#000002"}"##,
        r#"{"kind":"smpte"}"#,
        r#"{"kind":"ebu"}"#,
        r#"{"kind":"zoneplate","k":1000}"#,
        r#"{"kind":"siemens","spokes":1024}"#,
        r#"{"kind":"noise","seed":9007199254740991,"cell":65535}"#,
        r#"{"kind":"random","seed":4294967297}"#,
        r#"{"kind":"mandelbrot","x":-2,"y":0.1318,"span":0.000001}"#,
    ] {
        let image = with_pattern(pattern).unwrap();
        assert_eq!(Image::from_json(&image.to_json()), Ok(image.clone()), "{pattern}");
        let text = serde_json::to_string(&image.to_json()).unwrap();
        assert_eq!(read(&text), Ok(image), "{text}");
    }
    let solid = with_pattern(r##"{"kind":"solid","color":"#12ABef"}"##).unwrap();
    assert_eq!(solid.to_json()["pattern"], json!({"kind": "solid", "color": "#12abef"}));
    let set = with_pattern(r#"{"kind":"mandelbrot"}"#).unwrap();
    assert_eq!(set.to_json()["pattern"], json!({"kind": "mandelbrot", "x": -0.5, "y": 0.0, "span": 3.0}));
}

#[test]
fn a_wrong_field_is_named() {
    for (text, message) in [
        ("{}", "width is missing"),
        (r#"{"width":1}"#, "height is missing"),
        (r#"{"width":"1","height":1}"#, "width must be a whole number from 1 to 65535"),
        (r#"{"width":1.5,"height":1}"#, "width must be a whole number from 1 to 65535"),
        (r#"{"width":-1,"height":1}"#, "width must be a whole number from 1 to 65535"),
        (r#"{"width":0,"height":1}"#, "width must be from 1 to 65535"),
        (r#"{"width":1,"height":65536}"#, "height must be from 1 to 65535"),
        (r#"{"width":1,"height":18446744073709551616}"#, "height must be a whole number from 1 to 65535"),
        (r#"{"width":1,"height":1,"bitsPerPixel":16}"#, "bitsPerPixel must be 24 or 32"),
        (r#"{"width":1,"height":1,"bitsPerPixel":"24"}"#, "bitsPerPixel must be 24 or 32"),
        (r#"{"width":1,"height":1,"topDown":1}"#, "topDown must be true or false"),
        (r#"{"width":1,"height":1,"pattern":"ebu"}"#, "pattern must be an object"),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
    let named = Image::from_json_named(&fields(r#"{"bmpWidth":0,"bmpHeight":4}"#), "bmpWidth", "bmpHeight");
    assert_eq!(named.unwrap_err().field, "bmpWidth");
}

#[test]
fn a_wrong_parameter_is_named() {
    for (pattern, field) in [
        ("{}", "pattern.kind"),
        (r#"{"kind":1}"#, "pattern.kind"),
        (r#"{"kind":"plaid"}"#, "pattern.kind"),
        (r#"{"kind":"SMPTE"}"#, "pattern.kind"),
        (r#"{"kind":"solid","color":"red"}"#, "pattern.color"),
        (r##"{"kind":"solid","color":"#12345"}"##, "pattern.color"),
        (r##"{"kind":"solid","color":"#+12345"}"##, "pattern.color"),
        (r#"{"kind":"solid","color":255}"#, "pattern.color"),
        (r#"{"kind":"gradient","direction":"up"}"#, "pattern.direction"),
        (r#"{"kind":"grid","cell":4,"line":5}"#, "pattern.line"),
        (r#"{"kind":"mandelbrot","x":2.0001}"#, "pattern.x"),
        (r#"{"kind":"mandelbrot","y":-2.0001}"#, "pattern.y"),
        (r#"{"kind":"mandelbrot","y":"0"}"#, "pattern.y"),
        (r#"{"kind":"mandelbrot","span":0}"#, "pattern.span"),
        (r#"{"kind":"mandelbrot","span":4.0001}"#, "pattern.span"),
        (r#"{"kind":"random","seed":9007199254740992}"#, "pattern.seed"),
        (r#"{"kind":"random","seed":-1}"#, "pattern.seed"),
    ] {
        assert_eq!(with_pattern(pattern).unwrap_err().field, field, "{pattern}");
    }
    assert!(with_pattern(r#"{"kind":"solid","colour":7}"#).is_ok());
}

/// The rows of the table are what the parser knows: each parameter is read, refuses what is far out of bounds and every wrong
/// type, takes the bounds that its row names, and has the default that its row names.
#[test]
fn the_table_of_parameters_is_the_parsers() {
    let mut kinds = Vec::new();
    for pattern::Parameter { kind, name, bounds, default, .. } in pattern::parameters() {
        kinds.push(kind);
        let with = |value: Value| with_pattern(&json!({"kind": kind, name: value}).to_string());
        if name.is_empty() {
            assert_eq!(
                with_pattern(&json!({"kind": kind}).to_string()).unwrap().to_json()["pattern"],
                json!({"kind": kind})
            );
            continue;
        }
        for wrong in [json!({}), json!([]), json!(true), json!(1e300), json!(-1e300)] {
            assert_eq!(with(wrong).unwrap_err().field, format!("pattern.{name}"), "{kind}");
        }
        let plain = with_pattern(&json!({"kind": kind}).to_string()).unwrap().to_json()["pattern"][name].clone();
        let told: Value = serde_json::from_str(default.trim_matches('`')).unwrap();
        assert!(plain == told || plain.as_f64() == told.as_f64() && told.is_number(), "{kind} {name}: {plain} {told}");
        let Some((_, numbers)) = bounds.split_once("number, ") else { continue };
        let (min, max) = numbers.split_once(" to ").unwrap();
        let (min, max) = (min.parse::<f64>().unwrap(), max.parse::<f64>().ok());
        let number = |value: f64| if bounds.starts_with("whole") { json!(value as i64) } else { json!(value) };
        assert!(with(number(min)).is_ok() && with(number(min - 1.0)).is_err(), "{kind} {name} {min}");
        if let Some(max) = max {
            assert!(with(number(max + 1.0)).is_err(), "{kind} {name} {max}");
            assert!(kind == "grid" || with(number(max)).is_ok(), "{kind} {name} {max}");
        }
    }
    kinds.dedup();
    let all = "solid gradient checkerboard grid smpte ebu zoneplate siemens noise random mandelbrot";
    assert_eq!(kinds.join(" "), all);
    let table = patterns_table();
    assert!(
        table.contains("| `noise` | `cell` | whole number, 1 to 65535 | 64 | size of the clouds, pixels |\n"),
        "{table}"
    );
}

#[test]
fn files_are_as_long_as_their_rows() {
    for (width, height, bits, stride, file) in [
        (1, 1, BitsPerPixel::B24, 4, 58),
        (2, 3, BitsPerPixel::B24, 8, 78),
        (4, 3, BitsPerPixel::B24, 12, 90),
        (3, 2, BitsPerPixel::B32, 12, 78),
        (27_000, 27_000, BitsPerPixel::B24, 81_000, 2_187_000_054),
        (65_535, 21_845, BitsPerPixel::B24, 196_608, 4_294_901_814),
    ] {
        let image = Image::new(width, height, bits, false, Pattern::default()).unwrap();
        assert_eq!((image.stride_bytes(), image.file_bytes()), (stride, file), "{width}x{height}");
    }
    let too_long = Image::new(65_535, 21_846, BitsPerPixel::B24, false, Pattern::default()).unwrap_err();
    let message = "height makes a file of 4295098422 bytes, and the format has room for 4294967295";
    assert_eq!(too_long.to_string(), message);
    let named = Image::from_json_named(&fields(r#"{"w":65535,"h":65535}"#), "w", "h");
    assert_eq!(named.unwrap_err().field, "h");
}

#[test]
fn the_largest_image_fills_its_size() {
    for (size, bits, slack) in [
        (2 << 30, BitsPerPixel::B24, 4),
        (2 << 30, BitsPerPixel::B32, 4),
        (4 << 30, BitsPerPixel::B24, 60),
        (u64::MAX, BitsPerPixel::B32, 60),
        (1_000_000, BitsPerPixel::B24, 4),
        (58, BitsPerPixel::B32, 1),
    ] {
        let image = Image::largest(size, bits);
        let (bytes, most) = (image.file_bytes(), size.min(u64::from(u32::MAX)));
        assert!(bytes <= most && most - bytes < slack, "{size} {bits:?}: {image:?} has {bytes}");
        let again = Image::new(image.width, image.height, bits, false, Pattern::default());
        assert_eq!(again.as_ref(), Ok(&image));
    }
    let tiny = Image::largest(57, BitsPerPixel::B24);
    assert_eq!((tiny.width, tiny.height), (1, 1));
}
