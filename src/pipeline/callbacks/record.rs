//! A callback as it is kept, in JSON, with members that later versions may add to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::or_null;
use crate::base::clock::Timestamp;
use crate::pipeline::generations::record::Owner;
use crate::store::error::Error as StoreError;
use crate::wire::url::HttpUrl;

/// What is to become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It will be tried.
    Pending,
    /// It was given up.
    Dead,
}

impl State {
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Dead].into_iter().find(|state| state.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Dead => "dead",
        }
    }
}

/// What it takes to make the URL of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Image {
    /// Whose rights it has; nobody's where that is absent.
    #[serde(default)]
    pub(super) owner: Option<Owner>,
    /// What it begins with.
    pub(super) s3_base: String,
}

/// A callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) state: State,
    pub(super) url: String,
    /// Sealed, in base64.
    #[serde(default)]
    pub(super) secret: Option<String>,
    /// What is told, but for the URL of the image.
    pub(super) body: String,
    /// How that is made; absent where there is none.
    #[serde(default)]
    pub(super) image: Option<Image>,
    /// Who asked for it, and may see it; nobody where that is absent.
    #[serde(default)]
    pub(super) owner: Option<Owner>,
    /// The object it is about.
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) created_ms: u64,
    /// Since when it is tried.
    pub(super) since_ms: u64,
    #[serde(default)]
    pub(super) tries: u32,
    /// What came of the last try.
    #[serde(default)]
    pub(super) error: Option<String>,
    /// The status of the answer to it; absent where none came.
    #[serde(default)]
    pub(super) answered: Option<u16>,
}

impl Record {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt(format!("a callback's record: {error}")))
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Corrupt(format!("a callback's record: {error}")))
    }

    /// What is told, with this URL.
    pub(super) fn told(&self, image_url: Option<String>) -> String {
        let (Some(url), Ok(Value::Object(mut told))) = (image_url, serde_json::from_str(&self.body)) else {
            return self.body.clone();
        };
        told.insert("imageUrl".to_owned(), Value::String(url));
        Value::Object(told).to_string()
    }

    pub(super) fn sealed_secret(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.secret.as_ref()?).ok()
    }

    /// What came of the last try, for whoever may not know more: which hosts there are and what listens on them is not for all
    /// that may have somebody called.
    fn outcome(&self) -> Option<String> {
        self.error.as_ref()?;
        Some(match self.answered {
            Some(status) => format!("not delivered: answered {}xx", status / 100),
            None => "not delivered: no answer".to_owned(),
        })
    }

    /// As clients see it: the URL without its query, which may hold a secret; with all that is known of the last try for root.
    pub(super) fn shown(&self, id: &str, to_root: bool) -> Value {
        let error = if to_root { self.error.clone() } else { self.outcome() };
        let url = HttpUrl::parse(&self.url).map_or_else(|_| String::new(), |url| url.to_string());
        json!({
            "id": id,
            "generationUuid": id,
            "state": self.state.name(),
            "url": url,
            "objectName": self.key,
            "bucket": self.bucket,
            "createdAt": Timestamp(self.created_ms).iso8601(),
            "tries": self.tries,
            "error": or_null(error.as_ref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As this version writes it: every later one reads it.
    const WRITTEN: &str = r#"{"state":"dead","url":"http://h/hook?key=secret","secret":"AQI=","body":"{}","bucket":"b",
        "key":"k","created_ms":1440938160007,"since_ms":2,"tries":3,"error":"no answer"}"#;

    #[test]
    fn what_was_written_is_read() {
        let record = Record::read(WRITTEN.as_bytes()).unwrap();
        assert_eq!(Record::read(&record.bytes().unwrap()).unwrap(), record);
        assert_eq!((record.state, record.tries, record.sealed_secret()), (State::Dead, 3, Some(vec![1, 2])));
        let shown = record.shown("id", true);
        assert_eq!(shown["error"], "no answer");
        assert_eq!((&shown["url"], &shown["createdAt"]), (&json!("http://h/hook"), &json!("2015-08-30T12:36:00.007Z")));
        assert!(!shown.to_string().contains("secret") && !shown.to_string().contains("AQI"), "{shown}");
        assert_eq!(
            (record.told(None).as_str(), record.told(Some("u".to_owned())).as_str()),
            ("{}", r#"{"imageUrl":"u"}"#)
        );
        let failed = |answered| Record { answered, error: Some("refused by 10.0.0.1".to_owned()), ..record.clone() };
        assert_eq!(failed(Some(404)).shown("id", false)["error"], "not delivered: answered 4xx");
        assert_eq!(failed(None).shown("id", false)["error"], "not delivered: no answer");
        assert_eq!(Record { error: None, ..record.clone() }.shown("id", false)["error"], Value::Null);
        let image = Record { image: Some(Image { owner: None, s3_base: "http://h".to_owned() }), ..record };
        assert_eq!(Record::read(&image.bytes().unwrap()).unwrap(), image);
        assert!(Record::read(b"{}").is_err());
    }
}
