//! Group commit seen from the store: requests that wait at the same time share a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wharf::store::fsio::{Durability, Fs as _, SyncKind};
use wharf::store::types::Attributes;

use crate::rig::{Rig, parse, random_bytes, receive};

const CLIENTS: u64 = 64;
const PUTS: u64 = 20;

#[test]
fn clients_that_wait_together_share_commits() {
    let rig = Rig::new(Durability::Strict);
    rig.groups.lock().unwrap().clear();
    let syncs = rig.fs.sync_counts().get(SyncKind::Catalog);
    let done = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (store, bucket, done) = (Arc::clone(&rig.store), rig.bucket.clone(), Arc::clone(&done));
            rig.runtime.spawn(async move {
                for put in 0..PUTS {
                    let body = receive(&store, random_bytes(client, 1024)).await.unwrap();
                    let key = parse(&format!("{client}/{put}"));
                    store.put_object(&bucket, &key, body, Attributes::default(), None).await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    rig.wait(async {
        for client in clients {
            client.await.unwrap();
        }
    });
    let puts = done.load(Ordering::Relaxed);
    let groups = rig.groups.lock().unwrap().clone();
    let syncs = rig.fs.sync_counts().get(SyncKind::Catalog) - syncs;
    let largest = groups.iter().max().unwrap();
    println!("{puts} puts of {CLIENTS} clients: {} commits, the largest of {largest}, {syncs} fsyncs", groups.len());
    assert_eq!(puts, CLIENTS * PUTS);
    assert!((groups.len() as u64) < puts, "{} commits for {puts} puts", groups.len());
    assert_eq!(groups.iter().sum::<usize>() as u64, puts, "every put is in one commit");
}
