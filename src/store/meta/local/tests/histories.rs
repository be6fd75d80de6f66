//! Seeded histories of random batches, compared with the model: with and without crashes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::disk::{Disk, Plan};
use super::{Rig, answer, record};
use crate::base::rng::{Rng, SeededRng};
use crate::store::meta::model::ModelMeta;
use crate::store::meta::{Batch, CommitError, Meta, Require, Space, Tally, Visit, Write};

/// Every row of every table.
fn content(meta: &dyn Meta) -> BTreeMap<(Space, Vec<u8>), Vec<u8>> {
    let snapshot = meta.snapshot().unwrap();
    let mut content = BTreeMap::new();
    for space in Space::ALL {
        let scanned = snapshot.scan(space, b"", b"", &mut |key, record| {
            content.insert((space, key.to_vec()), record.to_vec());
            ControlFlow::Continue(Visit::Next)
        });
        scanned.unwrap();
    }
    content
}

fn random_space(rng: &SeededRng) -> Space {
    [Space::Current, Space::Inline, Space::Uploads, Space::Grave][usize::try_from(rng.below(4)).unwrap()]
}

fn random_key(rng: &SeededRng) -> Vec<u8> {
    format!("key{:02}", rng.below(30)).into_bytes()
}

fn random_require(rng: &SeededRng) -> Require {
    let (space, key) = (random_space(rng), random_key(rng));
    match rng.below(5) {
        0 => Require::Absent(space, key),
        1 => Require::Present(space, key),
        2 => Require::Revision(space, key, rng.below(3)),
        3 => Require::CounterAtMost(random_key(rng), 2),
        _ => Require::RangeEmpty(space, key, random_key(rng)),
    }
}

fn random_write(rng: &SeededRng) -> Write {
    let (space, key) = (random_space(rng), random_key(rng));
    match rng.below(9) {
        0..=3 => {
            let length = if rng.below(20) == 0 { rng.below(30_000) } else { rng.below(300) };
            Write::Put(space, key, record(rng.below(3), usize::try_from(length).unwrap()))
        }
        4 => Write::Delete(space, key),
        5 => Write::Bury(space, key, rng.below(1000)),
        8 => {
            let tally = Tally { bytes: random_key(rng), rows: random_key(rng) };
            Write::BuryCounted(space, key, rng.below(1000), tally)
        }
        amount => Write::Add(key, i64::try_from(amount).unwrap() * 2 - 13),
    }
}

fn random_batch(rng: &SeededRng) -> Batch {
    let requires = (0..rng.below(3)).map(|_| random_require(rng)).collect();
    let writes = (0..rng.below(6)).map(|_| random_write(rng)).collect();
    Batch { requires, writes }
}

/// Counters as the trait shows them, so that two wrong encodings do not agree by chance.
fn assert_same(local: &dyn Meta, model: &dyn Meta, story: &str) {
    assert!(content(local) == content(model), "{story}: the tables differ");
    let (local, model) = (local.snapshot().unwrap(), model.snapshot().unwrap());
    for i in 0..30 {
        let name = format!("key{i:02}");
        assert_eq!(local.counter(name.as_bytes()), model.counter(name.as_bytes()), "{story}: counter {name}");
    }
}

#[test]
fn random_batches_do_what_they_do_in_the_model() {
    for seed in 0..20 {
        let rng = SeededRng::new(seed);
        let model = ModelMeta::new();
        let mut rig = Rig::new(&Disk::new(seed));
        let mut refused = 0;
        for round in 0..30 {
            let group: Vec<_> = (0..=rng.below(40)).map(|_| random_batch(&rng)).collect();
            let commits: Vec<_> = group.iter().map(|batch| rig.meta.commit(batch.clone())).collect();
            rig.run_dry();
            for (batch, commit) in group.into_iter().zip(commits) {
                let expected = answer(model.commit(batch)).unwrap();
                refused += usize::from(expected.is_err());
                assert_eq!(answer(commit), Some(expected), "seed {seed}, round {round}");
            }
        }
        assert!(refused > 50, "seed {seed}: some batches must be refused, or the comparison says little");
        assert_same(&rig.meta, &model, &format!("seed {seed}"));
    }
}

/// A batch that leaves a mark, so that the next life can tell whether it happened.
fn marked_batch(rng: &SeededRng, number: u64) -> (Vec<u8>, Batch) {
    let mark = number.to_be_bytes().to_vec();
    let mut batch = random_batch(rng);
    let place = usize::try_from(rng.below(batch.writes.len() as u64 + 1)).unwrap();
    batch.writes.insert(place, Write::Put(Space::System, mark.clone(), Vec::new()));
    (mark, batch)
}

/// Runs groups until the power goes or the life ends; what was answered, in the order it was queued.
fn live(rig: &mut Rig, rng: &SeededRng, numbers: &mut u64) -> Vec<(Vec<u8>, Batch, Result<(), CommitError>)> {
    let mut answered = Vec::new();
    for _ in 0..rng.below(12) {
        let group: Vec<_> = (0..=rng.below(30))
            .map(|_| {
                *numbers += 1;
                let (mark, batch) = marked_batch(rng, *numbers);
                let commit = rig.meta.commit(batch.clone());
                (mark, batch, commit)
            })
            .collect();
        for _ in 0..=rng.below(4) {
            rig.step();
        }
        // What was queued and never taken is lost with the process; its callers heard nothing.
        answered.extend(group.into_iter().map(|(mark, batch, commit)| {
            let unheard = Err(CommitError::Unavailable("no answer".to_owned()));
            (mark, batch, answer(commit).unwrap_or(unheard))
        }));
    }
    answered
}

#[test]
fn crashes_lose_nothing_that_was_answered() {
    let (mut crashes, mut unknown, mut unknown_but_done) = (0, 0, 0);
    for seed in 0..10 {
        let rng = SeededRng::new(seed);
        let disk = Disk::new(rng.next_u64());
        let model = ModelMeta::new();
        let mut numbers = 0;
        for life in 0..30 {
            let story = format!("seed {seed}, life {life}");
            // Now and then the power goes while the file is being opened or repaired.
            if rng.below(4) == 0 {
                disk.plan(Plan::PowerCut(rng.below(20)));
                drop(Rig::try_new(&disk));
                disk.crash();
            }
            let mut rig = Rig::new(&disk);
            assert_same(&rig.meta, &model, &story);
            disk.plan(Plan::PowerCut(rng.below(400)));
            let answered = live(&mut rig, &rng, &mut numbers);
            disk.crash();
            crashes += 1;
            drop(rig);
            // The next life shows what became of the batches nobody heard of.
            let rig = Rig::new(&disk);
            let found = rig.meta.snapshot().unwrap();
            for (mark, batch, outcome) in answered {
                let done = found.get(Space::System, &mark).unwrap().is_some();
                match outcome {
                    Err(CommitError::Unavailable(_)) => {
                        unknown += 1;
                        unknown_but_done += usize::from(done);
                        if done {
                            assert_eq!(answer(model.commit(batch)), Some(Ok(())), "{story}: half a group");
                        }
                    }
                    outcome => assert_eq!(answer(model.commit(batch)), Some(outcome), "{story}"),
                }
            }
            assert_same(&rig.meta, &model, &story);
            if rng.below(2) == 0 {
                disk.crash();
            }
        }
    }
    assert_eq!(crashes, 300);
    assert!(unknown > 500 && unknown_but_done > 20, "crashes must hit commits: {unknown}, {unknown_but_done}");
}
