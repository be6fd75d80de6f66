//! Keys and records of sessions: uploads of the upload API.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

/// Counters of an open upload of a session: parts that are there, rows they came in, and their bytes.
pub fn session_counters(upload: u64) -> [Vec<u8>; 3] {
    let name = |prefix: &[u8]| [prefix, upload.to_be_bytes().as_slice()].concat();
    [name(b"session-parts-"), name(b"session-rows-"), name(b"session-bytes-")]
}

/// The row that says where an open upload of a session stands.
pub fn session_place_key(upload: u64) -> Vec<u8> {
    [b"u".as_slice(), &upload.to_be_bytes()].concat()
}

/// The row that says which upload a session's name means.
pub fn session_name_key(name: &[u8; 32]) -> Vec<u8> {
    [b"n".as_slice(), name].concat()
}

/// What an upload has besides that belongs to a session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SessionRecord {
    /// The bucket's name.
    #[n(0)]
    pub bucket: String,
    /// What it is found by without its id.
    #[n(1)]
    pub name: Option<ByteArray<32>>,
    /// Parts that make it complete, where that is known from the start.
    #[n(2)]
    pub total: Option<u32>,
    /// As the rank above wrote it.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub note: Vec<u8>,
    /// Number of the completed upload that had the name before.
    #[n(4)]
    pub predecessor: Option<u64>,
}

/// A record of `Sessions` by upload.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SessionPlaceRecord {
    /// The bucket's name.
    #[n(0)]
    pub bucket: String,
    /// The bucket's number.
    #[n(1)]
    pub bucket_number: u64,
    /// The object's key.
    #[n(2)]
    pub key: String,
}

/// A record of `Sessions` by name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SessionNameRecord {
    /// The upload's secret.
    #[n(0)]
    pub secret: u64,
}

/// The part that completed a session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LastPartRecord {
    /// Its number.
    #[n(0)]
    pub number: u32,
    /// Its bytes.
    #[n(1)]
    pub size: u64,
    /// Their MD5.
    #[n(2)]
    pub md5: ByteArray<16>,
}
