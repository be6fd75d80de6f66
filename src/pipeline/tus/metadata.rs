//! `Upload-Metadata`: what a client says of an upload, and what of it the object gets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::{UPLOAD_METADATA, text};
use crate::base::limits::{TUS_METADATA_MAX_BYTES, USER_METADATA_MAX_BYTES};
use crate::pipeline::call::object_key;
use crate::pipeline::error::Error;
use crate::pipeline::sessions::{encoded, header_text};
use crate::store::types::{Attributes, ObjectKey};

/// What clients call a file's name.
const FILE_NAMES: [&str; 2] = ["filename", "name"];
/// What they call its media type.
const CONTENT_TYPES: [&str; 3] = ["filetype", "contentType", "type"];
/// What says where the object goes.
const PLACES: [&str; 2] = ["bucket", "key"];

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// The header, as it came.
    pub(super) given: Option<String>,
    pairs: Vec<(String, Vec<u8>)>,
}

impl Metadata {
    /// Reads the header.
    ///
    /// # Errors
    /// 400 for one that is too long, a value that is no base64, and a name that is empty or given twice.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Error> {
        text(headers, &UPLOAD_METADATA)?.filter(|given| !given.is_empty()).map_or(Ok(Self::default()), Self::parse)
    }

    fn parse(given: &str) -> Result<Self, Error> {
        let wrong = |message: String| Error::field("Upload-Metadata", message);
        if given.len() > TUS_METADATA_MAX_BYTES {
            return Err(wrong(format!("must have at most {TUS_METADATA_MAX_BYTES} bytes")));
        }
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in given.split(',') {
            let pair = pair.trim();
            let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
            if name.is_empty() {
                return Err(wrong("has a value without a name".to_owned()));
            }
            if pairs.iter().any(|(known, _)| known == name) {
                return Err(wrong(format!("has {name} twice")));
            }
            let value = STANDARD.decode(value.trim()).map_err(|_| wrong(format!("has no base64 for {name}")))?;
            pairs.push((name.to_owned(), value));
        }
        Ok(Self { given: Some(given.to_owned()), pairs })
    }

    /// The texts of a JSON object; its other members are nothing that an object can have.
    pub(super) fn of_json(members: &Map<String, Value>) -> Self {
        let texts =
            members.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.as_bytes().to_vec())));
        Self { given: None, pairs: texts.collect() }
    }

    /// The inverse of [`Self::of_json`].
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
        self.pairs.iter().map(|(name, value)| (name.clone(), text(value).into())).collect()
    }

    /// The text of this name; none where it is empty.
    ///
    /// # Errors
    /// 400 where it is no UTF-8.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        let value = self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| std::str::from_utf8(value));
        let value = value.transpose().map_err(|_| Error::field(name, "is not UTF-8"))?;
        Ok(value.filter(|value| !value.is_empty()))
    }

    fn first_of(&self, names: &[&'static str]) -> Result<Option<(&'static str, &str)>, Error> {
        for name in names {
            if let Some(value) = self.text(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    /// The object's key: the one that is asked for; else the file's name, or `filename`, behind letters that are `unique`.
    ///
    /// # Errors
    /// 400 for one that is too long.
    pub(super) fn key(&self, unique: &str, filename: Option<&str>) -> Result<ObjectKey, Error> {
        if let Some(key) = self.text("key")? {
            return object_key("key", key);
        }
        let (field, name) = self.first_of(&FILE_NAMES)?.or(filename.map(|name| ("filename", name))).unwrap_or_default();
        object_key(field, &if name.is_empty() { unique.to_owned() } else { format!("{unique}-{name}") })
    }

    /// What the object gets of it: its media type, and as user metadata whatever a header can carry, up to S3's limit.
    ///
    /// # Errors
    /// 400 for a media type that cannot be a header.
    pub(super) fn attributes(&self) -> Result<Attributes, Error> {
        let mut attributes = Attributes::default();
        if let Some((name, kind)) = self.first_of(&CONTENT_TYPES)? {
            attributes.headers.push(("content-type".to_owned(), header_text(name, kind)?));
        }
        let known = |name: &str| [&FILE_NAMES[..], &CONTENT_TYPES, &PLACES].iter().any(|names| names.contains(&name));
        let mut bytes = 0_usize;
        for (name, value) in self.pairs.iter().filter(|(name, _)| !known(name)) {
            let Some((name, value)) = carried(name, value) else { continue };
            let more = name.len().saturating_add(value.len());
            let twice = attributes.user_metadata.iter().any(|(known, _)| *known == name);
            if !twice && bytes.saturating_add(more) <= USER_METADATA_MAX_BYTES {
                bytes = bytes.saturating_add(more);
                attributes.user_metadata.push((name, value));
            }
        }
        attributes.user_metadata.sort();
        Ok(attributes)
    }
}

/// A name and a value as headers carry them; none where they cannot.
fn carried(name: &str, value: &[u8]) -> Option<(String, String)> {
    let name = HeaderName::try_from(format!("x-amz-meta-{name}")).ok()?;
    let value = encoded(std::str::from_utf8(value).ok()?);
    HeaderValue::from_str(&value).ok()?;
    Some((name.as_str().trim_start_matches("x-amz-meta-").to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_object_gets() {
        let given = "filename Yi50eHQ=,filetype dGV4dC9wbGFpbg==,bucket dXBsb2Fkcw==,is_confidential,Titel R3LDvMOfZQ==,raw /w==,a@b eA==";
        let metadata = Metadata::parse(given).unwrap();
        assert_eq!(metadata.given.as_deref(), Some(given));
        assert_eq!(metadata.text("bucket").unwrap(), Some("uploads"));
        assert_eq!(metadata.text("is_confidential").unwrap(), None, "an empty value");
        assert_eq!(metadata.key("u", None).unwrap().as_str(), "u-b.txt");
        let attributes = metadata.attributes().unwrap();
        assert_eq!(attributes.headers, [("content-type".to_owned(), "text/plain".to_owned())]);
        let expected = [("is_confidential", ""), ("titel", "=?UTF-8?B?R3LDvMOfZQ==?=")];
        assert_eq!(attributes.user_metadata, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn keys() {
        let key =
            |given: &str, filename| Metadata::parse(given).unwrap().key("u", filename).unwrap().as_str().to_owned();
        assert_eq!(key("key YS9i,filename Yg==", None), "a/b");
        assert_eq!(key("name Yg==", Some("c")), "u-b");
        assert_eq!(key("x", Some("c")), "u-c");
        assert_eq!(key("x,filename", None), "u");
        let long = STANDARD.encode("x".repeat(1023));
        assert_eq!(Metadata::parse(&format!("filename {long}")).unwrap().key("u", None).unwrap_err().status(), 400);
        assert!(Metadata::parse("filename /w==").unwrap().key("u", None).is_err(), "no UTF-8");
    }

    #[test]
    fn malformed_headers() {
        let long = format!("a {}", "A".repeat(TUS_METADATA_MAX_BYTES));
        for bad in [",", "a,", "a,a", "a YQ==,a", "a !", "a YQ", "a YQ== YQ==", long.as_str()] {
            let parsed = Metadata::parse(bad);
            assert_eq!(parsed.as_ref().map_err(Error::status).err().map(|status| status.as_u16()), Some(400), "{bad}");
        }
        assert!(Metadata::parse("type a\u{7f}").is_err());
        assert_eq!(Metadata::parse("type YQo=").unwrap().attributes().unwrap_err().status(), 400, "a line end");
        assert_eq!(Metadata::read(&HeaderMap::new()).unwrap(), Metadata::default());
    }

    #[test]
    fn user_metadata_stops_at_its_limit() {
        let value = STANDARD.encode("x".repeat(1500));
        let metadata = Metadata::parse(&format!("a {value},b {value},c eA==")).unwrap();
        let names: Vec<_> = metadata.attributes().unwrap().user_metadata.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "c"]);
    }
}
