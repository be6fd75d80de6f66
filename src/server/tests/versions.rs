//! Old versions of TLS, and protocols above it that are not spoken.

use super::tls::{files, secure_site, secured};
use super::*;

/// A ClientHello of this version with the cipher suites of its time and no extensions (RFC 4346 section 7.4.1.2).
fn hello(minor: u8) -> Vec<u8> {
    let suites = [0x00, 0x2f, 0x00, 0x35, 0xc0, 0x13, 0xc0, 0x14];
    let body = [&[3, minor][..], &[7; 32], &[0, 0, 8], &suites, &[1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

#[tokio::test]
async fn older_versions_are_refused_with_an_alert() {
    let files = files();
    let site = secure_site(&files, Limits::default());
    // SSL 3.0, TLS 1.0 and TLS 1.1.
    for minor in 0..3 {
        let mut client = connect(site.address).await;
        client.send(hello(minor)).await;
        while client.more().await.unwrap() {}
        // One alert and nothing else, of level fatal: handshake_failure(40) or protocol_version(70) of RFC 8446 section 6.
        assert!(matches!(client.unread[..], [0x15, 3, _, 0, 2, 2, 40 | 70]), "{:?}", client.unread);
    }
}

#[tokio::test]
async fn protocols_other_than_http_1_1_are_refused() {
    let files = files();
    let site = secure_site(&files, Limits::default());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for other in [&[&b"h2"[..]][..], &[b"http/1.0"], &[b"h2", b"spdy/3"]] {
            let refused = secured(&site, &files, &[version], other).await.err().expect("it is served");
            assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
        }
        // Who offers nothing speaks HTTP/1.1.
        let mut client = secured(&site, &files, &[version], &[]).await.unwrap();
        assert_eq!(client.io.get_ref().1.alpn_protocol(), None);
        assert_eq!(client.ask(get("/who")).await.status(), 200);
    }
}
