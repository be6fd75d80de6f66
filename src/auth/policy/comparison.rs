//! Values that conditions compare by what they mean: numbers, dates, networks, ARNs.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::pattern::{Pattern, Token};

/// A decimal number, exact however long it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

impl Decimal {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole: whole.to_owned(), fraction: fraction.to_owned() })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole.clone(), number.fraction.clone());
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A date: ISO 8601 from the day on (without a time it means midnight UTC), or whole seconds since 1970.
pub(super) fn date(text: &str) -> Option<jiff::Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return jiff::Timestamp::from_second(seconds).ok();
    }
    match text.get(10..11) {
        None if text.len() == 10 => format!("{text}T00:00:00Z").parse().ok(),
        Some("T") => text.parse().ok(),
        _ => None,
    }
}

/// A range of addresses, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// Its bits at the end of the number, those behind the prefix zero.
    address: u128,
    is_v4: bool,
    prefix_bits: u32,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.trim().parse().ok()?;
        let whole = if written.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<u32>().ok()?,
            Some(_) => return None,
            None => whole,
        };
        if prefix_bits > whole {
            return None;
        }
        // An IPv4 address that is written as one of IPv6 is the IPv4 address.
        let (address, prefix_bits) = match written.to_canonical() {
            canonical @ IpAddr::V4(_) if written.is_ipv6() && prefix_bits >= 96 => (canonical, prefix_bits - 96),
            _ => (written, prefix_bits),
        };
        let (bits, is_v4) = bits(address);
        Some(Self { address: bits & mask(is_v4, prefix_bits), is_v4, prefix_bits })
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let (bits, is_v4) = bits(address.to_canonical());
        is_v4 == self.is_v4 && bits & mask(is_v4, self.prefix_bits) == self.address
    }

    /// Whether it is narrow enough to mean somebody: no wider than /8 (IPv4) or /32 (IPv6).
    pub(super) fn is_narrow(&self) -> bool {
        self.prefix_bits >= if self.is_v4 { 8 } else { 32 }
    }
}

fn bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), true),
        IpAddr::V6(address) => (address.to_bits(), false),
    }
}

fn mask(is_v4: bool, prefix_bits: u32) -> u128 {
    let whole = if is_v4 { 32 } else { 128 };
    let host_bits = whole - prefix_bits.min(whole);
    u128::MAX.checked_shl(host_bits).unwrap_or(0)
}

/// Whether an ARN is one that the pattern means. The six components are compared one by one, so that no wildcard reaches
/// from one into the next; components that are left out at the end are any where the last one ends in a star.
pub(super) fn arn_matches(pattern: &[Token], arn: &str) -> bool {
    const COMPONENTS: usize = 6;
    let expected: Vec<_> = pattern.splitn(COMPONENTS, |token| *token == Token::Literal(':')).collect();
    let components: Vec<_> = arn.splitn(COMPONENTS, ':').collect();
    let open = expected.len() < COMPONENTS && pattern.last() == Some(&Token::Any);
    components.len() == COMPONENTS
        && (expected.len() == COMPONENTS || open)
        && expected.iter().zip(components).all(|(tokens, component)| Pattern::new(tokens).matches(component))
}
