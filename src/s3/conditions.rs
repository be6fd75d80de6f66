//! Conditions on requests: of reads by RFC 9110 section 13, of writes as far as S3 has them.

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue};

use super::call::single;
use super::error::{Code, Error};
use crate::store::error::{Error as StoreError, Missing};
use crate::store::types::{Condition, ETag, ObjectInfo};

/// Judges the conditions of a GET or HEAD of an object.
///
/// # Errors
/// `PreconditionFailed` (412), or `NotModified` (304) with the headers a cache refreshes itself from.
pub fn check_read(headers: &HeaderMap, info: &ObjectInfo) -> Result<(), Error> {
    let failed = |name: &str| Err(Error::new(Code::PRECONDITION_FAILED).with("Condition", name));
    let modified = info.modified.seconds();
    match single(headers, IF_MATCH.as_str())? {
        Some(tags) if !names(tags, &info.etag) => return failed("If-Match"),
        Some(_) => {}
        None => {
            if date(headers, IF_UNMODIFIED_SINCE.as_str())?.is_some_and(|since| modified > since) {
                return failed("If-Unmodified-Since");
            }
        }
    }
    let unchanged = match single(headers, IF_NONE_MATCH.as_str())? {
        Some(tags) => names(tags, &info.etag),
        None => date(headers, IF_MODIFIED_SINCE.as_str())?.is_some_and(|since| modified <= since),
    };
    if unchanged { Err(not_modified(info)) } else { Ok(()) }
}

/// Whether the Range header counts: it does not where If-Range names another state of the object.
pub fn range_counts(headers: &HeaderMap, info: &ObjectInfo) -> Result<bool, Error> {
    let Some(state) = single(headers, IF_RANGE.as_str())? else { return Ok(true) };
    Ok(match http_date(state) {
        Some(since) => info.modified.seconds() == since,
        None => !state.starts_with("W/") && state.trim_matches('"') == info.etag.to_string(),
    })
}

/// The condition of a write: `If-None-Match: *` or `If-Match` with one tag.
///
/// # Errors
/// `NotImplemented` for the forms S3 does not take, `PreconditionFailed` for a tag no object can have.
pub fn of_write(headers: &HeaderMap) -> Result<Option<Condition>, Error> {
    match (single(headers, IF_NONE_MATCH.as_str())?, single(headers, IF_MATCH.as_str())?) {
        (None, None) => Ok(None),
        (Some("*"), None) => Ok(Some(Condition::Absent)),
        (Some(_), _) => Err(Error::not_implemented("If-None-Match", "only If-None-Match: * alone conditions a write")),
        (None, Some("*")) => Err(Error::not_implemented("If-Match", "only one entity tag conditions a write")),
        (None, Some(tag)) => {
            let tag =
                ETag::parse(tag).ok_or_else(|| Error::new(Code::PRECONDITION_FAILED).with("Condition", "If-Match"))?;
            Ok(Some(Condition::Matches(tag)))
        }
    }
}

/// Judges the condition of a write before its body is asked for, so that a large body is not sent in vain. The commit judges
/// it again, and for good.
pub fn foresee(condition: Option<&Condition>, current: Result<ObjectInfo, StoreError>) -> Result<(), Error> {
    match (condition, current) {
        (None, _) | (Some(Condition::Absent), Err(StoreError::NotFound(Missing::Object))) => Ok(()),
        (Some(Condition::Absent), Ok(_)) => {
            Err(Error::new(Code::PRECONDITION_FAILED).with("Condition", "If-None-Match"))
        }
        (Some(Condition::Matches(tag)), Ok(info)) if info.etag == *tag => Ok(()),
        (Some(Condition::Matches(_)), Ok(_)) => {
            Err(Error::new(Code::PRECONDITION_FAILED).with("Condition", "If-Match"))
        }
        (Some(_), Err(error)) => Err(error.into()),
    }
}

fn not_modified(info: &ObjectInfo) -> Error {
    let mut described = HeaderMap::new();
    super::headers::describe(&mut described, info);
    let kept = described.into_iter().filter_map(|(name, value)| Some((name?, value)));
    kept.filter(|(name, _)| ["etag", "last-modified", "cache-control", "expires"].contains(&name.as_str()))
        .fold(Error::new(Code::NOT_MODIFIED), |error, (name, value): (_, HeaderValue)| error.header(name, value))
}

/// Whether a list of tags names this one. S3 compares weakly and takes tags without quotes.
pub(super) fn names(tags: &str, etag: &ETag) -> bool {
    let etag = etag.to_string();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == etag)
}

/// A date in seconds; what is no date counts as absent.
pub(super) fn date(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Error> {
    Ok(single(headers, name)?.and_then(http_date))
}

fn http_date(text: &str) -> Option<u64> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(text).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumType};
    use crate::store::types::{Attributes, ObjectChecksum, ObjectKey};

    const TAG: &str = "\"abababababababababababababababab\"";
    const BEFORE: &str = "Sun, 30 Aug 2015 12:35:59 GMT";
    const EXACT: &str = "Sun, 30 Aug 2015 12:36:00 GMT";

    fn info() -> ObjectInfo {
        let value = Checksum::of(ChecksumAlgorithm::Crc32, b"abc");
        ObjectInfo {
            key: ObjectKey::parse("k").unwrap(),
            revision: 1,
            size: 3,
            etag: ETag::of_body([0xab; 16]),
            modified: Timestamp(1_440_938_160_007),
            attributes: Attributes::default(),
            checksum: ObjectChecksum { value, kind: ChecksumType::FullObject, parts: None },
            parts: None,
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(header).collect()
    }

    #[test]
    fn reads() {
        for (pairs, status) in [
            (&[("if-match", TAG)][..], 200),
            (&[("if-match", "\"x\", abababababababababababababababab")], 200),
            (&[("if-match", "*")], 200),
            (&[("if-match", "\"x\"")], 412),
            (&[("if-match", TAG), ("if-unmodified-since", BEFORE)], 200),
            (&[("if-unmodified-since", BEFORE)], 412),
            (&[("if-unmodified-since", EXACT)], 200),
            (&[("if-none-match", TAG)], 304),
            (&[("if-none-match", "W/\"abababababababababababababababab\"")], 304),
            (&[("if-none-match", "\"x\""), ("if-modified-since", EXACT)], 200),
            (&[("if-modified-since", EXACT)], 304),
            (&[("if-modified-since", BEFORE)], 200),
            (&[("if-modified-since", "yesterday")], 200),
        ] {
            let found = check_read(&headers(pairs), &info()).map_or_else(|error| error.code().status, |()| 200);
            assert_eq!(found, status, "{pairs:?}");
        }
    }

    #[test]
    fn if_range() {
        for (state, counts) in [(TAG, true), ("\"x\"", false), (EXACT, true), (BEFORE, false)] {
            assert_eq!(range_counts(&headers(&[("if-range", state)]), &info()).unwrap(), counts, "{state}");
        }
    }

    #[test]
    fn writes() {
        let of = |pairs: &[_]| of_write(&headers(pairs)).map_err(|error| error.code().name);
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("if-none-match", "*")]), Ok(Some(Condition::Absent)));
        assert_eq!(of(&[("if-match", TAG)]), Ok(Some(Condition::Matches(info().etag))));
        assert_eq!(of(&[("if-match", "nonsense")]), Err("PreconditionFailed"));
        for pairs in [&[("if-none-match", TAG)][..], &[("if-match", "*")], &[("if-none-match", "*"), ("if-match", TAG)]]
        {
            assert_eq!(of(pairs), Err("NotImplemented"), "{pairs:?}");
        }
    }

    #[test]
    fn foreseen_writes() {
        let absent = || Err(StoreError::NotFound(Missing::Object));
        let other = Condition::Matches(ETag::of_body([0; 16]));
        let code = |condition, current| foresee(condition, current).map_err(|error| error.code().name);
        assert_eq!(code(Some(&Condition::Absent), absent()), Ok(()));
        assert_eq!(code(Some(&Condition::Absent), Ok(info())), Err("PreconditionFailed"));
        assert_eq!(code(Some(&other), Ok(info())), Err("PreconditionFailed"));
        assert_eq!(code(Some(&other), absent()), Err("NoSuchKey"));
        assert_eq!(code(None, absent()), Ok(()));
    }
}
