//! What clients say of an object in headers, and giving it back.
//!
//! Values are kept as they came. Those that are not UTF-8 are stored byte by byte as characters behind a NUL, which no header
//! can contain, and come back as the same bytes. The encoded words of RFC 2047 are neither made nor read.

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::call::{set, single};
use super::error::{Code, Error};
use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::base::limits::{REDIRECT_LOCATION_MAX_BYTES, USER_METADATA_MAX_BYTES};
use crate::store::types::{Attributes, ObjectChecksum, ObjectInfo};

/// The prefix of user metadata.
const USER: &str = "x-amz-meta-";
/// What an object without a type is said to be.
const DEFAULT_TYPE: &str = "binary/octet-stream";
const NOT_UTF8: char = '\0';
/// The header that names an object's storage class; stored with the object unless it is the default.
pub const STORAGE_CLASS: &str = "x-amz-storage-class";
/// The header that names where a website's readers of an object are sent; stored with the object.
pub const REDIRECT_LOCATION: &str = "x-amz-website-redirect-location";
/// The class of an object that names none.
const STANDARD: &str = "STANDARD";
/// Classes that differ in price and copies, not in how an object is read.
const CLASSES: [&str; 5] = ["REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];
/// Classes whose objects can only be read after RestoreObject.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

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
/// `MetadataTooLarge` when the names and values of the user's metadata exceed 2 KiB together, `InvalidStorageClass`,
/// `InvalidRedirectLocation`, and for tags that are none.
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
    for (name, value) in [(STORAGE_CLASS, requested_class(headers)?), (REDIRECT_LOCATION, redirect_location(headers)?)]
    {
        attributes.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
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

/// The storage class of an object or upload with these attributes.
pub fn storage_class(attributes: &Attributes) -> &str {
    let stored = attributes.headers.iter().find(|(name, _)| name == STORAGE_CLASS);
    stored.map_or(STANDARD, |(_, class)| class)
}

/// The storage class a request names, where it is not the default.
fn requested_class(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    match single(headers, STORAGE_CLASS)? {
        None | Some(STANDARD) => Ok(None),
        Some(class) if CLASSES.contains(&class) => Ok(Some(class)),
        Some(class) if ARCHIVES.contains(&class) => {
            Err(Error::not_implemented(STORAGE_CLASS, "storage classes that need RestoreObject"))
        }
        Some(class) => Err(Error::new(Code::INVALID_STORAGE_CLASS).with("StorageClassRequested", class)),
    }
}

fn redirect_location(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(location) = single(headers, REDIRECT_LOCATION)? else { return Ok(None) };
    if !["/", "http://", "https://"].iter().any(|prefix| location.starts_with(prefix)) {
        return Err(Code::INVALID_REDIRECT_LOCATION.into());
    }
    if location.len() > REDIRECT_LOCATION_MAX_BYTES {
        let message = "The length of website redirect location cannot exceed 2,048 characters.";
        return Err(Error::new(Code::INVALID_REDIRECT_LOCATION).message(message));
    }
    Ok(Some(location))
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

/// Content-Encoding without the framing of the request, which is not the object's. The rest stays as it was written.
fn without_aws_chunked(value: &str) -> String {
    let is_framing = |coding: &str| coding.trim().eq_ignore_ascii_case("aws-chunked");
    let kept: Vec<&str> = value.split(',').filter(|coding| !is_framing(coding)).collect();
    kept.join(",").trim().to_owned()
}

/// Puts what is known of an object on an answer: attributes, ETag, date, how many tags it has.
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
    if !info.attributes.tags.is_empty() {
        set(headers, "x-amz-tagging-count", &info.attributes.tags.len().to_string());
    }
}

/// Puts an object's checksum on an answer.
pub fn checksum(headers: &mut HeaderMap, checksum: &ObjectChecksum) {
    set(headers, checksum.value.algorithm().header(), &checksum.text());
    set(headers, "x-amz-checksum-type", checksum.kind.name());
}

/// Puts the checksum of one part on an answer, whose object's has this type.
pub fn part_checksum(headers: &mut HeaderMap, value: &Checksum, kind: ChecksumType) {
    set(headers, value.algorithm().header(), &value.to_base64());
    set(headers, "x-amz-checksum-type", kind.name());
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
    if ChecksumAlgorithm::is_unbuilt(name) {
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
    let Some(text) = text else { return Ok(None) };
    let invalid = || Error::invalid_request("Value for x-amz-checksum-type header is invalid.");
    ChecksumType::from_name(text).map(Some).ok_or_else(invalid)
}

#[cfg(test)]
mod tests;
