//! `wharf healthcheck`: asks the gateway of the same settings whether it is ready, so that a container needs no curl.
//!
//! Over TLS exactly the certificate of the settings is trusted, whatever name it carries: the question goes to this
//! machine, and whoever answers must hold that certificate's key.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use rustls::ClientConfig;

use crate::config::{Config, reachable};
use crate::wire::client::{Bounds, ClientError, Peer, ask};
use crate::wire::trust;

/// For connecting, handshake and answer together.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Why a gateway is not ready is a line or two.
const ANSWER_MAX_BYTES: usize = 4096;
/// The exit code of a gateway that is not ready.
const NOT_READY: u8 = 1;

#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("api-listen: port 0 is picked when the gateway starts, so a health check cannot know it")]
    UnknownPort,
    #[error("tls-cert: {0}")]
    Certificate(String),
    #[error("no runtime: {0}")]
    Runtime(std::io::Error),
    #[error("{0}: {1}")]
    NoAnswer(SocketAddr, ClientError),
    #[error("{0}: not ready, answered {1}: {2}")]
    NotReady(SocketAddr, StatusCode, String),
}

impl ProbeError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownPort | Self::Certificate(_) => super::USAGE,
            Self::Runtime(_) | Self::NoAnswer(..) | Self::NotReady(..) => NOT_READY,
        }
    }
}

/// Exit code 0 when ready, 1 when not, 2 when these settings cannot tell.
pub(super) fn run(config: Config) -> ExitCode {
    match probe(&config, TIMEOUT) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failure(&error, error.exit_code()),
    }
}

fn probe(config: &Config, timeout: Duration) -> Result<(), ProbeError> {
    let address = config.api_listen.iter().find(|address| address.port() != 0).ok_or(ProbeError::UnknownPort)?;
    let address = reachable(*address);
    let (host, port) = (address.ip().to_string(), address.port());
    let peer = match &config.tls {
        Some(files) => Peer::Tls(host, port, certificate(&files.cert)?),
        None => Peer::Tcp(host, port),
    };
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = http::Uri::from_static("/health/ready");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProbeError::Runtime)?;
    let answer = runtime
        .block_on(ask(&peer, request, Bounds { timeout, answer_max_bytes: ANSWER_MAX_BYTES }))
        .map_err(|error| ProbeError::NoAnswer(address, error))?;
    match answer.status() {
        StatusCode::OK => Ok(()),
        status => {
            let why = String::from_utf8_lossy(answer.body()).trim_end().to_owned();
            Err(ProbeError::NotReady(address, status, why))
        }
    }
}

/// A client that trusts the first certificate of the file and nothing else.
fn certificate(path: &Path) -> Result<Arc<ClientConfig>, ProbeError> {
    let error = |problem: &dyn std::fmt::Display| ProbeError::Certificate(format!("{}: {problem}", path.display()));
    let pem = std::fs::read(path).map_err(|problem| error(&problem))?;
    trust::exactly(&pem).map_err(|problem| error(&problem))
}

#[cfg(test)]
mod tests;
