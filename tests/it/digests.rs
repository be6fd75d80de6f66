//! Digests, checksums and dates as clients compute them, with crates nobody here wrote.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// The nine bytes that catalogues of CRCs publish check values for.
pub(crate) const CHECK: &[u8] = b"123456789";
/// Published check values of [`CHECK`] (<https://reveng.sourceforge.io/crc-catalogue/all.htm>), and its SHA digests.
pub(crate) const CHECK_VALUES: [(&str, &str); 5] = [
    ("crc32", "y/Q5Jg=="),
    ("crc32c", "4waSgw=="),
    ("crc64nvme", "rosUhgp5mIg="),
    ("sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
    ("sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
];

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 as the `x-amz-checksum-*` headers carry it.
pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The bytes behind base64.
pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes.as_ref()))
}

/// MD5.
pub(crate) fn md5(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    Md5::digest(bytes.as_ref()).to_vec()
}

/// The ETag of one body, in quotes.
pub(crate) fn etag(bytes: impl AsRef<[u8]>) -> String {
    format!("\"{}\"", hex(&md5(bytes)))
}

/// The ETag of an object of these parts, in quotes.
pub(crate) fn etag_of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let digests: Vec<Vec<u8>> = parts.into_iter().map(md5).collect();
    format!("\"{}-{}\"", hex(&md5(digests.concat())), digests.len())
}

/// The value of `x-amz-checksum-{algorithm}`.
pub(crate) fn checksum(algorithm: &str, bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let crc = |kind, width: usize| crc_fast::checksum(kind, bytes).to_be_bytes()[8 - width..].to_vec();
    base64(match algorithm {
        "crc32" => crc(CrcAlgorithm::Crc32IsoHdlc, 4),
        "crc32c" => crc(CrcAlgorithm::Crc32Iscsi, 4),
        "crc64nvme" => crc(CrcAlgorithm::Crc64Nvme, 8),
        "sha1" => sha1::Sha1::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        other => panic!("no such algorithm: {other}"),
    })
}

/// The COMPOSITE checksum of parts: the digest of their digests, and their number.
pub(crate) fn composite<'a>(algorithm: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let digests: Vec<Vec<u8>> = parts.into_iter().map(|part| from_base64(&checksum(algorithm, part))).collect();
    format!("{}-{}", checksum(algorithm, digests.concat()), digests.len())
}

/// Bytes that look random and are the same for the same seed.
pub(crate) fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(count + 8);
    while out.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(count);
    out
}

/// `20130524T000000Z`.
pub(crate) fn amz_date(time: SystemTime) -> String {
    zoned(time).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// `Fri, 24 May 2013 00:00:00 GMT`.
pub(crate) fn http_date(time: SystemTime) -> String {
    zoned(time).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The time of a header in [`http_date`]'s form, in seconds since 1970.
pub(crate) fn parse_http_date(text: &str) -> i64 {
    assert!(text.ends_with(" GMT") && text.len() == 29, "not an IMF-fixdate: {text:?}");
    jiff::fmt::rfc2822::parse(&text.replace("GMT", "+0000")).unwrap().timestamp().as_second()
}

/// Seconds since 1970.
pub(crate) fn now_seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn zoned(time: SystemTime) -> jiff::Zoned {
    jiff::Timestamp::try_from(time).unwrap().to_zoned(jiff::tz::TimeZone::UTC)
}

#[test]
fn checksums_are_the_published_ones() {
    for (algorithm, value) in CHECK_VALUES {
        assert_eq!(checksum(algorithm, CHECK), value, "{algorithm}");
    }
}
