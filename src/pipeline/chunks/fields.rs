//! The fields of a form chunk: our own names, Dropzone's and Resumable.js', told apart by which are there.
//!
//! Sources: Dropzone's `params` option (<https://github.com/dropzone/dropzone>), the README of
//! <https://github.com/23/resumable.js>, which says everything twice, in the query and in the form. A field given twice with
//! different values is refused: two readers could take different ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::digest::{BodyDigests, Checksum, ChecksumAlgorithm, DigestRequest, from_hex};
use crate::base::limits::SESSION_PARTS_MAX;
use crate::pipeline::call::{object_key, upload_id};
use crate::pipeline::error::Error;
use crate::pipeline::query::Query;
use crate::pipeline::sessions::header_text;
use crate::store::types::{ObjectKey, PartNumber, StagedBody, UploadId};

/// The texts of a query and a form, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

/// What a client says of a chunk, or of a file whose chunks it asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) upload_id: Option<UploadId>,
    /// What the file is called; with an id it need not be said.
    pub(super) filename: Option<String>,
    pub(super) key: Option<ObjectKey>,
    pub(super) bucket: Option<String>,
    pub(super) total: Option<u32>,
    pub(super) number: Option<PartNumber>,
    pub(super) content_type: Option<String>,
    /// What the client itself tells its uploads apart by.
    pub(super) client_id: Option<String>,
    pub(super) expected: Vec<Expected>,
}

/// A checksum that the chunk has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Md5([u8; 16]),
    Sha256([u8; 32]),
    Crc(Checksum),
}

impl Fields {
    /// What a query says.
    pub(super) fn of(query: &Query) -> Self {
        Self(query.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Adds a field, which may be there with the same value.
    pub(super) fn add(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match self.0.insert(name.to_owned(), value.to_owned()) {
            Some(before) if before != value => Err(Error::field(name, "is given twice, with different values")),
            _ => Ok(()),
        }
    }

    /// The first of these names that is there and not empty, and its value.
    fn first<'a>(&self, names: &[&'a str]) -> Option<(&'a str, &str)> {
        names.iter().find_map(|name| Some((*name, self.0.get(*name)?.as_str())).filter(|(_, value)| !value.is_empty()))
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        self.first(names).map(|(_, value)| value.to_owned())
    }

    /// A number in `range`; `first` is what the lowest is called.
    fn number(&self, names: &[&str]) -> Result<Option<u32>, Error> {
        let Some((name, text)) = self.first(names) else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.map(Some).ok_or_else(|| Error::field(name, "must be a whole number"))
    }

    /// What they say. `file_name` is the file's own name, for clients that send no other.
    pub(super) fn read(&self, file_name: Option<&str>) -> Result<Wanted, Error> {
        let total = self.number(&["total_chunks", "dztotalchunkcount", "resumableTotalChunks"])?;
        if total.is_some_and(|total| !(1..=SESSION_PARTS_MAX).contains(&total)) {
            return Err(Error::field("total_chunks", format!("must be 1 to {SESSION_PARTS_MAX}")));
        }
        // Dropzone counts from 0.
        let counted_from_0 = self.number(&["dzchunkindex"])?.map(|index| u64::from(index) + 1);
        let counted_from_1 = self.number(&["chunk_number", "resumableChunkNumber"])?.map(u64::from);
        let number = counted_from_1.or(counted_from_0);
        let number = number.map(|number| {
            let within =
                PartNumber::in_session(number).filter(|number| total.is_none_or(|total| number.get() <= total));
            within.ok_or_else(|| {
                let highest = total.unwrap_or(SESSION_PARTS_MAX);
                Error::field("chunk_number", format!("must be 1 to {highest}, as many as there are chunks"))
            })
        });
        let own_name = file_name.map(|path| path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned());
        let filename = self.text(&["filename", "resumableFilename"]).or(own_name).filter(|name| !name.is_empty());
        // Where it is not the key, it is kept all the same.
        let named = filename.as_deref().map(|name| object_key("filename", name)).transpose()?;
        let key = self.text(&["key"]).map(|key| object_key("key", &key)).transpose()?.or(named);
        let content_type = self.text(&["content_type", "resumableType"]);
        Ok(Wanted {
            upload_id: self.text(&["upload_id"]).map(|text| upload_id(&text)).transpose()?,
            key,
            filename,
            bucket: self.text(&["bucket"]),
            total,
            number: number.transpose()?,
            content_type: content_type.map(|text| header_text("content_type", &text)).transpose()?,
            client_id: self.text(&["dzuuid", "resumableIdentifier"]),
            expected: self.expected()?,
        })
    }

    fn expected(&self) -> Result<Vec<Expected>, Error> {
        let mut expected = Vec::new();
        for name in ["checksum_md5", "checksum_sha256", "checksum_crc32c", "checksum_crc64nvme"] {
            let Some((_, text)) = self.first(&[name]) else { continue };
            let crc = |algorithm: ChecksumAlgorithm| {
                let bytes = bytes_of(text, algorithm.len_bytes())?;
                Checksum::from_bytes(algorithm, &bytes).map(Expected::Crc)
            };
            let read = match name {
                "checksum_md5" => bytes_of(text, 16).and_then(|bytes| bytes.try_into().ok()).map(Expected::Md5),
                "checksum_sha256" => bytes_of(text, 32).and_then(|bytes| bytes.try_into().ok()).map(Expected::Sha256),
                "checksum_crc32c" => crc(ChecksumAlgorithm::Crc32c),
                _ => crc(ChecksumAlgorithm::Crc64Nvme),
            };
            expected
                .push(read.ok_or_else(|| Error::field(name, "must be the checksum in hexadecimal digits or base64"))?);
        }
        Ok(expected)
    }
}

/// The bytes of a checksum, written in hexadecimal digits or in base64. No text is both: so many digits would be more bytes in
/// base64.
fn bytes_of(text: &str, length: usize) -> Option<Vec<u8>> {
    let digits = match length {
        4 => from_hex::<4>(text).map(|bytes| bytes.to_vec()),
        8 => from_hex::<8>(text).map(|bytes| bytes.to_vec()),
        16 => from_hex::<16>(text).map(|bytes| bytes.to_vec()),
        _ => from_hex::<32>(text).map(|bytes| bytes.to_vec()),
    };
    digits.or_else(|| STANDARD.decode(text).ok().filter(|bytes| bytes.len() == length))
}

impl Wanted {
    /// Dropzone sends a file that is smaller than a chunk without a word about chunks: it is one chunk of one.
    pub(super) fn or_one_chunk(self) -> Self {
        match (self.upload_id, self.total, self.number) {
            (None, None, None) => Self { total: Some(1), number: PartNumber::in_session(1), ..self },
            _ => self,
        }
    }

    /// Whether it says which chunk of which upload this is.
    pub(super) fn is_whole(&self) -> bool {
        self.number.is_some() && (self.upload_id.is_some() || (self.key.is_some() && self.total.is_some()))
    }

    /// What has to be computed while the chunk comes in.
    pub(super) fn digests(&self) -> DigestRequest {
        DigestRequest {
            payload_sha256: self.expected.iter().any(|expected| matches!(expected, Expected::Sha256(_))),
            checksum: self.expected.iter().find_map(|expected| match expected {
                Expected::Crc(checksum) if checksum.algorithm() == ChecksumAlgorithm::Crc32c => {
                    Some(ChecksumAlgorithm::Crc32c)
                }
                _ => None,
            }),
        }
    }

    /// Refuses bytes that are not those the client meant.
    pub(super) fn verify(&self, body: &StagedBody) -> Result<(), Error> {
        match self.expected.iter().find(|expected| !expected.holds(&body.digests, &body.crc64nvme)) {
            None => Ok(()),
            Some(expected) => Err(Error::new(
                http::StatusCode::BAD_REQUEST,
                "BadDigest",
                format!("the {} given is not that of the bytes that came", expected.name()),
            )),
        }
    }
}

/// What has to be computed of a file that comes before the fields which say what it should be.
pub(super) const ALL_DIGESTS: DigestRequest =
    DigestRequest { payload_sha256: true, checksum: Some(ChecksumAlgorithm::Crc32c) };

impl Expected {
    fn holds(&self, digests: &BodyDigests, crc64nvme: &Checksum) -> bool {
        match self {
            Self::Md5(md5) => digests.md5 == *md5,
            Self::Sha256(sha256) => digests.payload_sha256 == Some(*sha256),
            Self::Crc(crc) => crc == crc64nvme || digests.checksum.as_ref() == Some(crc),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Md5(_) => "MD5",
            Self::Sha256(_) => "SHA-256",
            Self::Crc(crc) => crc.algorithm().name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], file_name: Option<&str>) -> Result<Wanted, String> {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.add(name, value).map_err(|error| error.message().to_owned())?;
        }
        fields.read(file_name).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn one_chunk_by_three_names() {
        let ours = [("filename", "a.bin"), ("chunk_number", "2"), ("total_chunks", "3")];
        let dropzone = [("dzuuid", "u"), ("dzchunkindex", "1"), ("dztotalchunkcount", "3")];
        let resumable = [("resumableFilename", "a.bin"), ("resumableChunkNumber", "2"), ("resumableTotalChunks", "3")];
        for pairs in [ours, dropzone, resumable] {
            let wanted = read(&pairs, Some("C:\\files\\a.bin")).unwrap();
            assert_eq!((wanted.number.map(PartNumber::get), wanted.total), (Some(2), Some(3)), "{pairs:?}");
            assert_eq!(wanted.key.unwrap().as_str(), "a.bin");
        }
    }

    #[test]
    fn limits_and_types_name_their_field() {
        for (name, value, says) in [
            ("total_chunks", "0", "total_chunks"),
            ("total_chunks", "100001", "total_chunks"),
            ("total_chunks", "-1", "total_chunks"),
            ("chunk_number", "0", "chunk_number"),
            ("chunk_number", "4", "chunk_number"),
            ("chunk_number", "x", "chunk_number"),
            ("dzchunkindex", "3", "chunk_number"),
            ("filename", &"a".repeat(1025), "filename"),
            ("key", &"a".repeat(1025), "key"),
            ("upload_id", "../x", "upload"),
            ("checksum_md5", "abc", "checksum_md5"),
            ("checksum_crc32c", "=", "checksum_crc32c"),
        ] {
            let mut pairs = vec![("total_chunks", "3"), ("filename", "a")];
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, value));
            let error = read(&pairs, None).unwrap_err();
            assert!(error.contains(says), "{name}={value}: {error}");
        }
        assert!(read(&[("key", "a"), ("key", "b")], None).unwrap_err().contains("twice"));
        // Resumable.js sends each of its fields in the query and in the form.
        assert!(read(&[("key", "a"), ("key", "a")], None).is_ok());
    }

    #[test]
    fn checksums_in_both_notations() {
        for (name, hex, base64) in [
            ("checksum_md5", "900150983cd24fb0d6963f7d28e17f72", "kAFQmDzST7DWlj99KOF/cg=="),
            // As long in base64 as in hexadecimal digits.
            ("checksum_crc32c", "e3069283", "4waSgw=="),
            ("checksum_crc64nvme", "ae8b14860a799888", "rosUhgp5mIg="),
        ] {
            let [hex, base64] = [hex, base64].map(|text| read(&[(name, text)], None).unwrap().expected);
            assert_eq!((hex.len(), &hex), (1, &base64), "{name}");
        }
    }
}
