//! TLS settings from PEM files: TLS 1.2 and 1.3, HTTP/1.1 alone. The files may change while the server runs.
//!
//! Invariants:
//! - what is served is always a certificate and the key that belongs to it;
//! - a change is noticed by what the files hold, never by their names or times, so that it does not matter who replaces them
//!   and how: an editor, a renewal that writes the certificate before the key, a directory behind a symlink that is swapped;
//! - what makes no pair is said once, counted, and looked at again when it changes; until then the pair before it stays.
//!
//! Connections hold the pair they began with. Absent on purpose: a timer (whoever holds [`Certificates`] calls
//! [`Certificates::check`]) and certificates chosen by the name a client asks for.

mod validity;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, client::verify_server_name};

use crate::base::clock::Timestamp;
use crate::base::limits::TLS_FILE_MAX_BYTES;
use crate::telemetry::metrics::Metrics;

/// The files do not make a usable certificate and key. The text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Each file is well-formed, but they do not serve together.
    #[error("certificate {certificate} with key {key}: {reason}")]
    Pair {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// What is wrong with them.
        reason: String,
    },
}

/// A certificate chain and the key that belongs to it.
#[derive(Clone, Debug)]
pub struct Pair(Arc<CertifiedKey>);

impl Pair {
    /// Reads a certificate chain (the server's own first) and its unencrypted private key (PKCS #8, PKCS #1 or SEC 1).
    /// Blocks on the disk.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        files.pair(&files.read())
    }

    /// The end of the certificate's life; none where its date cannot be read.
    pub fn not_after(&self) -> Option<Timestamp> {
        validity::not_after(self.0.cert.first()?)
    }

    /// Whether the certificate is made out to this host name or address.
    pub fn is_for(&self, name: &str) -> bool {
        let Some(certificate) = self.0.cert.first() else { return false };
        let (Ok(certificate), Ok(name)) = (ParsedCertificate::try_from(certificate), ServerName::try_from(name)) else {
            return false;
        };
        verify_server_name(&certificate, &name).is_ok()
    }
}

/// What a look at the files found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// What they held at the last look.
    Same,
    /// A new pair, which is served from now on.
    Loaded,
    /// Something else that is no pair; the one before it is still served.
    Refused,
}

/// The pair that is served, and the files it comes from.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    served: Arc<Served>,
    config: Arc<ServerConfig>,
    /// What the files held when they were last judged, whatever the judgement.
    judged: Mutex<Contents>,
    metrics: Metrics,
}

impl Certificates {
    /// Reads the pair as [`Pair::read`] does. Blocks on the disk.
    pub fn load(certificate: &Path, key: &Path, metrics: Metrics) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let contents = files.read();
        let pair = files.pair(&contents)?;
        metrics.tls_not_after(pair.not_after());
        let served = Arc::new(Served(RwLock::new(pair)));
        let config = configure(Arc::clone(&served)).map_err(|error| files.mismatch(&error))?;
        Ok(Self { files, served, config, judged: Mutex::new(contents), metrics })
    }

    /// What a server is configured with: it serves what is current at each handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The pair that is served now.
    pub fn current(&self) -> Pair {
        self.served.pair()
    }

    /// Looks at the files, and serves what they hold if that is another pair. Blocks on the disk.
    pub fn check(&self) -> Checked {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = self.files.read();
        if contents == *judged {
            return Checked::Same;
        }
        let pair = self.files.pair(&contents);
        *judged = contents;
        let certificate = self.files.certificate.display();
        self.metrics.tls_reload(pair.is_ok());
        match pair {
            Ok(pair) => {
                let not_after = pair.not_after();
                let until = not_after.map_or_else(String::new, |end| end.to_string());
                tracing::info!(%certificate, until, "serving a new TLS certificate");
                self.metrics.tls_not_after(not_after);
                self.served.replace(pair);
                Checked::Loaded
            }
            Err(error) => {
                tracing::warn!(%error, "the TLS files changed and make no pair: the certificate before stays");
                Checked::Refused
            }
        }
    }
}

/// The certificate that handshakes are answered with.
#[derive(Debug)]
struct Served(RwLock<Pair>);

impl Served {
    fn pair(&self) -> Pair {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, pair: Pair) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair().0)
    }
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// The bytes of both files, or why there are none.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Result<Vec<u8>, String>,
    key: Result<Vec<u8>, String>,
}

/// A private key is never shown.
impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}

impl Files {
    fn read(&self) -> Contents {
        Contents { certificate: read(&self.certificate), key: read(&self.key) }
    }

    fn pair(&self, contents: &Contents) -> Result<Pair, TlsError> {
        let bytes = contents.certificate.as_ref().map_err(|reason| unusable(&self.certificate, reason.clone()))?;
        let chain = CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
            .map_err(|error| not_pem(&self.certificate, &error, "certificate"))?;
        let bytes = contents.key.as_ref().map_err(|reason| unusable(&self.key, reason.clone()))?;
        let key = PrivateKeyDer::from_pem_slice(bytes)
            .map_err(|error| not_pem(&self.key, &error, "unencrypted private key"))?;
        let provider = rustls::crypto::ring::default_provider();
        let pair = CertifiedKey::from_der(chain, key, &provider).map_err(|error| self.mismatch(&error))?;
        Ok(Pair(Arc::new(pair)))
    }

    fn mismatch(&self, error: &rustls::Error) -> TlsError {
        TlsError::Pair {
            certificate: self.certificate.display().to_string(),
            key: self.key.display().to_string(),
            reason: match error {
                rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
                error => error.to_string(),
            },
        }
    }
}

fn configure(served: Arc<Served>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(served);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn not_pem(file: &Path, error: &pem::Error, wanted: &str) -> TlsError {
    let reason = match error {
        pem::Error::NoItemsFound => format!("there is no {wanted} in PEM form"),
        error => format!("it is not valid PEM: {error}"),
    };
    unusable(file, reason)
}

fn unusable(file: &Path, reason: String) -> TlsError {
    TlsError::File { file: file.display().to_string(), reason }
}

/// Reads a file of a sensible size. What is no file (a pipe, a device) might never end, or never begin.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    match about.len() {
        _ if !about.is_file() => Err("it is no regular file".to_owned()),
        len if len > TLS_FILE_MAX_BYTES => Err(format!("it is larger than {TLS_FILE_MAX_BYTES} bytes")),
        _ => std::fs::read(path).map_err(|error| error.to_string()),
    }
}
