//! What the listings share: the encoding of names, continuation tokens and common prefixes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::Error;
use super::query::Query;
use super::xml::Document;
use crate::base::digest::{Checksum, ChecksumAlgorithm};
use crate::store::types::Entry;

/// All but the unreserved characters of RFC 3986 and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const CHECK_BYTES: usize = 4;

/// A key as it stands in the path of a URL.
pub fn encode_path(key: &str) -> String {
    utf8_percent_encode(key, ESCAPED).to_string()
}

/// How names are written in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameEncoding {
    /// As they are.
    Plain,
    /// Percent-encoded: `encoding-type=url`.
    Url,
}

impl NameEncoding {
    /// Reads `encoding-type`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything but `url`.
    pub fn parse(query: &Query) -> Result<Self, Error> {
        match query.get_filled("encoding-type") {
            None => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(other) => Err(Error::argument("Invalid Encoding Method specified in Request", "encoding-type", other)),
        }
    }

    /// A name as this listing writes it.
    pub fn write(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Url => encode_path(name),
        }
    }

    /// The `EncodingType` element's text.
    pub fn element(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Url => Some("url"),
        }
    }
}

/// A token for where the next page of the listing `scope` begins: opaque to clients, and no token of another listing.
pub fn token(scope: &str, after: &str) -> String {
    URL_SAFE_NO_PAD.encode([check(scope, after).as_slice(), after.as_bytes()].concat())
}

/// The inverse of [`token`].
///
/// # Errors
/// `InvalidArgument` for what is no token of this listing.
pub fn read_token(scope: &str, token: &str) -> Result<String, Error> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (found, after) = bytes.split_at_checked(CHECK_BYTES)?;
        let after = std::str::from_utf8(after).ok()?;
        (check(scope, after) == found).then(|| after.to_owned())
    };
    read().ok_or_else(|| Error::argument("The continuation token provided is incorrect", "continuation-token", token))
}

/// Catches tokens that were cut, mixed up or made up; it is no secret, since a token opens nothing that `start-after` would not.
fn check(scope: &str, after: &str) -> Vec<u8> {
    Checksum::of(ChecksumAlgorithm::Crc32c, format!("{scope}\0{after}").as_bytes()).bytes().to_vec()
}

/// Writes the entries of a page: items by `write_item`, then the common prefixes, as S3 orders them.
pub fn write_entries<T>(
    document: &mut Document,
    entries: &[Entry<T>],
    encoding: NameEncoding,
    mut write_item: impl FnMut(&mut Document, &T),
) {
    for entry in entries {
        if let Entry::Item(item) = entry {
            write_item(document, item);
        }
    }
    for entry in entries {
        if let Entry::CommonPrefix(prefix) = entry {
            document.element("CommonPrefixes", |group| {
                group.text("Prefix", encoding.write(prefix));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::Code;

    #[test]
    fn names_in_url_encoding() {
        assert_eq!(NameEncoding::Url.write("a b+c/(é)\u{1}~"), "a%20b%2Bc/%28%C3%A9%29%01~");
        assert_eq!(NameEncoding::Plain.write("a b"), "a b");
        assert!(NameEncoding::parse(&Query::parse("encoding-type=utf8").unwrap()).is_err());
    }

    #[test]
    fn tokens_are_of_one_listing() {
        let made = token("bkt", "a/ü\0");
        assert_eq!(read_token("bkt", &made).unwrap(), "a/ü\0");
        let cut = made.get(..made.len() - 2).unwrap();
        for (scope, token) in [("other", made.as_str()), ("bkt", cut), ("bkt", ""), ("bkt", "a b"), ("bkt", "AAAA")] {
            assert_eq!(read_token(scope, token).unwrap_err().code(), Code::INVALID_ARGUMENT, "{token}");
        }
    }
}
