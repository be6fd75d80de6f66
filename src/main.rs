//! The `wharf` program: hands the process's arguments and environment to the command line and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    wharf::cli::run(std::env::args_os(), std::env::vars_os())
}
