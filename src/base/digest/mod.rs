//! Hashes and checksums of bodies, all fed in one pass over each byte.
//!
//! Names, widths and encodings are those of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>.

mod combine;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use combine::Polynomial;

/// Algorithms that S3 has and wharf does not.
const UNBUILT: [&str; 5] = ["MD5", "SHA512", "XXHASH3", "XXHASH64", "XXHASH128"];

/// A checksum algorithm that a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumAlgorithm {
    /// CRC-32/ISO-HDLC.
    Crc32,
    /// CRC-32/ISCSI (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumAlgorithm {
    /// All of them, in the order of their introduction.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Sha1, Self::Sha256, Self::Crc64Nvme];

    /// The name in `x-amz-checksum-algorithm` and in XML.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries a value, in lower case.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The XML element that carries a value.
    pub fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// Bytes of a value.
    pub fn len_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The algorithm called `name`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose header is called `header`, in any case.
    pub fn from_header(header: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(header))
    }

    /// Whether S3 has an algorithm of this name, in any case, and wharf does not.
    pub fn is_unbuilt(name: &str) -> bool {
        UNBUILT.iter().any(|unbuilt| unbuilt.eq_ignore_ascii_case(name))
    }

    /// Whether the checksum of a whole can be computed from those of its parts.
    pub fn combines(self) -> bool {
        self.crc().is_some()
    }

    /// The type a multipart upload gets when the client names only the algorithm: CRC64NVME knows no composite.
    pub fn default_type(self) -> ChecksumType {
        match self {
            Self::Crc64Nvme => ChecksumType::FullObject,
            Self::Crc32 | Self::Crc32c | Self::Sha1 | Self::Sha256 => ChecksumType::Composite,
        }
    }

    /// Whether S3 offers this algorithm with `checksum_type` for multipart uploads.
    pub fn allows(self, checksum_type: ChecksumType) -> bool {
        match checksum_type {
            ChecksumType::Composite => !matches!(self, Self::Crc64Nvme),
            ChecksumType::FullObject => self.combines(),
        }
    }

    /// Of the algorithms that combine; the polynomials are those of the CRC catalogue (reveng.sourceforge.io).
    fn polynomial(self) -> Option<Polynomial> {
        match self {
            Self::Crc32 => Some(Polynomial { width: 32, reflected: 0xedb8_8320 }),
            Self::Crc32c => Some(Polynomial { width: 32, reflected: 0x82f6_3b78 }),
            Self::Crc64Nvme => Some(Polynomial { width: 64, reflected: 0x9a6c_9329_ac4b_c9b5 }),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// Whether a checksum covers the object's bytes or its parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumType {
    /// A checksum over the parts' binary checksums, written `value-N`.
    Composite,
    /// A checksum over the object's bytes.
    FullObject,
}

impl ChecksumType {
    /// The name in `x-amz-checksum-type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }

    /// The type called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Composite, Self::FullObject].into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// A checksum of bytes, big-endian where it is a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    bytes: Vec<u8>,
}

impl Checksum {
    /// A checksum from its raw bytes; none when the length is not the algorithm's.
    pub fn from_bytes(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == algorithm.len_bytes()).then(|| Self { algorithm, bytes: bytes.to_vec() })
    }

    /// A checksum from the base64 that headers and XML carry; none when it is not one.
    pub fn from_base64(algorithm: ChecksumAlgorithm, text: &str) -> Option<Self> {
        Self::from_bytes(algorithm, &BASE64.decode(text).ok()?)
    }

    /// The checksum of `data`.
    pub fn of(algorithm: ChecksumAlgorithm, data: &[u8]) -> Self {
        let mut hasher = ChecksumHasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    /// The algorithm.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As headers and XML carry it.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.bytes)
    }

    /// The full-object checksum of bytes with checksum `self` followed by `next_len` bytes with checksum `next`;
    /// none where the algorithm cannot combine or the two differ in algorithm.
    pub fn combine(&self, next: &Self, next_len: u64) -> Option<Self> {
        let polynomial = self.algorithm.polynomial().filter(|_| self.algorithm == next.algorithm)?;
        Some(Self::from_number(self.algorithm, polynomial.combine(self.as_number(), next.as_number(), next_len)))
    }

    fn as_number(&self) -> u64 {
        self.bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
    }

    fn from_number(algorithm: ChecksumAlgorithm, value: u64) -> Self {
        let bytes = value.to_be_bytes().into_iter().skip(8usize.saturating_sub(algorithm.len_bytes())).collect();
        Self { algorithm, bytes }
    }
}

/// Computes one checksum.
pub struct ChecksumHasher {
    algorithm: ChecksumAlgorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl ChecksumHasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match (algorithm, algorithm.crc()) {
            (_, Some(crc)) => State::Crc(crc_fast::Digest::new(crc)),
            (ChecksumAlgorithm::Sha1, None) => State::Sha1(Sha1::new()),
            (_, None) => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(data),
            State::Sha1(digest) => digest.update(data),
            State::Sha256(digest) => digest.update(data),
        }
    }

    /// The checksum of all that was added.
    pub fn finish(self) -> Checksum {
        match self.state {
            State::Crc(digest) => Checksum::from_number(self.algorithm, digest.finalize()),
            State::Sha1(digest) => Checksum { algorithm: self.algorithm, bytes: digest.finalize().to_vec() },
            State::Sha256(digest) => Checksum { algorithm: self.algorithm, bytes: digest.finalize().to_vec() },
        }
    }
}

/// What has to be known of a body besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestRequest {
    /// SHA-256 of the body: the client signed it.
    pub payload_sha256: bool,
    /// The checksum the client declared.
    pub checksum: Option<ChecksumAlgorithm>,
}

/// What is known of a whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyDigests {
    /// The ETag of a single PUT and of a part.
    pub md5: [u8; 16],
    /// Only where asked for.
    pub payload_sha256: Option<[u8; 32]>,
    /// Only where asked for.
    pub checksum: Option<Checksum>,
}

/// Computes all that a [`DigestRequest`] names in one pass, but for CRC64NVME: storage computes that for every body, and
/// no byte is hashed twice.
pub struct BodyHasher {
    md5: Md5,
    sha256: Option<Sha256>,
    checksum: Option<ChecksumHasher>,
    request: DigestRequest,
}

impl BodyHasher {
    /// A hasher that has seen nothing.
    pub fn new(request: DigestRequest) -> Self {
        let sha256_needed = request.payload_sha256 || request.checksum == Some(ChecksumAlgorithm::Sha256);
        // SHA-256 serves signature and checksum alike.
        let separate = request
            .checksum
            .filter(|algorithm| !matches!(algorithm, ChecksumAlgorithm::Sha256 | ChecksumAlgorithm::Crc64Nvme));
        Self {
            md5: Md5::new(),
            sha256: sha256_needed.then(Sha256::new),
            checksum: separate.map(ChecksumHasher::new),
            request,
        }
    }

    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(data);
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(data);
        }
    }

    /// The digests of all that was added, whose CRC64NVME is `crc64nvme`.
    pub fn finish(self, crc64nvme: &Checksum) -> BodyDigests {
        let sha256: Option<[u8; 32]> = self.sha256.map(|digest| digest.finalize().into());
        let checksum = match self.request.checksum {
            Some(ChecksumAlgorithm::Crc64Nvme) => Some(crc64nvme.clone()),
            Some(ChecksumAlgorithm::Sha256) => {
                sha256.and_then(|value| Checksum::from_bytes(ChecksumAlgorithm::Sha256, &value))
            }
            _ => self.checksum.map(ChecksumHasher::finish),
        };
        BodyDigests {
            md5: self.md5.finalize().into(),
            payload_sha256: sha256.filter(|_| self.request.payload_sha256),
            checksum,
        }
    }
}

/// Lower-case hexadecimal, as ETags and signatures are written.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(*DIGITS.get(usize::from(nibble)).unwrap_or(&b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The inverse of [`hex`], for exactly `N` bytes in either case.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|c| c.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check values of the CRC catalogue (reveng.sourceforge.io) and of FIPS 180 for "123456789" and "abc".
    #[test]
    fn published_values() {
        let of = |algorithm, data: &[u8]| hex(Checksum::of(algorithm, data).bytes());
        assert_eq!(of(ChecksumAlgorithm::Crc32, b"123456789"), "cbf43926");
        assert_eq!(of(ChecksumAlgorithm::Crc32c, b"123456789"), "e3069283");
        assert_eq!(of(ChecksumAlgorithm::Crc64Nvme, b"123456789"), "ae8b14860a799888");
        assert_eq!(of(ChecksumAlgorithm::Sha1, b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            of(ChecksumAlgorithm::Sha256, b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn combining_equals_hashing_the_whole() {
        let body: Vec<u8> = (0..=u8::MAX).cycle().take(165_540).collect();
        for (algorithm, at) in
            ChecksumAlgorithm::ALL.into_iter().flat_map(|of| [0, 1, 100_003, 165_540].map(|at| (of, at)))
        {
            let (head, tail) = body.split_at(at);
            let combined = Checksum::of(algorithm, head).combine(&Checksum::of(algorithm, tail), tail.len() as u64);
            assert_eq!(combined, algorithm.combines().then(|| Checksum::of(algorithm, &body)));
        }
    }

    /// The library's way is another one, and goes where no test can: to lengths of terabytes.
    #[test]
    fn combining_agrees_with_the_library_for_every_length() {
        for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| algorithm.combines()) {
            let (head, tail) = (Checksum::of(algorithm, b"head"), Checksum::of(algorithm, b"tail"));
            for len in (0..44).map(|bits| (1 << bits) + 12_345 * bits) {
                let crc = algorithm.crc().unwrap();
                let expected = crc_fast::checksum_combine(crc, head.as_number(), tail.as_number(), len);
                assert_eq!(head.combine(&tail, len), Some(Checksum::from_number(algorithm, expected)), "{len}");
            }
        }
    }

    #[test]
    fn one_pass_gives_what_was_asked_for() {
        for checksum in ChecksumAlgorithm::ALL {
            let mut hasher = BodyHasher::new(DigestRequest { payload_sha256: false, checksum: Some(checksum) });
            hasher.update(b"12345");
            hasher.update(b"6789");
            let digests = hasher.finish(&Checksum::of(ChecksumAlgorithm::Crc64Nvme, b"123456789"));
            assert_eq!(digests.checksum, Some(Checksum::of(checksum, b"123456789")));
            assert_eq!(digests.payload_sha256, None);
            assert_eq!(hex(&digests.md5), "25f9e794323b453885f5181f1b624d0b");
        }
    }

    #[test]
    fn hexadecimal_is_strict() {
        assert_eq!(from_hex::<2>("0aFf"), Some([10, 255]));
        for bad in ["0a", "0aff0", "0ag0", "+1+1", "é1"] {
            assert_eq!(from_hex::<2>(bad), None, "{bad}");
        }
    }
}
