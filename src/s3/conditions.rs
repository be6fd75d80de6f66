//! Conditions on requests: of reads by RFC 9110 section 13, of writes and deletes as far as S3 has them.
//!
//! Absent on purpose: Amazon S3 also refuses a complete under `If-None-Match: *` when the key was deleted since the upload began.
//! What is deleted leaves no trace here, so it is judged by what stands there at the commit.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>.

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue};

use super::call::single;
use super::error::{Code, Error};
use super::query::Query;
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

/// The condition of a write: `If-None-Match: *` or `If-Match` with one tag, which is compared strongly.
///
/// # Errors
/// `NotImplemented` for the forms S3 does not take.
pub fn of_write(headers: &HeaderMap) -> Result<Option<Condition>, Error> {
    match (filled(headers, "If-None-Match")?, filled(headers, "If-Match")?) {
        (None, None) => Ok(None),
        (Some("*"), None) => Ok(Some(Condition::Absent)),
        (Some(_), None) => Err(unaccepted("If-None-Match")),
        (None, Some("*")) => Err(unaccepted("If-Match")),
        (None, Some(tag)) => matching(tag).map(Some).ok_or_else(|| unaccepted("If-Match")),
        (Some(_), Some(_)) => {
            let message = "Multiple conditional request headers present in the request";
            Err(Error::new(Code::NOT_IMPLEMENTED)
                .with("Header", "If-Match,If-None-Match")
                .with("additionalMessage", message))
        }
    }
}

/// The condition of a delete: `If-Match` with one tag or with `*`.
///
/// # Errors
/// `NotImplemented` for the forms S3 does not take, among them a condition on a version that the request names.
pub fn of_delete(headers: &HeaderMap, query: &Query) -> Result<Option<Condition>, Error> {
    if headers.contains_key(IF_NONE_MATCH) {
        return Err(unaccepted("If-None-Match"));
    }
    let Some(tag) = filled(headers, "If-Match")? else { return Ok(None) };
    if query.get("versionId").is_some() {
        return Err(unaccepted("If-Match"));
    }
    of_tag(tag).map(Some).ok_or_else(|| unaccepted("If-Match"))
}

/// The condition that an object with this tag stands there, or any for `*`; none for what is a list.
pub fn of_tag(tag: &str) -> Option<Condition> {
    if tag == "*" { Some(Condition::Present) } else { matching(tag) }
}

/// What is no tag of ours is no tag of any object; only a list would have to be understood.
fn matching(tag: &str) -> Option<Condition> {
    let condition = ETag::parse(tag).map_or(Condition::MatchesNone, Condition::Matches);
    (!tag.contains(',')).then_some(condition)
}

/// The value of a header that conditions a change. One that is there and empty is no condition that could be left out.
fn filled<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    match single(headers, name)? {
        None if headers.contains_key(name) => Err(unaccepted(name)),
        value => Ok(value),
    }
}

fn unaccepted(header: &str) -> Error {
    let message = format!("We don't accept the provided value of {header} header for this API");
    Error::new(Code::NOT_IMPLEMENTED).with("Header", header).with("additionalMessage", message)
}

/// Judges the condition of a write before its body is asked for, so that a large body is not sent in vain. The commit judges
/// it again, and for good.
pub fn foresee(condition: Option<&Condition>, current: Result<ObjectInfo, StoreError>) -> Result<(), Error> {
    let Some(condition) = condition else { return Ok(()) };
    match (condition, current) {
        (Condition::Absent, Err(StoreError::NotFound(Missing::Object))) | (Condition::Present, Ok(_)) => Ok(()),
        (Condition::Matches(tag), Ok(info)) if info.etag == *tag => Ok(()),
        (Condition::Absent | Condition::Matches(_) | Condition::MatchesNone, Ok(_)) => {
            Err(explain(Some(condition), StoreError::Precondition))
        }
        (_, Err(error)) => Err(error.into()),
    }
}

/// The failure of a change under a condition, which is named where it is the reason.
pub fn explain(condition: Option<&Condition>, error: StoreError) -> Error {
    let Some(condition) = condition else { return error.into() };
    let name = match condition {
        Condition::Absent => "If-None-Match",
        Condition::Present | Condition::Matches(_) | Condition::MatchesNone => "If-Match",
    };
    match error {
        StoreError::Precondition => Error::new(Code::PRECONDITION_FAILED).with("Condition", name),
        StoreError::Conflict => Error::new(Code::CONDITIONAL_REQUEST_CONFLICT).with("Condition", name),
        other => other.into(),
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

/// Seconds since 1970 of a date in one of the three forms of RFC 9110 section 5.6.7, or with a zone as RFC 5322 has it.
fn http_date(text: &str) -> Option<u64> {
    if let Ok(date) = httpdate::parse_http_date(text) {
        return date.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs());
    }
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
            // The two older forms of RFC 9110 section 5.6.7.
            (&[("if-unmodified-since", "Sunday, 30-Aug-15 12:35:59 GMT")], 412),
            (&[("if-unmodified-since", "Sun Aug 30 12:35:59 2015")], 412),
            (&[("if-unmodified-since", "Sun Aug 30 12:36:00 2015")], 200),
            (&[("if-unmodified-since", "Sun, 30 Aug 2015 14:35:59 +0200")], 412),
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
        assert_eq!(of(&[("if-match", "abababababababababababababababab")]), Ok(Some(Condition::Matches(info().etag))));
        for tag in ["nonsense", "W/\"abababababababababababababababab\"", "\"*\"", "\"abab\""] {
            assert_eq!(of(&[("if-match", tag)]), Ok(Some(Condition::MatchesNone)), "{tag}");
        }
        for pairs in [
            &[("if-none-match", TAG)][..],
            &[("if-match", "*")],
            &[("if-match", "\"x\", \"y\"")],
            &[("if-match", "")],
            &[("if-none-match", "")],
            &[("if-none-match", "*"), ("if-match", TAG)],
            &[("if-none-match", TAG), ("if-match", TAG)],
        ] {
            assert_eq!(of(pairs), Err("NotImplemented"), "{pairs:?}");
        }
    }

    #[test]
    fn deletes() {
        let of = |pairs: &[_], query: &str| {
            of_delete(&headers(pairs), &Query::parse(query).unwrap()).map_err(|error| error.code().name)
        };
        assert_eq!(of(&[], "versionId=null"), Ok(None));
        assert_eq!(of(&[("if-match", "*")], ""), Ok(Some(Condition::Present)));
        assert_eq!(of(&[("if-match", TAG)], ""), Ok(Some(Condition::Matches(info().etag))));
        assert_eq!(of(&[("if-match", "nonsense")], ""), Ok(Some(Condition::MatchesNone)));
        assert_eq!(of(&[("if-match", TAG)], "versionId=null"), Err("NotImplemented"));
        assert_eq!(of(&[("if-match", "\"x\",\"y\"")], ""), Err("NotImplemented"));
        assert_eq!(of(&[("if-none-match", "*")], ""), Err("NotImplemented"));
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
        assert_eq!(code(Some(&Condition::MatchesNone), absent()), Err("NoSuchKey"));
        assert_eq!(code(Some(&Condition::MatchesNone), Ok(info())), Err("PreconditionFailed"));
        assert_eq!(code(Some(&Condition::Present), absent()), Err("NoSuchKey"));
    }

    #[test]
    fn lost_races_are_conflicts_of_the_condition() {
        let code = |condition: Option<&Condition>, error| explain(condition, error).code().name;
        assert_eq!(code(Some(&Condition::Absent), StoreError::Conflict), "ConditionalRequestConflict");
        assert_eq!(code(None, StoreError::Conflict), "OperationAborted");
        assert_eq!(code(Some(&Condition::Absent), StoreError::Full), "InsufficientStorage");
    }
}
