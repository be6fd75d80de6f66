//! The reserve: below it nothing new is taken, and what frees room works.

use wharf::store::error::Error;
use wharf::store::fsio::Durability;
use wharf::store::room::Reserve;

use crate::rig::{Rig, parse, random_bytes};

#[test]
fn below_the_reserve_only_what_frees_room_works() {
    let rig = Rig::new(Durability::Strict);
    rig.put("object", random_bytes(1, 100_000));
    let id = rig.create("upload");
    rig.stage("upload", id, 1, random_bytes(2, 100_000)).unwrap();
    let free = rig.store.free().unwrap().unwrap();
    assert!(matches!(rig.store.check_room(free.total_bytes * 2), Err(Error::Full)));
    rig.store.check_room(1000).unwrap();

    let mut rig = rig.reopen(Reserve::Bytes(free.total_bytes * 2));
    assert!(matches!(rig.store.check_room(0), Err(Error::Full)));
    // A body whose length nobody announced is stopped on its way.
    let unannounced = rig.wait(rig.receive(random_bytes(3, 2 << 20)));
    assert!(matches!(unannounced, Err(Error::Full)), "{unannounced:?}");
    assert_eq!(rig.read("object", 0..u64::MAX).0, random_bytes(1, 100_000));
    rig.wait(rig.store.delete_object(&rig.bucket, &parse("object"), None)).unwrap();
    rig.wait(rig.store.abort_upload(&rig.bucket, &parse("upload"), id)).unwrap();
    rig.rest();
    rig.check_empty();
}
