//! When a certificate ends. Its bytes are walked just as far as that date: the chain of trust is the clients' affair.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::base::clock::Timestamp;

/// Tags of DER (X.690 section 8.1.2) that stand on the way.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The serial number, the signature's algorithm and the issuer stand between version and validity (RFC 5280 section 4.1).
const FIELDS_BEFORE_VALIDITY: usize = 3;

/// The `notAfter` of an X.509 certificate; none where these bytes are none.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = field(certificate, SEQUENCE)?;
    let (signed, _) = field(certificate, SEQUENCE)?;
    let mut rest = field(signed, VERSION).map_or(signed, |(_, rest)| rest);
    for _ in 0..FIELDS_BEFORE_VALIDITY {
        (_, _, rest) = element(rest)?;
    }
    let (validity, _) = field(rest, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    date(tag, std::str::from_utf8(text).ok()?)
}

/// RFC 5280 section 4.1.2.5: in UTC, to the second; two digits of a year mean 1950 to 2049.
fn date(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let moment = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(moment.timestamp().as_millisecond()).ok().map(Timestamp)
}

/// The content of the first element, which must have this tag, and what follows it.
fn field(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, _, _)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The tag and the content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn ending(year: i32) -> Vec<u8> {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_after = date_time_ymd(year, 3, 4);
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_in_both_forms() {
        // Years from 2050 on are written in the long form.
        for (year, date) in [(2027, "2027-03-04T00:00:00.000Z"), (2049, "2049-03-04T00:00:00.000Z")] {
            assert_eq!(not_after(&ending(year)).unwrap().iso8601(), date);
        }
        assert_eq!(not_after(&ending(2081)).unwrap().iso8601(), "2081-03-04T00:00:00.000Z");
        assert_eq!(date(UTC_TIME, "991231235959Z").unwrap().iso8601(), "1999-12-31T23:59:59.000Z");
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let whole = ending(2027);
        for end in 0..100 {
            assert_eq!(not_after(&whole[..end]), None);
        }
        for index in 0..whole.len() {
            // Whatever comes of it, it ends without a panic.
            let mut damaged = whole.clone();
            damaged[index] ^= 0xff;
            let _ = not_after(&damaged);
        }
        for text in ["", "9", "270304000000", "20270304000000", "2703040000Z", "270399000000Z", "é70304000000Z"] {
            assert_eq!(date(UTC_TIME, text), None, "{text}");
        }
    }
}
