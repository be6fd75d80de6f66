//! Gateways as processes: start, ask, stop, kill, start again on the same directory.
//!
//! A gateway is killed and waited for when its handle is dropped, whatever happened to the test. Most tests share one
//! ([`Gateway::shared`]), each in buckets of its own; it lives as long as some test holds it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustls::ClientConfig;

use crate::bucket::Bucket;
use crate::certificate::{Certificate, trusting_file};
use crate::http::{Answer, Connection};
use crate::process::{Directory, Ended, PATIENCE, Process, directory, wharf};
use crate::request::Request;

/// The root credentials of every gateway here.
pub(crate) const ACCESS_KEY: &str = "integration";
/// ... and their secret.
pub(crate) const SECRET_KEY: &str = "integration-secret/with+signs=";

static SHARED: Mutex<Weak<Gateway>> = Mutex::new(Weak::new());
static BUCKETS: AtomicU32 = AtomicU32::new(0);

/// A command that starts a gateway.
pub(crate) struct Launch {
    command: Command,
    directory: Directory,
    tls: Option<Arc<ClientConfig>>,
    self_signed: bool,
    data_dir: PathBuf,
}

/// A running gateway.
pub(crate) struct Gateway {
    pub s3: SocketAddr,
    pub api: SocketAddr,
    /// The ready line.
    pub ready: serde_json::Value,
    pub tls: Option<Arc<ClientConfig>>,
    pub data_dir: PathBuf,
    directory: Directory,
    process: Mutex<Process>,
}

impl Launch {
    /// A gateway on free ports over a fresh directory.
    pub(crate) fn new() -> Self {
        Self::on(&directory())
    }

    /// A gateway on free ports over this directory.
    pub(crate) fn on(directory: &Directory) -> Self {
        Self::listening(directory, "127.0.0.1:0")
    }

    /// A gateway over this directory whose both listeners are at this address.
    pub(crate) fn listening(directory: &Directory, address: &str) -> Self {
        let data_dir = directory.path().join("data");
        let mut command = wharf(&["serve", "--s3-listen", address, "--api-listen", address]);
        command.arg("--data-dir").arg(&data_dir);
        command.env("WHARF_ACCESS_KEY", ACCESS_KEY).env("WHARF_SECRET_KEY", SECRET_KEY);
        Self { command, directory: Arc::clone(directory), tls: None, self_signed: false, data_dir }
    }

    /// With one more flag and its value.
    pub(crate) fn set(mut self, flag: &str, value: impl AsRef<Path>) -> Self {
        self.command.arg(flag).arg(value.as_ref());
        self
    }

    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without the keys, so that the gateway makes its own.
    pub(crate) fn without_keys(mut self) -> Self {
        self.command.env_remove("WHARF_ACCESS_KEY").env_remove("WHARF_SECRET_KEY");
        self
    }

    /// Over TLS with this certificate.
    pub(crate) fn tls(mut self, certificate: &Certificate) -> Self {
        self.tls = Some(certificate.client());
        self.set("--tls-cert", &certificate.cert).set("--tls-key", &certificate.key)
    }

    /// Over TLS with the certificate that it makes itself.
    pub(crate) fn self_signed(mut self) -> Self {
        self.self_signed = true;
        self.set("--tls-self-signed", "on")
    }

    /// Starts it and waits for its ready line.
    pub(crate) fn start(mut self) -> Gateway {
        let mut process = Process::start(&mut self.command);
        let Ok(line) = process.stdout.recv_timeout(PATIENCE) else {
            panic!("the gateway did not become ready: {}", process.kill().stderr);
        };
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let tls = if self.self_signed { Some(trusting_file(&self.data_dir.join("tls.crt"))) } else { self.tls };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = |name: &str| {
            let url = ready[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"));
            url.strip_prefix(&format!("{scheme}://")).unwrap().parse().unwrap()
        };
        Gateway {
            s3: address("s3"),
            api: address("api"),
            ready,
            tls,
            data_dir: self.data_dir,
            directory: self.directory,
            process: Mutex::new(process),
        }
    }

    /// Starts it and waits for its end, which is to come without a ready line.
    pub(crate) fn fail(mut self) -> Ended {
        let ended = Process::start(&mut self.command).wait();
        assert!(ended.stdout.is_empty(), "it became ready: {:?}", ended.stdout);
        ended
    }
}

impl Gateway {
    /// The gateway that most tests share.
    pub(crate) fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let gateway = Arc::new(Launch::new().start());
            *shared = Arc::downgrade(&gateway);
            gateway
        })
    }

    /// A request to port 9000 of this path, which is sent as it stands.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request::new(self, method, path)
    }

    /// A bucket nobody else uses.
    pub(crate) fn bucket(&self) -> Bucket<'_> {
        let bucket = Bucket { gateway: self, name: self.bucket_name() };
        bucket.request("PUT").send().ok(200);
        bucket
    }

    /// A name nobody else uses.
    pub(crate) fn bucket_name(&self) -> String {
        format!("it-{}", BUCKETS.fetch_add(1, Ordering::Relaxed))
    }

    /// A connection to port 9000.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.s3, self.tls.as_ref())
    }

    /// What port 9001 answers to a GET.
    pub(crate) fn ask_api(&self, path: &str) -> Answer {
        let mut connection = Connection::open(self.api, self.tls.as_ref());
        connection.write(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.api));
        connection.read_answer("GET")
    }

    /// The sample of this name and labels, as `/metrics` shows it now; zero when it is not there.
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let text = self.ask_api("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process().child.id()
    }

    /// What it has said on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.process().stderr.lock().unwrap().clone()
    }

    /// The directory its data lies in, to start another gateway on.
    pub(crate) fn directory(&self) -> Directory {
        Arc::clone(&self.directory)
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&self) -> Ended {
        self.process().wait()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&self) -> Ended {
        self.process().kill()
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let ended = self.process().kill();
        if !std::thread::panicking() {
            assert!(!ended.stderr.contains("panicked"), "the gateway panicked: {}", ended.stderr);
        }
    }
}
