//! `wharf healthcheck`: asks the gateway of the same settings whether it is ready, so that a container needs no curl.
//!
//! Over TLS exactly the certificate of the settings is trusted, whatever name it carries: the question goes to this
//! machine, and whoever answers must hold that certificate's key.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::config::Config;

/// For connecting, handshake and answer together.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A status line is far shorter; no more of the answer is read.
const ANSWER_MAX_BYTES: usize = 1024;
/// The exit code of a gateway that is not ready.
const NOT_READY: u8 = 1;

#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("api-listen: port 0 is picked when the gateway starts, so a health check cannot know it")]
    UnknownPort,
    #[error("tls-cert: {0}")]
    Certificate(String),
    #[error("{0}: {1}")]
    Unreachable(SocketAddr, io::Error),
    #[error("{0}: no answer within {1:?}")]
    Silent(SocketAddr, Duration),
    #[error("{0}: not ready, answered {1:?}")]
    NotReady(SocketAddr, String),
}

impl ProbeError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownPort | Self::Certificate(_) => super::USAGE,
            Self::Unreachable(..) | Self::Silent(..) | Self::NotReady(..) => NOT_READY,
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
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    let tls = config.tls.as_ref().map(|files| trust(&files.cert)).transpose()?;
    let unreachable = |error| ProbeError::Unreachable(address, error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unreachable)?;
    let answer = runtime.block_on(async { tokio::time::timeout(timeout, ask(address, tls)).await });
    let status_line = answer.map_err(|_| ProbeError::Silent(address, timeout))?.map_err(unreachable)?;
    match status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next()) {
        Some("200") => Ok(()),
        _ => Err(ProbeError::NotReady(address, status_line)),
    }
}

/// Where a listener is reached from its own machine.
fn reachable(listener: IpAddr) -> IpAddr {
    match listener {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    }
}

/// The status line that `GET /health/ready` is answered with.
async fn ask(address: SocketAddr, tls: Option<ClientConfig>) -> io::Result<String> {
    let socket = TcpStream::connect(address).await?;
    match tls {
        Some(tls) => {
            let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
            exchange(address, connector.connect(ServerName::from(address.ip()), socket).await?).await
        }
        None => exchange(address, socket).await,
    }
}

async fn exchange(address: SocketAddr, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < ANSWER_MAX_BYTES {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).trim_end().to_owned())
}

/// A client that trusts the first certificate of the file and nothing else.
fn trust(path: &Path) -> Result<ClientConfig, ProbeError> {
    let error = |problem: &dyn std::fmt::Display| ProbeError::Certificate(format!("{}: {problem}", path.display()));
    let pem = std::fs::read(path).map_err(|problem| error(&problem))?;
    let expected = CertificateDer::from_pem_slice(&pem).map_err(|problem| error(&problem))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(ExactCertificate { expected, provider: Arc::clone(&provider) });
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = versions.map_err(|problem| error(&problem))?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(client.with_no_client_auth())
}

/// Accepts one certificate, byte for byte. That the peer holds its key is checked as always.
#[derive(Debug)]
struct ExactCertificate {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ExactCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("the gateway shows another certificate than tls-cert holds".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
