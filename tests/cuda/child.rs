//! Child processes over a driver of ours. A process loads the driver's library once, and for good; so each check has one of
//! its own, which is this same program, told by its environment to be a child.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{check, lifetimes, renderers};

/// What a child is to do: `gpucheck` with arguments, or something of [`lifetimes`] or [`renderers`].
const TASK: &str = "WHARF_TEST_CUDA_TASK";

/// How long a child may take: the one with the device that hangs takes ten seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// How a child ended, and what the driver counted.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    stdout: String,
    pub(crate) stderr: String,
    counts: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{:?}\n{}\n{}\n{}", self.status, self.stdout, self.stderr, self.counts)
    }
}

impl Ended {
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.stdout.lines()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.stdout.contains(text)
    }

    /// What the driver counted under this name.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let value = self.counts.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} was not counted: {self}"))
    }

    /// Pieces of the pipeline that the GPU made, and those that the CPU made.
    pub(crate) fn pipeline(&self) -> (u64, u64) {
        let line = self.lines().find(|line| line.starts_with("pipeline: ")).unwrap_or_default();
        let count = |name| line.split(", ").find_map(|word| word.strip_prefix(name)?.trim().parse().ok());
        (count("cuda ").unwrap_or(u64::MAX), count("cpu ").unwrap_or(u64::MAX))
    }
}

/// `gpucheck` with these arguments over the driver in this folder, where this goes wrong.
pub(crate) fn gpucheck(driver: &Path, fault: &str, arguments: &str) -> Ended {
    child(driver, fault, &format!("gpucheck {arguments}"))
}

/// A child that does the task.
pub(crate) fn child(driver: &Path, fault: &str, task: &str) -> Ended {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let counts = driver.join(format!("counts-{}-{number}", std::process::id()));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child::a_wrong_argument_is_refused", "--nocapture"]);
    command.env("FAKECUDA_GATE", counts.with_extension("gate"));
    command.env(TASK, task).env("FAKECUDA", fault).env("FAKECUDA_LOG", &counts).env("LD_LIBRARY_PATH", driver);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = Ended {
        status: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        counts: std::fs::read_to_string(&counts).unwrap_or_default(),
    };
    // A child without a driver counts nothing, and few have a gate.
    let _ = std::fs::remove_file(&counts);
    let _ = std::fs::remove_file(counts.with_extension("gate"));
    ended
}

/// Where children come in; in the parent, a test of its own.
#[test]
fn a_wrong_argument_is_refused() {
    if let Ok(task) = std::env::var(TASK) {
        std::process::exit(i32::from(work(&task)));
    }
    for wrong in ["--slow", "--only", "--only kernels"] {
        let arguments: Vec<_> = wrong.split(' ').map(str::to_owned).collect();
        let mut out = Vec::new();
        assert_eq!(check::run(&arguments, &mut out), 2, "{wrong}");
        assert!(String::from_utf8(out).unwrap().contains("usage: gpucheck"), "{wrong}");
    }
}

fn work(task: &str) -> u8 {
    // A child that waits for ever for a device would keep the test waiting with it. This thread only ends one that does.
    std::thread::spawn(|| {
        std::thread::sleep(PATIENCE);
        eprintln!("the child did not end within {PATIENCE:?}");
        std::process::abort();
    });
    let mut words = task.split_whitespace().map(str::to_owned);
    match words.next().as_deref() {
        Some("gpucheck") => check::run(&words.collect::<Vec<_>>(), &mut std::io::stdout().lock()),
        Some("outlive") => lifetimes::outlive(),
        Some("cancel") => lifetimes::cancel(),
        Some("demand") => renderers::demand(),
        Some("meanwhile") => renderers::meanwhile(),
        _ => 2,
    }
}
