//! A request's query parameters, decoded once and each given at most once.

use super::address::percent_decode;
use super::error::Code;
use super::error::Error;
use crate::base::limits::QUERY_PARAMETERS_MAX;
use crate::store::types::PartNumber;

/// Decoded parameters in the order of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// A query of one parameter.
    pub fn of(name: &str, value: &str) -> Self {
        Self(vec![(name.to_owned(), value.to_owned())])
    }

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
        self.get_filled(name).map(|text| number(name, text, max)).transpose()
    }

    /// The integer in the parameter `name`, unless it is absent or empty.
    ///
    /// # Errors
    /// As [`integer`].
    pub fn integer(&self, name: &str) -> Result<Option<i32>, Error> {
        self.get_filled(name).map(|text| integer(name, text)).transpose()
    }

    /// The part that `partNumber` names.
    ///
    /// # Errors
    /// `InvalidArgument` for anything but 1 to 10,000.
    pub fn part_number(&self) -> Result<Option<PartNumber>, Error> {
        let Some(text) = self.get("partNumber") else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits).and_then(PartNumber::new);
        number.map(Some).ok_or_else(|| {
            Error::argument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", text)
        })
    }
}

/// The number from 0 on that `text` is; values above `max` count as `max`.
///
/// # Errors
/// `InvalidArgument` for anything that is not a number of at most 31 bits, as AWS says it of the argument `name`.
pub fn number(name: &str, text: &str, max: usize) -> Result<usize, Error> {
    let number = usize::try_from(integer(name, text)?).map_err(|_| {
        let message = format!("Argument {name} must be an integer between 0 and {}", i32::MAX);
        Error::argument(message, name, text)
    })?;
    Ok(number.min(max))
}

/// The integer that `text` is: digits, perhaps behind a minus.
///
/// # Errors
/// `InvalidArgument` for anything that is not an integer of 32 bits, as AWS says it of the argument `name`.
fn integer(name: &str, text: &str) -> Result<i32, Error> {
    let message = || format!("Provided {name} not an integer or within integer range");
    let integer = text.parse().ok().filter(|_| !text.starts_with('+'));
    integer.ok_or_else(|| Error::argument(message(), name, text))
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
    fn part_numbers() {
        let of = |query: &str| {
            let number = Query::parse(query).unwrap().part_number();
            number.map(|number| number.map(PartNumber::get)).map_err(|error| error.code().name)
        };
        assert_eq!(of(""), Ok(None));
        assert_eq!((of("partNumber=1"), of("partNumber=10000")), (Ok(Some(1)), Ok(Some(10_000))));
        for bad in ["0", "10001", "", "-1", "%2B1", "1.0", "x", "99999999999999999999"] {
            assert_eq!(of(&format!("partNumber={bad}")), Err("InvalidArgument"), "{bad}");
        }
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
