//! What a trusted proxy says of the client it speaks for: `X-Forwarded-Host`, `-Proto` and `-For`, and RFC 7239's
//! `Forwarded`.
//!
//! Invariants:
//! - from a peer that is not trusted these headers mean nothing;
//! - the client's address is the last one that nobody but trusted proxies vouches for: a client that sends these headers itself
//!   gains nothing by it;
//! - afterwards the request looks as it did to the outermost proxy, so that what reads Host and connection (the address, the
//!   signature, URLs in answers, policies, the log) sees the client's view without knowing of proxies.
//!
//! Absent on purpose: `X-Forwarded-Port` (the port stands in `X-Forwarded-Host` where the client wrote one) and the PROXY
//! protocol.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{FORWARDED, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri};

use super::ConnectionInfo;
use super::host::is_host;
use super::network::Networks;

const X_HOST: &str = "x-forwarded-host";
const X_PROTO: &str = "x-forwarded-proto";
const X_FOR: &str = "x-forwarded-for";

/// A trusted proxy says something that would change what the request means, and it cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The header {0} of a trusted proxy is malformed or has several values.")]
pub struct ForwardedError(&'static str);

/// Gives a request that came by a trusted proxy the Host, the scheme and the peer of the client; leaves any other as it is.
///
/// # Errors
/// Where a host is none or several, a scheme is not one of `http` and `https`, or `Forwarded` cannot be read and is needed for one of them.
/// Addresses that cannot be read count for nothing: the client is then the proxy that names one.
pub fn apply(head: &mut Parts, trusted: &Networks) -> Result<(), ForwardedError> {
    let Some(mut connection) = head.extensions.get::<ConnectionInfo>().copied() else { return Ok(()) };
    if !trusted.contains(connection.peer.ip()) {
        return Ok(());
    }
    let headers = &head.headers;
    let elements = elements(headers);
    let standard = match &elements {
        Some(elements) => outermost(elements, trusted),
        None if headers.contains_key(X_HOST) && headers.contains_key(X_PROTO) => &[],
        None => return Err(ForwardedError("Forwarded")),
    };
    let host = match only(headers, X_HOST)? {
        Some(host) => Some((X_HOST, host.to_owned())),
        None => standard.iter().find_map(|element| element.host.clone()).map(|host| ("Forwarded", host)),
    };
    let proto = match only(headers, X_PROTO)? {
        Some(proto) => Some((X_PROTO, proto)),
        None => standard.iter().find_map(|element| element.proto.as_deref()).map(|proto| ("Forwarded", proto)),
    };
    if let Some((name, proto)) = proto {
        connection.tls = is_https(proto).ok_or(ForwardedError(name))?;
    }
    connection.peer = if headers.contains_key(X_FOR) {
        client(connection.peer, &addresses(headers), trusted)
    } else {
        let hops: Vec<_> = elements.iter().flatten().map(|element| element.client).collect();
        client(connection.peer, &hops, trusted)
    };
    if let Some((name, host)) = host {
        let value = HeaderValue::from_str(&host).ok().filter(|_| is_host(&host)).ok_or(ForwardedError(name))?;
        head.headers.insert(HOST, value);
        head.uri = without_authority(&head.uri);
    }
    head.extensions.insert(connection);
    Ok(())
}

/// The one value of a header. Of several some may be the client's own: proxies that add to what came put theirs behind it, and
/// nothing says how many did. So the proxy has to set it.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ForwardedError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| values.next().is_none() && !text.contains(','));
    text.map(|text| Some(text.trim())).ok_or(ForwardedError(name))
}

fn is_https(proto: &str) -> Option<bool> {
    let https = proto.eq_ignore_ascii_case("https");
    (https || proto.eq_ignore_ascii_case("http")).then_some(https)
}

/// An absolute target names the host that the proxy asked for.
fn without_authority(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    (parts.scheme, parts.authority) = (None, None);
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// The addresses of `X-Forwarded-For` in their order; none for what is no address.
fn addresses(headers: &HeaderMap) -> Vec<Option<SocketAddr>> {
    let values = headers.get_all(X_FOR).iter();
    values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(|text| address(text.trim())).collect()
}

/// Each proxy adds whom it was asked by on the right. From there to the left they are true as long as those who added them
/// are trusted.
fn client(peer: SocketAddr, hops: &[Option<SocketAddr>], trusted: &Networks) -> SocketAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        match hop {
            Some(hop) if trusted.contains(client.ip()) => client = *hop,
            _ => break,
        }
    }
    client
}

/// An address with or without a port, which is 0 where it is not known.
fn address(text: &str) -> Option<SocketAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let bare = text.parse().ok().or_else(bracketed).map(|address| SocketAddr::new(address, 0));
    bare.or_else(|| text.parse().ok())
}

/// What one proxy says in `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    /// Whom it was asked by, where it tells the address.
    client: Option<SocketAddr>,
    host: Option<String>,
    proto: Option<String>,
}

/// The elements from the one that the outermost trusted proxy added on; what stands before it anybody may have written.
fn outermost<'a>(elements: &'a [Element], trusted: &Networks) -> &'a [Element] {
    let came_by_trusted = |element: &Element| element.client.is_some_and(|client| trusted.contains(client.ip()));
    let last = elements.len().saturating_sub(1);
    let before = elements.iter().skip(1).rev().take_while(|element| came_by_trusted(element)).count();
    elements.get(last - before.min(last)..).unwrap_or_default()
}

/// The elements of all `Forwarded` headers; none where they are not as RFC 7239 section 4 has it.
fn elements(headers: &HeaderMap) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    for value in headers.get_all(FORWARDED) {
        for text in split(value.to_str().ok()?, ',')?.into_iter().filter(|text| !text.trim().is_empty()) {
            elements.push(element(text)?);
        }
    }
    Some(elements)
}

fn element(text: &str) -> Option<Element> {
    let mut element = Element::default();
    let mut seen = Vec::new();
    for pair in split(text, ';')?.into_iter().map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.to_ascii_lowercase(), unquoted(value)?);
        if seen.contains(&name) {
            return None;
        }
        match name.as_str() {
            "for" => element.client = address(&value),
            "host" => element.host = Some(value),
            "proto" => element.proto = Some(value),
            _ => {}
        }
        seen.push(name);
    }
    Some(element)
}

/// The pieces between separators that stand outside quotes; none where a quote is not closed.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut pieces, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                pieces.push(text.get(start..at)?);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    pieces.push(text.get(start..)?);
    (!quoted).then_some(pieces)
}

/// A token as it is, or the text of a quoted one.
fn unquoted(value: &str) -> Option<String> {
    let Some(inside) = value.strip_prefix('"') else {
        let token = |c: char| c.is_ascii_graphic() && !"\"(),/;<=>?@\\{}".contains(c);
        return (!value.is_empty() && value.chars().all(token)).then(|| value.to_owned());
    };
    let inside = inside.strip_suffix('"')?;
    let (mut text, mut escaped) = (String::new(), false);
    for character in inside.chars() {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return None,
            _ => {
                escaped = false;
                text.push(character);
            }
        }
    }
    (!escaped).then_some(text)
}

#[cfg(test)]
mod tests;
