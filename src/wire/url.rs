//! URLs that clients of ours call: absolute ones of `http` and `https`, in one spelling.
//!
//! Absent on purpose: user names (credentials do not belong in a URL), fragments (nobody sends them), relative references, and
//! hosts that are numbers in disguise (`0x7f.1`, `2130706433`, `0177.0.0.1`), which resolvers read as addresses.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;

use super::base_url::BaseUrl;
use super::host::split_port;
use crate::base::limits::URL_MAX_BYTES;

/// Why a text is no URL that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is too long.
    #[error("the URL is longer than {URL_MAX_BYTES} bytes")]
    TooLong,
    /// It does not begin with a scheme and a host that can be called.
    #[error("expected http:// or https:// with a host name or an address, without a user")]
    Base,
    /// It has a fragment.
    #[error("a URL to call has no fragment")]
    Fragment,
    /// Path or query hold characters that must be encoded.
    #[error("the URL's path or query holds a character that must be percent-encoded")]
    Target,
}

/// An absolute URL. Its `Debug` and `Display` leave the query out: it may sign the request.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    base: BaseUrl,
    /// Path and query, from the slash on.
    target: String,
}

impl HttpUrl {
    /// Reads a URL of `http` or `https`.
    ///
    /// # Errors
    /// What is wrong, without repeating the text.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_MAX_BYTES {
            return Err(UrlError::TooLong);
        }
        if text.contains('#') {
            return Err(UrlError::Fragment);
        }
        let authority = text.find("://").ok_or(UrlError::Base)? + "://".len();
        let rest = text.get(authority..).unwrap_or_default();
        let end = rest.find(['/', '?']).map_or(text.len(), |at| authority + at);
        let (base, target) = text.split_at(end);
        let base = BaseUrl::parse(base).ok_or(UrlError::Base)?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let sane = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`');
        if !target.bytes().all(sane) || target.parse::<http::uri::PathAndQuery>().is_err() {
            return Err(UrlError::Target);
        }
        Ok(Self { base, target })
    }

    /// The root of a host.
    pub fn of_base(base: &BaseUrl) -> Self {
        Self { base: base.clone(), target: "/".to_owned() }
    }

    /// Scheme and host.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// The host without its port: a name in lower case, or an address without brackets.
    pub fn name(&self) -> &str {
        split_port(self.base.host()).0.trim_start_matches('[').trim_end_matches(']')
    }

    /// The address that the host is; none for a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.name().parse().ok()
    }

    /// The port, which is the scheme's own where the URL names none.
    pub fn port(&self) -> u16 {
        let named = split_port(self.base.host()).1.and_then(|port| port.parse().ok());
        named.unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether it is called over TLS.
    pub fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// Path and query, as the request line carries them.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Whether there is a query.
    pub fn has_query(&self) -> bool {
        self.target.contains('?')
    }

    /// The value of the first parameter of this name in the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        percent_decode_str(value).decode_utf8().ok()
    }

    /// The URL of `target` (which begins with a slash) below this one, whose own query is left out.
    ///
    /// # Errors
    /// As for [`HttpUrl::parse`].
    pub fn below(&self, target: &str) -> Result<Self, UrlError> {
        let path = self.path().trim_end_matches('/');
        Self::parse(&format!("{}{path}{target}", self.base))
    }

    fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.base, self.path())
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_in_one_spelling() {
        for (text, shown, name, port, target) in [
            ("http://127.0.0.1:9000/b/k?a=b", "http://127.0.0.1:9000/b/k", "127.0.0.1", 9000, "/b/k?a=b"),
            ("HTTPS://Files.Example.com", "https://files.example.com/", "files.example.com", 443, "/"),
            ("http://h?x=%20y", "http://h/", "h", 80, "/?x=%20y"),
            ("https://[0:0::1]:81/%C3%A4", "https://[::1]:81/%C3%A4", "::1", 81, "/%C3%A4"),
            ("http://h/a://b?c=http://d", "http://h/a://b", "h", 80, "/a://b?c=http://d"),
        ] {
            let url = HttpUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown, "{text}");
            assert_eq!((url.name(), url.port(), url.target()), (name, port, target), "{text}");
            assert_eq!(format!("{url:?}"), shown, "a query may sign, and is not shown");
        }
        let url = HttpUrl::parse("http://h/p?X-Amz-Date=20260101T000000Z&e=&X-Amz-Date=x&s=a%2Bb").unwrap();
        assert_eq!(url.parameter("X-Amz-Date").as_deref(), Some("20260101T000000Z"));
        assert_eq!((url.parameter("s").as_deref(), url.parameter("e").as_deref()), (Some("a+b"), Some("")));
        assert_eq!(url.parameter("missing"), None);
        assert_eq!(HttpUrl::parse("http://[::1]/").unwrap().address(), Some("::1".parse().unwrap()));
        assert_eq!(HttpUrl::parse("http://h/").unwrap().address(), None);
    }

    #[test]
    fn what_stands_below_a_url() {
        for (base, expected) in [
            ("http://h:81", "http://h:81/s3/parts"),
            ("http://h:81/", "http://h:81/s3/parts"),
            ("https://h/wharf/?x=y", "https://h/wharf/s3/parts"),
        ] {
            let url = HttpUrl::parse(base).unwrap().below("/s3/parts?a=b").unwrap();
            assert_eq!((url.to_string().as_str(), url.has_query()), (expected, true));
        }
        assert_eq!(HttpUrl::parse("http://h").unwrap().below("/a b"), Err(UrlError::Target));
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        let long = format!("http://h/{}", "a".repeat(URL_MAX_BYTES));
        for (text, error) in [
            ("", UrlError::Base),
            ("/path", UrlError::Base),
            ("ftp://h/", UrlError::Base),
            ("file:///etc/passwd", UrlError::Base),
            ("gopher://127.0.0.1:6379/_x", UrlError::Base),
            ("http:///", UrlError::Base),
            ("http://user@h/", UrlError::Base),
            ("http://user:secret@h/", UrlError::Base),
            ("http://127.0.0.1@evil.example/", UrlError::Base),
            ("http://evil.example\\@127.0.0.1/", UrlError::Base),
            ("http://h:0/", UrlError::Base),
            ("http://h:99999/", UrlError::Base),
            ("http://2130706433/", UrlError::Base),
            ("http://0x7f000001/", UrlError::Base),
            ("http://0X7F.0.0.0x1/", UrlError::Base),
            ("http://127.1/", UrlError::Base),
            ("http://0177.0.0.1/", UrlError::Base),
            ("http://127.0.0.1./", UrlError::Base),
            ("http://[::1%25lo]/", UrlError::Base),
            ("http://[::ffff:127.0.0.1/", UrlError::Base),
            ("http://①②⑦.⓪.⓪.①/", UrlError::Base),
            ("http://h/#fragment", UrlError::Fragment),
            ("http://h/a b", UrlError::Target),
            ("http://h/a\r\nX: y", UrlError::Target),
            ("http://h/ä", UrlError::Target),
            (&long, UrlError::TooLong),
        ] {
            assert_eq!(HttpUrl::parse(text), Err(error), "{text}");
        }
    }
}
