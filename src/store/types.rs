//! The vocabulary of the store: names parsed once at the edge, and what its calls take and give.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use crate::base::clock::Timestamp;
use crate::base::digest::{BodyDigests, Checksum, ChecksumAlgorithm, ChecksumType, from_hex, hex};
use crate::base::limits::{KEY_MAX_BYTES, PARTS_MAX, SESSION_PARTS_MAX};
use crate::store::blob::Sealed;

mod session;

pub use session::{Appended, LastPart, NewSession, Session, SessionState, Staged};

/// A bucket's name by the rules of general-purpose buckets:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(String);

impl BucketName {
    /// 3 to 63 bytes of `a-z 0-9 . -`, beginning and ending with a letter or digit, no `..`, not an IPv4 address, none of
    /// AWS's reserved prefixes and suffixes.
    pub fn parse(name: &str) -> Option<Self> {
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = name.as_bytes();
        let good = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| alphanumeric(*byte) || matches!(byte, b'.' | b'-'))
            && bytes.first().copied().is_some_and(alphanumeric)
            && bytes.last().copied().is_some_and(alphanumeric)
            && !name.contains("..")
            && name.parse::<std::net::Ipv4Addr>().is_err()
            && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
            && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix));
        good.then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object's key: 1 to 1024 bytes of UTF-8, any characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A key within the limits.
    pub fn parse(key: &str) -> Option<Self> {
        (1..=KEY_MAX_BYTES).contains(&key.len()).then(|| Self(key.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a multipart upload: URL-safe, not to be guessed, and carrying the number its rows are keyed by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId {
    /// The growing number.
    pub number: u64,
    /// What makes the id unguessable.
    pub secret: u64,
}

impl UploadId {
    /// Exactly 32 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let value = u128::from_be_bytes(from_hex::<16>(text)?);
        #[expect(clippy::cast_possible_truncation, reason = "each half takes exactly its bits")]
        let id = Self { number: (value >> 64) as u64, secret: value as u64 };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.number, self.secret)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A part number: 1 to 10,000, or to 100,000 in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(u32);

impl PartNumber {
    /// A number within the limits of S3.
    pub fn new(number: u64) -> Option<Self> {
        u32::try_from(number).ok().filter(|number| (1..=u32::from(PARTS_MAX)).contains(number)).map(Self)
    }

    /// A number within the limits of a session.
    pub fn in_session(number: u64) -> Option<Self> {
        u32::try_from(number).ok().filter(|number| (1..=SESSION_PARTS_MAX).contains(number)).map(Self)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// An entity tag: the MD5 of a single body, or of the parts' MD5s with their count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ETag {
    /// The digest.
    pub md5: [u8; 16],
    /// Parts, for objects made by a multipart upload.
    pub parts: Option<u32>,
}

impl ETag {
    /// The tag of a single body.
    pub fn of_body(md5: [u8; 16]) -> Self {
        Self { md5, parts: None }
    }

    /// Reads a tag as clients send it: bare, in quotes, or in `&quot;` that the XML reader has already resolved.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_matches('"');
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => (digest, Some(parts.parse().ok()?)),
            None => (text, None),
        };
        Some(Self { md5: from_hex(digest)?, parts })
    }

    /// In quotes, as headers and XML carry it.
    pub fn quoted(&self) -> String {
        format!("\"{self}\"")
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.md5))?;
        match self.parts {
            Some(parts) => write!(f, "-{parts}"),
            None => Ok(()),
        }
    }
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// The number its objects are keyed by; a bucket made again under the same name has another.
    pub number: u64,
    /// When it was made.
    pub created: Timestamp,
    /// Whose it is, as the rank above names its clients; none where it belongs to whoever owns the gateway.
    pub owner: Option<String>,
}

/// What a bucket's objects take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketUsage {
    /// Their bytes, each copy in full.
    pub bytes: u64,
    /// How many there are.
    pub objects: u64,
}

/// The kinds of documents that stand beside a bucket, each at most once. The number is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DocumentKind {
    /// Its tags.
    Tagging = 1,
    /// Who may do what with it.
    Policy = 2,
    /// What no policy and no ACL may open.
    PublicAccessBlock = 3,
    /// Whose its objects are.
    OwnershipControls = 4,
    /// Its ACL.
    Acl = 5,
    /// Which web pages of other origins may use it.
    Cors = 6,
    /// How much it may hold.
    Quota = 7,
}

impl DocumentKind {
    /// All kinds: they go when the bucket goes.
    pub const ALL: [Self; 7] = [
        Self::Tagging,
        Self::Policy,
        Self::PublicAccessBlock,
        Self::OwnershipControls,
        Self::Acl,
        Self::Cors,
        Self::Quota,
    ];
}

/// A document that stands beside a bucket. Its bytes mean something to the rank that wrote them and nothing to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketDocument {
    /// Another with each change, also of a bucket made again under the same name: what was read out of the bytes may be kept
    /// under it.
    pub revision: u64,
    /// When it was put.
    pub modified: Timestamp,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The kinds of records that the ranks above keep for themselves. The number is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// Access keys.
    AccessKey = 1,
    /// Bearer tokens.
    Token = 2,
    /// Generations of images: what was asked for, and how far it is.
    Generation = 3,
    /// Callbacks on their way, delivered and given up.
    Callback = 4,
}

/// A record that a rank above keeps. Its bytes mean something to that rank and nothing to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Another with each change.
    pub revision: u64,
    /// When it was put.
    pub modified: Timestamp,
    /// From when on it counts as gone.
    pub expires: Option<Timestamp>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What has to stand where a record is put, judged in the commit that puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// The record of this revision.
    Revision(u64),
}

/// One of several changes of records that are made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// The kind.
    pub kind: RecordKind,
    /// The record's name.
    pub name: String,
    /// The bytes to put; none removes the record.
    pub bytes: Option<Vec<u8>>,
    /// From when on what is put counts as gone.
    pub expires: Option<Timestamp>,
    /// What has to stand there.
    pub expected: Expected,
}

/// What a client says of an object besides its bytes; stored and given back as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `Content-Type`, `Cache-Control`, `Content-Disposition`, `Content-Encoding`, `Content-Language`, `Expires` and other
    /// headers that come back on GET and HEAD: lower-case name and value.
    pub headers: Vec<(String, String)>,
    /// `x-amz-meta-*`: lower-case name without the prefix, and value.
    pub user_metadata: Vec<(String, String)>,
    /// The object's tags: key and value, by key.
    pub tags: Vec<(String, String)>,
    /// Whose the object is, as the rank above names its clients; none where it is the bucket's owner's.
    pub owner: Option<String>,
    /// Who else may do what with it, as a number of the rank above; none where nobody may.
    pub acl: Option<u8>,
}

/// A checksum an object carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChecksum {
    /// The value; for composites the digest over the parts' checksums.
    pub value: Checksum,
    /// What it covers.
    pub kind: ChecksumType,
    /// Parts, which a composite's text carries as `-N`.
    pub parts: Option<u16>,
}

impl ObjectChecksum {
    /// As headers and XML carry it.
    pub fn text(&self) -> String {
        match (self.kind, self.parts) {
            (ChecksumType::Composite, Some(parts)) => format!("{}-{parts}", self.value.to_base64()),
            _ => self.value.to_base64(),
        }
    }
}

/// What is known of an object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The key.
    pub key: ObjectKey,
    /// The revision of its record.
    pub revision: u64,
    /// Bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// When it was written.
    pub modified: Timestamp,
    /// What the client said of it.
    pub attributes: Attributes,
    /// Every object has one.
    pub checksum: ObjectChecksum,
    /// Parts, for objects made by a multipart upload.
    pub parts: Option<u32>,
}

/// One of the parts an object was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    /// Its place among the object's parts, from 1 on.
    pub number: PartNumber,
    /// Its bytes in the object.
    pub range: Range<u64>,
    /// Its checksum by the object's algorithm, where that is known.
    pub checksum: Option<Checksum>,
}

/// A page of an object's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPartsPage {
    /// The object.
    pub info: ObjectInfo,
    /// In order.
    pub parts: Vec<ObjectPart>,
}

/// A condition on what stands at a key, judged in the commit that replaces or removes it. Where it asks for an object and
/// there is none, the answer is that the object is missing; where there is another, that the condition does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing stands there (`If-None-Match: *`).
    Absent,
    /// Some object stands there (`If-Match: *`).
    Present,
    /// An object with this tag stands there (`If-Match`).
    Matches(ETag),
    /// An object stands there with a tag that none can have (`If-Match` with what is no tag of ours).
    MatchesNone,
}

/// A copy: from where, to where.
#[derive(Clone, Debug)]
pub struct CopyRequest<'a> {
    /// What is copied.
    pub source: (&'a Bucket, &'a ObjectKey),
    /// Where the copy will stand; may be the source's own place.
    pub target: (&'a Bucket, &'a ObjectKey),
    /// On what stands at the target.
    pub condition: Option<Condition>,
}

/// What a copy has of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyTerms {
    /// All attributes of the copy.
    pub attributes: Attributes,
    /// A checksum in place of the source's, computed over the same bytes.
    pub checksum: Option<ObjectChecksum>,
}

/// A body that was received whole, with everything known of it; named by nothing yet. Dropping it discards its bytes.
#[derive(Debug)]
pub struct StagedBody {
    /// Bytes.
    pub size: u64,
    /// What was asked for when it was received.
    pub digests: BodyDigests,
    /// CRC64NVME of the whole.
    pub crc64nvme: Checksum,
    pub(super) content: StagedContent,
}

/// Where a staged body's bytes are.
#[derive(Debug)]
pub(super) enum StagedContent {
    /// In memory, on their way into the catalog.
    Inline(Bytes),
    /// In a sealed blob.
    Blob(Sealed, super::orphans::OrphanGuard),
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Keys that contain it after the prefix are folded into one common prefix; empty folds nothing.
    pub delimiter: String,
    /// Only keys and common prefixes after this (exclusive): none of the common prefix this is or lies within.
    pub after: String,
    /// Keys and common prefixes together.
    pub max: usize,
}

/// A key or a folded group of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<T> {
    /// A key.
    Item(T),
    /// A common prefix, with its delimiter.
    CommonPrefix(String),
}

/// A page of a listing, in order of key bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<T> {
    /// Keys and common prefixes, in order.
    pub entries: Vec<Entry<T>>,
    /// The `after` (and for uploads the upload id) of the next page; none when this is the last.
    pub next: Option<NextPage>,
}

/// Where the next page begins (exclusive).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage {
    /// The last key or common prefix of this page.
    pub after: String,
    /// The last upload of this page, for listings of uploads that ended in a key.
    pub upload: Option<UploadId>,
}

/// What the client says when it creates an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUpload {
    /// For the object to be.
    pub attributes: Attributes,
    /// The checksum it promised to send with each part, and what the object's shall cover.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// An open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    /// The object to be.
    pub key: ObjectKey,
    /// The upload.
    pub id: UploadId,
    /// When it was created.
    pub initiated: Timestamp,
    /// What the client promised.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// For the object to be.
    pub attributes: Attributes,
    /// Whether a protocol of the upload API began it, and alone may add to it.
    pub session: bool,
}

/// A staged part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number.
    pub number: PartNumber,
    /// Bytes.
    pub size: u64,
    /// MD5 of its bytes: its ETag.
    pub md5: [u8; 16],
    /// The checksum the client sent or, without one, CRC64NVME.
    pub checksum: Checksum,
    /// When it was staged.
    pub modified: Timestamp,
}

/// A page of an upload's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartsPage {
    /// The upload.
    pub upload: UploadInfo,
    /// Parts in order; of a number staged more than once the latest.
    pub parts: Vec<PartInfo>,
    /// The last number of this page when there are more.
    pub next: Option<PartNumber>,
}

/// A part as the client lists it to complete an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number.
    pub number: PartNumber,
    /// Its ETag.
    pub etag: ETag,
    /// Its checksums, as far as the client repeats them.
    pub checksums: Vec<Checksum>,
}

/// A request to complete an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompleteRequest {
    /// In ascending order.
    pub parts: Vec<ListedPart>,
    /// Bytes every part but the last must have; the S3 dialect's 5 MiB, or zero.
    pub part_size_min_bytes: u64,
    /// `x-amz-mp-object-size`.
    pub object_size: Option<u64>,
    /// The object's checksum as the client computed it: value, and for composites the parts it names.
    pub checksum: Option<(Checksum, Option<u16>)>,
    /// `x-amz-checksum-type`.
    pub checksum_type: Option<ChecksumType>,
    /// On what stands at the key.
    pub condition: Option<Condition>,
}

/// A completed upload; the same again when the complete is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedUpload {
    /// The object's tag.
    pub etag: ETag,
    /// The object's bytes.
    pub size: u64,
    /// The object's checksum.
    pub checksum: ObjectChecksum,
}
