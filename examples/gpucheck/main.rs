//! Checks a GPU: whether it draws the same bytes as the CPU, and how fast. `conformance/gpu.md` says how to run it.
//!
//! Exit status: 0 all is well; 1 bytes differ or the GPU failed; 2 wrong usage; 3 there is no GPU that can be used, and the
//! CPU is well.

mod check;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    ExitCode::from(check::run(&arguments, &mut std::io::stdout().lock()))
}
