//! How a command reaches the administration of a store, by the first way that is there:
//!
//! 1. `--api URL`: a gateway's port 9001, with the root credentials of the settings;
//! 2. the gateway that has the data directory open, through `admin.sock`;
//! 3. no gateway has it open: the store itself, opened in this process for as long as the command takes.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::USAGE;
use crate::app::{self, Offline, admin_socket};
use crate::base::clock::Stopwatch;
use crate::config::{Config, ConfigError, Credentials, StoreFlags, Variables, credentials};
use crate::store::fsio::socket::SocketAddress;
use crate::wire::client::{Bounds, Peer, ask};
use crate::wire::trust;

/// For one request. Listing open uploads adds up their parts.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A page of a hundred keys or buckets, each with a policy of the largest size.
const ANSWER_MAX_BYTES: usize = 8 << 20;
/// How long another process may keep the data directory locked without answering: a gateway that starts or ends, or
/// another command.
const LOCKED_MAX: Duration = Duration::from_secs(10);
/// ... and how often that is looked at.
const LOCKED_PAUSE: Duration = Duration::from_millis(50);
/// The exit code of a command that failed.
const FAILED: u8 = 1;
/// What needs no encoding in a path or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What every administering command takes.
#[derive(clap::Args)]
pub(super) struct Connection {
    /// API of a running gateway, such as http://127.0.0.1:9001, asked with the root credentials of the settings; without it
    /// the gateway or the store at --data-dir
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Certificates in PEM that --api may be vouched for by; without it exactly that of --tls-cert is trusted
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    settings: StoreFlags,
}

/// Why a command failed: one line, and its exit code.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), code: USAGE }
    }

    pub(super) fn failed(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), code: FAILED }
    }

    pub(super) fn exit(&self) -> std::process::ExitCode {
        super::failure(&self.message, self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        Self { message: error.to_string(), code: error.exit_code() }
    }
}

/// An open way to the administration.
pub(super) struct Session {
    runtime: Runtime,
    route: Route,
}

enum Route {
    Api { peer: Peer, authorization: HeaderValue },
    Socket(SocketAddress),
    Offline(Box<Offline>),
}

/// Opens a way, does `work`, and closes it again.
pub(super) fn with_session<T>(
    connection: &Connection,
    variables: &Variables,
    work: impl FnOnce(&Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = Config::load(connection.settings.flags(), variables)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Failure::failed)?;
    let route = match &connection.api {
        Some(url) => api(url, connection, &config)?,
        None => runtime.block_on(local(&config))?,
    };
    let session = Session { runtime, route };
    let done = work(&session);
    let closed = session.close();
    let done = done?;
    closed.map(|()| done)
}

/// A gateway's port 9001.
fn api(url: &str, connection: &Connection, config: &Config) -> Result<Route, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--api {url:?}: {why}"));
    let expected = "expected http://HOST:PORT or https://HOST:PORT";
    let uri: Uri = url.parse().map_err(|_| wrong(expected))?;
    let authority = uri.authority().ok_or_else(|| wrong(expected))?;
    if authority.as_str().contains('@') {
        return Err(wrong("it may not hold credentials; they are settings"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong("it may not have a path"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let peer = match uri.scheme_str() {
        Some("http") => Peer::Tcp(host, authority.port_u16().unwrap_or(80)),
        Some("https") => Peer::Tls(host, authority.port_u16().unwrap_or(443), trusted(connection, config)?),
        _ => return Err(wrong(expected)),
    };
    let root = root_credentials(config)?;
    let pair = format!("{}:{}", root.access_key, root.secret_key.expose());
    let mut authorization =
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).map_err(Failure::failed)?;
    authorization.set_sensitive(true);
    Ok(Route::Api { peer, authorization })
}

/// Whom to believe at an `https` URL.
fn trusted(connection: &Connection, config: &Config) -> Result<std::sync::Arc<rustls::ClientConfig>, Failure> {
    let own = config.tls.as_ref().map(|files| &files.cert);
    let authorities = connection.ca_file.as_ref().or(config.ca_file.as_ref());
    let Some(path) = authorities.or(own) else {
        return Err(Failure::usage("--api with https needs --ca-file or --tls-cert, to know whom to trust"));
    };
    let wrong = |why: &dyn fmt::Display| Failure::usage(format!("{}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    let trusted = if authorities.is_some() { trust::authorities(&pem) } else { trust::exactly(&pem) };
    trusted.map_err(|error| wrong(&error))
}

/// Those of the settings, or those a gateway has made for itself.
fn root_credentials(config: &Config) -> Result<Credentials, Failure> {
    if let Some(credentials) = &config.credentials {
        return Ok(credentials.clone());
    }
    let path = config.data_dir.join("credentials");
    match std::fs::read_to_string(&path) {
        Ok(text) => credentials::parse(&text).map_err(|error| Failure::failed(format!("{}: {error}", path.display()))),
        Err(_) => Err(Failure::usage("--api needs the root credentials: set access-key and secret-key")),
    }
}

/// The gateway that has the data directory open, or the store itself.
async fn local(config: &Config) -> Result<Route, Failure> {
    let path = admin_socket(&config.data_dir);
    let watch = Stopwatch::start();
    loop {
        // The directory of a long path may not be there; then neither is the store, which says so better.
        if let Ok(address) = SocketAddress::of(&path) {
            match tokio::net::UnixStream::connect(address.path()).await {
                Ok(_answers) => return Ok(Route::Socket(address)),
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    let advice = "run this as the gateway's user, or use --api";
                    return Err(Failure::failed(format!("{}: {error}; {advice}", path.display())));
                }
                Err(_) => {}
            }
        }
        match Offline::open(config).await {
            Ok(offline) => return Ok(Route::Offline(Box::new(offline))),
            Err(error) if !error.is_in_use() => return Err(error.into()),
            Err(error) if watch.elapsed() > LOCKED_MAX => {
                return Err(Failure::failed(format!("{error}, which does not answer at {}", path.display())));
            }
            Err(_) => tokio::time::sleep(LOCKED_PAUSE).await,
        }
    }
}

impl Session {
    /// Asks; the answer's JSON, null where it has none.
    pub(super) fn ask(&self, method: Method, path: &Path, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map_or_else(Bytes::new, |value| Bytes::from(value.to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.0.parse().map_err(Failure::failed)?;
        let answer = self.runtime.block_on(self.send(request))?;
        let value = match answer.body().as_ref() {
            b"" => Value::Null,
            bytes => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        };
        if answer.status().is_success() { Ok(value) } else { Err(refused(answer.status(), &value)) }
    }

    /// Every item of a listing, page by page.
    pub(super) fn pages(
        &self,
        path: &Path,
        items: &str,
        mut show: impl FnMut(Vec<Value>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut page = path.clone();
        loop {
            let mut answer = self.ask(Method::GET, &page, None)?;
            let found = answer.get_mut(items).and_then(Value::as_array_mut).map(std::mem::take);
            show(found.ok_or_else(|| Failure::failed(format!("the answer holds no {items}")))?)?;
            let Some(next) = answer.get("next").and_then(Value::as_str) else { return Ok(()) };
            page = path.clone().query("after", next);
        }
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let bounds = Bounds { timeout: TIMEOUT, answer_max_bytes: ANSWER_MAX_BYTES };
        match &self.route {
            Route::Api { peer, authorization } => {
                request.headers_mut().insert(AUTHORIZATION, authorization.clone());
                ask(peer, request, bounds).await.map_err(|error| Failure::failed(format!("--api: {error}")))
            }
            Route::Socket(address) => {
                let answer = ask(&Peer::Unix(address.path().to_owned()), request, bounds).await;
                answer.map_err(|error| Failure::failed(format!("admin.sock: {error}")))
            }
            Route::Offline(offline) => offline.ask(request, ANSWER_MAX_BYTES).await.map_err(Failure::failed),
        }
    }

    fn close(self) -> Result<(), Failure> {
        match self.route {
            Route::Offline(offline) => Ok(self.runtime.block_on(offline.close())?),
            Route::Api { .. } | Route::Socket(_) => Ok(()),
        }
    }
}

/// What the gateway says, and whether it was asked for something that cannot be.
fn refused(status: StatusCode, answer: &Value) -> Failure {
    let said = |name: &str| answer.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default();
    match said("code") {
        "" => Failure::failed(format!("answered {status}: is this a gateway's API?")),
        "InvalidRequest" | "MalformedPolicy" => Failure::usage(said("message")),
        code => Failure::failed(format!("{} ({code})", said("message"))),
    }
}

/// A path below `/admin/` with its query.
#[derive(Clone)]
pub(super) struct Path(String);

impl Path {
    /// The path of these segments.
    pub(super) fn of(segments: &[&str]) -> Self {
        let encoded = segments.iter().map(|segment| utf8_percent_encode(segment, PLAIN).to_string());
        Self(format!("/admin/{}", encoded.collect::<Vec<_>>().join("/")))
    }

    /// The same with one more parameter.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(&format!("{name}={}", utf8_percent_encode(value, PLAIN)));
        self
    }
}
