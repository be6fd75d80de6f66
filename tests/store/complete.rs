//! Completing an upload moves no bytes: what it costs, and that the object it makes is the parts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wharf::base::digest::{Checksum, ChecksumAlgorithm};
use wharf::base::rng::SeededRng;
use wharf::store::error::Error;
use wharf::store::fsio::{Durability, Fs as _, SyncKind};
use wharf::store::meta::Space;
use wharf::store::types::{PartInfo, PartNumber};

use crate::rig::{Rig, parse, random_bytes, stage};

const PART_BYTES: usize = 20 << 10;
/// Rows that the complete of the largest upload may write.
const ROWS_MAX: usize = 30;

/// Stages parts of `source`, many at a time.
fn stage_all(rig: &Rig, key: &'static str, source: &Bytes) -> (wharf::store::types::UploadId, Vec<PartInfo>) {
    let id = rig.create(key);
    let limit = Arc::new(tokio::sync::Semaphore::new(64));
    let staging: Vec<_> = (1..)
        .zip(source.chunks(PART_BYTES))
        .map(|(number, part)| {
            let (store, bucket, body) = (Arc::clone(&rig.store), rig.bucket.clone(), source.slice_ref(part));
            let limit = Arc::clone(&limit);
            rig.runtime.spawn(async move {
                let _held = limit.acquire().await.unwrap();
                stage(&store, &bucket, key, id, number, body).await.unwrap()
            })
        })
        .collect();
    let parts = rig.wait(async {
        let mut parts = Vec::new();
        for part in staging {
            parts.push(part.await.unwrap());
        }
        parts
    });
    (id, parts)
}

/// Completes an upload of `count` parts. Answers how long that took and how many rows it wrote.
fn complete(rig: &Rig, key: &'static str, count: usize, source: &Bytes) -> (Duration, usize) {
    let source = source.slice(..count * PART_BYTES);
    let (id, parts) = stage_all(rig, key, &source);
    let (files, syncs) = (rig.files(), rig.fs.sync_counts().get(SyncKind::File));
    rig.meta.writes.lock().unwrap().clear();
    let start = Instant::now();
    let completed = rig.complete(key, id, &parts).unwrap();
    let took = start.elapsed();
    let writes = std::mem::take(&mut *rig.meta.writes.lock().unwrap());
    assert_eq!(writes.len(), 1, "one batch");
    assert_eq!(rig.files(), files, "no byte of a blob is written");
    assert_eq!(rig.fs.sync_counts().get(SyncKind::File), syncs);
    assert_eq!(completed.size, source.len() as u64);
    assert_eq!(completed.checksum.value, Checksum::of(ChecksumAlgorithm::Crc64Nvme, &source));
    (took, writes[0])
}

/// The same work for 256 parts and for 10,000: one batch of a few rows, one fsync, and no byte of the parts.
#[test]
fn ten_thousand_parts_become_an_object_in_one_small_commit() {
    let mut rig = Rig::new(Durability::Relaxed);
    let source = random_bytes(1, 10_000 * PART_BYTES);
    let (few, few_rows) = complete(&rig, "few", 256, &source);
    let (many, many_rows) = complete(&rig, "many", 10_000, &source);
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!(
        "complete of 256 parts: {few:?}, {few_rows} rows; of 10,000: {many:?}, {many_rows} rows; ratio {ratio:.1}"
    );
    assert!(many_rows <= ROWS_MAX, "{many_rows} rows for 10,000 parts");
    read_ranges(&rig, &source);
    find_parts(&rig, &source);

    rig.rest();
    assert_eq!(rig.rows(Space::Parts), 0, "gc forgets the parts");
    assert_eq!(rig.files().len(), 10_256, "and keeps their bytes");
    assert_eq!(rig.store.usage().unwrap().staged_bytes, 0);
    read_ranges(&rig, &source);
    for key in ["few", "many"] {
        rig.wait(rig.store.delete_object(&rig.bucket, &parse(key), None)).unwrap();
    }
    rig.rest();
    rig.check_empty();
}

/// Parts at the edges of records of extents: read one by one, and as a page that crosses the edge.
fn find_parts(rig: &Rig, source: &[u8]) {
    let part = PART_BYTES as u64;
    for number in [1, 2, 511, 512, 513, 1024, 1025, 9_999, 10_000] {
        let object = rig.store.open_object(&rig.bucket, &parse("many")).unwrap();
        let found = object.part(PartNumber::new(number).unwrap()).unwrap().unwrap();
        assert_eq!((found.number.get(), found.range.clone()), (number as u32, (number - 1) * part..number * part));
        let bytes = &source[usize::try_from(found.range.start).unwrap()..usize::try_from(found.range.end).unwrap()];
        assert_eq!(found.checksum, Some(Checksum::of(ChecksumAlgorithm::Crc64Nvme, bytes)));
    }
    let few = rig.store.open_object(&rig.bucket, &parse("few")).unwrap();
    assert_eq!(few.part(PartNumber::new(257).unwrap()).unwrap(), None);
    for (after, max, expected) in
        [(0, 1000, 1..1001), (510, 4, 511..515), (9_990, 1000, 9_991..10_001), (10_000, 5, 0..0), (5, 0, 0..0)]
    {
        let page = rig.store.object_parts(&rig.bucket, &parse("many"), after, max).unwrap();
        let numbers: Vec<u32> = page.parts.iter().map(|part| part.number.get()).collect();
        assert_eq!(numbers, expected.collect::<Vec<_>>());
        assert!(page.parts.iter().all(|found| found.range.start == (u64::from(found.number.get()) - 1) * part));
    }
}

/// Ranges inside an extent, across extents, across records of extents, and beyond the end.
fn read_ranges(rig: &Rig, source: &[u8]) {
    let (part, record, len) = (PART_BYTES as u64, 512 * PART_BYTES as u64, source.len() as u64);
    let mut ranges = vec![
        0..1,
        0..part,
        part - 1..part + 1,
        part..2 * part,
        record - 1..record + 1,
        record - part - 5..record + 2 * part + 5,
        3 * record..3 * record + 100,
        len - 1..len,
        len - part - 1..len + 100,
        len..len + 1,
    ];
    let rng = SeededRng::new(7);
    ranges.extend((0..40).map(|_| {
        let start = rng.below(len);
        start..start + rng.below(3 * part)
    }));
    for range in ranges {
        let (bytes, error) = rig.read("many", range.clone());
        assert!(error.is_none(), "{range:?}: {error:?}");
        let wanted = &source[usize::try_from(range.start).unwrap()..usize::try_from(range.end.min(len)).unwrap()];
        assert!(bytes == wanted, "{range:?} gave other bytes");
    }
}

/// Other parts, or other bytes under the same numbers, are another complete.
#[test]
fn a_complete_is_repeated_with_the_same_parts_alone() {
    let rig = Rig::new(Durability::Strict);
    let id = rig.create("key");
    let parts: Vec<_> =
        (1..4).map(|number| rig.stage("key", id, number, random_bytes(number, 6000)).unwrap()).collect();
    let first = rig.complete("key", id, &parts[..2]).unwrap();
    assert_eq!(rig.complete("key", id, &parts[..2]).unwrap(), first);
    assert!(matches!(rig.complete("key", id, &parts), Err(Error::Invalid(_))));
    let late = rig.stage("key", id, 9, random_bytes(9, 10));
    assert!(matches!(late, Err(Error::NotFound(_))), "{late:?}");
}
