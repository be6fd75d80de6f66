//! The credential of a SigV4 request, `KEY/YYYYMMDD/REGION/s3/aws4_request`, and its times.
//!
//! The same text stands in the Authorization header and in the query; only the code of a refusal differs, so the
//! callers choose it.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use super::error::{AuthError, AuthErrorCode};
use super::sigv4::TERMINAL;
use crate::base::clock::Timestamp;

/// A credential whose scope is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    /// May contain slashes: whoever sets up a gateway chooses the root key freely.
    pub(super) access_key_id: String,
    /// `YYYYMMDD`.
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
}

impl Credential {
    /// Reads a credential and checks its scope against region and service. Refusals carry `code`, their sentence begins with
    /// `prefix`, which may be empty.
    pub(super) fn parse(
        text: &str,
        (region, service): (&str, &str),
        code: AuthErrorCode,
        prefix: &str,
    ) -> Result<Self, AuthError> {
        let refuse = |reason: String| AuthError::new(code, sentence(prefix, &reason));
        let mut fields = text.rsplitn(5, '/');
        let (Some(terminal), Some(named_service), Some(named_region), Some(date), Some(access_key_id)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(refuse(malformed()));
        };
        if access_key_id.is_empty() {
            return Err(refuse(malformed()));
        }
        if date.len() != 8 || parse_amz_date(&format!("{date}T000000Z")).is_none() {
            let reason = "This date in the credential must be in the format \"yyyyMMdd\".";
            return Err(refuse(format!("incorrect date format \"{date}\". {reason}")));
        }
        if named_region != region {
            let reason = format!("the region '{named_region}' is wrong; expecting '{region}'");
            return Err(refuse(reason).with("Region", region));
        }
        if named_service != service {
            let reason = format!("incorrect service \"{named_service}\". This endpoint belongs to \"{service}\".");
            return Err(refuse(reason));
        }
        if terminal != TERMINAL {
            return Err(refuse(format!("incorrect terminal \"{terminal}\". This endpoint uses \"{TERMINAL}\".")));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// The scope that is signed: the credential without its key.
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/{TERMINAL}", self.date, self.region, self.service)
    }

    /// Refuses a credential that was made for another day than the request's.
    pub(super) fn check_date(&self, amz_date: &str, code: AuthErrorCode, prefix: &str) -> Result<(), AuthError> {
        let day = amz_date.get(..8).unwrap_or_default();
        if self.date == day {
            return Ok(());
        }
        let reason =
            format!("Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{day}\".", self.date);
        Err(AuthError::new(code, sentence(prefix, &reason)))
    }
}

fn sentence(prefix: &str, reason: &str) -> String {
    if prefix.is_empty() { reason.to_owned() } else { format!("{prefix}; {reason}") }
}

fn malformed() -> String {
    format!("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/{TERMINAL}\".")
}

/// Reads `20130524T000000Z`; none when it is anything else or no date of the calendar.
pub fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    if day.len() != 8 || time.len() != 6 {
        return None;
    }
    let number = |text: &str, from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<i16>().ok()
    };
    let small = |text: &str, from: usize| i8::try_from(number(text, from, from + 2)?).ok();
    let (month, date) = (small(day, 4)?, small(day, 6)?);
    let (hour, minute, second) = (small(time, 0)?, small(time, 2)?, small(time, 4)?);
    let civil = DateTime::new(number(day, 0, 4)?, month, date, hour, minute, second, 0).ok()?;
    timestamp(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Reads a `Date` header: RFC 9110's preferred form (or any other date of RFC 5322), or SigV4's own.
pub(super) fn parse_date_header(text: &str) -> Option<Timestamp> {
    parse_amz_date(text).or_else(|| timestamp(rfc2822::parse(text).ok()?.timestamp()))
}

fn timestamp(moment: jiff::Timestamp) -> Option<Timestamp> {
    u64::try_from(moment.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: AuthErrorCode = AuthErrorCode::AuthorizationHeaderMalformed;

    #[test]
    fn a_key_may_contain_slashes() {
        let credential = Credential::parse("a/b/20130524/r/s3/aws4_request", ("r", "s3"), CODE, "p").unwrap();
        assert_eq!((credential.access_key_id.as_str(), credential.date.as_str()), ("a/b", "20130524"));
        assert_eq!(credential.scope(), "20130524/r/s3/aws4_request");
    }

    #[test]
    fn foreign_scopes_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "mal-formed"),
            ("k", "mal-formed"),
            ("/20130524/r/s3/aws4_request", "mal-formed"),
            ("20130524/r/s3/aws4_request", "mal-formed"),
            ("k/2013-05-24/r/s3/aws4_request", "incorrect date format \"2013-05-24\""),
            ("k/20131324/r/s3/aws4_request", "incorrect date format"),
            ("k/20130524/eu/s3/aws4_request", "the region 'eu' is wrong; expecting 'r'"),
            ("k/20130524/r/ec2/aws4_request", "incorrect service \"ec2\""),
            ("k/20130524/r/s3/aws4", "incorrect terminal \"aws4\""),
        ] {
            let refusal = Credential::parse(text, ("r", "s3"), CODE, "p").unwrap_err();
            assert!(refusal.code == CODE && refusal.message.contains(reason), "{text}: {refusal}");
            assert_eq!(refusal.detail("Region").is_some(), reason.contains("region"));
        }
    }

    #[test]
    fn dates() {
        let t = Timestamp(1_369_353_600_000);
        for text in ["20130524T000000Z", "Fri, 24 May 2013 00:00:00 GMT", "24 May 2013 00:00:00 +0000"] {
            assert_eq!(parse_date_header(text), Some(t), "{text}");
        }
        for text in [
            "",
            "20130524",
            "20130524T0000Z",
            "20130524T000000",
            "20130532T000000Z",
            "+1230524T000000Z",
            "2013-05-24T00:00:00Z",
            "19691231T235959Z",
            "é0130524T00000Z",
            "20130524TTT0000Z",
            "yesterday",
            "Fri, 32 May 2013 00:00:00 GMT",
        ] {
            assert_eq!(parse_date_header(text), None, "{text}");
        }
    }
}
