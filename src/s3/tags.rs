//! Tags of objects and buckets: the header that carries them, and what they may be.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Tag.html>.

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::call::single;
use super::error::{Code, Error};
use crate::base::limits::{OBJECT_TAGS_MAX, TAG_KEY_MAX_CHARACTERS, TAG_VALUE_MAX_CHARACTERS};

/// The header with the tags of an object to be, as a URL query.
const HEADER: &str = "x-amz-tagging";

/// Reads the tags of an object to be; none where the header is absent or empty.
///
/// # Errors
/// `InvalidArgument` for what is no such query, and as [`check`].
pub fn from_header(headers: &HeaderMap) -> Result<Vec<(String, String)>, Error> {
    let Some(text) = single(headers, HEADER)? else { return Ok(Vec::new()) };
    let mut tags: Vec<(String, String)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
        };
        match (decode(key), decode(value)) {
            (Some(key), Some(value)) if tags.iter().all(|(known, _)| *known != key) => tags.push((key, value)),
            _ => {
                let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                               without tag name duplicates.";
                return Err(Error::argument(message, HEADER, text));
            }
        }
        if tags.len() > OBJECT_TAGS_MAX {
            break;
        }
    }
    check(&tags, OBJECT_TAGS_MAX, "Object")?;
    Ok(tags)
}

/// Judges tags of a thing that may have at most `max`.
///
/// # Errors
/// `BadRequest` for too many, `InvalidTag` for a key or value that is too long, empty, reserved or given twice.
pub fn check(tags: &[(String, String)], max: usize, of: &str) -> Result<(), Error> {
    if tags.len() > max {
        return Err(Error::new(Code::BAD_REQUEST).message(format!("{of} tags cannot be greater than {max}")));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        let invalid = |message: &str| Err(Error::new(Code::INVALID_TAG).message(message).with("TagKey", key.as_str()));
        if key.is_empty() || key.chars().count() > TAG_KEY_MAX_CHARACTERS {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > TAG_VALUE_MAX_CHARACTERS {
            return invalid("The TagValue you have provided is invalid");
        }
        if key.starts_with("aws:") {
            return invalid("System tags cannot be added/updated by requester");
        }
        if !key.chars().chain(value.chars()).all(is_allowed) {
            return invalid("The tag contains characters that tags cannot have");
        }
        if tags.iter().take(at).any(|(known, _)| known == key) {
            return invalid("Cannot provide multiple Tags with the same key");
        }
    }
    Ok(())
}

/// Letters, digits and spaces of any script, and `+ - = . _ : / @`.
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "+-=._:/@".contains(character)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, &'static str> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(HEADER),
            HeaderValue::from_str(text).expect("a header value"),
        )]);
        from_header(&headers).map_err(|error| error.code().name)
    }

    #[test]
    fn tags_in_the_header() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            read("a=1&b=two%20words&c&d=x+y"),
            Ok(vec![pair("a", "1"), pair("b", "two words"), pair("c", ""), pair("d", "x y")])
        );
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("a=1&a=2"), Err("InvalidArgument"));
        assert_eq!(read("a=%ff"), Err("InvalidArgument"));
        assert_eq!(read("=1"), Err("InvalidTag"));
        assert_eq!(read("aws:x=1"), Err("InvalidTag"));
        assert_eq!(read("a=%26"), Err("InvalidTag"));
    }

    #[test]
    fn ten_tags_of_128_and_256_characters() {
        let many = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
        assert_eq!(read(&many(10)).map(|tags| tags.len()), Ok(10));
        assert_eq!(read(&many(11)), Err("BadRequest"));
        assert!(read(&format!("{}={}", "k".repeat(128), "v".repeat(256))).is_ok());
        assert_eq!(read(&format!("{}=v", "k".repeat(129))), Err("InvalidTag"));
        assert_eq!(read(&format!("k={}", "v".repeat(257))), Err("InvalidTag"));
    }
}
