//! Processes of the real binary, their output and their end; and the directories they work in.
//!
//! A process is killed and waited for when its handle is dropped: a test that fails leaves nothing running.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for a process to start, to end, or to reach a state.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a gateway keeps its data; gone when the last handle is.
pub(crate) type Directory = Arc<TempDir>;

/// A process whose output is read all the while.
pub(crate) struct Process {
    pub child: Child,
    /// Its lines, one by one.
    pub stdout: Receiver<String>,
    /// Everything it has said so far.
    pub stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// How a process ended.
pub(crate) struct Ended {
    pub status: ExitStatus,
    /// Lines of standard output that were not read yet.
    pub stdout: Vec<String>,
    pub stderr: String,
}

/// An empty directory on the disk that the build uses.
pub(crate) fn directory() -> Directory {
    Arc::new(tempfile::Builder::new().prefix("it-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
}

/// Asks again and again until there is an answer.
pub(crate) fn poll<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        // What is asked about tells nobody when it changes: this is a pause between questions, not a wait for time to pass.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `wharf` with these arguments and an empty environment.
pub(crate) fn wharf(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.env_clear().args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command that is expected to end by itself.
pub(crate) fn run(mut command: Command) -> Ended {
    Process::start(&mut command).wait()
}

impl Process {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (lines, stdout) = channel();
        let (out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let read_out = std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                // Nobody may be listening any more, but the pipe must not fill up.
                let _ = lines.send(line.unwrap());
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let text = Arc::clone(&stderr);
        let read_err = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = err.read(&mut bytes) {
                text.lock().unwrap().write_str(&String::from_utf8_lossy(&bytes[..count])).unwrap();
            }
        });
        Self { child, stdout, stderr, readers: vec![read_out, read_err] }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Ended {
        let status = poll("the end of the process", || self.child.try_wait().unwrap());
        self.ended(status)
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Ended {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        self.ended(status)
    }

    fn ended(&mut self, status: ExitStatus) -> Ended {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Ended { status, stdout: self.stdout.try_iter().collect(), stderr: self.stderr.lock().unwrap().clone() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
