//! The catalog as a `BTreeMap`: the model that engines are compared with, and the engine of tests that need no disk.
//!
//! Commits happen at once, inside [`Meta::commit`]. Nothing is durable, nothing ever fails, and each snapshot that is
//! held makes the next commit copy the whole map.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Batch, CommitError, CommitFuture, Meta, MetaError, Require, Snapshot, Space, Visit, Visitor, Write, revision_of,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// An engine in memory.
#[derive(Debug, Default)]
pub struct ModelMeta(Mutex<Arc<Content>>);

/// Every table, as of one moment.
#[derive(Clone, Debug, Default)]
struct Content(BTreeMap<Space, Rows>);

impl ModelMeta {
    /// An empty catalog.
    pub fn new() -> Self {
        Self::default()
    }

    fn apply(&self, batch: Batch) -> Result<(), CommitError> {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = batch.requires.iter().position(|require| !content.holds(require, &batch)) {
            return Err(CommitError::Refused(index));
        }
        let content = Arc::make_mut(&mut content);
        batch.writes.into_iter().for_each(|write| content.write(write));
        Ok(())
    }
}

impl Meta for ModelMeta {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, MetaError> {
        Ok(Box::new(ModelSnapshot(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())))
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        Box::pin(std::future::ready(self.apply(batch)))
    }
}

impl Content {
    fn get(&self, space: Space, key: &[u8]) -> Option<&Vec<u8>> {
        self.0.get(&space)?.get(key)
    }

    /// The first row in `start..end`; an empty `end` is the end of the table.
    fn first(&self, space: Space, start: Bound<&[u8]>, end: &[u8]) -> Option<(&Vec<u8>, &Vec<u8>)> {
        let (key, record) = self.0.get(&space)?.range::<[u8], _>((start, Bound::Unbounded)).next()?;
        (end.is_empty() || key.as_slice() < end).then_some((key, record))
    }

    fn counter(&self, name: &[u8]) -> i64 {
        self.get(Space::Counters, name)
            .and_then(|record| record.as_slice().try_into().ok())
            .map_or(0, i64::from_be_bytes)
    }

    fn holds(&self, require: &Require, batch: &Batch) -> bool {
        match require {
            Require::Absent(space, key) => self.get(*space, key).is_none(),
            Require::Present(space, key) => self.get(*space, key).is_some(),
            Require::Revision(space, key, revision) => {
                self.get(*space, key).and_then(|record| revision_of(record)) == Some(*revision)
            }
            Require::CounterAtMost(name, most) => {
                let added = batch.writes.iter().map(|write| match write {
                    Write::Add(other, amount) if other == name => *amount,
                    Write::BuryCounted(space, key, _, tally) => {
                        self.get(*space, key).map_or(0, |record| tally.of_burial(name, record))
                    }
                    _ => 0,
                });
                added.fold(self.counter(name), i64::saturating_add) <= *most
            }
            Require::RangeEmpty(space, start, end) => self.first(*space, Bound::Included(start), end).is_none(),
        }
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Put(space, key, record) => {
                self.0.entry(space).or_default().insert(key, record);
            }
            Write::Delete(space, key) => {
                self.0.entry(space).or_default().remove(&key);
            }
            Write::Add(name, amount) => self.add(name, amount),
            Write::Bury(space, key, number) => drop(self.bury(space, &key, number)),
            Write::BuryCounted(space, key, number, tally) => {
                let Some(record) = self.bury(space, &key, number) else { return };
                for name in [&tally.bytes, &tally.rows] {
                    self.add(name.clone(), tally.of_burial(name, &record));
                }
            }
        }
    }

    fn add(&mut self, name: Vec<u8>, amount: i64) {
        let sum = self.counter(&name).saturating_add(amount);
        let counters = self.0.entry(Space::Counters).or_default();
        // A counter at zero has no row, so counters of what is long gone leave nothing behind.
        match sum {
            0 => counters.remove(&name),
            _ => counters.insert(name, sum.to_be_bytes().to_vec()),
        };
    }

    /// Moves a record to the grave, and answers it.
    fn bury(&mut self, space: Space, key: &[u8], number: u64) -> Option<Vec<u8>> {
        let record = self.0.entry(space).or_default().remove(key)?;
        let buried = [&[space as u8], record.as_slice()].concat();
        self.0.entry(Space::Grave).or_default().insert(number.to_be_bytes().to_vec(), buried);
        Some(record)
    }
}

struct ModelSnapshot(Arc<Content>);

impl Snapshot for ModelSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        Ok(self.0.get(space, key).cloned())
    }

    fn scan(&self, space: Space, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<(), MetaError> {
        let mut next = self.0.first(space, Bound::Included(start), end);
        while let Some((key, record)) = next {
            next = match visit(key, record) {
                ControlFlow::Break(()) => break,
                ControlFlow::Continue(Visit::Seek(ahead)) if ahead > *key => {
                    self.0.first(space, Bound::Included(&ahead), end)
                }
                ControlFlow::Continue(_) => self.0.first(space, Bound::Excluded(key), end),
            };
        }
        Ok(())
    }

    fn counter(&self, name: &[u8]) -> Result<i64, MetaError> {
        Ok(self.0.counter(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::meta::contract;

    #[test]
    fn keeps_the_contract() {
        contract::check(&ModelMeta::new(), &mut || {});
    }
}
