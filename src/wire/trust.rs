//! Whom a client of ours believes over TLS: exactly one certificate, or the authorities of one file.
//!
//! Absent on purpose: the system's authorities. What wharf talks to is its operator's, and so is its certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// The text holds no certificate that can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no certificate in it.
    #[error("there is no certificate in PEM form")]
    Missing,
    /// It is not PEM.
    #[error("it is not valid PEM: {0}")]
    Pem(pem::Error),
    /// A certificate in it is none.
    #[error("it holds a certificate that is unusable: {0}")]
    Certificate(rustls::Error),
}

/// A client that trusts the first certificate of this PEM text and nothing else, whatever name it carries. That the peer
/// holds its key is checked as always.
pub fn exactly(pem: &[u8]) -> Result<Arc<ClientConfig>, TrustError> {
    let expected = CertificateDer::from_pem_slice(pem).map_err(unreadable)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(ExactCertificate { expected, provider: Arc::clone(&provider) });
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = versions.map_err(TrustError::Certificate)?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(client.with_no_client_auth()))
}

/// A client that trusts what the certificates of this PEM text vouch for, by the peer's name. A certificate that vouches
/// for itself may stand there, too.
pub fn authorities(pem: &[u8]) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(unreadable)?).map_err(TrustError::Certificate)?;
    }
    if roots.is_empty() {
        return Err(TrustError::Missing);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = versions.map_err(TrustError::Certificate)?.with_root_certificates(roots);
    Ok(Arc::new(client.with_no_client_auth()))
}

fn unreadable(error: pem::Error) -> TrustError {
    match error {
        pem::Error::NoItemsFound => TrustError::Missing,
        error => TrustError::Pem(error),
    }
}

/// Accepts one certificate, byte for byte.
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
            Err(rustls::Error::General("the gateway shows another certificate than the one that is trusted".to_owned()))
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
mod tests {
    use super::*;

    #[test]
    fn text_without_a_certificate_is_refused() {
        for pem in ["", "junk", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(matches!(exactly(pem.as_bytes()), Err(TrustError::Missing)), "{pem}");
            assert!(matches!(authorities(pem.as_bytes()), Err(TrustError::Missing)), "{pem}");
        }
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(authorities(junk.as_bytes()), Err(TrustError::Certificate(_))));
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
        assert!(exactly(own.as_bytes()).is_ok() && authorities(own.as_bytes()).is_ok());
    }
}
