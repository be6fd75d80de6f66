//! The CUDA backend without a GPU: the production code, `gpucheck` with it, runs in child processes over a driver written in C
//! ([`driver`]), which runs the kernel's source and ends the process when it is misused. What this cannot show is what a real
//! driver and a real link do: `conformance/gpu.md`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failed assumption is the test's answer"
)]

#[path = "../../examples/gpucheck/check/mod.rs"]
mod check;
mod child;
mod driver;
mod lifetimes;
mod renderers;

use child::{Ended, gpucheck};

const PIPELINE: &str = "--quick --only pipeline";
/// Pieces of the quick pipeline: three MiB in pieces of 64 KiB less seven bytes.
const PIECES: u64 = 49;
/// ... and the slots they go through.
const SLOTS: u64 = 3;

/// All that can be said of an outcome where every byte was right.
fn assert_equal(ended: &Ended) {
    let counts: Vec<_> = ended.lines().filter(|line| line.contains(" mismatches")).collect();
    assert!(!counts.is_empty(), "{ended}");
    for line in counts {
        assert!(line.ends_with(", 0 mismatches") && !line.contains(" 0 bytes"), "{ended}");
    }
}

fn assert_no_gpu(ended: &Ended, reason: &str) {
    assert_eq!(ended.status, Some(3), "{ended}");
    assert!(ended.lines().any(|line| line.starts_with("GPU: none can be used: ") && line.contains(reason)), "{ended}");
    assert_eq!(ended.pipeline(), (0, PIECES), "{ended}");
    assert_equal(ended);
    assert!(!ended.stderr.contains("panicked"), "{ended}");
}

#[test]
fn without_the_drivers_library_the_cpu_draws() {
    let ended = gpucheck(&driver::absent(), "", "--quick");
    assert_no_gpu(&ended, "there is no CUDA driver library");
    assert!(ended.has("bytes: CPU against itself, "), "{ended}");
    assert!(ended.has("| mandelbrot | - | - | "), "{ended}");
}

#[test]
fn without_a_device_the_cpu_draws() {
    assert_no_gpu(&gpucheck(&driver::whole(), "nodevice", PIPELINE), "no CUDA-capable device is detected");
}

#[test]
fn a_library_without_a_function_is_refused_by_name() {
    assert_no_gpu(&gpucheck(&driver::without_launch(), "", PIPELINE), "lacks cuLaunchKernel");
}

#[test]
fn a_driver_too_old_for_the_kernel_is_refused() {
    let ended = gpucheck(&driver::whole(), "olddriver", PIPELINE);
    assert_no_gpu(&ended, "unsupported toolchain");
    assert!(ended.has("driver of CUDA 12.8"), "the version is said: {ended}");
}

#[test]
fn without_memory_for_every_slot_the_cpu_draws() {
    // The slots that could be made are freed again: the driver ends the process otherwise.
    assert_no_gpu(&gpucheck(&driver::whole(), "oom=2", PIPELINE), "out of memory");
}

#[test]
fn every_byte_is_the_cpus() {
    let ended = gpucheck(&driver::whole(), "", "--quick");
    assert_eq!(ended.status, Some(0), "{ended}");
    assert!(ended.has("GPU: a device of C, compute capability 9.0, 4 GiB, driver of CUDA 12.8"), "{ended}");
    assert!(ended.has("bytes: GPU against CPU, "), "{ended}");
    assert_eq!(ended.pipeline(), (PIECES, 0), "{ended}");
    assert!(ended.lines().any(|line| line.starts_with("| mandelbrot | ") && !line.contains('-')), "{ended}");
    assert_equal(&ended);
}

#[test]
fn slots_are_recycled() {
    let ended = gpucheck(&driver::whole(), "", PIPELINE);
    assert_eq!((ended.status, ended.pipeline()), (Some(0), (PIECES, 0)), "{ended}");
    assert_equal(&ended);
    assert_eq!(ended.counted("launches"), PIECES, "{ended}");
    assert_eq!(ended.counted("copies"), PIECES, "{ended}");
    // The program opens the device once to say what it is, and once for the renderer.
    assert_eq!((ended.counted("pinned"), ended.counted("streams")), (2 * SLOTS, 2 * SLOTS), "{ended}");
}

#[test]
fn copies_overlap_and_nobody_reads_before_their_end() {
    let ended = gpucheck(&driver::whole(), "slow", PIPELINE);
    assert_eq!((ended.status, ended.pipeline()), (Some(0), (PIECES, 0)), "{ended}");
    assert_equal(&ended);
    assert!((2..=SLOTS).contains(&ended.counted("copying_most")), "{ended}");
}

#[test]
fn a_device_without_memory_pools_works() {
    let ended = gpucheck(&driver::whole(), "poolless", PIPELINE);
    assert_eq!((ended.status, ended.pipeline()), (Some(0), (PIECES, 0)), "{ended}");
    assert_equal(&ended);
}

#[test]
fn a_launch_that_fails_midway_kills_the_device_and_no_byte() {
    let ended = gpucheck(&driver::whole(), "fail=20", PIPELINE);
    assert_eq!(ended.status, Some(1), "{ended}");
    assert_equal(&ended);
    let (on_gpu, on_cpu) = ended.pipeline();
    // What was under way when the context died is lost with it: at most what the other slots held.
    assert!((19 - (SLOTS - 1)..PIECES).contains(&on_gpu) && on_gpu + on_cpu == PIECES, "{ended}");
    assert!(ended.has("the renderer now says cpu"), "{ended}");
}

#[test]
fn a_launch_that_is_refused_costs_one_piece() {
    let ended = gpucheck(&driver::whole(), "refuse=20", PIPELINE);
    assert_eq!((ended.status, ended.pipeline()), (Some(1), (PIECES - 1, 1)), "{ended}");
    assert_equal(&ended);
    assert!(ended.has("the renderer now says cuda"), "{ended}");
}

#[test]
fn a_device_that_hangs_is_given_up() {
    let ended = gpucheck(&driver::whole(), "hang=20", PIPELINE);
    assert_eq!(ended.status, Some(1), "{ended}");
    assert_equal(&ended);
    let (on_gpu, on_cpu) = ended.pipeline();
    assert!(on_gpu >= 17 && on_cpu > 0 && on_gpu + on_cpu == PIECES, "{ended}");
    assert!(ended.has("the renderer now says cpu"), "{ended}");
}

#[test]
fn a_device_that_fails_in_the_comparison_is_said() {
    let ended = gpucheck(&driver::whole(), "fail=100", "--quick --only bytes");
    assert_eq!(ended.status, Some(1), "{ended}");
    assert!(ended.has("unspecified launch failure"), "{ended}");
}
