//! TLS: what is served, and files that cannot be.

use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::server::tls::{Certificates, Pair, TlsError};

pub(super) struct Files {
    _directory: tempfile::TempDir,
    certificate: PathBuf,
    key: PathBuf,
    roots: RootCertStore,
}

pub(super) fn files() -> Files {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let files = Files {
        certificate: directory.path().join("cert.pem"),
        key: directory.path().join("key.pem"),
        _directory: directory,
        roots,
    };
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, pair.serialize_pem()).unwrap();
    files
}

pub(super) fn secure_site(files: &Files, limits: Limits) -> Site {
    let metrics = Metrics::new();
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    let tls = Certificates::load(&files.certificate, &files.key, metrics.clone()).unwrap();
    let tls = Some(tls.config());
    let running =
        Server::bind(Config { listen, tls, limits, metrics: metrics.clone() }).unwrap().serve(handler(answer));
    Site { address: running.local_addrs()[0], running, metrics }
}

pub(super) async fn secured(
    site: &Site,
    files: &Files,
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(files.roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect(site.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let io = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    Ok(Client { io, unread: Vec::new() })
}

#[tokio::test]
async fn both_versions_are_served() {
    let files = files();
    let site = secure_site(&files, Limits::default());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = secured(&site, &files, &[version], &[b"h2", b"http/1.1"]).await.unwrap();
        assert_eq!(client.io.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let body = "z".repeat(100_000);
        assert_eq!(client.ask(put("/echo", body.len(), "") + &body).await.body, body);
        assert!(client.ask(get("/who")).await.body.contains("tls: true"));
        client.send(get("/who").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await;
        // A TLS stream that ends without its close_notify is an error here.
        assert!(client.rest().await.contains("tls: true"));
    }
    assert!(secured(&site, &files, &[&rustls::version::TLS13], &[b"h2"]).await.is_err());
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let files = files();
    let site = secure_site(&files, Limits::default());
    for _ in 0..5 {
        let mut client = secured(&site, &files, &[&rustls::version::TLS13], &[]).await.unwrap();
        client.send(put("/refuse", 8 * MIB, "")).await;
        client.send(vec![b'z'; 8 * MIB]).await;
        let answer = client.answer().await;
        assert_eq!(answer.status(), 403);
        assert!(answer.closes());
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_does_not_end_cleanly() {
    let files = files();
    let site = secure_site(&files, Limits::default());
    let mut client = secured(&site, &files, &[&rustls::version::TLS13], &[]).await.unwrap();
    client.send(get("/broken-chunked")).await;
    let error = loop {
        match client.more().await {
            Ok(true) => {}
            Ok(false) => panic!("a clean end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_handshake_has_a_deadline_and_failures_stay_alone() {
    let files = files();
    let site = secure_site(&files, Limits { handshake: SHORT, ..Limits::default() });
    let mut silent = connect(site.address).await;
    assert_eq!(silent.rest().await, "");
    let mut plain = connect(site.address).await;
    plain.send(get("/who")).await;
    while plain.more().await.unwrap_or(false) {}
    assert!(!String::from_utf8_lossy(&plain.unread).contains("200 OK"));
    assert!(secured(&site, &files, &[&rustls::version::TLS13], &[]).await.is_ok());
}

#[test]
fn bad_files_are_named() {
    let good = files();
    let other = files();
    let missing = good.certificate.with_file_name("missing.pem");
    let junk = good.certificate.with_file_name("junk.pem");
    std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
    let locked = good.certificate.with_file_name("locked.pem");
    std::fs::write(&locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
        .unwrap();

    for (certificate, key, named, reason) in [
        (&missing, &good.key, "missing.pem", "No such file"),
        (&good.certificate, &missing, "missing.pem", "No such file"),
        (&junk, &good.key, "junk.pem", "PEM"),
        (&good.key, &good.key, "key.pem", "no certificate"),
        (&good.certificate, &good.certificate, "cert.pem", "no unencrypted private key"),
        (&good.certificate, &locked, "locked.pem", "no unencrypted private key"),
    ] {
        let error = Pair::read(certificate, key).unwrap_err();
        assert!(matches!(error, TlsError::File { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(named) && text.contains(reason), "{text}");
    }
    let error = Pair::read(&good.certificate, &other.key).unwrap_err();
    assert!(error.to_string().contains("does not belong"), "{error}");
}

#[test]
fn every_form_of_key_is_read() {
    // PKCS #1, PKCS #8 and SEC 1 forms, made by OpenSSL 3 for tests; they guard nothing.
    for (name, certificate, key) in [
        ("rsa", include_str!("keys/rsa-cert.pem"), include_str!("keys/rsa-pkcs1.pem")),
        ("rsa8", include_str!("keys/rsa-cert.pem"), include_str!("keys/rsa-pkcs8.pem")),
        ("ec", include_str!("keys/ec-cert.pem"), include_str!("keys/ec-sec1.pem")),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (certificate_file, key_file) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        std::fs::write(&certificate_file, certificate).unwrap();
        std::fs::write(&key_file, key).unwrap();
        assert!(Pair::read(&certificate_file, &key_file).is_ok(), "{name}");
    }
}
