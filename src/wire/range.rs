//! The Range header as S3 understands it (RFC 9110 section 14).
//!
//! One range in bytes is honoured. Several ranges, another unit and anything malformed are ignored, so that the whole
//! object is answered: RFC 9110 allows it and S3 does it.

/// One range of bytes, not yet measured against a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From this offset to the end: `bytes=5-`.
    From(u64),
    /// From the first offset to the second, both included: `bytes=5-9`.
    Between(u64, u64),
    /// This many bytes at the end: `bytes=-5`.
    Last(u64),
}

/// The range lies outside: the answer is 416.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range lies outside of the {length} bytes")]
pub struct Unsatisfiable {
    /// The length the range was measured against.
    pub length: u64,
}

impl Unsatisfiable {
    /// The Content-Range header of a 416.
    pub fn content_range(self) -> String {
        format!("bytes */{}", self.length)
    }
}

impl ByteRange {
    /// Reads the value of a Range header; `None` when it is to be ignored. Numbers beyond 64 bits count as the largest.
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, range) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim_matches([' ', '\t']).split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The first and the last byte, both included, of a representation of `length` bytes.
    pub fn resolve(self, length: u64) -> Result<(u64, u64), Unsatisfiable> {
        let outside = Unsatisfiable { length };
        let end = length.checked_sub(1).ok_or(outside)?;
        let (first, last) = match self {
            Self::From(first) => (first, end),
            Self::Between(first, last) => (first, last.min(end)),
            Self::Last(0) => return Err(outside),
            Self::Last(count) => (length.saturating_sub(count), end),
        };
        if first > end { Err(outside) } else { Ok((first, last)) }
    }
}

/// The Content-Range header of a 206.
pub fn content_range(first: u64, last: u64, length: u64) -> String {
    format!("bytes {first}-{last}/{length}")
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood() {
        // The examples of RFC 9110 section 14.1.2, on 10,000 bytes.
        for (value, expected) in [
            ("bytes=0-499", (0, 499)),
            ("bytes=500-999", (500, 999)),
            ("bytes=-500", (9500, 9999)),
            ("bytes=9500-", (9500, 9999)),
            ("Bytes=0-0", (0, 0)),
            ("bytes=-99999999999999999999999", (0, 9999)),
            ("bytes=9999-99999999999999999999999", (9999, 9999)),
        ] {
            assert_eq!(ByteRange::parse(value).unwrap().resolve(10_000), Ok(expected), "{value}");
        }
    }

    #[test]
    fn anything_else_is_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2,4-5",
            "bytes=1-2,",
            "lines=1-2",
            "bytes=1--2",
            "bytes=--2",
            "bytes=1 - 2",
            "bytes:1-2",
            "bytes=0x1-2",
            "bytes=\u{661}-2",
        ] {
            assert_eq!(ByteRange::parse(value), None, "{value}");
        }
    }

    #[test]
    fn outside_is_unsatisfiable() {
        let none = Err(Unsatisfiable { length: 0 });
        assert_eq!(ByteRange::From(0).resolve(0), none);
        assert_eq!(ByteRange::Last(5).resolve(0), none);
        assert_eq!(ByteRange::Last(0).resolve(7), Err(Unsatisfiable { length: 7 }));
        assert_eq!(ByteRange::From(7).resolve(7).unwrap_err().content_range(), "bytes */7");
        assert_eq!(content_range(1, 2, 7), "bytes 1-2/7");
    }
}
