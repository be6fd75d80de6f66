//! `wharf completions`: what shells need to complete wharf's command line.

use super::output::print;
use super::session::Failure;

/// The command.
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    /// Prints the script that completes `command`.
    pub(super) fn run(self, mut command: clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "wharf", &mut script);
        print(String::from_utf8_lossy(&script).trim_end())
    }
}
