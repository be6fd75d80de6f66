//! A request to the administration, taken apart: path, query and JSON, each with an error that names what is wrong.

use http::{Method, Request};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::reply::AdminError;
use crate::base::limits::{ADMIN_BODY_MAX_BYTES, ADMIN_PAGE_DEFAULT, ADMIN_PAGE_MAX, QUERY_PARAMETERS_MAX};
use crate::wire::{Body, BodyError};

/// A request whose body has not been read.
pub(super) struct Call {
    pub(super) method: Method,
    /// What stands behind `/admin/`, decoded.
    pub(super) path: Vec<String>,
    query: Vec<(String, String)>,
    body: Body,
}

/// The members of a JSON object. Those that nobody asks for are ignored.
pub(super) struct Fields(Map<String, Value>);

/// A page as the caller wants it.
pub(super) struct PageRequest {
    /// Only what comes after this; empty for the first page.
    pub(super) after: String,
    /// So many at most.
    pub(super) limit: usize,
}

impl Call {
    pub(super) fn read(request: Request<Body>) -> Result<Self, AdminError> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix("/admin/").ok_or(AdminError::NoSuchPath)?;
        let path = path.split('/').map(|segment| decoded(segment, false).ok_or(AdminError::NoSuchPath));
        let pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query: Option<Vec<_>> = pairs
            .take(QUERY_PARAMETERS_MAX)
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decoded(name, true)?, decoded(value, true)?))
            })
            .collect();
        let query = query.ok_or_else(|| AdminError::invalid("the query is not percent-encoded UTF-8"))?;
        Ok(Self { method: head.method, path: path.collect::<Result<_, _>>()?, query, body })
    }

    /// The first value of a query parameter, if it is there and not empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut values = self.query.iter().filter(|(known, _)| known == name);
        values.next().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// `after` and `limit`.
    pub(super) fn page(&self) -> Result<PageRequest, AdminError> {
        let limit = match self.parameter("limit") {
            None => ADMIN_PAGE_DEFAULT,
            Some(text) => {
                text.parse().ok().filter(|limit| (1..=ADMIN_PAGE_MAX).contains(limit)).ok_or_else(|| {
                    AdminError::invalid(format!("\"limit\" must be a number from 1 to {ADMIN_PAGE_MAX}"))
                })?
            }
        };
        Ok(PageRequest { after: self.parameter("after").unwrap_or_default().to_owned(), limit })
    }

    /// The body.
    pub(super) async fn bytes(self) -> Result<bytes::Bytes, AdminError> {
        self.body.collect(ADMIN_BODY_MAX_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge(max) => AdminError::TooLarge(max),
            error => AdminError::invalid(error.to_string()),
        })
    }

    /// The body as a JSON object; no body is an empty one.
    pub(super) async fn fields(self) -> Result<Fields, AdminError> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() {
            return Ok(Fields(Map::new()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(AdminError::invalid("the body must be a JSON object")),
            Err(error) => Err(AdminError::invalid(format!("the body is not JSON: {error}"))),
        }
    }
}

impl Fields {
    /// Whether the field is there, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A field that is there and not null.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, AdminError> {
        self.typed(name, "a text", Value::as_str)
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, AdminError> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, AdminError> {
        self.typed(name, "a whole number", Value::as_u64)
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, AdminError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| AdminError::invalid(format!("\"{name}\" must be {expected}")))
    }
}

/// Percent-decoded UTF-8, in a query with `+` for a space.
fn decoded(text: &str, in_query: bool) -> Option<String> {
    let plain = if in_query { text.replace('+', " ") } else { text.to_owned() };
    percent_decode_str(&plain).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
