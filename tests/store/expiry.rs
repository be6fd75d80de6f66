//! What time ends: idle uploads, and the answers of completed ones.

use std::time::Duration;

use wharf::base::limits::COMPLETED_KEPT;
use wharf::store::error::{Error, Missing};
use wharf::store::fsio::Durability;
use wharf::store::meta::{Batch, Meta as _, Space, Write};

use crate::rig::{IDLE_MAX, Rig, parse, random_bytes};

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn an_upload_expires_when_nothing_came_for_too_long() {
    let mut rig = Rig::new(Durability::Strict);
    let (idle, busy) = (rig.create("idle"), rig.create("busy"));
    rig.stage("idle", idle, 1, random_bytes(1, 5000)).unwrap();
    rig.clock.advance(IDLE_MAX - MOMENT);
    rig.stage("busy", busy, 1, random_bytes(2, 5000)).unwrap();
    rig.rest();
    assert_eq!(rig.store.usage().unwrap().open_uploads, 2);
    rig.clock.advance(MOMENT);
    rig.rest();
    assert!(matches!(rig.store.upload(&rig.bucket, &parse("idle"), idle), Err(Error::NotFound(Missing::Upload))));
    assert!(rig.store.upload(&rig.bucket, &parse("busy"), busy).is_ok(), "its part keeps it alive");
    assert_eq!(rig.files().len(), 1);
    rig.clock.advance(IDLE_MAX);
    rig.rest();
    rig.check_empty();
}

#[test]
fn a_complete_can_be_repeated_for_a_week() {
    let mut rig = Rig::new(Durability::Strict);
    let id = rig.create("key");
    let parts = [rig.stage("key", id, 1, random_bytes(1, 5000)).unwrap()];
    let answer = rig.complete("key", id, &parts).unwrap();
    rig.clock.advance(COMPLETED_KEPT - MOMENT);
    rig.rest();
    assert_eq!(rig.complete("key", id, &parts).unwrap(), answer);
    rig.clock.advance(MOMENT);
    rig.rest();
    let late = rig.complete("key", id, &parts);
    assert!(matches!(late, Err(Error::NotFound(Missing::Upload))), "{late:?}");
    assert_eq!(rig.read("key", 0..u64::MAX).0, random_bytes(1, 5000), "the object stays");
}

/// More idle uploads than the worker looks at in one step.
#[test]
fn many_uploads_expire_at_once() {
    let mut rig = Rig::new(Durability::Relaxed);
    for number in 0..300 {
        let key = format!("key-{number:03}");
        let id = rig.create(&key);
        if number % 3 == 0 {
            rig.stage(&key, id, 1, random_bytes(number, 100)).unwrap();
        }
    }
    rig.clock.advance(IDLE_MAX);
    rig.rest();
    rig.check_empty();
}

/// A row that cannot be read stays where it is, with its bytes. It once kept everything in the grave, and every upload
/// from expiring.
#[test]
fn an_unreadable_row_keeps_nothing_else() {
    let mut rig = Rig::new(Durability::Strict);
    let nonsense = [(Space::Grave, vec![0; 8]), (Space::Uploads, vec![0; 8]), (Space::Completed, vec![0; 8])];
    for (space, key) in nonsense.clone() {
        rig.wait(rig.meta.commit(Batch::default().write(Write::Put(space, key, b"?".to_vec())))).unwrap();
    }
    let id = rig.create("key");
    rig.stage("key", id, 1, random_bytes(1, 5000)).unwrap();
    let done = rig.create("done");
    let parts = [rig.stage("done", done, 1, random_bytes(2, 5000)).unwrap()];
    rig.complete("done", done, &parts).unwrap();
    rig.clock.advance(COMPLETED_KEPT);
    rig.rest();
    assert_eq!(rig.files().len(), 1, "the idle upload's part is gone, the object is not");
    for (space, _) in nonsense {
        assert_eq!(rig.rows(space), 1, "{space:?}");
    }
}
