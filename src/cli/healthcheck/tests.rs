//! The check against a real listener on loopback: what counts as ready, and which certificate is trusted.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread::JoinHandle;

use clap::{Args as _, FromArgMatches as _};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::{Flags, Variables};

fn config(arguments: &[&str]) -> Config {
    let command = Flags::augment_args(clap::Command::new("wharf").no_binary_name(true));
    let flags = Flags::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap();
    Config::load(&flags, &Variables::default()).unwrap()
}

/// Answers one request with `answer`; gives back what it was asked.
fn answer_once(listener: TcpListener, tls: Option<ServerConfig>, answer: &'static [u8]) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        match tls {
            Some(tls) => {
                let session = ServerConnection::new(Arc::new(tls)).unwrap();
                serve(StreamOwned::new(session, socket), answer)
            }
            None => serve(socket, answer),
        }
    })
}

fn serve(mut stream: impl io::Read + io::Write, answer: &[u8]) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.extend(byte);
    }
    // A client that refused the certificate is gone already.
    let _ = stream.write_all(answer).and_then(|()| stream.flush());
    String::from_utf8(request).unwrap()
}

/// A listener on a wildcard address, and the settings that name it.
fn wildcard() -> (TcpListener, String) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = format!("0.0.0.0:{}", listener.local_addr().unwrap().port());
    (listener, address)
}

#[test]
fn ready_is_200_and_nothing_else() {
    for (answer, ready) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..], true),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
        (b"HTTP/1.1 2000 200", false),
        (b"nonsense", false),
        (b"", false),
    ] {
        let (listener, address) = wildcard();
        let server = answer_once(listener, None, answer);
        let outcome = probe(&config(&["--api-listen", &address]), TIMEOUT);
        assert_eq!(outcome.is_ok(), ready, "{answer:?}: {outcome:?}");
        let asked = server.join().unwrap();
        assert!(
            asked.starts_with("GET /health/ready HTTP/1.1\r\n") && asked.contains("\r\nhost: 127.0.0.1:"),
            "{asked}"
        );
    }
}

#[test]
fn nobody_listening_is_not_ready() {
    let (listener, address) = wildcard();
    drop(listener);
    let error = probe(&config(&["--api-listen", &address]), TIMEOUT).unwrap_err();
    assert!(matches!(error, ProbeError::NoAnswer(_, ClientError::Unreachable(_))), "{error}");
    assert_eq!(error.exit_code(), 1);
}

#[test]
fn a_gateway_that_hangs_is_not_ready() {
    let (listener, address) = wildcard();
    let error = probe(&config(&["--api-listen", &address]), Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error, ProbeError::NoAnswer(_, ClientError::Silent(_))), "{error}");
    assert_eq!(error.exit_code(), 1);
    drop(listener);
}

#[test]
fn a_free_port_cannot_be_known() {
    let error = probe(&config(&["--api-listen", "127.0.0.1:0"]), TIMEOUT).unwrap_err();
    assert!(error.to_string().starts_with("api-listen: port 0"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

/// A certificate for a name that is not this machine's, and a server that shows it.
fn certified(directory: &Path, name: &str) -> (PathBuf, ServerConfig) {
    let pair = rcgen::generate_simple_self_signed(vec!["elsewhere.example".to_owned()]).unwrap();
    let path = directory.join(name);
    std::fs::write(&path, pair.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (path, server.with_no_client_auth().with_single_cert(vec![pair.cert.der().clone()], key).unwrap())
}

#[test]
fn exactly_the_configured_certificate_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let (mine, server) = certified(directory.path(), "mine.pem");
    let (theirs, _) = certified(directory.path(), "theirs.pem");
    for (trusted, ready) in [(&mine, true), (&theirs, false)] {
        let (listener, address) = wildcard();
        let thread = answer_once(listener, Some(server.clone()), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let arguments = ["--api-listen", &address, "--tls-key", "unread.pem", "--tls-cert", trusted.to_str().unwrap()];
        let outcome = probe(&config(&arguments), TIMEOUT);
        assert_eq!(outcome.is_ok(), ready, "{outcome:?}");
        thread.join().unwrap();
    }
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    assert!(matches!(certificate(&empty), Err(ProbeError::Certificate(_))));
}
