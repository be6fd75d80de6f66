//! Which pages of other origins may read an answer: the rules, the match, and the headers that tell a browser.
//!
//! Everything here is a function of rules and one request's headers, so that every port can use it; where rules come from
//! is its own business. What matches nothing gets no header, which is how a browser is refused.
//!
//! The protocol is the Fetch standard's (<https://fetch.spec.whatwg.org/#http-cors-protocol>); what a rule means is Amazon S3's
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>). As recorded of S3, `Access-Control-Request-*`
//! count on an actual request too: no browser sends them there, and no page can.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::base::limits::{CORS_ORIGIN_MAX_BYTES, HEADERS_MAX};

/// What an answer with rules behind it depends on.
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// A text in which one `*` stands for anything, nothing included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern `text`; none where it has more than one `*`.
    pub fn parse(text: &str) -> Option<Self> {
        (text.matches('*').count() <= 1).then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it lets everything through.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// Whether it covers this text, letter by letter.
    pub fn matches(&self, text: &str) -> bool {
        self.covers(text, |a, b| a == b)
    }

    /// Whether it covers the name of a header, in which case means nothing.
    fn matches_name(&self, name: &str) -> bool {
        self.covers(name, <[u8]>::eq_ignore_ascii_case)
    }

    fn covers(&self, text: &str, same: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        let text = text.as_bytes();
        let Some((head, tail)) = self.0.split_once('*') else { return same(self.0.as_bytes(), text) };
        let Some(rest) = text.len().checked_sub(head.len()).filter(|rest| *rest >= tail.len()) else { return false };
        let (begin, end) = (text.get(..head.len()), text.get(head.len() + rest - tail.len()..));
        begin.is_some_and(|begin| same(begin, head.as_bytes())) && end.is_some_and(|end| same(end, tail.as_bytes()))
    }
}

/// One rule: whom it lets in, and what it tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What its owner calls it.
    pub id: Option<String>,
    /// The origins it is for.
    pub origins: Vec<Pattern>,
    /// The methods it allows.
    pub methods: Vec<Method>,
    /// The headers that a preflight may ask for.
    pub headers: Vec<Pattern>,
    /// The headers of an answer that a page may read besides the few that it always may.
    pub exposed: Vec<String>,
    /// How long a browser may remember the answer to a preflight.
    pub max_age_seconds: Option<u32>,
}

impl Rule {
    /// Whether its answers name no origin, and so go without credentials.
    fn is_for_any(&self) -> bool {
        self.origins.iter().any(Pattern::is_any)
    }
}

/// Whether a request says that a page sent it. A browser says so of every request that is neither GET nor HEAD.
pub fn has_origin(headers: &HeaderMap) -> bool {
    headers.get_all(ORIGIN).iter().any(|value| !value.is_empty())
}

/// What a browser wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Where the page comes from.
    pub origin: &'a str,
    /// The method, by `Access-Control-Request-Method` where that is there.
    pub method: &'a str,
    /// The names in `Access-Control-Request-Headers`, in lower case.
    pub headers: Vec<String>,
}

impl<'a> Asked<'a> {
    /// Reads it from a request. None for what no rule can match: no origin, several, one that is longer than
    /// [`CORS_ORIGIN_MAX_BYTES`] or not visible ASCII, several methods, and names that are none or too many.
    pub fn of(method: &'a Method, headers: &'a HeaderMap) -> Option<Self> {
        let origin = only(headers, &ORIGIN).ok()??;
        if origin.is_empty()
            || origin.len() > CORS_ORIGIN_MAX_BYTES
            || !origin.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return None;
        }
        let method = only(headers, &ACCESS_CONTROL_REQUEST_METHOD).ok()?.unwrap_or(method.as_str());
        let mut names = Vec::new();
        for value in headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
            for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                names.push(HeaderName::try_from(name).ok()?.as_str().to_owned());
                if names.len() > HEADERS_MAX {
                    return None;
                }
            }
        }
        Some(Self { origin, method, headers: names })
    }

    /// The first rule that lets this through.
    pub fn find<'r>(&self, rules: impl IntoIterator<Item = &'r Rule>) -> Option<&'r Rule> {
        rules
            .into_iter()
            .find(|rule| rule.origins.iter().any(|origin| origin.matches(self.origin)) && self.is_within(rule))
    }

    /// Whether a rule, whatever its origins, allows this method with these headers.
    pub fn is_within(&self, rule: &Rule) -> bool {
        let allowed = |name: &String| rule.headers.iter().any(|pattern| pattern.matches_name(name));
        rule.methods.iter().any(|method| method.as_str() == self.method) && self.headers.iter().all(allowed)
    }

    /// Puts on an answer what this rule allows, in place of what is there. `more` are names to expose beside the rule's own.
    ///
    /// An origin is named, with credentials allowed, only by a rule that names it or a part of it: a rule for all says `*`.
    pub fn allow(&self, rule: &Rule, more: &[String], headers: &mut HeaderMap) {
        let exposed: Vec<&str> =
            rule.exposed.iter().chain(more).map(String::as_str).filter(|name| is_name(name)).collect();
        let methods: Vec<&str> = rule.methods.iter().map(Method::as_str).collect();
        let any = rule.is_for_any();
        let origin = if any { "*" } else { self.origin };
        let said = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, Some(origin.to_owned())),
            (ACCESS_CONTROL_ALLOW_METHODS, Some(methods.join(", "))),
            (ACCESS_CONTROL_ALLOW_HEADERS, Some(self.headers.join(", ")).filter(|names| !names.is_empty())),
            (ACCESS_CONTROL_EXPOSE_HEADERS, Some(exposed.join(", ")).filter(|names| !names.is_empty())),
            (ACCESS_CONTROL_MAX_AGE, rule.max_age_seconds.map(|seconds| seconds.to_string())),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, (!any).then(|| "true".to_owned())),
            (VARY, Some(VARIES.to_owned())),
        ];
        for (name, value) in said {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whether this can be the name of a header.
fn is_name(text: &str) -> bool {
    HeaderName::try_from(text).is_ok()
}

/// The text of a header that may stand there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
mod tests;
