//! The canonical request of SigV4: the exact bytes whose hash a client signs.
//!
//! Path and query come as they stood on the wire. Both are percent-decoded once and encoded again with RFC 3986's
//! unreserved characters, because clients differ in what they escape on the wire (some send `(` or a query's `/` bare)
//! but sign one form. The path is never normalised: `//`, `.` and `..` are part of a key. A `+` in a query stands for a
//! space, in a path for itself.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::base::limits::HEADERS_MAX;

/// Everything but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path, whose slashes stay.
const ESCAPED_IN_PATH: &AsciiSet = &ESCAPED.remove(b'/');

/// The query parameter that a presigned request's signature cannot cover.
const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// A request as far as a signature covers it.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as on the wire.
    pub path: &'a str,
    /// The query as on the wire, without its question mark.
    pub query: &'a str,
    /// The headers as on the wire.
    pub headers: &'a HeaderMap,
    /// The bucket, where the host names it: signature version 2 covers it in place of the host.
    pub bucket_in_host: Option<&'a str>,
}

/// The names of the signed headers, in the client's order (which the standard wants sorted).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedHeaders(Vec<HeaderName>);

impl SignedHeaders {
    /// Reads `host;range;x-amz-date`; none when a name is no header name, comes twice, or there are too many.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut names: Vec<HeaderName> = Vec::new();
        for name in text.split(';') {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            if names.len() >= HEADERS_MAX || names.contains(&name) {
                return None;
            }
            names.push(name);
        }
        Some(Self(names))
    }

    /// Whether `name` is among them.
    pub(super) fn contains(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }
}

/// The canonical request. A signed header that is absent gets no line, so that the signature cannot match.
pub(super) fn canonical_request(head: RequestHead<'_>, signed: &SignedHeaders, payload_hash: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    for line in [head.method.as_str(), &canonical_path(head.path), &canonical_query(head.query)] {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    for name in &signed.0 {
        push_header(&mut text, head.headers, name);
    }
    text.push(b'\n');
    text.extend_from_slice(signed.0.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload_hash.as_bytes());
    text
}

/// The decoded parameters of a raw query, in order. Bytes that are no UTF-8 become replacement characters.
pub(super) fn parameters(raw: &str) -> impl Iterator<Item = (String, String)> {
    pairs(raw).map(|(name, value)| {
        (String::from_utf8_lossy(&name).into_owned(), String::from_utf8_lossy(&value).into_owned())
    })
}

fn pairs(raw: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_in_query(name), decode_in_query(value))
    })
}

/// The bytes that stand behind an encoded name or value of a query, where a plus is a space.
pub(super) fn decode_in_query(text: &str) -> Vec<u8> {
    let text: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&text).collect()
}

/// Text as it stands in a query's name or value.
pub(super) fn encode_in_query(text: &str) -> String {
    percent_encode(text.as_bytes(), ESCAPED).to_string()
}

/// Text as it stands in a path, its slashes as they are.
pub(super) fn encode_in_path(text: &str) -> String {
    percent_encode(text.as_bytes(), ESCAPED_IN_PATH).to_string()
}

fn canonical_path(raw: &str) -> String {
    if raw.is_empty() {
        return "/".to_owned();
    }
    let bytes: Vec<u8> = percent_decode_str(raw).collect();
    percent_encode(&bytes, ESCAPED_IN_PATH).to_string()
}

fn canonical_query(raw: &str) -> String {
    let mut encoded: Vec<(String, String)> = pairs(raw)
        .filter(|(name, _)| name != SIGNATURE_PARAMETER.as_bytes())
        .map(|(name, value)| (percent_encode(&name, ESCAPED).to_string(), percent_encode(&value, ESCAPED).to_string()))
        .collect();
    encoded.sort_unstable();
    encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// `name:first value,second value`, each value trimmed and its runs of blanks made one space.
fn push_header(text: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName) {
    if !headers.contains_key(name) {
        return;
    }
    text.extend_from_slice(name.as_str().as_bytes());
    text.push(b':');
    for (index, value) in headers.get_all(name).iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        let words = value.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        for (word_index, word) in words.enumerate() {
            if word_index > 0 {
                text.push(b' ');
            }
            text.extend_from_slice(word);
        }
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn paths_are_decoded_once_and_never_normalised() {
        for (raw, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/b/a%20b+c~d(1)%C3%A9//x&y=z", "/b/a%20b%2Bc~d%281%29%C3%A9//x%26y%3Dz"),
            ("/b/.././/%2e%2E", "/b/.././/.."),
            ("/b/%2525", "/b/%2525"),
            ("/b/50%", "/b/50%25"),
            ("/b/%ff%00", "/b/%FF%00"),
        ] {
            assert_eq!(canonical_path(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn queries_are_sorted_by_encoded_name_then_value() {
        for (raw, canonical) in [
            ("", ""),
            ("uploads", "uploads="),
            ("uploads=", "uploads="),
            ("prefix=p/&max-keys=2", "max-keys=2&prefix=p%2F"),
            ("a=2&a=1&A=3", "A=3&a=1&a=2"),
            ("a=b=c", "a=b%3Dc"),
            ("x=a+b&&y=a%2Bb", "x=a%20b&y=a%2Bb"),
            ("b=1&X-Amz-Signature=ab&X%2DAmz-Signature=cd", "b=1"),
            ("x-id=GetObject&~k=1", "x-id=GetObject&~k=1"),
        ] {
            assert_eq!(canonical_query(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn header_values_are_trimmed_collapsed_and_joined() {
        let mut headers = HeaderMap::new();
        for value in ["  a   b\t c ", "", "d"] {
            headers.append("x-amz-meta-x", HeaderValue::from_static(value));
        }
        let mut text = Vec::new();
        push_header(&mut text, &headers, &HeaderName::from_static("x-amz-meta-x"));
        push_header(&mut text, &headers, &HeaderName::from_static("x-amz-meta-absent"));
        assert_eq!(String::from_utf8(text).unwrap(), "x-amz-meta-x:a b c,,d\n");
    }

    #[test]
    fn signed_headers_are_header_names_once_each() {
        assert!(SignedHeaders::parse("Host;x-amz-date").unwrap().contains(&HeaderName::from_static("host")));
        let many = (0..=HEADERS_MAX).map(|n| format!("h{n}")).collect::<Vec<_>>().join(";");
        for bad in ["", "host;", ";host", "host;HOST", "ho st", "hé", &many] {
            assert_eq!(SignedHeaders::parse(bad), None, "{bad}");
        }
    }
}
