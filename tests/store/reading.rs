//! Reads while the object goes away, and of bytes that are no longer what was written.

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use wharf::store::error::Error;
use wharf::store::fsio::Durability;

use crate::rig::{Rig, Stop, parse, random_bytes};

/// gc leaves alone what is being read, however long that takes, and frees it afterwards.
#[test]
fn an_object_that_is_being_read_is_not_collected() {
    let mut rig = Rig::new(Durability::Strict);
    let whole = random_bytes(1, 900_000);
    rig.put("blob", whole.clone());
    let id = rig.create("parts");
    let parts: Vec<_> = (1..)
        .zip(whole.chunks(300_000))
        .map(|(number, part)| rig.stage("parts", id, number, whole.slice_ref(part)).unwrap())
        .collect();
    rig.complete("parts", id, &parts).unwrap();
    rig.collect();
    assert_eq!(rig.files().len(), 4);

    let open = ["blob", "parts"].map(|key| rig.store.open_object(&rig.bucket, &parse(key)).unwrap());
    rig.put("blob", Bytes::from("other"));
    rig.wait(rig.store.delete_object(&rig.bucket, &parse("parts"), None)).unwrap();
    rig.collect();
    assert_eq!(rig.files().len(), 4, "opened, and not read yet");
    for open in open {
        let mut reader = open.read(0..u64::MAX);
        let mut read = Vec::new();
        while let Some(bytes) = rig.wait(reader.next()) {
            read.extend_from_slice(&bytes.unwrap());
            rig.collect();
        }
        assert!(read == whole, "{} bytes that are not the object's", read.len());
    }
    rig.collect();
    assert_eq!(rig.files(), [], "nobody reads any more");
}

/// The moment between the look into the catalog and the pin: whoever looked before the burial may pin what is buried, so gc
/// waits for them.
#[test]
fn an_object_that_somebody_is_about_to_read_is_not_collected() {
    let mut rig = Rig::new(Durability::Strict);
    let whole = random_bytes(5, 100_000);
    rig.put("key", whole.clone());
    let (looked, wait_looked) = mpsc::channel();
    let (go_on, wait_go_on) = mpsc::channel();
    *rig.meta.stop.lock().unwrap() = Some(Stop { looked, go_on: wait_go_on });
    let (store, bucket) = (Arc::clone(&rig.store), rig.bucket.clone());
    let opening = std::thread::spawn(move || store.open_object(&bucket, &parse("key")).unwrap());
    wait_looked.recv().unwrap();
    rig.wait(rig.store.delete_object(&rig.bucket, &parse("key"), None)).unwrap();
    rig.collect_for(20);
    assert_eq!(rig.files().len(), 1, "its reader has looked and not pinned yet");
    go_on.send(()).unwrap();
    let mut reader = opening.join().unwrap().read(0..u64::MAX);
    rig.collect_for(20);
    let read = rig.wait(reader.next()).unwrap().unwrap();
    assert!(whole == read, "{} bytes that are not the object's", read.len());
    drop(reader);
    rig.collect();
    assert_eq!(rig.files(), []);
}

/// Flips one bit of the `index`th blob file, at `offset`.
fn damage(rig: &Rig, index: usize, offset: usize) {
    let (path, _) = rig.files().swap_remove(index);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[offset] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

/// Every byte a client gets is one that was written: the stream ends where the damage begins.
#[test]
fn a_flipped_bit_ends_the_stream_and_is_never_sent() {
    let rig = Rig::new(Durability::Strict);
    let whole = random_bytes(2, 1_000_000);
    rig.put("blob", whole.clone());
    damage(&rig, 0, 700_000);
    let (read, error) = rig.read("blob", 0..u64::MAX);
    assert!(matches!(error, Some(Error::Corrupt(_))), "{error:?}");
    assert!(whole.starts_with(&read) && read.len() <= 700_000, "{} bytes", read.len());
    let (elsewhere, error) = rig.read("blob", 0..500_000);
    assert!(error.is_none() && elsewhere == whole[..500_000], "what is whole is still served");
    let counted = rig.metrics.encode();
    let damaged = counted.lines().find(|line| line.contains("damaged") && !line.starts_with('#'));
    assert!(damaged.is_some_and(|line| line.ends_with(" 1")), "{damaged:?}");
}

/// The same in the middle of an object of many parts, and in a footer.
#[test]
fn damage_in_one_part_ends_the_stream_there() {
    for offset in [150_000, 300_010] {
        let rig = Rig::new(Durability::Strict);
        let whole = random_bytes(3, 900_000);
        let id = rig.create("parts");
        let parts: Vec<_> = (1..)
            .zip(whole.chunks(300_000))
            .map(|(number, part)| rig.stage("parts", id, number, whole.slice_ref(part)).unwrap())
            .collect();
        rig.complete("parts", id, &parts).unwrap();
        damage(&rig, 1, offset);
        let (read, error) = rig.read("parts", 0..u64::MAX);
        assert!(matches!(error, Some(Error::Corrupt(_))), "{error:?}");
        assert!(whole.starts_with(&read), "{} bytes", read.len());
        assert!((300_000..600_000).contains(&read.len()), "{} bytes", read.len());
    }
}

/// A blob that is gone is damage, not an empty body.
#[test]
fn a_missing_file_is_damage() {
    let rig = Rig::new(Durability::Strict);
    rig.put("blob", random_bytes(4, 10_000));
    std::fs::remove_file(&rig.files()[0].0).unwrap();
    let (read, error) = rig.read("blob", 0..u64::MAX);
    assert!(read.is_empty() && matches!(error, Some(Error::Corrupt(_))), "{error:?}");
}
