//! Certificates for gateways that speak TLS, and clients that trust them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::process::Directory;

/// A certificate for 127.0.0.1 and localhost, in files.
pub(crate) struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
    pem: String,
}

impl Certificate {
    /// A new one, in files of this directory whose names begin with `name`.
    pub(crate) fn new(directory: &Directory, name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let (cert, key) = (directory.path().join(format!("{name}.crt")), directory.path().join(format!("{name}.key")));
        let pem = made.cert.pem();
        std::fs::write(&cert, &pem).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Self { cert, key, pem }
    }

    /// A client that trusts this certificate only.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        trusting(self.pem.as_bytes())
    }
}

/// A client that trusts the certificate in this file only.
pub(crate) fn trusting_file(path: &Path) -> Arc<ClientConfig> {
    trusting(&std::fs::read(path).unwrap())
}

fn trusting(pem: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(versions.with_root_certificates(roots).with_no_client_auth())
}
