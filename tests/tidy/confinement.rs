//! What may stand in few places only: `unsafe`, files, the clock, chance. Files and clock are free in test code.

use crate::paths::{Named, named};
use crate::source::Source;

/// Where `unsafe` may stand: one system call, the GPU driver's interface, and SIMD.
const UNSAFE: [&[&str]; 3] = [&["store", "fsio"], &["generator", "cuda"], &["base", "digest", "lanes"]];
/// The one place that works with files.
const FILES: &[&str] = &["store", "fsio"];
/// Where small files named by settings are read whole, each call written out as `std::fs::read...`.
const READERS: [&[&str]; 4] = [&["config"], &["server", "tls"], &["app"], &["cli"]];
const READING: [&str; 3] = ["read", "read_to_string", "metadata"];
/// The one place that reads the machine's clock.
const CLOCK: &[&str] = &["base", "clock"];
/// Where time is only what is passed in, so that a simulation owns it; elsewhere tokio's timers measure timeouts.
const TIMELESS: [&[&str]; 3] = [&["base"], &["store"], &["auth"]];
/// The one place that asks the operating system for chance.
const CHANCE: &[&str] = &["base", "rng"];

pub(crate) fn check(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else { return Vec::new() };
    let within = |place: &[&str]| module.iter().map(String::as_str).take(place.len()).eq(place.iter().copied());
    let mut broken = Vec::new();
    for token in source.tokens.iter().filter(|token| token.text == "unsafe") {
        if !UNSAFE.into_iter().any(within) {
            broken.push(format!("{}: unsafe", token.line));
        }
    }
    for named in named(source).into_iter().filter(|named| !source.is_test(named.index)) {
        let path: Vec<_> = named.path.iter().map(String::as_str).collect();
        let allowed = match path.as_slice() {
            ["std" | "tokio" | "rustix", "fs", ..] | ["std", "os", _, "fs", ..] | ["libc", ..] => {
                within(FILES) || (READERS.into_iter().any(within) && is_reading(&named))
            }
            ["std" | "core", "time", "SystemTime" | "Instant" | "*", ..] => within(CLOCK),
            ["tokio", "time", "Instant" | "*", ..] => !TIMELESS.into_iter().any(within),
            ["std", "time"] => !named.imported,
            ["tokio", "time"] => !(named.imported && TIMELESS.into_iter().any(within)),
            ["getrandom" | "rand" | "fastrand", ..] => within(CHANCE),
            _ => true,
        };
        if !allowed {
            broken.push(format!("{}: {} may not stand here", named.line, path.join("::")));
        }
    }
    broken
}

/// A call that reads a whole file, written out in full.
fn is_reading(named: &Named) -> bool {
    let path: Vec<_> = named.path.iter().map(String::as_str).collect();
    !named.imported && matches!(path.as_slice(), ["std", "fs", call] if READING.contains(call))
}

#[test]
fn what_stands_in_the_wrong_place_is_caught() {
    for (path, text) in [
        ("src/base/id.rs", "fn f() { unsafe { g() } }"),
        ("src/store/blob/disk.rs", "#[cfg(test)] mod tests { unsafe fn f() {} }"),
        ("src/store/blob/disk.rs", "use std::fs::File;"),
        ("src/store/blob/disk.rs", "use std::{io, fs};"),
        ("src/store/mod.rs", "fn f() { std::fs::remove_file(p) }"),
        ("src/store/mod.rs", "use std::os::unix::fs::OpenOptionsExt;"),
        ("src/server/mod.rs", "fn f() { std::fs::read(p) }"),
        ("src/s3/mod.rs", "use tokio::fs::File;"),
        ("src/app.rs", "fn f() { rustix::fs::flock(a, b) }"),
        ("src/app.rs", "fn f() { libc::open(p) }"),
        ("src/config/mod.rs", "use std::fs::read;"),
        ("src/config/mod.rs", "use std::fs; fn f() { fs::write(a, b) }"),
        ("src/cli/serve.rs", "fn f() { std::fs::write(a, b) }"),
        ("src/base/worker.rs", "use std::time::{Duration, Instant};"),
        ("src/server/mod.rs", "fn f() { std::time::SystemTime::now() }"),
        ("src/server/mod.rs", "use std::time; fn f() { time::Instant::now() }"),
        ("src/store/mod.rs", "use tokio::time::Instant;"),
        ("src/auth/mod.rs", "use std::time::*;"),
        ("src/base/id.rs", "fn f() { getrandom::fill(b) }"),
    ] {
        assert!(!crate::found(check, path, text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn what_stands_in_its_place_passes() {
    for (path, text) in [
        ("src/store/fsio/real.rs", "use std::fs::File; fn f() { unsafe { libc::sync_file_range(a, b, c, d) } }"),
        ("src/store/fsio/mod.rs", "#![expect(unsafe_code)]"),
        ("src/config/layers.rs", "fn f() { std::fs::read_to_string(p) }"),
        ("src/server/tls.rs", "fn f() { std::fs::metadata(p) }"),
        ("src/server/mod.rs", "use std::time::Duration; use tokio::time::{Instant, sleep};"),
        ("src/base/clock.rs", "use std::time::SystemTime; fn f() { SystemTime::now() }"),
        ("src/base/rng.rs", "fn f() { getrandom::fill(b) }"),
        ("src/store/mod.rs", "#[cfg(test)] mod tests { use std::time::Instant; fn f() { std::fs::write(a, b) } }"),
        ("src/server/tests.rs", "use std::fs;"),
        ("src/store/mod.rs", "// unsafe, std::fs::File and Instant::now() are for others\n"),
    ] {
        assert_eq!(crate::found(check, path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
