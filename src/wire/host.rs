//! Hosts as the Host header writes them (RFC 9110 section 7.2).

/// A name, an IPv4 or a bracketed IPv6 address, with or without a port.
pub fn is_host(host: &str) -> bool {
    let (name, port) = split_port(host);
    let good_port =
        port.is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let good_name = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    good_name && good_port
}

/// The name and, where there is one, the port; of any text.
pub fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}
