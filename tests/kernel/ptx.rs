//! The PTX that is shipped is made of the source that stands beside it, by the compiler that `tools/ptx.py` pins.

use std::process::Command;

use sha2::{Digest as _, Sha256};

const SOURCE: &str = include_str!("../../src/generator/kernel/pattern.cu");
pub(crate) const PTX: &str = include_str!("../../src/generator/kernel/pattern.ptx");

#[test]
fn the_ptx_was_made_of_this_source() {
    let sum: String = Sha256::digest(SOURCE).iter().map(|byte| format!("{byte:02x}")).collect();
    let first = PTX.lines().next().unwrap();
    assert_eq!(first, format!("// source: {sum}"), "run tools/ptx.py after a change of pattern.cu");
}

/// What drivers and GPUs must be able to load, as the documentation says it.
#[test]
fn the_ptx_is_for_turing_and_drivers_from_525_on() {
    let says = |wanted: &str| PTX.lines().filter(|line| *line == wanted).count() == 1;
    assert!(says(".version 8.0") && says(".target sm_75") && says(".address_size 64"));
    for slow in [".local", ".f32", ".f64", "call", ".const", ".shared"] {
        assert!(!PTX.contains(slow), "the PTX has {slow}");
    }
}

/// Where `WHARF_NVRTC` names libnvrtc 12.0.140, the compiler writes the same text again.
#[test]
fn the_compiler_makes_the_same_ptx_again() {
    let Some(library) = std::env::var_os("WHARF_NVRTC") else { return };
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("pattern.ptx");
    let mut command = Command::new("python3");
    command.arg(format!("{root}/tools/ptx.py")).arg(library);
    let status = command.arg(format!("{root}/src/generator/kernel/pattern.cu")).arg(&output).status().unwrap();
    assert!(status.success(), "tools/ptx.py: {status}");
    assert!(std::fs::read_to_string(output).unwrap() == PTX, "the compiler writes another text");
}
