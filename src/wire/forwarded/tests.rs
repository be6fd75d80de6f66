//! Headers by trusted and other proxies, and what becomes of the request.

use super::*;
use crate::wire::network::Network;
use http::Request;

const PROXY: &str = "10.0.0.1:1000";

/// Host, client and whether it came by TLS, after a request from `peer`.
fn applied(peer: &str, target: &str, headers: &[(&str, &str)]) -> Result<(String, String, bool), ForwardedError> {
    let mut request = Request::builder().uri(target).header("host", "backend:9000");
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let mut head = request.body(()).unwrap().into_parts().0;
    let local = ([127, 0, 0, 1], 9000).into();
    head.extensions.insert(ConnectionInfo { peer: peer.parse().unwrap(), local, tls: false });
    let trusted = Networks::new(["10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).unwrap()).to_vec());
    apply(&mut head, &trusted)?;
    assert_eq!(head.headers.get_all(HOST).iter().count(), 1);
    let connection = head.extensions.get::<ConnectionInfo>().unwrap();
    let host = head.headers[HOST].to_str().unwrap().to_owned();
    assert!(host == "backend:9000" || head.uri.authority().is_none());
    Ok((host, connection.peer.to_string(), connection.tls))
}

fn by_proxy(headers: &[(&str, &str)]) -> (String, String, bool) {
    applied(PROXY, "/b/k", headers).unwrap()
}

fn seen(host: &str, peer: &str, tls: bool) -> (String, String, bool) {
    (host.to_owned(), peer.to_owned(), tls)
}

#[test]
fn the_view_of_the_client() {
    let all = [(X_HOST, "files.example.com"), (X_PROTO, "https"), (X_FOR, "203.0.113.9")];
    assert_eq!(by_proxy(&all), seen("files.example.com", "203.0.113.9:0", true));
    assert_eq!(applied(PROXY, "http://backend:9000/b/k", &all), Ok(seen("files.example.com", "203.0.113.9:0", true)));
    assert_eq!(by_proxy(&[]), seen("backend:9000", PROXY, false));
    // Of several values some may be the client's own.
    for several in [(X_HOST, "outer:8443, inner"), (X_PROTO, "https,http")] {
        assert!(applied(PROXY, "/b/k", &[several]).is_err(), "{several:?}");
    }
    assert!(applied(PROXY, "/b/k", &[(X_HOST, "outer"), (X_HOST, "inner")]).is_err());
    let standard = "for=\"[2001:db8::9]:4711\";host=\"files.example.com:8443\";proto=https;by=_hidden";
    assert_eq!(by_proxy(&[("forwarded", standard)]), seen("files.example.com:8443", "[2001:db8::9]:4711", true));
    // Where both are there, the older headers win, each for what it says.
    let both = [("forwarded", "for=203.0.113.1;host=standard;proto=https"), (X_HOST, "older")];
    assert_eq!(by_proxy(&both), seen("older", "203.0.113.1:0", true));
}

#[test]
fn from_anybody_else_it_means_nothing() {
    for peer in ["203.0.113.9:1", "127.0.0.1:1", "[::1]:1", "[::ffff:11.0.0.1]:1"] {
        let lies = [(X_HOST, "a b"), (X_PROTO, "gopher"), (X_FOR, "10.0.0.1"), ("forwarded", "\"")];
        assert_eq!(applied(peer, "/", &lies), Ok(seen("backend:9000", peer, false)));
    }
}

#[test]
fn the_chain_is_true_as_far_as_it_is_trusted() {
    let client = |chain: &[&str]| {
        by_proxy(&chain.iter().map(|value| (X_FOR, *value)).collect::<Vec<_>>()).1.trim_end_matches(":0").to_owned()
    };
    for (chain, expected) in [
        (&["203.0.113.9"][..], "203.0.113.9"),
        // What the client sent itself stands on the left.
        (&["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (&["10.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (&["6.6.6.6, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (&["6.6.6.6, 203.0.113.9", "fd00::1, 10.0.0.2"], "203.0.113.9"),
        // All of it trusted: a client inside.
        (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (&["203.0.113.9:5678"], "203.0.113.9:5678"),
        (&["[2001:db8::1]"], "[2001:db8::1]"),
        (&["2001:db8::1"], "[2001:db8::1]"),
        // What cannot be read ends the chain at the proxy that says it.
        (&["unknown"], PROXY),
        (&["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        (&["6.6.6.6, \u{e9}"], PROXY),
        (&[""], PROXY),
    ] {
        assert_eq!(client(chain), expected, "{chain:?}");
    }
    let standard = |value: &str| by_proxy(&[("forwarded", value)]);
    let spoofed = "for=6.6.6.6;host=evil;proto=https, for=203.0.113.9;host=outer;proto=http, for=10.0.0.2;host=inner";
    assert_eq!(standard(spoofed), seen("outer", "203.0.113.9:0", false));
    assert_eq!(standard("host=evil;proto=https, for=203.0.113.9"), seen("backend:9000", "203.0.113.9:0", false));
    assert_eq!(standard("for=_hidden;host=outer"), seen("outer", PROXY, false));
    assert_eq!(standard("For=203.0.113.9, ,FOR=10.0.0.2;"), seen("backend:9000", "203.0.113.9:0", false));
}

#[test]
fn what_would_change_the_meaning_must_be_understood() {
    let refused = |name: &str, value: &str| applied(PROXY, "/", &[(name, value)]).unwrap_err().0;
    for host in ["", "a b", "http://a", "a:99999", "a/b", "[::g]", ", b", "\u{e9}"] {
        assert_eq!(refused(X_HOST, host), X_HOST, "{host}");
    }
    for proto in ["", "ftp", "https:", "httpss", ",https"] {
        assert_eq!(refused(X_PROTO, proto), X_PROTO, "{proto}");
    }
    for value in [
        "host=\"a b\"",
        "host=\"\"",
        "proto=ftp",
        "host",
        "host=",
        "host=\"open",
        "host=a;host=b",
        "for=a b",
        "host=\"a\"b",
        "host=\"a\\",
        "host=a/b",
    ] {
        assert_eq!(refused("forwarded", value), "Forwarded", "{value}");
    }
    // Nobody needs it.
    let host = by_proxy(&[("forwarded", "\""), (X_HOST, "a"), (X_PROTO, "http")]);
    assert_eq!(host, seen("a", PROXY, false));
}
