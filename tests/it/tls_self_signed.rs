//! `--tls-self-signed`: a certificate of the gateway's own.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::gateway::{Gateway, Launch};
use crate::process::{directory, poll, run, wharf};

fn certificate(gateway: &Gateway) -> Vec<u8> {
    std::fs::read(gateway.data_dir.join("tls.crt")).unwrap()
}

/// Whether the certificate convinces a client that calls the gateway by this name.
fn is_named(gateway: &Gateway, name: &str) -> bool {
    let mut socket = TcpStream::connect(gateway.s3).unwrap();
    socket.set_read_timeout(Some(crate::http::PATIENCE)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut session = ClientConnection::new(Arc::clone(gateway.tls.as_ref().unwrap()), name).unwrap();
    while session.is_handshaking() {
        if session.complete_io(&mut socket).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn it_is_made_once_and_used_again() {
    let directory = directory();
    let gateway = Launch::on(&directory).self_signed().start();
    assert!(gateway.ready["api"].as_str().unwrap().starts_with("https://"), "{}", gateway.ready);
    gateway.bucket().put("k", "v").send().ok(200);
    for name in ["tls.crt", "tls.key"] {
        let mode = std::fs::metadata(gateway.data_dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert!(is_named(&gateway, name), "{name}");
    }
    for name in ["example.com", "127.0.0.2"] {
        assert!(!is_named(&gateway, name), "{name}");
    }
    let first = certificate(&gateway);
    gateway.terminate();
    gateway.wait();
    let again = Launch::on(&directory).self_signed().start();
    assert_eq!(certificate(&again), first);
}

#[test]
fn a_further_domain_or_damage_makes_a_new_one() {
    let directory = directory();
    let gateway = Launch::on(&directory).self_signed().start();
    let first = certificate(&gateway);
    drop(gateway);
    let launch = || Launch::on(&directory).self_signed().set("--domain", "s3.example.com");
    let gateway = launch().start();
    let second = certificate(&gateway);
    assert_ne!(second, first);
    for name in ["s3.example.com", "bucket.s3.example.com", "localhost"] {
        assert!(is_named(&gateway, name), "{name}");
    }
    let key = gateway.data_dir.join("tls.key");
    drop(gateway);
    std::fs::write(&key, "junk").unwrap();
    let gateway = launch().start();
    assert_ne!(certificate(&gateway), second);
    // While it runs, too.
    std::fs::write(&key, "junk").unwrap();
    let before = certificate(&gateway);
    gateway.hang_up();
    poll("a new certificate", || (certificate(&gateway) != before).then_some(()));
}

#[test]
fn the_health_check_trusts_this_certificate_and_no_other() {
    let directory = directory();
    let gateway = Launch::on(&directory).self_signed().start();
    let other = Launch::new().self_signed().start();
    let check = |of: &Gateway| {
        let mut command = wharf(&["healthcheck", "--tls-self-signed", "on", "--api-listen", &gateway.api.to_string()]);
        command.arg("--data-dir").arg(&of.data_dir);
        run(command)
    };
    let ended = check(&gateway);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let ended = check(&other);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("another certificate"), "{}", ended.stderr);
}
