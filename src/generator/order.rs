//! An order for an image: the body of `POST /generate`, read field by field and the fields judged against each other. The
//! first that is wrong is named.
//!
//! | field | what |
//! | --- | --- |
//! | `generationUuid` | letters, digits and `-`, at most 64 |
//! | `bmpWidth`, `bmpHeight`, `bitsPerPixel?`, `topDown?`, `pattern?` | the image ([`crate::wire::image`]) |
//! | `bmpVolume` | bytes of the image's file: both sides must mean the same one |
//! | `partSize` | bytes of each part but the last, at least 1; it must cut the file into at most 10,000 parts |
//! | `partNumbers?` | the parts wanted, ascending; all of them where absent |
//! | `partUploadUrls` | a presigned URL for each of these, in their order |
//! | `uploadId`, `objectName`, `bucket?` | the upload, handed back to the gateway as they are |
//! | `auth` | `{"type":"Bearer","token"}`: what the gateway wants to see with each report |
//! | `callbackBaseUrl?` | the gateway's API, without a query; the generator's own setting where absent |
//!
//! A field that is null is absent; unknown fields are ignored.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use http::header::HeaderValue;
use serde_json::{Map, Value};

use crate::base::limits::{
    GENERATE_ITEMS_MAX, GENERATION_HOSTS_MAX, GENERATION_NAME_MAX_BYTES, GENERATION_TOKEN_MAX_BYTES, KEY_MAX_BYTES,
    PARTS_MAX,
};
use crate::wire::destination::{DestinationError, Destinations};
use crate::wire::image::{Image, ImageError};
use crate::wire::json;
use crate::wire::url::HttpUrl;

/// Characters of a generation's id: a UUID has 36.
const UUID_MAX_BYTES: usize = 64;

/// What is wrong with an order, and in which field.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub(super) struct OrderError {
    field: String,
    message: String,
}

impl OrderError {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl From<ImageError> for OrderError {
    fn from(error: ImageError) -> Self {
        Self { field: error.field, message: error.message }
    }
}

/// A whole order.
pub(super) struct Order {
    /// The generation's id.
    pub(super) uuid: String,
    pub(super) image: Arc<Image>,
    pub(super) part_size_bytes: u64,
    /// The wanted parts and where they go.
    pub(super) parts: BTreeMap<u16, HttpUrl>,
    pub(super) upload_id: String,
    pub(super) object_name: String,
    pub(super) bucket: Option<String>,
    /// The value of `Authorization` in calls of the gateway.
    pub(super) authorization: HeaderValue,
    /// What the gateway's paths are put below.
    pub(super) callback_base: HttpUrl,
}

impl Order {
    /// Reads an order; `callback_base` stands in where it names none.
    pub(super) fn from_json(text: &[u8], callback_base: Option<&HttpUrl>) -> Result<Self, OrderError> {
        let body = |message: String| OrderError::new("the body", message);
        if json::items(text) > GENERATE_ITEMS_MAX {
            return Err(body(format!("has more than {GENERATE_ITEMS_MAX} members and items")));
        }
        let parsed: Value = serde_json::from_slice(text).map_err(|error| body(format!("is no JSON: {error}")))?;
        let Value::Object(fields) = parsed else { return Err(body("must be a JSON object".to_owned())) };
        let uuid = text_field(&fields, "generationUuid", UUID_MAX_BYTES)?;
        if !uuid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(OrderError::new("generationUuid", "must be of letters, digits and -"));
        }
        let image = Image::from_json_named(&fields, "bmpWidth", "bmpHeight")?;
        let volume = number(&fields, "bmpVolume")?;
        if volume != image.file_bytes() {
            let message = format!("must be {}, the bytes of this image's file", image.file_bytes());
            return Err(OrderError::new("bmpVolume", message));
        }
        let part_size_bytes = number(&fields, "partSize")?;
        let part_count = part_count(volume, part_size_bytes)?;
        let numbers = part_numbers(&fields, part_count)?;
        let parts = numbers.iter().copied().zip(urls(&fields, numbers.len())?).collect();
        let bucket = match present(&fields, "bucket") {
            Some(_) => Some(text_field(&fields, "bucket", GENERATION_NAME_MAX_BYTES)?.to_owned()),
            None => None,
        };
        Ok(Self {
            uuid: uuid.to_owned(),
            image: Arc::new(image),
            part_size_bytes,
            parts,
            upload_id: text_field(&fields, "uploadId", GENERATION_NAME_MAX_BYTES)?.to_owned(),
            object_name: object_name(&fields)?,
            bucket,
            authorization: authorization(&fields)?,
            callback_base: base(&fields, callback_base)?,
        })
    }

    /// Looks up every host that is to be called, each once.
    pub(super) async fn check_hosts(&self, allowed: &Destinations) -> Result<(), OrderError> {
        let mut hosts: Vec<(String, &HttpUrl)> = vec![("callbackBaseUrl".to_owned(), &self.callback_base)];
        for (index, url) in self.parts.values().enumerate() {
            if hosts.iter().any(|(_, known)| known.base() == url.base()) {
                continue;
            }
            let field = format!("partUploadUrls[{index}]");
            if hosts.len() > GENERATION_HOSTS_MAX {
                return Err(OrderError::new(field, format!("names a further host after {GENERATION_HOSTS_MAX}")));
            }
            hosts.push((field, url));
        }
        for (field, url) in hosts {
            let message = |error: DestinationError| OrderError::new(field, format!("cannot be called: {error}"));
            allowed.resolve(url).await.map_err(message)?;
        }
        Ok(())
    }

    /// How many parts the file has.
    pub(super) fn part_count(&self) -> u16 {
        part_count(self.image.file_bytes(), self.part_size_bytes).unwrap_or_default()
    }

    /// The bytes of the file that a part is.
    pub(super) fn range(&self, number: u16) -> Range<u64> {
        let start = u64::from(number.saturating_sub(1)).saturating_mul(self.part_size_bytes);
        start..start.saturating_add(self.part_size_bytes).min(self.image.file_bytes())
    }
}

fn part_count(volume: u64, part_size_bytes: u64) -> Result<u16, OrderError> {
    if part_size_bytes == 0 {
        return Err(OrderError::new("partSize", "must be at least 1"));
    }
    let count = u16::try_from(volume.div_ceil(part_size_bytes)).ok().filter(|count| *count <= PARTS_MAX);
    count.ok_or_else(|| OrderError::new("partSize", format!("cuts the file into more than {PARTS_MAX} parts")))
}

fn part_numbers(fields: &Map<String, Value>, part_count: u16) -> Result<Vec<u16>, OrderError> {
    let Some(value) = present(fields, "partNumbers") else { return Ok((1..=part_count).collect()) };
    let Value::Array(items) = value else { return Err(OrderError::new("partNumbers", "must be a list")) };
    let mut numbers: Vec<u16> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let number = item.as_u64().and_then(|number| u16::try_from(number).ok());
        let wrong = |message: String| OrderError::new(format!("partNumbers[{index}]"), message);
        let number = number.filter(|number| (1..=part_count).contains(number));
        let number = number.ok_or_else(|| wrong(format!("must be a whole number from 1 to {part_count}")))?;
        if numbers.last().is_some_and(|last| *last >= number) {
            return Err(wrong("must be above the one before".to_owned()));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

fn urls(fields: &Map<String, Value>, count: usize) -> Result<Vec<HttpUrl>, OrderError> {
    let Some(Value::Array(items)) = present(fields, "partUploadUrls") else {
        return Err(OrderError::new("partUploadUrls", "must be a list of URLs"));
    };
    if items.len() != count {
        let message = format!("must have {count} URLs, one for each part that is wanted, not {}", items.len());
        return Err(OrderError::new("partUploadUrls", message));
    }
    let url = |(index, item): (usize, &Value)| {
        let wrong = |message: String| OrderError::new(format!("partUploadUrls[{index}]"), message);
        let text = item.as_str().ok_or_else(|| wrong("must be a text".to_owned()))?;
        HttpUrl::parse(text).map_err(|error| wrong(format!("cannot be called: {error}")))
    };
    items.iter().enumerate().map(url).collect()
}

fn authorization(fields: &Map<String, Value>) -> Result<HeaderValue, OrderError> {
    let Some(Value::Object(auth)) = present(fields, "auth") else {
        return Err(OrderError::new("auth", "must be an object with type and token"));
    };
    let kind = auth.get("type").and_then(Value::as_str);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(OrderError::new("auth.type", "must be Bearer"));
    }
    let token = auth.get("token").and_then(Value::as_str);
    let sane = |token: &&str| {
        (1..=GENERATION_TOKEN_MAX_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let value = token.filter(sane).and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
    let mut value = value.ok_or_else(|| OrderError::new("auth.token", "must be a text of visible characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn base(fields: &Map<String, Value>, otherwise: Option<&HttpUrl>) -> Result<HttpUrl, OrderError> {
    let wrong = |message: String| OrderError::new("callbackBaseUrl", message);
    match present(fields, "callbackBaseUrl") {
        None => {
            otherwise.cloned().ok_or_else(|| wrong("is missing, and this generator has none of its own".to_owned()))
        }
        Some(value) => {
            let text = value.as_str().ok_or_else(|| wrong("must be a text".to_owned()))?;
            let url = HttpUrl::parse(text).map_err(|error| wrong(format!("cannot be called: {error}")))?;
            if url.has_query() { Err(wrong("must not have a query".to_owned())) } else { Ok(url) }
        }
    }
}

/// A field that is there and not null.
fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// A text that is not empty.
fn text_field<'a>(fields: &'a Map<String, Value>, name: &str, max_bytes: usize) -> Result<&'a str, OrderError> {
    match present(fields, name) {
        None => Err(OrderError::new(name, "is missing")),
        Some(Value::String(text)) if (1..=max_bytes).contains(&text.len()) => Ok(text),
        Some(_) => Err(OrderError::new(name, format!("must be a text of 1 to {max_bytes} bytes"))),
    }
}

/// The object's key. It is shown and logged, where control characters would do as they say.
fn object_name(fields: &Map<String, Value>) -> Result<String, OrderError> {
    let name = text_field(fields, "objectName", KEY_MAX_BYTES)?;
    if name.chars().any(char::is_control) {
        return Err(OrderError::new("objectName", "must not have control characters"));
    }
    Ok(name.to_owned())
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<u64, OrderError> {
    let value = present(fields, name).ok_or_else(|| OrderError::new(name, "is missing"))?;
    value.as_u64().ok_or_else(|| OrderError::new(name, "must be a whole number"))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// 2 x 2 pixels: 70 bytes, three parts.
    pub(in crate::generator) fn good() -> Value {
        json!({
            "partUploadUrls": ["http://127.0.0.1:9000/1?a", "http://127.0.0.1:9000/2?a", "http://127.0.0.1:9000/3?a"],
            "uploadId": "u", "objectName": "images/a.bmp", "auth": {"type": "Bearer", "token": "t"},
            "generationUuid": "0f6b-1", "bmpWidth": 2, "bmpHeight": 2, "bmpVolume": 70, "partSize": 30,
            "callbackBaseUrl": "http://127.0.0.1:9001",
        })
    }

    pub(in crate::generator) fn read(order: &Value) -> Result<Order, OrderError> {
        Order::from_json(order.to_string().as_bytes(), None)
    }

    #[test]
    fn an_order_is_read() {
        let order = read(&good()).unwrap();
        assert_eq!((order.part_count(), order.range(1), order.range(3)), (3, 0..30, 60..70));
        assert_eq!(order.parts.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(order.authorization, "Bearer t");
        let mut resumed = good();
        resumed["partNumbers"] = json!([1, 3]);
        resumed["partUploadUrls"] = json!(["http://h/1", "http://h/3"]);
        let order = read(&resumed).unwrap();
        assert_eq!(order.parts[&3].to_string(), "http://h/3");
        (resumed["partNumbers"], resumed["partUploadUrls"]) = (json!([]), json!([]));
        assert!(read(&resumed).unwrap().parts.is_empty(), "all parts are there, and only the rest is to be done");
        let mut own = good();
        own.as_object_mut().unwrap().remove("callbackBaseUrl");
        let base = HttpUrl::parse("http://h/").unwrap();
        assert_eq!(Order::from_json(own.to_string().as_bytes(), Some(&base)).unwrap().callback_base, base);
        assert_eq!(read(&own).err().unwrap().field, "callbackBaseUrl");
    }

    #[test]
    fn the_first_wrong_field_is_named() {
        let long = "x".repeat(9000);
        for (field, value, named) in [
            ("generationUuid", json!(null), "generationUuid"),
            ("generationUuid", json!("a/../b"), "generationUuid"),
            ("generationUuid", json!("x".repeat(65)), "generationUuid"),
            ("bmpWidth", json!(0), "bmpWidth"),
            ("bmpWidth", json!("2"), "bmpWidth"),
            ("bmpHeight", json!(65536), "bmpHeight"),
            ("bitsPerPixel", json!(8), "bitsPerPixel"),
            ("pattern", json!({"kind": "plaid"}), "pattern.kind"),
            ("bmpVolume", json!(71), "bmpVolume"),
            ("bmpVolume", json!(70.5), "bmpVolume"),
            ("partSize", json!(0), "partSize"),
            ("partSize", json!(-1), "partSize"),
            ("partNumbers", json!("all"), "partNumbers"),
            ("partNumbers", json!([1, 2, 4]), "partNumbers[2]"),
            ("partNumbers", json!([0, 1, 2]), "partNumbers[0]"),
            ("partNumbers", json!([2, 1, 3]), "partNumbers[1]"),
            ("partNumbers", json!([1, 1, 2]), "partNumbers[1]"),
            ("partNumbers", json!([1.5, 2, 3]), "partNumbers[0]"),
            ("partNumbers", json!([1, 2]), "partUploadUrls"),
            ("partUploadUrls", json!(["http://h/1"]), "partUploadUrls"),
            ("partUploadUrls", json!("http://h/1"), "partUploadUrls"),
            ("partUploadUrls", json!(["http://h/1", 2, "http://h/3"]), "partUploadUrls[1]"),
            ("partUploadUrls", json!(["http://h/1", "http://h/2", "ftp://h/3"]), "partUploadUrls[2]"),
            ("uploadId", json!(""), "uploadId"),
            ("uploadId", json!(7), "uploadId"),
            ("objectName", json!(long), "objectName"),
            ("objectName", json!("a\u{1b}[2J.bmp"), "objectName"),
            ("objectName", json!("a\nb.bmp"), "objectName"),
            ("bucket", json!(["b"]), "bucket"),
            ("auth", json!("t"), "auth"),
            ("auth", json!({"type": "Basic", "token": "t"}), "auth.type"),
            ("auth", json!({"type": "Bearer"}), "auth.token"),
            ("auth", json!({"type": "Bearer", "token": "a\r\nb: c"}), "auth.token"),
            ("auth", json!({"type": "Bearer", "token": long}), "auth.token"),
            ("callbackBaseUrl", json!("file:///etc/passwd"), "callbackBaseUrl"),
            ("callbackBaseUrl", json!("http://h/?a"), "callbackBaseUrl"),
        ] {
            let mut order = good();
            order[field] = value;
            let error = read(&order).err().unwrap_or_else(|| panic!("{field} passes: {order}"));
            assert_eq!(error.field, named, "{error}");
            assert!(error.to_string().len() < 300 && !error.to_string().contains(&long), "{error}");
        }
        for text in ["", "[]", "{", "\"x\"", "null"] {
            assert_eq!(Order::from_json(text.as_bytes(), None).err().unwrap().field, "the body", "{text}");
        }
        let bomb = format!("{{\"a\":[{}0]}}", "0,".repeat(GENERATE_ITEMS_MAX));
        assert!(Order::from_json(bomb.as_bytes(), None).err().unwrap().message.contains("more than"));
        let mut many = good();
        (many["bmpWidth"], many["bmpHeight"], many["bmpVolume"]) = (json!(100), json!(100), json!(30_054));
        many["partSize"] = json!(3);
        assert_eq!(read(&many).err().unwrap().field, "partSize", "10,018 parts");
    }
}
