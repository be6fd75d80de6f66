//! The document of a bucket's CORS rules.
//!
//! What is stored and answered is the canonical form: the elements in one order, everything that means nothing left out.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html>. Texts stay as they came, in the order they
//! came in; an origin or header that no browser sends is stored and matches nothing, as at AWS.

use http::Method;

use super::METHODS;
use crate::base::limits::{CORS_RULE_ID_MAX_CHARACTERS, CORS_RULES_MAX};
use crate::s3::error::{Code, Error};
use crate::s3::xml::{self, Document, Element};
use crate::wire::cors::{Pattern, Rule};

const ROOT: &str = "CORSConfiguration";
const RULE: &str = "CORSRule";
const ORIGIN: &str = "AllowedOrigin";
const METHOD: &str = "AllowedMethod";
const HEADER: &str = "AllowedHeader";
const EXPOSED: &str = "ExposeHeader";
const MAX_AGE: &str = "MaxAgeSeconds";

/// Reads the document of a request, or a stored one.
///
/// # Errors
/// `MissingRequestBodyError`; `MalformedXML` for what is no such document, has no rule, or a rule without origin or method;
/// `InvalidRequest` for too many rules and for what a rule cannot say; `InvalidArgument` for an ID that is too long.
pub fn read(body: &[u8]) -> Result<Vec<Rule>, Error> {
    if body.is_empty() {
        return Err(Code::MISSING_REQUEST_BODY.into());
    }
    let root = xml::parse(body, ROOT)?;
    if root.children.is_empty() || root.children.iter().any(|child| child.name != RULE) {
        return Err(xml::malformed("rules are expected, and nothing else"));
    }
    if root.children.len() > CORS_RULES_MAX {
        let message = format!("The number of CORS rules should not exceed allowed limit of {CORS_RULES_MAX} rules.");
        return Err(Error::invalid_request(message));
    }
    root.children.iter().map(read_rule).collect()
}

fn read_rule(rule: &Element) -> Result<Rule, Error> {
    let known = ["ID", HEADER, METHOD, ORIGIN, EXPOSED, MAX_AGE];
    if !rule.children.iter().all(|child| known.contains(&child.name.as_str()) && child.children.is_empty()) {
        return Err(xml::malformed("a rule with an unknown element"));
    }
    let texts = |name| rule.children_named(name).map(|child| child.text.as_str());
    let read = Rule {
        id: rule.only_text("ID")?.map(read_id).transpose()?,
        origins: texts(ORIGIN).map(|text| read_pattern(ORIGIN, text)).collect::<Result<_, _>>()?,
        methods: texts(METHOD).map(read_method).collect::<Result<_, _>>()?,
        headers: texts(HEADER).map(|text| read_pattern(HEADER, text)).collect::<Result<_, _>>()?,
        exposed: texts(EXPOSED).map(read_exposed).collect::<Result<_, _>>()?,
        max_age_seconds: rule.only_text(MAX_AGE)?.map(read_seconds).transpose()?,
    };
    match read.origins.is_empty() || read.methods.is_empty() {
        true => Err(xml::malformed("a rule needs an origin and a method")),
        false => Ok(read),
    }
}

fn read_id(text: &str) -> Result<String, Error> {
    if text.chars().count() <= CORS_RULE_ID_MAX_CHARACTERS {
        return Ok(text.to_owned());
    }
    let message = format!("ID length should not exceed allowed limit of {CORS_RULE_ID_MAX_CHARACTERS}");
    Err(Error::argument(message, "ID", text))
}

fn read_method(text: &str) -> Result<Method, Error> {
    let message = || format!("Found unsupported HTTP method in CORS config. Unsupported method is {text}");
    METHODS.into_iter().find(|known| known.as_str() == text).ok_or_else(|| Error::invalid_request(message()))
}

fn read_pattern(name: &str, text: &str) -> Result<Pattern, Error> {
    let message = || format!("{name} \"{text}\" can not have more than one wildcard.");
    Pattern::parse(text).ok_or_else(|| Error::invalid_request(message()))
}

fn read_exposed(text: &str) -> Result<String, Error> {
    if text.contains('*') {
        let message = format!(
            "ExposeHeader \"{text}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        );
        return Err(Error::invalid_request(message));
    }
    Ok(text.to_owned())
}

fn read_seconds(text: &str) -> Result<u32, Error> {
    let seconds = text.trim().parse::<i32>().ok().and_then(|seconds| u32::try_from(seconds).ok());
    seconds.ok_or_else(|| xml::malformed("an age that is no number of seconds"))
}

/// The document with these rules, which [`read`] reads.
pub fn write(rules: &[Rule]) -> String {
    let mut document = Document::new(ROOT);
    for rule in rules {
        document.element(RULE, |element| {
            element.optional("ID", rule.id.as_deref());
            let headers = rule.headers.iter().map(|pattern| (HEADER, pattern.as_str()));
            let methods = rule.methods.iter().map(|method| (METHOD, method.as_str()));
            let origins = rule.origins.iter().map(|pattern| (ORIGIN, pattern.as_str()));
            let exposed = rule.exposed.iter().map(|name| (EXPOSED, name.as_str()));
            for (name, text) in headers.chain(methods).chain(origins).chain(exposed) {
                element.text(name, text);
            }
            element.optional(MAX_AGE, rule.max_age_seconds.map(|seconds| seconds.to_string()));
        });
    }
    document.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(inside: &str) -> String {
        format!("<CORSConfiguration><CORSRule>{inside}</CORSRule></CORSConfiguration>")
    }

    fn refused(body: &str) -> (&'static str, String) {
        let error = read(body.as_bytes()).unwrap_err();
        (error.code().name, error.text().to_owned())
    }

    const LEAST: &str = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

    #[test]
    fn the_canonical_form_reads_back() {
        let whole = "<MaxAgeSeconds> 3000 </MaxAgeSeconds><ExposeHeader>ETag</ExposeHeader><AllowedOrigin>http://a:80</AllowedOrigin>\
                     <AllowedMethod>PUT</AllowedMethod><AllowedOrigin>http://*.b</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
                     <AllowedHeader>x-AMZ-*</AllowedHeader><ID>a &amp; b</ID>";
        let rules = read(rule(whole).as_bytes()).unwrap();
        let written = write(&rules);
        assert!(
            written.ends_with(
                "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule><ID>a &amp; b</ID>\
                 <AllowedHeader>x-AMZ-*</AllowedHeader><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>\
                 <AllowedOrigin>http://a:80</AllowedOrigin><AllowedOrigin>http://*.b</AllowedOrigin>\
                 <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>"
            ),
            "{written}"
        );
        assert_eq!(read(written.as_bytes()).unwrap(), rules);
        // As at AWS, what no browser sends is kept.
        for odd in
            ["<AllowedOrigin/>", "<AllowedHeader>not a name</AllowedHeader>", "<ExposeHeader>not a name</ExposeHeader>"]
        {
            let rules = read(rule(&format!("{LEAST}{odd}")).as_bytes()).unwrap();
            assert_eq!(read(write(&rules).as_bytes()).unwrap(), rules, "{odd}");
        }
    }

    #[test]
    fn documents_that_are_none() {
        assert_eq!(refused("").0, "MissingRequestBodyError");
        for body in [
            " ".to_owned(),
            "<CORSRule/>".to_owned(),
            "<CORSConfiguration/>".to_owned(),
            "<CORSConfiguration><What/></CORSConfiguration>".to_owned(),
            rule(""),
            rule("<AllowedOrigin>*</AllowedOrigin>"),
            rule("<AllowedMethod>GET</AllowedMethod>"),
            rule(&format!("{LEAST}<What/>")),
            rule(&format!("{LEAST}<ID>a</ID><ID>b</ID>")),
            rule(&format!("{LEAST}<ExposeHeader><b>c</b></ExposeHeader>")),
            rule(&format!("{LEAST}<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>1</MaxAgeSeconds>")),
            rule(&format!("{LEAST}<MaxAgeSeconds>-1</MaxAgeSeconds>")),
            rule(&format!("{LEAST}<MaxAgeSeconds>2147483648</MaxAgeSeconds>")),
            rule(&format!("{LEAST}<MaxAgeSeconds/>")),
        ] {
            assert_eq!(refused(&body).0, "MalformedXML", "{body}");
        }
    }

    #[test]
    fn what_a_rule_cannot_say() {
        let with = |more: &str| refused(&rule(&format!("{LEAST}{more}")));
        for method in ["OPTIONS", "PATCH", "get", ""] {
            let sentence = format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}");
            assert_eq!(with(&format!("<AllowedMethod>{method}</AllowedMethod>")), ("InvalidRequest", sentence));
        }
        for name in ["AllowedOrigin", "AllowedHeader"] {
            let sentence = format!("{name} \"*a*\" can not have more than one wildcard.");
            assert_eq!(with(&format!("<{name}>*a*</{name}>")), ("InvalidRequest", sentence));
        }
        let sentence =
            "ExposeHeader \"x-*\" contains wildcard. We currently do not support wildcard for ExposeHeader.".to_owned();
        assert_eq!(with("<ExposeHeader>x-*</ExposeHeader>"), ("InvalidRequest", sentence));
        assert!(read(rule(&format!("{LEAST}<ID>{}</ID>", "\u{e9}".repeat(255))).as_bytes()).is_ok());
        assert_eq!(with(&format!("<ID>{}</ID>", "a".repeat(256))).0, "InvalidArgument");
        let many = |count| {
            format!("<CORSConfiguration>{}</CORSConfiguration>", format!("<CORSRule>{LEAST}</CORSRule>").repeat(count))
        };
        assert_eq!(read(many(100).as_bytes()).unwrap().len(), 100);
        assert_eq!(refused(&many(101)).0, "InvalidRequest");
    }
}
