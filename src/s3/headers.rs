//! What clients say of an object in headers, and giving it back.
//!
//! Values are kept as they came. Those that are not UTF-8 are stored byte by byte as characters behind a NUL, which no header
//! can contain, and come back as the same bytes. The encoded words of RFC 2047 are neither made nor read.

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::call::{set, single};
use super::error::{Code, Error};
use crate::base::digest::{ChecksumAlgorithm, ChecksumType};
use crate::base::limits::USER_METADATA_MAX_BYTES;
use crate::store::types::{Attributes, ObjectChecksum, ObjectInfo};

/// The prefix of user metadata.
const USER: &str = "x-amz-meta-";
/// What an object without a type is said to be.
const DEFAULT_TYPE: &str = "binary/octet-stream";
/// Algorithms that S3 has and wharf does not.
const UNBUILT_ALGORITHMS: [&str; 5] = ["MD5", "SHA512", "XXHASH3", "XXHASH64", "XXHASH128"];
const NOT_UTF8: char = '\0';

/// Headers that are stored with an object, and the parameter with which a signed GET overrides each.
const STORED: [(HeaderName, &str); 6] = [
    (CONTENT_TYPE, "response-content-type"),
    (CACHE_CONTROL, "response-cache-control"),
    (CONTENT_DISPOSITION, "response-content-disposition"),
    (CONTENT_ENCODING, "response-content-encoding"),
    (CONTENT_LANGUAGE, "response-content-language"),
    (EXPIRES, "response-expires"),
];

/// Reads the attributes of an object to be from its request.
///
/// # Errors
/// `MetadataTooLarge` when the names and values of the user's metadata exceed 2 KiB together, and for tags that are none.
pub fn attributes(headers: &HeaderMap) -> Result<Attributes, Error> {
    let mut attributes = Attributes::default();
    for (name, _) in &STORED {
        let Some(mut value) = joined(headers, name) else { continue };
        if *name == CONTENT_ENCODING {
            value = without_aws_chunked(&value);
        }
        if !value.is_empty() {
            attributes.headers.push((name.as_str().to_owned(), value));
        }
    }
    let mut size = 0;
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix(USER).filter(|short| !short.is_empty()) else { continue };
        let value = joined(headers, name).unwrap_or_default();
        size += short.len() + value.len();
        attributes.user_metadata.push((short.to_owned(), value));
    }
    if size > USER_METADATA_MAX_BYTES {
        return Err(Error::new(Code::METADATA_TOO_LARGE)
            .with("Size", size.to_string())
            .with("MaxSizeAllowed", USER_METADATA_MAX_BYTES.to_string()));
    }
    attributes.tags = super::tags::from_header(headers)?;
    Ok(attributes)
}

/// All values of a header, as RFC 9110 section 5.3 joins them.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let bytes = Some(values.join(&b","[..])).filter(|_| !values.is_empty())?;
    Some(String::from_utf8(bytes).unwrap_or_else(|error| {
        [NOT_UTF8].into_iter().chain(error.as_bytes().iter().map(|byte| char::from(*byte))).collect()
    }))
}

fn header_value(stored: &str) -> Option<HeaderValue> {
    match stored.strip_prefix(NOT_UTF8) {
        None => HeaderValue::from_bytes(stored.as_bytes()).ok(),
        Some(characters) => {
            let bytes: Option<Vec<u8>> = characters.chars().map(|character| u8::try_from(character).ok()).collect();
            HeaderValue::from_bytes(&bytes?).ok()
        }
    }
}

/// Content-Encoding without the framing of the request, which is not the object's.
fn without_aws_chunked(value: &str) -> String {
    let is_framing = |coding: &&str| coding.eq_ignore_ascii_case("aws-chunked");
    let codings = value.split(',').map(str::trim).filter(|coding| !coding.is_empty());
    if !codings.clone().any(|coding| is_framing(&coding)) {
        return value.to_owned();
    }
    codings.filter(|coding| !is_framing(coding)).collect::<Vec<_>>().join(",")
}

/// Puts what is known of an object on an answer: attributes, ETag, date.
pub fn describe(headers: &mut HeaderMap, info: &ObjectInfo) {
    set(headers, "content-type", DEFAULT_TYPE);
    let stored = info.attributes.headers.iter().map(|(name, value)| (name.clone(), value));
    let user = info.attributes.user_metadata.iter().map(|(name, value)| (format!("{USER}{name}"), value));
    for (name, value) in stored.chain(user) {
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), header_value(value)) {
            headers.insert(name, value);
        }
    }
    set(headers, "etag", &info.etag.quoted());
    set(headers, "last-modified", &info.modified.http_date());
    set(headers, "accept-ranges", "bytes");
}

/// Puts an object's checksum on an answer.
pub fn checksum(headers: &mut HeaderMap, checksum: &ObjectChecksum) {
    set(headers, checksum.value.algorithm().header(), &checksum.text());
    set(headers, "x-amz-checksum-type", checksum.kind.name());
}

/// Applies the `response-*` parameters of a GET to its answer.
///
/// # Errors
/// `InvalidRequest` for a request nobody signed, `InvalidArgument` for a value that cannot stand in a header.
pub fn override_response(headers: &mut HeaderMap, query: &super::query::Query, signed: bool) -> Result<(), Error> {
    for (name, parameter) in STORED {
        let Some(value) = query.get(parameter) else { continue };
        if !signed {
            let message = "Request specific response headers cannot be used for anonymous GET requests.";
            return Err(Error::invalid_request(message));
        }
        let parsed = HeaderValue::from_bytes(value.as_bytes());
        let parsed = parsed.map_err(|_| Error::argument("A header cannot have this value.", parameter, value))?;
        headers.insert(name, parsed);
    }
    Ok(())
}

/// Reads `x-amz-checksum-algorithm`.
///
/// # Errors
/// `InvalidRequest` for an unknown algorithm, `NotImplemented` for those that S3 has and wharf does not.
pub fn checksum_algorithm(headers: &HeaderMap) -> Result<Option<ChecksumAlgorithm>, Error> {
    let Some(name) = single(headers, "x-amz-checksum-algorithm")? else { return Ok(None) };
    if UNBUILT_ALGORITHMS.iter().any(|unbuilt| unbuilt.eq_ignore_ascii_case(name)) {
        return Err(Error::not_implemented("x-amz-checksum-algorithm", "this checksum algorithm"));
    }
    let algorithm = ChecksumAlgorithm::from_name(name).ok_or_else(|| {
        let message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
                       CRC32C, CRC64NVME, SHA1, SHA256]";
        Error::invalid_request(message)
    })?;
    Ok(Some(algorithm))
}

/// Reads `x-amz-checksum-type`.
///
/// # Errors
/// `InvalidRequest` for an unknown type.
pub fn checksum_type(text: Option<&str>) -> Result<Option<ChecksumType>, Error> {
    let known = [ChecksumType::Composite, ChecksumType::FullObject];
    let find = |text: &str| known.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text));
    let Some(text) = text else { return Ok(None) };
    find(text).map(Some).ok_or_else(|| Error::invalid_request("Value for x-amz-checksum-type header is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::digest::{Checksum, ChecksumAlgorithm};
    use crate::s3::query::Query;
    use crate::store::types::{ETag, ObjectKey};

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn given_back(attributes: Attributes) -> HeaderMap {
        let info = ObjectInfo {
            key: ObjectKey::parse("k").unwrap(),
            revision: 1,
            size: 3,
            etag: ETag::of_body([0xab; 16]),
            modified: Timestamp(1_440_938_160_007),
            attributes,
            checksum: ObjectChecksum {
                value: Checksum::of(ChecksumAlgorithm::Crc32, b"abc"),
                kind: ChecksumType::FullObject,
                parts: None,
            },
            parts: None,
        };
        let mut out = HeaderMap::new();
        describe(&mut out, &info);
        out
    }

    #[test]
    fn attributes_come_back_byte_for_byte() {
        let sent = headers(&[
            ("content-type", b"text/plain; charset=utf-8"),
            ("expires", b"0"),
            ("cache-control", b"no-cache"),
            ("x-amz-meta-utf8", "Grüße".as_bytes()),
            ("x-amz-meta-latin1", b"Hello World\xe9"),
            ("x-amz-meta-twice", b"1"),
            ("x-amz-meta-twice", b"2"),
            ("x-amz-meta-empty", b""),
        ]);
        let back = given_back(attributes(&sent).unwrap());
        for name in
            ["content-type", "expires", "cache-control", "x-amz-meta-utf8", "x-amz-meta-latin1", "x-amz-meta-empty"]
        {
            assert_eq!(back.get(name), sent.get(name), "{name}");
        }
        assert_eq!(back["x-amz-meta-twice"], "1,2");
        assert_eq!(back["etag"], "\"abababababababababababababababab\"");
        assert_eq!(back["last-modified"], "Sun, 30 Aug 2015 12:36:00 GMT");
    }

    #[test]
    fn defaults() {
        let back = given_back(attributes(&HeaderMap::new()).unwrap());
        assert_eq!(back["content-type"], "binary/octet-stream");
        assert!(!back.contains_key("content-encoding"));
    }

    #[test]
    fn aws_chunked_is_not_the_objects() {
        for (sent, stored) in [
            ("aws-chunked", None),
            ("gzip, aws-chunked", Some("gzip")),
            ("AWS-Chunked,gzip,br", Some("gzip,br")),
            ("gzip, br", Some("gzip, br")),
        ] {
            let back = given_back(attributes(&headers(&[("content-encoding", sent.as_bytes())])).unwrap());
            assert_eq!(back.get("content-encoding").map(|value| value.to_str().unwrap()), stored);
        }
    }

    #[test]
    fn two_kib_of_metadata() {
        let sized = |size: usize| attributes(&headers(&[("x-amz-meta-k", "v".repeat(size).as_bytes())])).map(drop);
        assert!(sized(2047).is_ok());
        assert_eq!(sized(2048).unwrap_err().code(), Code::METADATA_TOO_LARGE);
    }

    #[test]
    fn overrides_need_a_signature() {
        let query = Query::parse("response-content-type=text%2Fhtml&response-expires=x").unwrap();
        let mut out = HeaderMap::new();
        override_response(&mut out, &query, true).unwrap();
        assert_eq!(
            (&out["content-type"], &out["expires"]),
            (&HeaderValue::from_static("text/html"), &HeaderValue::from_static("x"))
        );
        assert!(override_response(&mut out, &query, false).is_err());
        let split = Query::parse("response-content-type=a%0d%0ab").unwrap();
        assert_eq!(override_response(&mut out, &split, true).unwrap_err().code(), Code::INVALID_ARGUMENT);
    }
}
