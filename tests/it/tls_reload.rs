//! Certificate and key are replaced under a running gateway: what it serves before, between and after.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::certificate::Certificate;
use crate::gateway::{Gateway, Launch};
use crate::process::{directory, poll};

const REFUSED: &str = "wharf_tls_reloads_total{result=\"refused\"}";
const LOADED: &str = "wharf_tls_reloads_total{result=\"loaded\"}";
/// What the log says of files that are no pair.
const SAID: &str = "make no pair";

/// Whether a new connection gets a certificate that this client trusts.
fn serves(address: SocketAddr, client: &Arc<ClientConfig>) -> bool {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(crate::http::PATIENCE)).unwrap();
    let mut session = ClientConnection::new(Arc::clone(client), ServerName::from(address.ip())).unwrap();
    while session.is_handshaking() {
        if session.complete_io(&mut socket).is_err() {
            return false;
        }
    }
    true
}

/// Asks for a look at the files, and waits until what is to come of it is there.
fn hang_up_until(gateway: &Gateway, what: &str, mut there: impl FnMut() -> bool) {
    gateway.hang_up();
    poll(what, || there().then_some(()));
}

fn said(gateway: &Gateway) -> usize {
    gateway.stderr().matches(SAID).count()
}

fn replace(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

#[test]
fn a_new_pair_is_served_on_both_ports_and_open_connections_go_on() {
    let directory = directory();
    let first = Certificate::new(&directory, "first");
    let mut gateway = Launch::on(&directory).tls(&first).start();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let name = bucket.name.clone();
    let mut before = gateway.connect();
    gateway.request("GET", &format!("/{name}/k")).send_on(&mut before).ok(200);

    let second = Certificate::new(&directory, "second");
    replace(&second.cert, &first.cert);
    replace(&second.key, &first.key);
    // Nobody tells the gateway: it looks by itself.
    poll("the new certificate", || serves(gateway.s3, &second.client()).then_some(()));
    assert!(serves(gateway.api, &second.client()));
    assert!(!serves(gateway.s3, &first.client()));
    let got = gateway.request("GET", &format!("/{name}/k")).send_on(&mut before).ok(200);
    assert_eq!(got.body, b"v", "a connection from before the change goes on");
    gateway.tls = Some(second.client());
    gateway.request("GET", &format!("/{name}/k")).send().ok(200);
    assert!(gateway.metric(LOADED) >= 1.0);
    assert!(gateway.metric("wharf_tls_certificate_not_after_seconds") > 1.7e9);
    gateway.terminate();
    assert_eq!(gateway.wait().status.code(), Some(0));
}

#[test]
fn a_certificate_written_before_its_key_waits_for_it() {
    let directory = directory();
    let first = Certificate::new(&directory, "first");
    let mut gateway = Launch::on(&directory).tls(&first).start();
    let second = Certificate::new(&directory, "second");
    replace(&second.cert, &first.cert);
    hang_up_until(&gateway, "the refusal", || gateway.metric(REFUSED) > 0.0);
    assert!(serves(gateway.s3, &first.client()), "the pair before stays");
    // The next looks, of which the gateway says when it makes them, find nothing new to say.
    for look in 2..4 {
        hang_up_until(&gateway, "a further look", || gateway.stderr().matches("SIGHUP").count() == look);
    }
    replace(&second.key, &first.key);
    hang_up_until(&gateway, "the new certificate", || serves(gateway.s3, &second.client()));
    gateway.tls = Some(second.client());
    assert_eq!((gateway.metric(REFUSED), gateway.metric(LOADED)), (1.0, 1.0));
    assert_eq!(said(&gateway), 1, "{}", gateway.stderr());
}

#[test]
fn files_that_are_no_pair_keep_the_old_one() {
    let directory = directory();
    let first = Certificate::new(&directory, "first");
    let gateway = Launch::on(&directory).tls(&first).start();
    let kept = std::fs::read(&first.cert).unwrap();
    let key = std::fs::read(&first.key).unwrap();
    let half = &kept[..kept.len() / 2];
    for (round, bad) in [Some(&b"junk"[..]), Some(b""), Some(half), Some(&key), None].into_iter().enumerate() {
        match bad {
            Some(bad) => std::fs::write(&first.cert, bad).unwrap(),
            None => std::fs::remove_file(&first.cert).unwrap(),
        }
        // A file that is written in place may be seen half written, which is a change of its own.
        hang_up_until(&gateway, "the refusal", || gateway.metric(REFUSED) > round as f64);
        assert!(serves(gateway.s3, &first.client()) && serves(gateway.api, &first.client()), "{bad:?}");
    }
    assert!(said(&gateway) >= 5 && gateway.stderr().contains("first.crt"), "{}", gateway.stderr());
    std::fs::write(&first.cert, &kept).unwrap();
    hang_up_until(&gateway, "the old pair again", || gateway.metric(LOADED) > 0.0);
}

/// Kubernetes mounts a secret as symlinks through `..data`, and swaps that one.
#[test]
fn a_swapped_symlink_is_a_change() {
    let directory = directory();
    let mount = directory.path().join("mount");
    let place = |name: &str, certificate: &Certificate| {
        let version = mount.join(name);
        std::fs::create_dir_all(&version).unwrap();
        replace(&certificate.cert, &version.join("tls.crt"));
        replace(&certificate.key, &version.join("tls.key"));
        let link = mount.join("..data_tmp");
        std::os::unix::fs::symlink(name, &link).unwrap();
        replace(&link, &mount.join("..data"));
    };
    let mut first = Certificate::new(&directory, "first");
    place("..version_1", &first);
    for name in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(Path::new("..data").join(name), mount.join(name)).unwrap();
    }
    (first.cert, first.key) = (mount.join("tls.crt"), mount.join("tls.key"));
    let gateway = Launch::on(&directory).tls(&first).start();
    assert!(serves(gateway.s3, &first.client()));
    let second = Certificate::new(&directory, "second");
    place("..version_2", &second);
    hang_up_until(&gateway, "the new certificate", || serves(gateway.s3, &second.client()));
}
