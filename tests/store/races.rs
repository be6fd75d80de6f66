//! Many that do the same at once, on threads: one wins, and nothing leaks.

use std::sync::Arc;

use wharf::base::rng::{Rng as _, SeededRng};
use wharf::store::error::{Error, Missing};
use wharf::store::fsio::Durability;
use wharf::store::types::{Attributes, Condition};

use crate::rig::{BLOCKING_THREADS, Rig, listed, parse, random_bytes, receive, stage};

const CONTENDERS: u64 = 16;

#[test]
fn one_of_many_conditional_puts_wins() {
    let mut rig = Rig::new(Durability::Relaxed);
    for round in 0..20 {
        let key = parse(&format!("round-{round}"));
        let start = Arc::new(tokio::sync::Barrier::new(CONTENDERS as usize));
        let contenders: Vec<_> = (0..CONTENDERS)
            .map(|contender| {
                let (store, bucket, key) = (Arc::clone(&rig.store), rig.bucket.clone(), key.clone());
                let start = Arc::clone(&start);
                rig.runtime.spawn(async move {
                    let body = receive(&store, random_bytes(contender, 5000)).await.unwrap();
                    start.wait().await;
                    store.put_object(&bucket, &key, body, Attributes::default(), Some(Condition::Absent)).await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for (contender, put) in (0..).zip(contenders) {
            match rig.wait(put).unwrap() {
                Ok(_) => winners.push(contender),
                Err(Error::Precondition) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        assert_eq!(rig.read(key.as_str(), 0..u64::MAX).0, random_bytes(winners[0], 5000));
    }
    rig.rest();
    assert_eq!(rig.files().len(), 20, "the losers' bodies are gone");
}

/// Replacing what one has just read: every step of the chain is won by one.
#[test]
fn compare_and_swap_counts_every_success() {
    let rig = Rig::new(Durability::Relaxed);
    rig.put("counter", "0");
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (store, bucket) = (Arc::clone(&rig.store), rig.bucket.clone());
            rig.runtime.spawn(async move {
                let mut won = 0;
                while won < 10 {
                    let open = store.open_object(&bucket, &parse("counter")).unwrap();
                    let etag = open.info.etag;
                    let read = open.read(0..100).next().await.unwrap().unwrap();
                    let next: u64 = std::str::from_utf8(&read).unwrap().parse::<u64>().unwrap() + 1;
                    let body = receive(&store, next.to_string().into()).await.unwrap();
                    let condition = Some(Condition::Matches(etag));
                    match store.put_object(&bucket, &parse("counter"), body, Attributes::default(), condition).await {
                        Ok(_) => won += 1,
                        Err(Error::Precondition | Error::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| rig.wait(client).unwrap());
    assert_eq!(rig.read("counter", 0..100).0, b"80");
}

/// Completes, an abort and further parts of one upload at the same moment: one of them ends it, all who completed it got the
/// same answer, and after gc nothing is left of whoever came too late.
#[test]
fn an_upload_that_is_completed_and_aborted_at_once_ends_once() {
    let mut rig = Rig::new(Durability::Relaxed);
    let rng = SeededRng::new(5);
    let (mut completed, mut aborted) = (0, 0);
    for round in 0..60 {
        let id = rig.create("key");
        let parts: Vec<_> =
            (1..4).map(|number| rig.stage("key", id, number, random_bytes(number, 5000)).unwrap()).collect();
        let start = Arc::new(tokio::sync::Barrier::new(5));
        let spawn = |role: u64, pauses: u64| {
            let (store, bucket, request) = (Arc::clone(&rig.store), rig.bucket.clone(), listed(&parts));
            let start = Arc::clone(&start);
            rig.runtime.spawn(async move {
                let body = random_bytes(role, 5000);
                start.wait().await;
                for _ in 0..pauses {
                    tokio::task::yield_now().await;
                }
                match role {
                    0 | 1 => store.complete_upload(&bucket, &parse("key"), id, request).await.map(Some),
                    2 => store.abort_upload(&bucket, &parse("key"), id).await.map(|()| None),
                    _ => stage(&store, &bucket, "key", id, role, body).await.map(|_| None),
                }
            })
        };
        let tasks: Vec<_> = (0..5).map(|role| spawn(role, rng.next_u64() % 4)).collect();
        let answers: Vec<_> = tasks.into_iter().map(|task| rig.wait(task).unwrap()).collect();
        for answer in &answers {
            assert!(matches!(answer, Ok(_) | Err(Error::NotFound(Missing::Upload))), "round {round}: {answer:?}");
        }
        let wins: Vec<_> = answers[..2].iter().flatten().flatten().collect();
        assert!(wins.iter().all(|win| **win == *wins[0]), "{wins:?}");
        assert_ne!(wins.is_empty(), answers[2].is_err(), "round {round}: either completed or aborted: {answers:?}");
        let found = rig.store.object(&rig.bucket, &parse("key"));
        assert_eq!(found.is_ok(), !wins.is_empty());
        if found.is_ok() {
            completed += 1;
            assert_eq!(rig.read("key", 0..u64::MAX).0.len(), 15_000);
            rig.wait(rig.store.delete_object(&rig.bucket, &parse("key"), None)).unwrap();
        } else {
            aborted += 1;
        }
    }
    println!("{completed} uploads were completed, {aborted} aborted");
    assert!(completed > 0 && aborted > 0, "{completed} completed, {aborted} aborted: no race");
    rig.rest();
    rig.check_empty();
}

/// Requests whose client goes away while the body is written, synced or committed.
#[test]
fn requests_that_vanish_leave_nothing() {
    let mut rig = Rig::new(Durability::Strict);
    let rng = SeededRng::new(9);
    for round in 0..60_u64 {
        let (store, bucket, len) = (Arc::clone(&rig.store), rig.bucket.clone(), 5000 + 300_000 * (round % 5));
        let request = rig.runtime.spawn(async move {
            let body = receive(&store, random_bytes(round, usize::try_from(len).unwrap())).await?;
            store.put_object(&bucket, &parse("key"), body, Attributes::default(), None).await
        });
        rig.wait(async {
            for _ in 0..rng.below(2000) {
                tokio::task::yield_now().await;
            }
        });
        request.abort();
        match rig.wait(request) {
            Ok(put) => assert!(put.is_ok(), "{put:?}"),
            Err(lost) => assert!(lost.is_cancelled()),
        }
    }
    rig.wait(rig.store.delete_object(&rig.bucket, &parse("key"), None)).unwrap();
    settle_blocking_work(&rig);
    rig.rest();
    rig.check_empty();
}

/// Blocking work goes on after its request has gone. Each of the pool's threads is made to take one more piece of work,
/// which it does only after the one before.
fn settle_blocking_work(rig: &Rig) {
    let gate = Arc::new(std::sync::Barrier::new(BLOCKING_THREADS));
    let waiting: Vec<_> = (0..BLOCKING_THREADS)
        .map(|_| {
            let gate = Arc::clone(&gate);
            rig.runtime.spawn_blocking(move || gate.wait())
        })
        .collect();
    waiting.into_iter().for_each(|thread| {
        rig.wait(thread).unwrap();
    });
}
