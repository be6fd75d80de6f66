//! What a URL begins with: scheme and host, and nothing behind them.
//!
//! The host is kept as a client's Host header writes it: in lower case, an IPv6 address in brackets, the port only where it
//! is not the scheme's own.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// `http://127.0.0.1:9000`, `https://files.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    https: bool,
    host: String,
}

impl BaseUrl {
    /// Reads `http` or `https`, a host and perhaps a port; none for anything else, a path, a query or a user included.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse::<u16>().ok().filter(|port| *port != 0)?)
            }
            Some(_) => return None,
            None => None,
        };
        Some(Self::new(https, &host_name(name)?, port))
    }

    /// The URL of a listener.
    pub fn of_address(https: bool, address: SocketAddr) -> Self {
        let host = if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() };
        Self::new(https, &host, Some(address.port()))
    }

    fn new(https: bool, host: &str, port: Option<u16>) -> Self {
        let own_port = if https { 443 } else { 80 };
        let port = port.filter(|port| *port != own_port).map(|port| format!(":{port}")).unwrap_or_default();
        Self { https, host: format!("{host}{port}") }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Name or address, and the port unless it is the scheme's own: what stands in the Host header.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is an address, below which there are no names.
    pub fn is_address(&self) -> bool {
        let name = self.host.split_once(':').map_or(self.host.as_str(), |(name, _)| name);
        name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host)
    }
}

/// A name of labels, an IPv4 address or a bracketed IPv6 address. A name that ends in a number is an address to some and a
/// name to others, and is refused.
fn host_name(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    if text.parse::<Ipv4Addr>().is_ok() {
        return Some(text.to_owned());
    }
    let sane = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = text.rsplit('.').next().is_some_and(is_number);
    (text.len() <= 253 && !numeric && text.split('.').all(sane)).then(|| text.to_ascii_lowercase())
}

/// Digits, or `0x` with hexadecimal ones, as the URL Standard tells addresses from names
/// (<https://url.spec.whatwg.org/#ends-in-a-number-checker>).
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_in_one_spelling() {
        for (text, shown) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("HTTPS://Files.Example.com", "https://files.example.com"),
            ("https://files.example.com:443", "https://files.example.com"),
            ("https://files.example.com:80", "https://files.example.com:80"),
            ("http://wharf", "http://wharf"),
            ("http://h:080", "http://h"),
            ("http://[0:0::1]:9000", "http://[::1]:9000"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(BaseUrl::parse(text).map(|url| url.to_string()).as_deref(), Some(shown), "{text}");
        }
        assert_eq!(BaseUrl::of_address(true, ([127, 0, 0, 1], 443).into()).to_string(), "https://127.0.0.1");
        assert_eq!(BaseUrl::of_address(false, "[::1]:9000".parse().unwrap()).to_string(), "http://[::1]:9000");
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("http://{}", ["abcdefgh"; 29].join("."));
        for text in [
            "",
            "files.example.com",
            "ftp://h",
            "http://",
            "http://h/",
            "http://h/path",
            "http://h?q",
            "http://h#f",
            "http://user@h",
            "http://h:",
            "http://h:0",
            "http://h:65536",
            "http://h:+1",
            "http://a..b",
            "http://-a",
            "http://a b",
            "http://*.a",
            "http://schlüssel.de",
            "http://1.2.3",
            "http://999.1.1.1",
            "http://0x7f000001",
            "http://a.0X1",
            "http://[::g]",
            "http://::1",
            "http://[::1]x",
            &long,
        ] {
            assert_eq!(BaseUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        for (text, is_address) in [
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:80", true),
            ("http://localhost:9000", false),
            ("http://h", false),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().is_address(), is_address, "{text}");
        }
    }
}
