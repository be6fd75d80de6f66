//! `Upload-Checksum`: what the bytes of one request are to be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};

use super::{UPLOAD_CHECKSUM, text};
use crate::base::digest::{BodyDigests, Checksum, ChecksumAlgorithm, DigestRequest};
use crate::pipeline::error::Error;

/// The algorithms, as `Tus-Checksum-Algorithm` names them. Numbers are big-endian in their base64, as S3 writes them.
pub(super) const ALGORITHMS: &str = "sha1,md5,sha256,crc32,crc32c,crc64nvme";

/// A checksum that a client expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Md5([u8; 16]),
    Other(Checksum),
}

impl Expected {
    /// Reads the header.
    ///
    /// # Errors
    /// 400 for an unknown algorithm and for a value that is none of it.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        text(headers, &UPLOAD_CHECKSUM)?.map(Self::parse).transpose()
    }

    fn parse(value: &str) -> Result<Self, Error> {
        let (name, value) =
            value.split_once(' ').ok_or_else(|| Error::field("Upload-Checksum", "must be an algorithm and a value"))?;
        let wrong = || Error::field("Upload-Checksum", format!("is no base64 of a {name} checksum"));
        if name == "md5" {
            let bytes = STANDARD.decode(value).map_err(|_| wrong())?;
            return Ok(Self::Md5(bytes.try_into().map_err(|_| wrong())?));
        }
        let known = ChecksumAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name().to_ascii_lowercase() == name);
        let known = known.ok_or_else(|| Error::field("Upload-Checksum", format!("must be by one of {ALGORITHMS}")))?;
        Checksum::from_base64(known, value).map(Self::Other).ok_or_else(wrong)
    }

    /// What has to be computed to compare.
    pub(super) fn digests(&self) -> DigestRequest {
        let checksum = match self {
            Self::Md5(_) => None,
            Self::Other(checksum) => Some(checksum.algorithm()),
        };
        DigestRequest { payload_sha256: false, checksum }
    }

    /// Compares.
    ///
    /// # Errors
    /// tus's 460.
    pub(super) fn verify(&self, digests: &BodyDigests) -> Result<(), Error> {
        let same = match self {
            Self::Md5(md5) => *md5 == digests.md5,
            Self::Other(checksum) => digests.checksum.as_ref() == Some(checksum),
        };
        // A status of tus's own, within the range that every client knows.
        let status = StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST);
        let mismatch = || Error::new(status, "ChecksumMismatch", "the bytes are not what Upload-Checksum says");
        if same { Ok(()) } else { Err(mismatch()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_that_is_announced_is_read() {
        for name in ALGORITHMS.split(',') {
            let zeros = STANDARD.encode([0; 32].get(..length(name)).unwrap());
            assert!(Expected::parse(&format!("{name} {zeros}")).is_ok(), "{name}");
            for bad in ["", "!", "AA=="] {
                assert_eq!(Expected::parse(&format!("{name} {bad}")).unwrap_err().status(), 400, "{name} {bad}");
            }
        }
        for bad in ["", "sha1", "SHA1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha512 AA==", " sha1 AA=="] {
            assert_eq!(Expected::parse(bad).unwrap_err().status(), 400, "{bad}");
        }
    }

    fn length(name: &str) -> usize {
        if name == "md5" { 16 } else { ChecksumAlgorithm::from_name(name).unwrap().len_bytes() }
    }
}
