//! The demo's gateway: this program once more, as a child over a temporary store.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use super::DemoError;
use crate::base::rng::{LETTERS_AND_DIGITS, SystemRng, draw};
use crate::wire::client::{Bounds, Peer, ask};

/// How long the start may take.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// For one answer of the API.
const BOUNDS: Bounds = Bounds { timeout: Duration::from_secs(60), answer_max_bytes: 1 << 20 };
/// Letters of the keys, which live as long as the demo.
const KEY_LETTERS: usize = 40;
/// Lines of its log that are shown where it fails.
const LOG_LINES_SHOWN: usize = 20;
/// What a gateway of its own takes from nobody's environment.
const FOREIGN: [&str; 3] = ["WHARF_", "MINIO_", "CALLBACK_BASE_URL"];

/// A gateway that ends, and whose store vanishes, with this value.
pub(super) struct Gateway {
    child: Mutex<Child>,
    log: Arc<Mutex<VecDeque<String>>>,
    ready: Value,
    api: Peer,
    authorization: String,
    secret: String,
    /// Dropped last.
    _store: TempDir,
}

impl Gateway {
    /// Starts one below `directory` and waits until it is ready.
    pub(super) async fn start(directory: Option<&Path>, keep: bool) -> Result<Self, DemoError> {
        let directory = directory.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let store = tempfile::Builder::new().prefix("wharf-demo-").tempdir_in(&directory);
        let store = store.map_err(|error| DemoError::Failed(format!("{}: {error}", directory.display())))?;
        let (key, secret) =
            (draw(&SystemRng, LETTERS_AND_DIGITS, KEY_LETTERS), draw(&SystemRng, LETTERS_AND_DIGITS, KEY_LETTERS));
        let mut child = command(store.path(), &key, &secret, keep)?.spawn().map_err(DemoError::failed)?;
        let log = Arc::<Mutex<VecDeque<String>>>::default();
        if let Some(stderr) = child.stderr.take() {
            keep_last_lines(stderr, Arc::clone(&log));
        }
        let stdout = child.stdout.take();
        let child = Mutex::new(child);
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            stdout.map(|stdout| BufReader::new(stdout).read_line(&mut line));
            line
        });
        let line = tokio::time::timeout(START_TIMEOUT, line).await.ok().and_then(Result::ok).unwrap_or_default();
        let mut gateway = Self {
            child,
            log,
            ready: Value::Null,
            api: Peer::Tcp(String::new(), 0),
            authorization: format!("Basic {}", STANDARD.encode(format!("{key}:{secret}"))),
            secret,
            _store: store,
        };
        gateway.ready = serde_json::from_str(&line).map_err(|_| gateway.failed("the gateway did not become ready"))?;
        gateway.api = peer(gateway.api()).ok_or_else(|| gateway.failed("the gateway's ready line names no API"))?;
        Ok(gateway)
    }

    /// The API's address.
    pub(super) fn api(&self) -> &str {
        self.ready.get("api").and_then(Value::as_str).unwrap_or_default()
    }

    /// The S3 port's address.
    pub(super) fn s3(&self) -> &str {
        self.ready.get("s3").and_then(Value::as_str).unwrap_or_default()
    }

    /// A secret that nobody else has.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// What the API answers.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, DemoError> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(DemoError::failed)?;
        let answer = ask(&self.api, request, BOUNDS).await;
        let answer = answer.map_err(|error| self.failed(&format!("{method} {path}: {error}")))?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        match answer.status() {
            StatusCode::OK | StatusCode::ACCEPTED => serde_json::from_str(&text).map_err(DemoError::failed),
            status => Err(self.failed(&format!("{method} {path}: {status}: {text}"))),
        }
    }

    /// Ends it as an operator would.
    pub(super) fn stop(self) -> Result<(), DemoError> {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(DemoError::failed)?;
        }
        let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait().map_err(DemoError::failed)?;
        if ended.success() { Ok(()) } else { Err(self.failed(&format!("the gateway ended with {ended}"))) }
    }

    fn failed(&self, what: &str) -> DemoError {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        let log = if lines.is_empty() { String::new() } else { format!("; its log: {lines}") };
        DemoError::Failed(format!("{what}{log}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already, which is just as well.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn command(store: &Path, key: &str, secret: &str, keep: bool) -> Result<Command, DemoError> {
    let program = std::env::current_exe().map_err(DemoError::failed)?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if FOREIGN.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.args(["serve", "--s3-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--log", "warn"]);
    command.arg("--data-dir").arg(store.join("data"));
    if keep {
        // Whoever keeps it wants to look at the image for a while.
        command.args(["--presign-expires", "7d"]);
    }
    command.env("WHARF_ACCESS_KEY", key).env("WHARF_SECRET_KEY", secret);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// The peer of an address such as `http://127.0.0.1:9001`.
pub(super) fn peer(url: &str) -> Option<Peer> {
    let address: SocketAddr = url.strip_prefix("http://")?.parse().ok()?;
    Some(Peer::Tcp(address.ip().to_string(), address.port()))
}

fn keep_last_lines(stderr: std::process::ChildStderr, log: Arc<Mutex<VecDeque<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut lines = log.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LOG_LINES_SHOWN {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    });
}
