//! Whom a client of ours believes over TLS: exactly one certificate, the authorities of one file, or either.
//!
//! Absent on purpose: the system's authorities. What wharf talks to is its operator's, and so is its certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Says whom to trust, each time a connection is made: certificates change while the process runs.
pub type TrustSource = Arc<dyn Fn() -> Result<Arc<ClientConfig>, TrustError> + Send + Sync>;

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
    /// The file it stands in cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// A client that trusts the first certificate of this PEM text and nothing else, whatever name it carries. That the peer
/// holds its key is checked as always.
pub fn exactly(pem: &[u8]) -> Result<Arc<ClientConfig>, TrustError> {
    let expected = CertificateDer::from_pem_slice(pem).map_err(unreadable)?;
    believing(|provider| ExactCertificate { expected, provider, otherwise: None })
}

/// A client that trusts the first certificate of `own` as [`exactly`] does, and what `authorities` vouch for as
/// [`authorities`](authorities()) does.
///
/// # Errors
/// [`TrustError::Missing`] when there is neither.
pub fn either(own: Option<&[u8]>, vouching: Option<&[u8]>) -> Result<Arc<ClientConfig>, TrustError> {
    match (own, vouching) {
        (None, None) => Err(TrustError::Missing),
        (Some(own), None) => exactly(own),
        (None, Some(vouching)) => authorities(vouching),
        (Some(own), Some(vouching)) => {
            let expected = CertificateDer::from_pem_slice(own).map_err(unreadable)?;
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let otherwise = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(vouching)?), provider).build();
            let unusable =
                |error: VerifierBuilderError| TrustError::Certificate(rustls::Error::General(error.to_string()));
            let otherwise = Some(otherwise.map_err(unusable)?);
            believing(|provider| ExactCertificate { expected, provider, otherwise })
        }
    }
}

fn believing(verifier: impl FnOnce(Arc<CryptoProvider>) -> ExactCertificate) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(verifier(Arc::clone(&provider)));
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = versions.map_err(TrustError::Certificate)?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(client.with_no_client_auth()))
}

/// A client that trusts what the certificates of this PEM text vouch for, by the peer's name. A certificate that vouches
/// for itself may stand there, too.
pub fn authorities(pem: &[u8]) -> Result<Arc<ClientConfig>, TrustError> {
    let roots = roots(pem)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = versions.map_err(TrustError::Certificate)?.with_root_certificates(roots);
    Ok(Arc::new(client.with_no_client_auth()))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(unreadable)?).map_err(TrustError::Certificate)?;
    }
    if roots.is_empty() { Err(TrustError::Missing) } else { Ok(roots) }
}

fn unreadable(error: pem::Error) -> TrustError {
    match error {
        pem::Error::NoItemsFound => TrustError::Missing,
        error => TrustError::Pem(error),
    }
}

/// Accepts one certificate, byte for byte, and where there is a further verifier what that accepts.
#[derive(Debug)]
struct ExactCertificate {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
    otherwise: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for ExactCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.otherwise {
            Some(verifier) => verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => {
                let other = "the gateway shows another certificate than the one that is trusted";
                Err(rustls::Error::General(other.to_owned()))
            }
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
        let own = Some(own.as_bytes());
        assert!(either(own, own).is_ok() && either(own, None).is_ok() && either(None, own).is_ok());
        assert!(matches!(either(None, None), Err(TrustError::Missing)));
        assert!(either(own, Some(b"junk")).is_err() && either(Some(b"junk"), own).is_err());
    }
}
