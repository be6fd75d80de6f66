//! `wharf generator`: only the generator, for a machine with a GPU beside the gateway, until it is told to stop.

use std::process::ExitCode;

use crate::app;
use crate::config::Config;

/// Generates; the exit code says how it ended.
pub(super) fn run(config: Config) -> ExitCode {
    match app::generate(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failure(&error, error.exit_code()),
    }
}
