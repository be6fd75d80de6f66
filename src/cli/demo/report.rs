//! The table at the end of the demo.

use std::time::Duration;

use super::DemoError;
use super::gateway::Gateway;
use crate::base::clock::Stopwatch;
use crate::cli::output::{aligned, print};
use crate::wire::image::Image;

/// A stage that is over.
pub(super) struct Stage {
    name: &'static str,
    took: Duration,
    bytes: Option<u64>,
    backend: String,
}

impl Stage {
    /// A stage that began with `watch` and ends now; `bytes` went through it.
    pub(super) fn new(name: &'static str, watch: Stopwatch, bytes: Option<u64>, backend: &str) -> Self {
        Self { name, took: watch.elapsed(), bytes, backend: backend.to_owned() }
    }

    fn row(&self) -> Vec<String> {
        let seconds = self.took.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate that people read")]
        let rate = self.bytes.map(|bytes| format!("{:.2}", bytes as f64 / 1e9 / seconds.max(1e-9)));
        vec![self.name.to_owned(), format!("{seconds:.2}"), rate.unwrap_or_default(), self.backend.clone()]
    }
}

/// The stages so far.
#[derive(Default)]
pub(super) struct Report(Vec<Stage>);

impl Report {
    /// Adds a stage.
    pub(super) fn add(&mut self, stage: Stage) {
        self.0.push(stage);
    }

    /// Prints the stages, what was compared, and what memory it took.
    pub(super) fn print(&self, image: &Image, gateway: &Gateway) -> Result<(), DemoError> {
        let rows = self.0.iter().map(Stage::row).collect();
        let table = aligned(Some(&["stage", "seconds", "GB/s", "backend"]), rows);
        let compared =
            format!("{} x {} pixels, {} bytes: every byte equal", image.width, image.height, image.file_bytes());
        let memory = match (peak_mib(gateway.pid()), peak_mib(std::process::id())) {
            (Some(gateway), Some(demo)) => format!("\npeak memory: gateway {gateway} MiB, demo {demo} MiB"),
            _ => String::new(),
        };
        print(&format!("{table}\n{compared}{memory}")).map_err(|_| DemoError::failed("standard output is closed"))
    }
}

/// The most memory that a process held so far, where the system tells.
fn peak_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib.div_ceil(1024))
}
