//! Tags of objects and buckets: the header and the document that carry them, and what they may be.
//!
//! A set of tags is ordered by its keys, whatever the order it came in.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Tag.html>.

use http::HeaderMap;

use super::address::percent_decode;
use super::call::single;
use super::error::{Code, Error};
use super::xml::{self, Document, Element};
use crate::base::limits::{BUCKET_TAGS_MAX, OBJECT_TAGS_MAX, TAG_KEY_MAX_CHARACTERS, TAG_VALUE_MAX_CHARACTERS};

/// The header with the tags of an object to be, as a URL query.
pub const HEADER: &str = "x-amz-tagging";
/// The root of a document with tags.
const ROOT: &str = "Tagging";
/// Keys that begin so are Amazon's own.
const RESERVED: &str = "aws:";

/// A set of tags: key and value, each key once.
pub type Tags = Vec<(String, String)>;

/// What tags stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// An object.
    Object,
    /// A bucket.
    Bucket,
}

/// Reads the tags of an object to be; none where the header is absent or empty.
///
/// # Errors
/// `InvalidArgument` for what is no such query, and as [`check`].
pub fn from_header(headers: &HeaderMap) -> Result<Tags, Error> {
    let Some(text) = single(headers, HEADER)? else { return Ok(Vec::new()) };
    let mut tags = Tags::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        match read_pair(pair) {
            Some((key, value)) if tags.iter().all(|(known, _)| *known != key) => tags.push((key, value)),
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
    check(tags, Tagged::Object)
}

/// One parameter of the header: a value may be left out, and an equals sign in it has to be encoded.
fn read_pair(pair: &str) -> Option<(String, String)> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    (!value.contains('=')).then_some((decode(key)?, decode(value)?))
}

/// Reads the document of a request. One without a set of tags has none.
///
/// # Errors
/// `MissingRequestBodyError`, `MalformedXML`, and as [`check`].
pub fn from_document(body: &[u8], of: Tagged) -> Result<Tags, Error> {
    if body.is_empty() {
        return Err(Code::MISSING_REQUEST_BODY.into());
    }
    let root = xml::parse(body, ROOT)?;
    only(&root, &["TagSet"])?;
    let mut sets = root.children.iter();
    let tags = match (sets.next(), sets.next()) {
        (None, _) => Tags::new(),
        (Some(set), None) => {
            only(set, &["Tag"])?;
            set.children.iter().map(read_tag).collect::<Result<_, _>>()?
        }
        (Some(_), Some(_)) => return Err(xml::malformed("a second set of tags")),
    };
    check(tags, of)
}

fn read_tag(tag: &Element) -> Result<(String, String), Error> {
    only(tag, &["Key", "Value"])?;
    match (tag.only_text("Key")?, tag.only_text("Value")?) {
        (Some(key), Some(value)) => Ok((key.to_owned(), value.to_owned())),
        _ => Err(xml::malformed("a tag needs a key and a value")),
    }
}

/// Every child has one of these names.
fn only(element: &Element, names: &[&str]) -> Result<(), Error> {
    match element.children.iter().all(|child| names.contains(&child.name.as_str())) {
        true => Ok(()),
        false => Err(xml::malformed("an unknown element")),
    }
}

/// The document with these tags, which [`from_document`] reads.
pub fn document(tags: &[(String, String)]) -> String {
    let mut document = Document::new(ROOT);
    document.element("TagSet", |set| {
        for (key, value) in tags {
            set.element("Tag", |tag| {
                tag.text("Key", key).text("Value", value);
            });
        }
    });
    document.finish()
}

/// Judges a set of tags, and orders it.
///
/// # Errors
/// `BadRequest` for too many, `InvalidTag` for a key or value that is too long, empty, reserved or given twice.
pub fn check(mut tags: Tags, of: Tagged) -> Result<Tags, Error> {
    let (max, too_many, reserved) = match of {
        Tagged::Object => {
            (OBJECT_TAGS_MAX, "Object tags cannot be greater than", "Your TagKey cannot be prefixed with aws:")
        }
        Tagged::Bucket => (
            BUCKET_TAGS_MAX,
            "Bucket tag count cannot be greater than",
            "System tags cannot be added/updated by requester",
        ),
    };
    if tags.len() > max {
        return Err(Error::new(Code::BAD_REQUEST).message(format!("{too_many} {max}")));
    }
    tags.iter().try_for_each(|(key, value)| check_tag(key, value, reserved))?;
    tags.sort();
    let twice = tags.windows(2).find_map(|pair| match pair {
        [(key, _), (next, _)] if key == next => Some(key),
        _ => None,
    });
    match twice {
        Some(key) => Err(invalid("Cannot provide multiple Tags with the same key", key)),
        None => Ok(tags),
    }
}

fn check_tag(key: &str, value: &str, reserved: &str) -> Result<(), Error> {
    if key.is_empty() || !is_within(key, TAG_KEY_MAX_CHARACTERS) {
        return Err(invalid("The TagKey you have provided is invalid", key));
    }
    if key.get(..RESERVED.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED)) {
        return Err(invalid(reserved, key));
    }
    if !is_within(value, TAG_VALUE_MAX_CHARACTERS) {
        return Err(invalid("The TagValue you have provided is invalid", key).with("TagValue", value));
    }
    Ok(())
}

fn invalid(message: &str, key: &str) -> Error {
    Error::new(Code::INVALID_TAG).message(message).with("TagKey", key)
}

/// At most so many letters, digits and spaces of any script, and `+ - = . _ : / @`.
fn is_within(text: &str, max: usize) -> bool {
    let allowed = |character: char| {
        let space = character.is_whitespace() && !character.is_control();
        space || character.is_alphanumeric() || "+-=._:/@".contains(character)
    };
    text.chars().count() <= max && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(text: &str) -> Result<Tags, &'static str> {
        let headers =
            HeaderMap::from_iter([(http::HeaderName::from_static(HEADER), HeaderValue::from_str(text).unwrap())]);
        from_header(&headers).map_err(|error| error.code().name)
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn tags_in_the_header() {
        assert_eq!(
            read("d=x+y&b=two%20words&c&&a=%C3%A9%3D"),
            Ok(vec![pair("a", "\u{e9}="), pair("b", "two words"), pair("c", ""), pair("d", "x y")])
        );
        assert_eq!(read(""), Ok(vec![]));
        for (text, code) in [
            ("a=1&a=2", "InvalidArgument"),
            ("a=1&%61=2", "InvalidArgument"),
            ("a=%ff", "InvalidArgument"),
            ("a=%2", "InvalidArgument"),
            ("key1=val1,key2=val2", "InvalidArgument"),
            ("=1", "InvalidTag"),
            ("aws:x=1", "InvalidTag"),
            ("AWS:x=1", "InvalidTag"),
            ("a=%26", "InvalidTag"),
            ("a=%0a", "InvalidTag"),
        ] {
            assert_eq!(read(text), Err(code), "{text}");
        }
    }

    #[test]
    fn ten_tags_of_128_and_256_characters() {
        let many = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
        assert_eq!(read(&many(10)).map(|tags| tags.len()), Ok(10));
        assert_eq!(read(&many(11)), Err("BadRequest"));
        assert!(read(&format!("{}={}", "%C3%A9".repeat(128), "v".repeat(256))).is_ok());
        assert_eq!(read(&format!("{}=v", "k".repeat(129))), Err("InvalidTag"));
        assert_eq!(read(&format!("k={}", "v".repeat(257))), Err("InvalidTag"));
    }

    #[test]
    fn documents() {
        let tags = vec![pair("a", ""), pair("b c", "+-=._:/@"), pair("\u{e9}", "\u{ccad}\u{d06c} 1")];
        for of in [Tagged::Object, Tagged::Bucket] {
            assert_eq!(from_document(document(&tags).as_bytes(), of).unwrap(), tags);
            assert_eq!(from_document(b"<Tagging/>", of).unwrap(), []);
            assert_eq!(from_document(b"<Tagging><TagSet/></Tagging>", of).unwrap(), []);
        }
        let many: Tags = (0..51).map(|n| pair(&format!("k{n:02}"), "v")).collect();
        let refused = |tags: &[_], of| from_document(document(tags).as_bytes(), of).map_err(|error| error.code().name);
        assert_eq!(refused(&many[..11], Tagged::Object), Err("BadRequest"));
        assert!(refused(&many[..50], Tagged::Bucket).is_ok());
        assert_eq!(refused(&many, Tagged::Bucket), Err("BadRequest"));
        assert_eq!(refused(&[pair("a", "1"), pair("b", "1"), pair("a", "2")], Tagged::Bucket), Err("InvalidTag"));
        assert_eq!(refused(&[pair("a,b", "1")], Tagged::Object), Err("InvalidTag"));
        assert_eq!(refused(&[pair("a", "1,2")], Tagged::Object), Err("InvalidTag"));
    }

    #[test]
    fn documents_that_are_none() {
        let tag = "<Tag><Key>a</Key><Value>b</Value></Tag>";
        for body in [
            " ".to_owned(),
            "<TagSet/>".to_owned(),
            "<Tagging><TagSet>".to_owned(),
            "<Tagging><TagSet/><TagSet/></Tagging>".to_owned(),
            format!("<Tagging>{tag}</Tagging>"),
            "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>".to_owned(),
            "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>".to_owned(),
            "<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key><Value>c</Value></Tag></TagSet></Tagging>".to_owned(),
            "<Tagging><TagSet><Tag><Key>a</Key><Value><b>c</b></Value></Tag></TagSet></Tagging>".to_owned(),
            "<Tagging><TagSet><Tag><Key>a</Key><Value>c</Value><What/></Tag></TagSet></Tagging>".to_owned(),
        ] {
            let refused = from_document(body.as_bytes(), Tagged::Object).map_err(|error| error.code().name);
            assert_eq!(refused, Err("MalformedXML"), "{body}");
        }
    }
}
