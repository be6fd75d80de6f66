//! The source of a copy: what `x-amz-copy-source` names, and the conditions on it.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>.

use http::HeaderMap;

use super::address::{key_too_long, percent_decode};
use super::call::{Call, filled, single};
use super::conditions::{date, explain, names};
use super::error::{Code, Error};
use super::permission::Place;
use crate::store::error::{Error as StoreError, Missing};
use crate::store::read::OpenObject;
use crate::store::types::{Bucket, BucketName, Condition, ObjectInfo, ObjectKey};

/// The header that makes a PUT a copy.
pub const HEADER: &str = "x-amz-copy-source";
const VERSION: &str = "?versionId=";
const ARN: &str = "arn:";

/// An object to be copied, in a bucket that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySource {
    /// Its bucket.
    pub bucket: Bucket,
    /// Its key.
    pub key: ObjectKey,
    /// Whether the sender may be told that it is not there.
    pub listable: bool,
}

impl CopySource {
    /// The source that a request names and may read.
    ///
    /// # Errors
    /// As [`parse`]; `AccessDenied`; `NoSuchBucket` of the source.
    pub fn of(call: &Call) -> Result<Self, Error> {
        let (name, key) = parse(single(&call.headers, HEADER)?.unwrap_or_default())?;
        let bucket = call.store().bucket(&name).map_err(|error| match error {
            StoreError::NotFound(Missing::Bucket) => Error::new(Code::NO_SUCH_BUCKET).with("BucketName", name.as_str()),
            other => other.into(),
        })?;
        let asking = call.asking();
        asking.permit("s3:GetObject", Place::Object(&bucket, &key))?;
        let listable = asking.may_list(&bucket, &key)?;
        Ok(Self { bucket, key, listable })
    }

    /// The source, with its bytes pinned.
    ///
    /// # Errors
    /// `NoSuchKey` of the source.
    pub fn open(&self, call: &Call) -> Result<OpenObject, Error> {
        call.store().open_object(&self.bucket, &self.key).map_err(|error| match error {
            StoreError::NotFound(Missing::Object) => self.missing(),
            other => other.into(),
        })
    }

    /// The failure of a copy under a condition on its target, where a missing source is named.
    pub fn explain(&self, condition: Option<&Condition>, error: StoreError) -> Error {
        match error {
            StoreError::NotFound(Missing::Source) => self.missing(),
            other => explain(condition, other),
        }
    }

    fn missing(&self) -> Error {
        match self.listable {
            true => Error::new(Code::NO_SUCH_KEY).with("Key", self.key.as_str()),
            false => Code::ACCESS_DENIED.into(),
        }
    }
}

/// Reads `/bucket/key` or `bucket/key`, percent-encoded once, perhaps with a version. A plus is a space, as clients that send
/// one unencoded have found AWS to read it (<https://github.com/aws/aws-sdk-js/issues/1821>).
///
/// # Errors
/// `InvalidArgument` for what is no such name, `InvalidBucketName`, `KeyTooLongError`, `NotImplemented` for versions and for
/// access points.
fn parse(text: &str) -> Result<(BucketName, ObjectKey), Error> {
    let malformed = || {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        Error::argument(message, HEADER, text)
    };
    let (path, version) = text.rsplit_once(VERSION).map_or((text, None), |(path, version)| (path, Some(version)));
    match version {
        None | Some("null") => {}
        Some("") => return Err(Error::argument("Version id cannot be the empty string", HEADER, text)),
        Some(_) => return Err(Error::argument("Invalid version id specified", HEADER, text)),
    }
    let path = percent_decode(&path.replace('+', " ")).ok_or_else(malformed)?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    if path.starts_with(ARN) {
        return Err(Error::not_implemented(HEADER, "access points"));
    }
    let (bucket, key) =
        path.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(malformed)?;
    let name =
        BucketName::parse(bucket).ok_or_else(|| Error::new(Code::INVALID_BUCKET_NAME).with("BucketName", bucket))?;
    let key = ObjectKey::parse(key).ok_or_else(|| key_too_long(key.len()))?;
    Ok((name, key))
}

/// A source as policies name it: `bucket/key`, whatever way it is written. What names none is refused by the operation.
pub fn plain(text: &str) -> String {
    parse(text).map_or_else(|_| text.to_owned(), |(bucket, key)| format!("{bucket}/{}", key.as_str()))
}

/// Judges the conditions on the source. As of reads, a tag outweighs a date; but every failure is a 412.
///
/// # Errors
/// `PreconditionFailed`.
pub fn check_conditions(headers: &HeaderMap, info: &ObjectInfo) -> Result<(), Error> {
    let modified = info.modified.seconds();
    let failed = |name: &str| Err(Error::new(Code::PRECONDITION_FAILED).with("Condition", name));
    let (matching, since) = ("x-amz-copy-source-if-match", "x-amz-copy-source-if-unmodified-since");
    match filled(headers, matching)? {
        Some(tags) if !names(tags, &info.etag) => return failed(matching),
        None if date(headers, since)?.is_some_and(|since| modified > since) => return failed(since),
        _ => {}
    }
    let (differing, since) = ("x-amz-copy-source-if-none-match", "x-amz-copy-source-if-modified-since");
    match filled(headers, differing)? {
        Some(tags) if names(tags, &info.etag) => failed(differing),
        None if date(headers, since)?.is_some_and(|since| modified <= since) => failed(since),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumType};
    use crate::store::types::{Attributes, ETag, ObjectChecksum};

    fn read(text: &str) -> Result<(String, String), &'static str> {
        let (bucket, key) = parse(text).map_err(|error| error.code().name)?;
        Ok((bucket.to_string(), key.as_str().to_owned()))
    }

    #[test]
    fn sources_in_every_spelling() {
        for (text, bucket, key) in [
            ("bkt/k", "bkt", "k"),
            ("/bkt/k", "bkt", "k"),
            ("bkt/a/b//c", "bkt", "a/b//c"),
            ("/bkt//k", "bkt", "/k"),
            ("bkt%2Fk%2Fl", "bkt", "k/l"),
            ("bkt/a%20b+c%2B%2525", "bkt", "a b c+%25"),
            ("bkt/%C3%A9", "bkt", "é"),
            ("bkt/k?versionId=null", "bkt", "k"),
            ("bkt/a%3FversionId=null", "bkt", "a?versionId=null"),
            ("bkt/a?b=c", "bkt", "a?b=c"),
        ] {
            assert_eq!(read(text), Ok((bucket.to_owned(), key.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_source() {
        let long = format!("bkt/{}", "k".repeat(1025));
        for (text, code) in [
            ("", "InvalidArgument"),
            ("/", "InvalidArgument"),
            ("bkt", "InvalidArgument"),
            ("bkt/", "InvalidArgument"),
            ("//k", "InvalidArgument"),
            ("bkt/%", "InvalidArgument"),
            ("bkt/%ff", "InvalidArgument"),
            ("bkt/k?versionId=", "InvalidArgument"),
            ("B_t/k", "InvalidBucketName"),
            (&long, "KeyTooLongError"),
            ("bkt/k?versionId=3HL4kqtJlcpXroDTDmJ", "InvalidArgument"),
            ("arn:aws:s3:us-west-2:123456789012:accesspoint/my/object/k", "NotImplemented"),
        ] {
            assert_eq!(read(text), Err(code), "{text}");
        }
    }

    #[test]
    fn conditions_by_the_table_of_the_documentation() {
        const TAG: &str = "\"abababababababababababababababab\"";
        const OTHER: &str = "\"x\"";
        const BEFORE: &str = "Sun, 30 Aug 2015 12:35:59 GMT";
        const EXACT: &str = "Sun, 30 Aug 2015 12:36:00 GMT";
        let value = Checksum::of(ChecksumAlgorithm::Crc32, b"abc");
        let info = ObjectInfo {
            key: ObjectKey::parse("k").unwrap(),
            revision: 1,
            size: 3,
            etag: ETag::of_body([0xab; 16]),
            modified: Timestamp(1_440_938_160_007),
            attributes: Attributes::default(),
            checksum: ObjectChecksum { value, kind: ChecksumType::FullObject, parts: None },
            parts: None,
        };
        for (pairs, holds) in [
            (&[][..], true),
            (&[("if-match", TAG)], true),
            (&[("if-match", "ABCORZ")], false),
            (&[("if-none-match", TAG)], false),
            (&[("if-none-match", OTHER)], true),
            (&[("if-unmodified-since", EXACT)], true),
            (&[("if-unmodified-since", BEFORE)], false),
            (&[("if-modified-since", BEFORE)], true),
            (&[("if-modified-since", EXACT)], false),
            // "If both ... are present and evaluate as follows, S3 returns 200 OK and copies the data."
            (&[("if-match", TAG), ("if-unmodified-since", BEFORE)], true),
            // "... returns the 412 Precondition Failed response code."
            (&[("if-none-match", TAG), ("if-modified-since", BEFORE)], false),
        ] {
            let header = |(name, value): &(&str, &'static str)| {
                let name = HeaderName::try_from(format!("x-amz-copy-source-{name}")).unwrap();
                (name, HeaderValue::from_static(value))
            };
            let headers: HeaderMap = pairs.iter().map(header).collect();
            let found = check_conditions(&headers, &info).map_err(|error| error.code().status);
            assert_eq!(found, if holds { Ok(()) } else { Err(412) }, "{pairs:?}");
        }
    }
}
