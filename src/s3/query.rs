//! A request's query parameters, decoded once and each given at most once.

use super::address::percent_decode;
use super::error::Code;
use super::error::Error;
use crate::base::limits::QUERY_PARAMETERS_MAX;

/// Decoded parameters in the order of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query as it stood on the wire, without its question mark. A plus is a space, as in forms and at AWS.
    ///
    /// # Errors
    /// `InvalidURI` for a broken percent-encoding or what is not UTF-8, `InvalidArgument` for a parameter given twice:
    /// two readers of such a request could disagree about its meaning.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent_decode(&text.replace('+', " ")).ok_or(Code::INVALID_URI);
            let (name, value) = (decode(name)?, decode(value)?);
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Error::argument(format!("The query parameter {name} is given twice."), &name, &value));
            }
            if pairs.len() == QUERY_PARAMETERS_MAX {
                return Err(Code::INVALID_URI.into());
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of `name`; empty where only the name is given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name` unless it is absent or empty.
    pub fn get_filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The names, in the order of the request.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Names and values, in the order of the request.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A number from 0 on in the parameter `name`; values above `max` count as `max`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything that is not a number of at most 31 bits, as AWS says it.
    pub fn number(&self, name: &str, max: usize) -> Result<Option<usize>, Error> {
        let Some(integer) = self.integer(name)? else { return Ok(None) };
        let number = usize::try_from(integer).map_err(|_| {
            let message = format!("Argument {name} must be an integer between 0 and {}", i32::MAX);
            Error::argument(message, name, self.get(name).unwrap_or_default())
        });
        Ok(Some(number?.min(max)))
    }

    /// The integer in the parameter `name`, unless it is absent or empty: digits, perhaps behind a minus.
    ///
    /// # Errors
    /// `InvalidArgument` for anything that is not an integer of 32 bits, as AWS says it.
    pub fn integer(&self, name: &str) -> Result<Option<i32>, Error> {
        let Some(text) = self.get_filled(name) else { return Ok(None) };
        let integer = text.parse().ok().filter(|_| !text.starts_with('+'));
        let message = || format!("Provided {name} not an integer or within integer range");
        integer.map(Some).ok_or_else(|| Error::argument(message(), name, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once() {
        let query = Query::parse("prefix=a%2Fb+c%252F&uploads&x=&&y=1=2").unwrap();
        assert_eq!(query.get("prefix"), Some("a/b c%2F"));
        assert_eq!((query.get("uploads"), query.get("x"), query.get("y")), (Some(""), Some(""), Some("1=2")));
        assert_eq!((query.get("z"), query.get_filled("uploads")), (None, None));
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        let code = |raw: &str| Query::parse(raw).map_err(|error| error.code().name);
        assert_eq!(code("uploadId=1&upload%49d=2"), Err("InvalidArgument"));
        assert_eq!(code("prefix=%zz"), Err("InvalidURI"));
        assert_eq!(code("prefix=%2"), Err("InvalidURI"));
        assert_eq!(code("prefix=%ff"), Err("InvalidURI"));
    }

    #[test]
    fn numbers() {
        let query = Query::parse("a=05&b=2000&c=-1&d=x&e=2147483648&f=&g=%2B5&h=-0&i=+5&j=-").unwrap();
        assert_eq!(query.number("a", 1000).unwrap(), Some(5));
        assert_eq!(query.number("b", 1000).unwrap(), Some(1000));
        assert_eq!(query.number("f", 1000).unwrap(), None);
        assert_eq!((query.number("h", 1000).unwrap(), query.integer("c").unwrap()), (Some(0), Some(-1)));
        for bad in ["d", "e", "g", "i", "j"] {
            let error = query.number(bad, 1000).unwrap_err();
            assert_eq!(error.text(), format!("Provided {bad} not an integer or within integer range"));
        }
        assert_eq!(
            query.number("c", 1000).unwrap_err().text(),
            "Argument c must be an integer between 0 and 2147483647"
        );
    }
}
