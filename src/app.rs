//! The composition root.

use crate::config::Config;

/// Why the program stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing serves yet.
    #[error("nothing serves yet")]
    Absent,
}

impl Error {
    /// The exit code of the process: 1 failed, 2 wrong configuration.
    pub fn exit_code(&self) -> u8 {
        1
    }
}

/// Serves until the process is told to stop.
pub fn serve(config: Config) -> Result<(), Error> {
    drop(config);
    Err(Error::Absent)
}
