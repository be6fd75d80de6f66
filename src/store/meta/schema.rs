//! The catalog's format: keys and records.
//!
//! A record is one byte with its format (1), eight bytes big-endian with its revision, then a CBOR array (RFC 8949) whose
//! positions are the field numbers below. A record written today is read by every later version: fields are only ever
//! added with new numbers and as options, numbers are never used again, and unknown fields are skipped. Golden files in
//! `tests/golden` hold one record of each kind.
//!
//! Keys, by space (all numbers big-endian, so that they sort):
//!
//! | space | key | record |
//! | --- | --- | --- |
//! | System | `run` | the last run's number, 4 bytes, in place of CBOR |
//! | System | `usage` | nothing: from this row on the objects of every bucket are counted |
//! | Runs | run, 4 | nothing |
//! | Buckets | name | [`BucketRecord`]; its revision is the bucket's number, for ever |
//! | Current | bucket number, 8; escaped key | [`ObjectRecord`] |
//! | Inline | growing number, 8 | CRC32C of the body, 4; the body |
//! | Blobs | blob id, 16 | [`BlobRecord`] |
//! | Manifests | growing number, 8 | [`ManifestRecord`] |
//! | Extents | manifest number, 8; index, 4 | [`ExtentsRecord`] |
//! | Uploads | bucket number, 8; escaped key; upload number, 8 | [`UploadRecord`] |
//! | Parts | upload number, 8; part number, 2 (from 65,535 on FF FF and 4); growing number, 8 | [`PartRecord`] |
//! | Completed | upload number, 8 | [`CompletedRecord`] |
//! | Grave | growing number, 8 | one byte with the space's number, then the buried record |
//! | Counters | name; of what there is a counter each of, `references-` with a manifest's number, `usage-bytes-` and `usage-objects-` with a bucket's, 8, `records-` with a kind, 1, and `session-parts-`, `session-rows-` and `session-bytes-` with an open upload's, 8 | the value, 8 bytes, signed |
//! | BucketDocuments | bucket number, 8; kind, 1 | [`BucketDocumentRecord`] |
//! | Records | kind, 1; name | [`KeptRecord`] |
//! | Sessions | `u`, upload number, 8 | [`SessionPlaceRecord`]: where an open upload of a session stands |
//! | Sessions | `n`, digest of a name, 32 | [`SessionNameRecord`]; its revision is the upload's number |
//!
//! An escaped key is the key with each byte 00 written as 00 FF, then 00 01: so a key sorts before every longer key that
//! begins with it, whatever follows in the row's key.

use bytes::Bytes;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::base::id::BlobId;
use crate::store::meta::Tally;

mod keys;
mod session;

pub use keys::{
    bucket_document_key, extents_key, key_of_row, number_key, object_key, part_key, part_number_of_row, prefix_key,
    push_escaped_prefix, record_key, run_key, upload_key,
};
pub use session::{
    LastPartRecord, SessionNameRecord, SessionPlaceRecord, SessionRecord, session_counters, session_name_key,
    session_place_key,
};

/// The format of every record so far.
pub const RECORD_FORMAT: u8 = 1;
const HEADER_BYTES: usize = 9;

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable record: {0}")]
pub struct BadRecord(pub String);

/// A record with its revision.
pub fn encode<T: Encode<()>>(revision: u64, record: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(RECORD_FORMAT);
    bytes.extend_from_slice(&revision.to_be_bytes());
    // Encoding into memory cannot fail: the writer is a Vec and no field has a fallible encoding.
    let _: Result<(), _> = minicbor::encode(record, &mut bytes);
    bytes
}

/// The revision and the record in `bytes`.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<(u64, T), BadRecord> {
    let (header, body) =
        bytes.split_at_checked(HEADER_BYTES).ok_or_else(|| BadRecord(format!("only {} bytes", bytes.len())))?;
    match header.split_first() {
        Some((&RECORD_FORMAT, revision)) => {
            let revision = revision.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
            let record = minicbor::decode(body).map_err(|error| BadRecord(error.to_string()))?;
            Ok((revision, record))
        }
        Some((format, _)) => Err(BadRecord(format!("format {format} is newer than this program"))),
        None => Err(BadRecord("empty".to_owned())),
    }
}

/// The name of the run row.
pub const RUN_KEY: &[u8] = b"run";
/// The name of the row that says that buckets' objects are counted.
pub const USAGE_KEY: &[u8] = b"usage";
/// Counter: buckets.
pub const BUCKETS_COUNTER: &[u8] = b"buckets";
/// Counter: open uploads.
pub const UPLOADS_COUNTER: &[u8] = b"open-uploads";
/// Counter: bytes of part rows.
pub const STAGED_COUNTER: &[u8] = b"staged-bytes";

/// Counter: object records that name this manifest, in `Current` and in the grave, beyond the first. So copies of one object
/// add to a number, which commutes, and never contend for a record.
pub fn references_counter(manifest: u64) -> Vec<u8> {
    let mut name = b"references-".to_vec();
    name.extend_from_slice(&manifest.to_be_bytes());
    name
}

/// Counters: bytes of this bucket's objects, and how many there are.
pub fn usage_tally(bucket: u64) -> Tally {
    let name = |prefix: &[u8]| [prefix, bucket.to_be_bytes().as_slice()].concat();
    Tally { bytes: name(b"usage-bytes-"), rows: name(b"usage-objects-") }
}

/// The size that a record says it has, for a record whose first field that is: of an object, a part, a blob.
pub fn size_of(record: &[u8]) -> Option<u64> {
    let (_, body) = record.split_at_checked(HEADER_BYTES)?;
    let mut decoder = minicbor::Decoder::new(body);
    decoder.array().ok()?;
    decoder.u64().ok()
}

/// Counter: records of this kind.
pub fn records_counter(kind: u8) -> Vec<u8> {
    let mut name = b"records-".to_vec();
    name.push(kind);
    name
}

/// A row of `Inline`.
pub fn encode_inline(body: &[u8]) -> Vec<u8> {
    let mut row = Checksum::of(ChecksumAlgorithm::Crc32c, body).bytes().to_vec();
    row.extend_from_slice(body);
    row
}

/// The body in a row of `Inline`, verified.
pub fn decode_inline(row: Vec<u8>) -> Result<Bytes, BadRecord> {
    let mut body = Bytes::from(row);
    if body.len() < ChecksumAlgorithm::Crc32c.len_bytes() {
        return Err(BadRecord(format!("an inline body of only {} bytes", body.len())));
    }
    let crc = body.split_to(ChecksumAlgorithm::Crc32c.len_bytes());
    if Checksum::of(ChecksumAlgorithm::Crc32c, &body).bytes() != crc.as_ref() {
        return Err(BadRecord("an inline body that does not match its checksum".to_owned()));
    }
    Ok(body)
}

/// A record of `Buckets`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BucketRecord {
    /// Milliseconds since 1970.
    #[n(0)]
    pub created: u64,
    /// Whose it is; none where it belongs to whoever owns the gateway.
    #[n(1)]
    pub owner: Option<String>,
}

/// A record of `BucketDocuments`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BucketDocumentRecord {
    /// The document, as the rank above wrote it.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub document: Vec<u8>,
    /// Milliseconds since 1970 at which it was put.
    #[n(1)]
    pub modified: u64,
}

/// A record of `Records`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeptRecord {
    /// As the rank above wrote it.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
    /// Milliseconds since 1970 at which it was put.
    #[n(1)]
    pub modified: u64,
    /// Milliseconds since 1970 from which on it counts as gone; none where it stays.
    #[n(2)]
    pub expires: Option<u64>,
}

/// Where bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Content {
    /// There are none.
    #[n(0)]
    Empty,
    /// In `Inline`.
    #[n(1)]
    Inline(#[n(0)] u64),
    /// All of one blob.
    #[n(2)]
    Blob(#[n(0)] ByteArray<{ BlobId::LEN }>),
    /// In the extents of a manifest.
    #[n(3)]
    Manifest(#[n(0)] u64),
}

impl Content {
    /// All of this blob.
    pub fn blob(id: BlobId) -> Self {
        Self::Blob(ByteArray::from(id.to_bytes()))
    }

    /// The blob, where it is one.
    pub fn blob_id(&self) -> Option<BlobId> {
        match self {
            Self::Blob(id) => Some(BlobId::from_bytes(**id)),
            Self::Empty | Self::Inline(_) | Self::Manifest(_) => None,
        }
    }
}

/// A checksum: the algorithm (1 CRC32, 2 CRC32C, 3 CRC64NVME, 4 SHA1, 5 SHA256) and its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChecksumRecord {
    /// The algorithm's number.
    #[n(0)]
    pub algorithm: u8,
    /// The value, big-endian.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub value: Vec<u8>,
}

impl From<&Checksum> for ChecksumRecord {
    fn from(checksum: &Checksum) -> Self {
        Self { algorithm: algorithm_number(checksum.algorithm()), value: checksum.bytes().to_vec() }
    }
}

impl TryFrom<&ChecksumRecord> for Checksum {
    type Error = BadRecord;

    fn try_from(record: &ChecksumRecord) -> Result<Self, BadRecord> {
        algorithm_from_number(record.algorithm)
            .and_then(|algorithm| Self::from_bytes(algorithm, &record.value))
            .ok_or_else(|| BadRecord(format!("checksum of algorithm {}", record.algorithm)))
    }
}

/// The number of an algorithm in records.
pub fn algorithm_number(algorithm: ChecksumAlgorithm) -> u8 {
    match algorithm {
        ChecksumAlgorithm::Crc32 => 1,
        ChecksumAlgorithm::Crc32c => 2,
        ChecksumAlgorithm::Crc64Nvme => 3,
        ChecksumAlgorithm::Sha1 => 4,
        ChecksumAlgorithm::Sha256 => 5,
    }
}

/// The algorithm of a number in records.
pub fn algorithm_from_number(number: u8) -> Option<ChecksumAlgorithm> {
    ChecksumAlgorithm::ALL.into_iter().find(|algorithm| algorithm_number(*algorithm) == number)
}

/// The number of a checksum type in records.
pub fn type_number(kind: ChecksumType) -> u8 {
    match kind {
        ChecksumType::FullObject => 0,
        ChecksumType::Composite => 1,
    }
}

/// The checksum type of a number in records.
pub fn type_from_number(number: u8) -> Option<ChecksumType> {
    [ChecksumType::FullObject, ChecksumType::Composite].into_iter().find(|kind| type_number(*kind) == number)
}

/// The checksum of an object.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ObjectChecksumRecord {
    /// The value.
    #[n(0)]
    pub checksum: ChecksumRecord,
    /// 0 full object, 1 composite.
    #[n(1)]
    pub kind: u8,
    /// Parts of a composite.
    #[n(2)]
    pub parts: Option<u16>,
}

/// What a client said of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct AttributesRecord {
    /// Headers: name, value.
    #[n(0)]
    pub headers: Vec<(String, String)>,
    /// User metadata: name, value.
    #[n(1)]
    pub user_metadata: Vec<(String, String)>,
    /// Tags: key, value; none where there are none.
    #[n(2)]
    pub tags: Option<Vec<(String, String)>>,
    /// Whose the object is; none where it is the bucket's owner's.
    #[n(3)]
    pub owner: Option<String>,
    /// A number of the rank above; none for its default.
    #[n(4)]
    pub acl: Option<u8>,
}

/// A record of `Current`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ObjectRecord {
    /// Bytes.
    #[n(0)]
    pub size: u64,
    /// The ETag's digest.
    #[n(1)]
    pub md5: ByteArray<16>,
    /// Parts, for objects made by a multipart upload.
    #[n(2)]
    pub parts: Option<u32>,
    /// Milliseconds since 1970.
    #[n(3)]
    pub modified: u64,
    /// Where the bytes are.
    #[n(4)]
    pub content: Content,
    /// What the client said.
    #[n(5)]
    pub attributes: AttributesRecord,
    /// The checksum.
    #[n(6)]
    pub checksum: ObjectChecksumRecord,
}

/// A record of `Blobs`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlobRecord {
    /// Bytes of content.
    #[n(0)]
    pub len: u64,
    /// CRC64NVME of the content.
    #[n(1)]
    pub crc64nvme: ChecksumRecord,
}

/// A record of `Manifests`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ManifestRecord {
    /// Written as 1 and never read: the object that the manifest was made for. How many name it beyond the first is in a
    /// counter, [`references_counter`]. It stays because records only grow.
    #[n(0)]
    pub references: u32,
    /// Bytes.
    #[n(1)]
    pub size: u64,
    /// Extents.
    #[n(2)]
    pub extents: u32,
    /// For each record of extents the offset of its first byte.
    #[n(3)]
    pub starts: Vec<u64>,
}

/// A run of bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExtentRecord {
    /// Where the bytes are: inline, a blob, or nowhere.
    #[n(0)]
    pub content: Content,
    /// Where they begin there.
    #[n(1)]
    pub offset: u64,
    /// How many there are.
    #[n(2)]
    pub len: u64,
    /// The part they came as.
    #[n(3)]
    pub part: u32,
    /// The part's checksum.
    #[n(4)]
    pub checksum: ChecksumRecord,
}

/// A record of `Extents`. All records of a manifest but its last hold exactly 512 extents: by that a part is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ExtentsRecord {
    /// In order.
    #[n(0)]
    pub extents: Vec<ExtentRecord>,
}

/// A record of `Uploads`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UploadRecord {
    /// The number its parts are keyed by.
    #[n(0)]
    pub number: u64,
    /// What makes its id unguessable.
    #[n(1)]
    pub secret: u64,
    /// Milliseconds since 1970.
    #[n(2)]
    pub initiated: u64,
    /// For the object to be.
    #[n(3)]
    pub attributes: AttributesRecord,
    /// The promised algorithm.
    #[n(4)]
    pub algorithm: Option<u8>,
    /// The promised type.
    #[n(5)]
    pub kind: Option<u8>,
    /// What a protocol of the upload API keeps with it, where one began it.
    #[n(6)]
    pub session: Option<SessionRecord>,
}

/// A record of `Parts`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PartRecord {
    /// Bytes.
    #[n(0)]
    pub size: u64,
    /// The ETag's digest.
    #[n(1)]
    pub md5: ByteArray<16>,
    /// Where the bytes are.
    #[n(2)]
    pub content: Content,
    /// CRC64NVME of the bytes.
    #[n(3)]
    pub crc64nvme: ChecksumRecord,
    /// The checksum the client sent.
    #[n(4)]
    pub checksum: Option<ChecksumRecord>,
    /// Milliseconds since 1970.
    #[n(5)]
    pub modified: u64,
    /// Whether it may be a stray repetition of a part of the session's predecessor: other bytes may still take its place.
    #[n(6)]
    pub stray: Option<bool>,
}

/// A record of `Completed`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CompletedRecord {
    /// The upload's number.
    #[n(0)]
    pub number: u64,
    /// The upload's secret.
    #[n(1)]
    pub secret: u64,
    /// The bucket's number.
    #[n(2)]
    pub bucket: u64,
    /// The object's key.
    #[n(3)]
    pub key: String,
    /// Bytes of the object.
    #[n(4)]
    pub size: u64,
    /// Digest of the object's ETag.
    #[n(5)]
    pub md5: ByteArray<16>,
    /// Parts of the object.
    #[n(6)]
    pub parts: u32,
    /// The object's checksum.
    #[n(7)]
    pub checksum: ObjectChecksumRecord,
    /// SHA-256 over the listed part numbers and ETags.
    #[n(8)]
    pub fingerprint: ByteArray<32>,
    /// Where the parts went: gc keeps what this names and frees the rest.
    #[n(9)]
    pub content: Content,
    /// Milliseconds since 1970.
    #[n(10)]
    pub completed: u64,
    /// That of the upload.
    #[n(11)]
    pub session: Option<SessionRecord>,
    /// What completed it, where it belongs to a session.
    #[n(12)]
    pub last: Option<LastPartRecord>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_bodies_are_verified() {
        for body in [&b"x"[..], b"", &[7; 4096]] {
            let mut row = encode_inline(body);
            assert_eq!(decode_inline(row.clone()).unwrap(), body);
            for at in 0..row.len().min(9) {
                row[at] ^= 1;
                assert!(decode_inline(row.clone()).is_err());
                row[at] ^= 1;
            }
        }
        assert!(decode_inline(vec![0; 3]).is_err());
    }

    #[test]
    fn records_round_trip_and_refuse_newer_formats() {
        let record = BucketRecord { created: 12, owner: None };
        let mut bytes = encode(77, &record);
        assert_eq!(decode::<BucketRecord>(&bytes), Ok((77, record)));
        bytes[0] = 2;
        assert!(decode::<BucketRecord>(&bytes).is_err());
        assert!(decode::<BucketRecord>(&bytes[..5]).is_err());
    }
}
