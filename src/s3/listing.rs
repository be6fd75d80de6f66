//! What the listings share: the encoding of names, page sizes, continuation tokens, common prefixes, and for the three
//! listings of objects the request, the page and the elements that all of them write.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::call::Call;
use super::error::Error;
use super::query::Query;
use super::xml::Document;
use crate::base::digest::{Checksum, ChecksumAlgorithm};
use crate::base::limits::LIST_PAGE_MAX;
use crate::store::types::{Bucket, Entry, ListPage, ListRequest, ObjectInfo};

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
            Some(method) if method.eq_ignore_ascii_case("url") => Ok(Self::Url),
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

/// The most entries a page may have: the number in the parameter `name`, or all that one page ever has.
///
/// # Errors
/// `InvalidArgument` for what is no number from 0 on.
pub fn page_size(query: &Query, name: &str) -> Result<usize, Error> {
    Ok(query.number(name, LIST_PAGE_MAX)?.unwrap_or(LIST_PAGE_MAX))
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

/// A page of a bucket's objects, and what was asked for.
#[derive(Debug)]
pub struct ObjectListing {
    bucket: Bucket,
    encoding: NameEncoding,
    request: ListRequest,
    page: ListPage<ObjectInfo>,
}

impl ObjectListing {
    /// The page after `after` that the query describes by prefix, delimiter, page size and encoding.
    ///
    /// # Errors
    /// `InvalidArgument` for parameters out of their range; what the store answers.
    pub fn read(call: &Call, bucket: Bucket, after: String) -> Result<Self, Error> {
        let query = &call.query;
        let encoding = NameEncoding::parse(query)?;
        let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let (prefix, delimiter, max) = (text("prefix"), text("delimiter"), page_size(query, "max-keys")?);
        let request = ListRequest { prefix, delimiter, after, max };
        let page = call.store().list_objects(&bucket, &request)?;
        Ok(Self { bucket, encoding, request, page })
    }

    /// A document that begins as all three begin.
    pub fn document(&self, root: &'static str) -> Document {
        let mut document = Document::new(root);
        document.text("Name", self.bucket.name.as_str()).text("Prefix", self.name(&self.request.prefix));
        document
    }

    /// A name as this listing writes it.
    pub fn name(&self, name: &str) -> String {
        self.encoding.write(name)
    }

    /// The keys and common prefixes of the page, in order.
    pub fn entries(&self) -> &[Entry<ObjectInfo>] {
        &self.page.entries
    }

    /// The last key or common prefix of the page, if it is not the last page.
    pub fn next(&self) -> Option<&str> {
        self.page.next.as_ref().map(|next| next.after.as_str())
    }

    /// The document, ended as all three end: each object in an element of this name, which begins with its key and with what
    /// `write_version` writes.
    pub fn finish(
        &self,
        mut document: Document,
        element: &str,
        bucket_owner: Option<&str>,
        write_version: fn(&mut Document),
    ) -> String {
        let delimiter = Some(&self.request.delimiter).filter(|delimiter| !delimiter.is_empty());
        document.value("MaxKeys", self.request.max).optional("Delimiter", delimiter.map(|text| self.name(text)));
        document.optional("EncodingType", self.encoding.element()).value("IsTruncated", self.next().is_some());
        write_entries(&mut document, &self.page.entries, self.encoding, |list, info| {
            list.element(element, |entry| {
                entry.text("Key", self.name(info.key.as_str()));
                write_version(entry);
                write_object(entry, info, bucket_owner);
            });
        });
        document.finish()
    }
}

/// What every listing says of an object besides its key.
fn write_object(entry: &mut Document, info: &ObjectInfo, bucket_owner: Option<&str>) {
    entry.text("LastModified", info.modified.iso8601()).text("ETag", info.etag.quoted());
    entry.text("ChecksumAlgorithm", info.checksum.value.algorithm().name());
    entry.text("ChecksumType", info.checksum.kind.name()).value("Size", info.size);
    if let Some(bucket_owner) = bucket_owner {
        entry.element("Owner", |element| {
            element.text("ID", info.attributes.owner.as_deref().unwrap_or(bucket_owner));
        });
    }
    entry.text("StorageClass", super::headers::storage_class(&info.attributes));
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
