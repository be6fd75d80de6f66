//! Why a presigned URL is accepted or refused, check by check.
//!
//! The verdict is that of [`Authenticator::authenticate`], which stops at the first check that fails; which one that was is
//! read off its refusal. Nothing is verified here: a check before that one has passed, one behind it was not reached.

use std::fmt;
use std::time::Duration;

use http::Method;
use http::header::{AUTHORIZATION, HOST};

use super::verify::{AuthParameters, CREDENTIAL_PREFIX, QueryMechanism, mechanism};
use crate::auth::canonical::{RequestHead, SignedHeaders, parameters};
use crate::auth::credential::parse_amz_date;
use crate::auth::error::{AuthError, AuthErrorCode};
use crate::auth::payload::{self, UNSIGNED_PAYLOAD};
use crate::auth::sigv4::ALGORITHM;
use crate::auth::{Authenticated, Authenticator};
use crate::base::clock::Timestamp;

const PARAMETERS: &str = "parameters";
const ALGORITHM_CHECK: &str = "algorithm";
const SCOPE: &str = "credential scope";
const LIFE: &str = "life";
const SIGNED_HEADERS: &str = "signed headers";
const BODY: &str = "body hash";
const METHOD: &str = "method";
const KEY: &str = "key";
const SIGNATURE: &str = "signature";

/// What a refusal quotes as a block of lines and not in one.
const BLOCKS: [&str; 2] = ["CanonicalRequest", "StringToSign"];
/// ... and what says the same once more.
const BYTES: [&str; 2] = ["CanonicalRequestBytes", "StringToSignBytes"];

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It is the one that refused the URL.
    Failed,
    /// An earlier one refused the URL.
    NotReached,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was found, or what was expected in its place.
    pub text: String,
}

/// All checks of one URL, in the order in which the gateway makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The checks; no more than one failed.
    pub checks: Vec<Check>,
    /// What whoever uses or makes the URL should know, one paragraph each.
    pub notes: Vec<String>,
}

impl Explanation {
    /// Whether the gateway would take the request for what the URL was made for.
    pub fn is_accepted(&self) -> bool {
        self.checks.iter().all(|check| check.outcome == Outcome::Passed)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, outcome, text } in &self.checks {
            let word = match outcome {
                Outcome::Passed => "ok",
                Outcome::Failed => "FAILED",
                Outcome::NotReached => "-",
            };
            writeln!(f, "{word:<8}{name}: {}", text.escape_debug())?;
        }
        for note in &self.notes {
            let mut lines = note.lines();
            writeln!(f, "{:<8}{}", "note", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(f, "{:<8}{line}", "")?;
            }
        }
        Ok(())
    }
}

impl Authenticator {
    /// Says what becomes of a request whose query carries credentials.
    pub fn explain(&self, head: RequestHead<'_>, now: Timestamp) -> Explanation {
        let verdict = self.authenticate(head, now);
        let mechanism = match head.headers.contains_key(AUTHORIZATION) {
            true => QueryMechanism::Both,
            false => mechanism(head.query),
        };
        let checks = match (mechanism, &verdict) {
            (QueryMechanism::SigV4, _) => version_4(head, &verdict, now),
            (QueryMechanism::SigV2, _) => version_2(head, &verdict, now),
            (QueryMechanism::None | QueryMechanism::Both, Err(refusal)) => vec![failed(PARAMETERS, refusal)],
            (QueryMechanism::None | QueryMechanism::Both, Ok(_)) => {
                let text = "the URL carries no credentials: it is good for what anybody may do".to_owned();
                vec![Check { name: PARAMETERS, outcome: Outcome::Failed, text }]
            }
        };
        let mut notes = Vec::new();
        if mechanism == QueryMechanism::SigV4 {
            notes.extend(headers_to_send(head));
        }
        if let Err(refusal) = &verdict
            && refusal.code == AuthErrorCode::SignatureDoesNotMatch
        {
            notes.push(self.signed_for(head, now));
            let blocks = BLOCKS.iter().filter_map(|name| Some((name, refusal.detail(name)?)));
            notes.extend(blocks.map(|(name, text)| format!("our {name}:\n{text}")));
        }
        Explanation { checks, notes }
    }

    /// The method that the URL was made for, if it was that, or what else a signature that does not match can mean.
    fn signed_for(&self, head: RequestHead<'_>, now: Timestamp) -> String {
        let matches = |method: &&Method| self.authenticate(RequestHead { method, ..head }, now).is_ok();
        let methods = [Method::GET, Method::PUT, Method::HEAD, Method::POST, Method::DELETE];
        match methods.iter().find(matches) {
            Some(method) => format!("the URL was signed for {method} and not for {}", head.method),
            None => "the secret is another one, or the URL was changed after it was signed, or it was signed for another host, \
                     method or header than those of the canonical request below"
                .to_owned(),
        }
    }
}

/// The checks of a URL of version 4.
fn version_4(head: RequestHead<'_>, verdict: &Result<Authenticated, AuthError>, now: Timestamp) -> Vec<Check> {
    // A URL whose parameters cannot be read fails the first check; the others are not reached and have no text.
    let given = AuthParameters::read(head.query).unwrap_or_default();
    let credential = given.credential.as_deref().unwrap_or_default();
    let (key, scope) = split_credential(credential);
    let signed_at = given.date.as_deref().and_then(parse_amz_date);
    let checks = vec![
        (PARAMETERS, "all that SigV4 needs, each once".to_owned()),
        (ALGORITHM_CHECK, ALGORITHM.to_owned()),
        (SCOPE, scope.to_owned()),
        (LIFE, life(signed_at, given.expires.as_deref().unwrap_or_default(), now)),
        (SIGNED_HEADERS, given.signed_headers.clone().unwrap_or_default()),
        (BODY, body_hash(head, given.content_sha256.as_deref())),
        (KEY, key.to_owned()),
        (SIGNATURE, "matches".to_owned()),
    ];
    judged(checks, verdict, of_version_4)
}

/// The checks of a URL of version 2.
fn version_2(head: RequestHead<'_>, verdict: &Result<Authenticated, AuthError>, now: Timestamp) -> Vec<Check> {
    let value = |name: &str| parameters(head.query).find(|(known, _)| known == name).map(|(_, value)| value);
    let end = value("Expires").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let end = end.map(|since_1970| Timestamp(0).after(since_1970).iso8601()).unwrap_or_default();
    let checks = vec![
        (METHOD, format!("{}, signature version 2", head.method)),
        (PARAMETERS, "all that version 2 needs, each once".to_owned()),
        (LIFE, format!("until {end}; now {}", now.iso8601())),
        (KEY, value("AWSAccessKeyId").unwrap_or_default()),
        (SIGNATURE, "matches".to_owned()),
    ];
    judged(checks, verdict, of_version_2)
}

/// The checks up to the one that failed, the refusal in its place, and those that were not reached.
fn judged(
    checks: Vec<(&'static str, String)>,
    verdict: &Result<Authenticated, AuthError>,
    which: fn(&AuthError) -> &'static str,
) -> Vec<Check> {
    let refused = verdict.as_ref().err().map(|refusal| (which(refusal), refusal));
    let mut reached = true;
    let judge = |(name, text)| match refused {
        Some((culprit, refusal)) if culprit == name => {
            reached = false;
            failed(name, refusal)
        }
        _ if reached => Check { name, outcome: Outcome::Passed, text },
        _ => Check { name, outcome: Outcome::NotReached, text: "not reached".to_owned() },
    };
    checks.into_iter().map(judge).collect()
}

/// The check of version 4 that this refusal comes from.
fn of_version_4(refusal: &AuthError) -> &'static str {
    match refusal.code {
        // A session token belongs to its key: both are looked up together.
        AuthErrorCode::InvalidAccessKeyId | AuthErrorCode::InvalidToken | AuthErrorCode::ExpiredToken => KEY,
        AuthErrorCode::SignatureDoesNotMatch => SIGNATURE,
        AuthErrorCode::AccessDenied if refusal.detail("HeadersNotSigned").is_some() => SIGNED_HEADERS,
        AuthErrorCode::AccessDenied => LIFE,
        AuthErrorCode::AuthorizationQueryParametersError => of_parameter(&refusal.message),
        AuthErrorCode::InvalidArgument | AuthErrorCode::NotImplemented => BODY,
        _ => PARAMETERS,
    }
}

/// A sentence about one parameter names it first; one about several is about what has to be there.
fn of_parameter(message: &str) -> &'static str {
    let starts = [
        ("X-Amz-Algorithm", ALGORITHM_CHECK),
        (CREDENTIAL_PREFIX, SCOPE),
        ("X-Amz-Date", SCOPE),
        ("X-Amz-Expires", LIFE),
        ("X-Amz-SignedHeaders", SIGNED_HEADERS),
    ];
    starts.iter().find(|(start, _)| message.starts_with(start)).map_or(PARAMETERS, |(_, check)| check)
}

/// The check of version 2 that this refusal comes from.
fn of_version_2(refusal: &AuthError) -> &'static str {
    match refusal.code {
        AuthErrorCode::NotImplemented => METHOD,
        AuthErrorCode::InvalidAccessKeyId | AuthErrorCode::InvalidToken | AuthErrorCode::ExpiredToken => KEY,
        AuthErrorCode::SignatureDoesNotMatch => SIGNATURE,
        AuthErrorCode::AccessDenied if refusal.detail("Expires").is_some() => LIFE,
        AuthErrorCode::AccessDenied if refusal.message.starts_with("Invalid date") => LIFE,
        _ => PARAMETERS,
    }
}

/// A refusal in one line: the sentence, and the details that are no blocks.
fn failed(name: &'static str, refusal: &AuthError) -> Check {
    let details = refusal.details.iter().filter(|(name, _)| !BLOCKS.contains(name) && !BYTES.contains(name));
    let details: String = details.map(|(name, value)| format!("; {name}: {value}")).collect();
    Check { name, outcome: Outcome::Failed, text: format!("{}{details}", refusal.message) }
}

/// `KEY/20260101/us-east-1/s3/aws4_request` as key and scope. The key may have slashes of its own.
fn split_credential(credential: &str) -> (&str, &str) {
    let start = credential.rmatch_indices('/').nth(3).map_or(credential.len(), |(at, _)| at);
    let (key, scope) = credential.split_at(start);
    (key, scope.trim_start_matches('/'))
}

fn life(signed_at: Option<Timestamp>, expires: &str, now: Timestamp) -> String {
    let (Some(start), Ok(seconds)) = (signed_at, expires.parse()) else { return String::new() };
    let end = start.after(Duration::from_secs(seconds));
    format!("signed at {}, lives {expires} s, until {}; now {}", start.iso8601(), end.iso8601(), now.iso8601())
}

fn body_hash(head: RequestHead<'_>, in_query: Option<&str>) -> String {
    let in_header = payload::declared(head.headers).ok().flatten();
    in_query.or(in_header).unwrap_or(UNSIGNED_PAYLOAD).to_owned()
}

/// The headers that are part of the signature and that the URL does not carry: the client has to send them.
fn headers_to_send(head: RequestHead<'_>) -> Option<String> {
    let signed = AuthParameters::read(head.query).ok()?.signed_headers?;
    SignedHeaders::parse(&signed)?;
    let line = |name: &str| {
        let value = head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        format!("{name}: {}", value.as_deref().unwrap_or("(signed with a value that was not given here; use --header)"))
    };
    let others = signed.split(';').map(str::to_ascii_lowercase).filter(|name| *name != HOST.as_str());
    let lines: Vec<String> = others.map(|name| line(&name)).collect();
    if lines.is_empty() {
        return None;
    }
    Some(format!("the client must send these headers, which are part of the signature:\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_slashes_is_split_from_its_scope() {
        for (credential, key, scope) in [
            ("a/b/20260101/us-east-1/s3/aws4_request", "a/b", "20260101/us-east-1/s3/aws4_request"),
            ("k/20260101/r/s3/aws4_request", "k", "20260101/r/s3/aws4_request"),
            ("k", "k", ""),
            ("", "", ""),
        ] {
            assert_eq!(split_credential(credential), (key, scope), "{credential}");
        }
    }
}
