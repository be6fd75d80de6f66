//! One record of each kind.

use std::collections::BTreeMap;
use std::fmt::Debug;

use minicbor::{Decode, Encode};
use wharf::base::digest::{Checksum, ChecksumAlgorithm};
use wharf::base::id::BlobId;
use wharf::store::meta::schema::{
    self, AttributesRecord, BlobRecord, BucketDocumentRecord, BucketRecord, ChecksumRecord, CompletedRecord, Content,
    ExtentRecord, ExtentsRecord, KeptRecord, LastPartRecord, ManifestRecord, ObjectChecksumRecord, ObjectRecord,
    PartRecord, SessionNameRecord, SessionPlaceRecord, SessionRecord, UploadRecord,
};

use crate::{lines, to_hex};

const REVISION: u64 = 0x0000_0300_0000_0007;
const TIME: u64 = 1_800_000_000_123;

/// Compares records with their lines.
struct Golden(BTreeMap<String, Vec<u8>>);

impl Golden {
    /// The line is read as this record, and this record is written as that line.
    fn check<T>(&mut self, name: &str, record: &T)
    where
        T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + Debug,
    {
        let written = schema::encode(REVISION, record);
        let Some(golden) = self.0.remove(name) else { panic!("records.txt lacks\n{name} {}", to_hex(&written)) };
        let (revision, read) = schema::decode::<T>(&golden).unwrap();
        assert_eq!((revision, &read), (REVISION, record), "{name}");
        assert_eq!(to_hex(&written), to_hex(&golden), "{name}");
    }
}

fn checksum(algorithm: ChecksumAlgorithm) -> ChecksumRecord {
    ChecksumRecord::from(&Checksum::of(algorithm, b"123456789"))
}

fn attributes() -> AttributesRecord {
    AttributesRecord {
        headers: vec![("content-type".to_owned(), "image/bmp".to_owned())],
        user_metadata: vec![("a".to_owned(), "\u{e9}".to_owned()), ("b".to_owned(), String::new())],
        tags: None,
        owner: None,
        acl: None,
    }
}

fn blob() -> Content {
    Content::blob(BlobId { run: 3, sequence: 0x4001, random: 0xdead_beef })
}

fn object(content: Content, algorithm: ChecksumAlgorithm, parts: Option<u32>) -> ObjectRecord {
    ObjectRecord {
        size: 70_000,
        md5: [0x11; 16].into(),
        parts,
        modified: TIME,
        content,
        attributes: if parts.is_some() { attributes() } else { AttributesRecord::default() },
        checksum: ObjectChecksumRecord {
            checksum: checksum(algorithm),
            kind: u8::from(parts.is_some()),
            parts: parts.and_then(|parts| u16::try_from(parts).ok()),
        },
    }
}

fn part(content: Content, given: Option<ChecksumAlgorithm>) -> PartRecord {
    PartRecord {
        size: 5 << 20,
        md5: [0x22; 16].into(),
        content,
        crc64nvme: checksum(ChecksumAlgorithm::Crc64Nvme),
        checksum: given.map(checksum),
        modified: TIME,
        stray: None,
    }
}

fn upload(promise: Option<(u8, u8)>) -> UploadRecord {
    UploadRecord {
        number: 0x0000_0300_0000_0004,
        secret: 0x0123_4567_89ab_cdef,
        initiated: TIME,
        attributes: attributes(),
        algorithm: promise.map(|(algorithm, _)| algorithm),
        kind: promise.map(|(_, kind)| kind),
        session: None,
    }
}

fn session(name: Option<[u8; 32]>) -> SessionRecord {
    SessionRecord {
        bucket: "uploads".to_owned(),
        name: name.map(Into::into),
        total: name.map(|_| 100_000),
        note: b"{}".to_vec(),
        predecessor: name.map(|_| 0x0000_0300_0000_0002),
    }
}

fn extent(content: Content, part: u32) -> ExtentRecord {
    ExtentRecord { content, offset: 0, len: 300, part, checksum: checksum(ChecksumAlgorithm::Crc64Nvme) }
}

fn completed() -> CompletedRecord {
    CompletedRecord {
        number: 0x0000_0300_0000_0004,
        secret: 0x0123_4567_89ab_cdef,
        bucket: 0x0000_0100_0000_0000,
        key: "a\0/\u{10ffff}".to_owned(),
        size: 1 << 40,
        md5: [0x33; 16].into(),
        parts: 10_000,
        checksum: ObjectChecksumRecord { checksum: checksum(ChecksumAlgorithm::Crc64Nvme), kind: 0, parts: None },
        fingerprint: [0x44; 32].into(),
        content: Content::Manifest(9),
        completed: TIME,
        session: None,
        last: None,
    }
}

#[test]
fn every_kind_of_record_is_read_and_written_as_ever() {
    let mut golden = Golden(lines("records.txt", 1));
    golden.check("bucket", &BucketRecord { created: TIME, owner: None });
    golden.check("bucket-owned", &BucketRecord { created: TIME, owner: Some("owner".to_owned()) });
    golden.check("object-empty", &object(Content::Empty, ChecksumAlgorithm::Crc64Nvme, None));
    golden.check("object-inline", &object(Content::Inline(5), ChecksumAlgorithm::Crc32, None));
    golden.check("object-blob", &object(blob(), ChecksumAlgorithm::Crc32c, None));
    golden.check("object-sha1", &object(blob(), ChecksumAlgorithm::Sha1, None));
    golden.check("object-manifest", &object(Content::Manifest(6), ChecksumAlgorithm::Sha256, Some(2)));
    golden.check("blob", &BlobRecord { len: 70_000, crc64nvme: checksum(ChecksumAlgorithm::Crc64Nvme) });
    let starts = vec![0, 512 * 300];
    golden.check("manifest", &ManifestRecord { references: 1, size: 513 * 300, extents: 513, starts });
    let extents = vec![extent(Content::Empty, 1), extent(Content::Inline(8), 2), extent(blob(), 10_000)];
    golden.check("extents", &ExtentsRecord { extents });
    golden.check("upload", &upload(None));
    golden.check("upload-with-checksum", &upload(Some((2, 1))));
    golden.check("part", &part(blob(), None));
    golden.check("part-with-checksum", &part(Content::Inline(7), Some(ChecksumAlgorithm::Sha256)));
    golden.check("completed", &completed());
    let tags = vec![("a".to_owned(), String::new()), ("\u{e9}".to_owned(), "1".to_owned())];
    let mut tagged = object(blob(), ChecksumAlgorithm::Crc32, None);
    tagged.attributes.tags = Some(tags);
    golden.check("object-tagged", &tagged);
    let mut owned = object(blob(), ChecksumAlgorithm::Crc32, None);
    owned.attributes.owner = Some("owner".to_owned());
    owned.attributes.acl = Some(2);
    golden.check("object-owned", &owned);
    golden.check("record", &KeptRecord { bytes: b"kept".to_vec(), modified: TIME, expires: None });
    golden.check("record-that-expires", &KeptRecord { bytes: Vec::new(), modified: TIME, expires: Some(TIME + 1) });
    check_sessions(&mut golden);
    golden.check("bucket-document", &BucketDocumentRecord { document: b"<Tagging/>".to_vec(), modified: TIME });
    assert!(golden.0.is_empty(), "nobody reads {:?}", golden.0.keys());
}

/// What format 4 added: records of sessions, and part numbers that need more than two bytes.
fn check_sessions(golden: &mut Golden) {
    for (name, found_by) in [("named", Some([0x55; 32])), ("unnamed", None)] {
        let record = UploadRecord { session: Some(session(found_by)), ..upload(None) };
        golden.check(&format!("upload-of-a-{name}-session"), &record);
    }
    golden.check("part-perhaps-stray", &PartRecord { stray: Some(true), ..part(blob(), None) });
    let last = LastPartRecord { number: 100_000, size: 5, md5: [0x66; 16].into() };
    let record = CompletedRecord { session: Some(session(None)), last: Some(last), parts: 100_000, ..completed() };
    golden.check("completed-session", &record);
    let place = SessionPlaceRecord {
        bucket: "uploads".to_owned(),
        bucket_number: 0x0000_0100_0000_0000,
        key: "a\0/\u{10ffff}".to_owned(),
    };
    golden.check("session-place", &place);
    golden.check("session-name", &SessionNameRecord { secret: 0x0123_4567_89ab_cdef });
    golden.check("extents-of-a-session", &ExtentsRecord { extents: vec![extent(blob(), 100_000)] });
    let long = object(Content::Manifest(6), ChecksumAlgorithm::Crc64Nvme, Some(100_000));
    golden.check("object-of-a-session", &long);
}

/// A later version adds fields at the end of a record: today's code reads what it knows.
#[test]
fn a_field_of_a_later_version_is_skipped() {
    let golden = lines("records.txt", 1);
    let mut newer = golden["bucket"].clone();
    assert_eq!(newer[9], 0x81, "an array of one field");
    newer[9] = 0x83;
    // The owner, which is none here, then the field that this version does not know.
    newer.extend_from_slice(&[0xf6, 0x63, b'n', b'e', b'w']);
    let read = schema::decode::<BucketRecord>(&newer);
    assert_eq!(read, Ok((REVISION, BucketRecord { created: TIME, owner: None })));
}
