//! A request's query parameters, decoded once.

use percent_encoding::percent_decode_str;

use super::error::Error;
use crate::base::limits::QUERY_PARAMETERS_MAX;

/// Decoded parameters in the order of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query as it stood on the wire, without its question mark. A plus is a space.
    ///
    /// # Errors
    /// `InvalidRequest` for what is not percent-encoded UTF-8, a parameter given twice, and too many.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| decoded(&text.replace('+', " "));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(Error::invalid("the query is not percent-encoded UTF-8"));
            };
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Error::invalid(format!("the query parameter {name} is given twice")));
            }
            if pairs.len() == QUERY_PARAMETERS_MAX {
                return Err(Error::invalid(format!("more than {QUERY_PARAMETERS_MAX} query parameters")));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of `name`, unless it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// `InvalidRequest` that names it, where it is absent or empty.
    pub fn required(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::invalid(format!("the query parameter {name} is missing")))
    }

    /// The whole number that `name` is.
    ///
    /// # Errors
    /// `InvalidRequest` that names it.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|_| digits)
                .ok_or_else(|| Error::invalid(format!("the query parameter {name} must be a whole number")))
        };
        self.get(name).map(number).transpose()
    }

    /// Names and values, in the order of the request.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Percent-decoded UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_refuses_what_is_ambiguous() {
        let query = Query::parse("key=a%2Fb+c%252F&metadata%5Bk%5D=v&x=&n=07").unwrap();
        assert_eq!((query.get("key"), query.get("metadata[k]")), (Some("a/b c%2F"), Some("v")));
        assert_eq!((query.get("x"), query.get("y"), query.number("n").unwrap()), (None, None, Some(7)));
        assert!(query.required("x").unwrap_err().message().contains('x'));
        for bad in ["a=1&a=2", "a=%ff", &"a".repeat(3)] {
            assert_eq!(Query::parse(bad).is_err(), bad != "aaa", "{bad}");
        }
        for bad in ["n=-1", "n=+1", "n=1.0", "n=x", "n=99999999999999999999"] {
            assert!(Query::parse(bad).unwrap().number("n").is_err(), "{bad}");
        }
    }
}
