//! TLS settings from PEM files: TLS 1.2 and 1.3, HTTP/1.1 alone.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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

/// Reads a certificate chain (the server's own first) and its unencrypted private key (PKCS #8, PKCS #1 or SEC 1).
/// Blocks on the disk. Called again it gives what the files hold by then.
pub fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file_error(certificate, &error, "certificate"))?;
    if chain.is_empty() {
        return Err(file_error(certificate, &pem::Error::NoItemsFound, "certificate"));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| file_error(key, &error, "unencrypted private key"))?;
    configure(chain, private).map_err(|error| TlsError::Pair {
        certificate: certificate.display().to_string(),
        key: key.display().to_string(),
        reason: match error {
            rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
            error => error.to_string(),
        },
    })
}

fn configure(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn file_error(file: &Path, error: &pem::Error, wanted: &str) -> TlsError {
    let reason = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {wanted} in PEM form"),
        error => format!("it is not valid PEM: {error}"),
    };
    TlsError::File { file: file.display().to_string(), reason }
}
