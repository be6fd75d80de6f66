//! The JSON of a policy as it was written: members in their order, those that come twice both there, numbers as text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::PolicyError;
use crate::base::limits::{POLICY_DEPTH_MAX, POLICY_MAX_BYTES};

/// From here on a double does not hold every whole number, so that what it holds need not be what was written.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads a document, whose first byte has to open an object.
pub(super) fn read(bytes: &[u8]) -> Result<(&str, Json), PolicyError> {
    if bytes.len() > POLICY_MAX_BYTES {
        return Err(PolicyError::new("Policy exceeds the maximum allowed document size."));
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.starts_with('{'));
    let text = text.ok_or_else(|| PolicyError::new("Policies must be valid JSON and the first byte must be '{'"))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let document = Reading { depth_left: POLICY_DEPTH_MAX }.deserialize(&mut reader);
    let document = document.and_then(|document| reader.end().map(|()| document));
    document.map(|document| (text, document)).map_err(|_| PolicyError::new("This policy contains invalid Json"))
}

/// One value, which may hold others this deep.
#[derive(Clone, Copy)]
struct Reading {
    depth_left: usize,
}

impl Reading {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        match value.abs() < EXACT_MAX {
            true => Ok(Json::Number(value.to_string())),
            false => Err(E::custom("a number that is not exact")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Json, A::Error> {
        let deeper = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = values.next_element_seed(deeper)? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Vec::new();
        while let Some(name) = members.next_key()? {
            object.push((name, members.next_value_seed(deeper)?));
        }
        Ok(Json::Object(object))
    }
}
