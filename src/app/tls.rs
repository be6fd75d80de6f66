//! The certificate of both listeners: read at the start, looked at again every few seconds and at SIGHUP, and made and
//! renewed by the gateway itself where the settings ask for that.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

use super::Error;
use crate::base::clock::Clock;
use crate::base::limits::{
    SELF_SIGNED_BACKDATED, SELF_SIGNED_LIFE, SELF_SIGNED_RENEWED_BEFORE, TLS_FILES_CHECKED_EVERY,
};
use crate::base::worker::{Bell, Next, Worker, WorkerError};
use crate::config::Config;
use crate::server::tls::{Certificates, Checked, Pair};
use crate::store::fsio::Fs;
use crate::telemetry::metrics::Metrics;

/// What every certificate of our own is made out to: this machine, whatever it is called.
const LOCAL_NAMES: [&str; 4] = ["localhost", "*.localhost", "127.0.0.1", "::1"];

/// Watches the files that the certificate comes from.
pub(super) struct Watcher {
    certificates: Certificates,
    own: Option<SelfSigned>,
    bell: Bell,
}

impl Watcher {
    /// The certificate that the settings name; none where they name none. `bell` makes it look at once.
    pub(super) fn open(
        config: &Config,
        fs: &Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
        bell: Bell,
    ) -> Result<Option<Self>, Error> {
        let Some(files) = &config.tls else { return Ok(None) };
        let own = config.tls_self_signed.then(|| SelfSigned {
            certificate: files.cert.clone(),
            key: files.key.clone(),
            names: names(config),
            fs: Arc::clone(fs),
            clock,
        });
        if let Some(own) = &own {
            own.ensure().map_err(|why| Error::Setting(format!("--tls-self-signed: {why}")))?;
        }
        let certificates = Certificates::load(&files.cert, &files.key, metrics.clone())
            .map_err(|error| Error::Setting(format!("--tls-cert, --tls-key: {error}")))?;
        Ok(Some(Self { certificates, own, bell }))
    }

    /// What a server is configured with.
    pub(super) fn server_config(&self) -> Arc<rustls::ServerConfig> {
        self.certificates.config()
    }
}

impl Worker for Watcher {
    fn name(&self) -> &'static str {
        "tls"
    }

    fn step(&mut self) -> Result<Next, WorkerError> {
        let checked = self.certificates.check();
        if let Some(own) = &self.own
            && (checked == Checked::Refused || own.ends_soon(&self.certificates.current()))
        {
            own.ensure().map_err(WorkerError)?;
            self.certificates.check();
        }
        Ok(Next::After(TLS_FILES_CHECKED_EVERY))
    }

    fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

/// A certificate that the gateway makes for itself. It is no authority's, so each client must be told to trust it.
struct SelfSigned {
    certificate: PathBuf,
    key: PathBuf,
    names: Vec<String>,
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
}

/// The names that clients may call this gateway by, as far as the settings know them.
fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = LOCAL_NAMES.iter().map(|name| (*name).to_owned()).collect();
    for domain in config.domains.iter().filter(|domain| *domain != "localhost") {
        names.push(domain.clone());
        names.push(format!("*.{domain}"));
    }
    names
}

impl SelfSigned {
    /// Leaves a pair that still holds for a while as it is; otherwise makes a new one.
    fn ensure(&self) -> Result<(), String> {
        match Pair::read(&self.certificate, &self.key) {
            Ok(pair) if self.ends_soon(&pair) => tracing::info!("the TLS certificate of our own is near its end"),
            Ok(pair) if !self.names_all(&pair) => tracing::info!("the TLS certificate of our own lacks a name"),
            Ok(_) => return Ok(()),
            Err(error) => tracing::debug!(%error, "there is no TLS certificate of our own yet"),
        }
        self.make()
    }

    fn ends_soon(&self, pair: &Pair) -> bool {
        pair.not_after().is_none_or(|end| end <= self.clock.now().after(SELF_SIGNED_RENEWED_BEFORE))
    }

    /// Clients differ in what they let a wildcard stand for; it is there when the name below it is.
    fn names_all(&self, pair: &Pair) -> bool {
        self.names.iter().filter(|name| !name.starts_with("*.")).all(|name| pair.is_for(name))
    }

    /// Makes a pair and puts it in the place of what is there. The key draws its randomness from the cryptography of TLS, as
    /// every handshake does.
    fn make(&self) -> Result<(), String> {
        let said = |error: rcgen::Error| format!("cannot make a certificate: {error}");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(said)?;
        let mut parameters = CertificateParams::new(self.names.clone()).map_err(said)?;
        let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(self.clock.now().seconds());
        // It begins earlier for clients whose clock is behind.
        (parameters.not_before, parameters.not_after) = (now - SELF_SIGNED_BACKDATED, now + SELF_SIGNED_LIFE);
        parameters.distinguished_name.push(DnType::CommonName, "wharf, self-signed");
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.self_signed(&key).map_err(said)?;
        for (path, text) in [(&self.key, key.serialize_pem()), (&self.certificate, certificate.pem())] {
            let replaced = self.fs.replace_file(path, text.as_bytes());
            replaced.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        tracing::info!(certificate = %self.certificate.display(), names = self.names.join(" "), "made a self-signed certificate");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::{ManualClock, Timestamp};
    use crate::store::fsio::real::RealFs;

    /// 2026-01-01.
    const START: Timestamp = Timestamp(1_767_225_600_000);

    #[test]
    fn a_certificate_of_our_own_is_renewed_before_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let own = || SelfSigned {
            certificate: directory.path().join("tls.crt"),
            key: directory.path().join("tls.key"),
            names: vec!["localhost".to_owned(), "*.localhost".to_owned()],
            fs: Arc::new(RealFs::new()),
            clock: clock.clone(),
        };
        own().ensure().unwrap();
        let read = || Pair::read(&own().certificate, &own().key).unwrap();
        let first = read().not_after().unwrap();
        assert_eq!(first, START.after(SELF_SIGNED_LIFE));
        let certificates = Certificates::load(&own().certificate, &own().key, Metrics::new()).unwrap();
        let mut watcher = Watcher { certificates, own: Some(own()), bell: Bell::default() };
        let step = |watcher: &mut Watcher| assert_eq!(watcher.step().unwrap(), Next::After(TLS_FILES_CHECKED_EVERY));

        clock.advance(SELF_SIGNED_LIFE - SELF_SIGNED_RENEWED_BEFORE - Duration::from_secs(1));
        step(&mut watcher);
        assert_eq!(read().not_after(), Some(first));
        clock.advance(Duration::from_secs(1));
        step(&mut watcher);
        let second = watcher.certificates.current().not_after().unwrap();
        assert!(second > first && read().not_after() == Some(second));
        step(&mut watcher);
        assert_eq!(watcher.certificates.current().not_after(), Some(second));
    }
}
