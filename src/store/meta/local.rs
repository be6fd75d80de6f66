//! The embedded catalog: a redb file with one table per [`Space`].
//!
//! - Reads are redb read transactions: they never block, and never wait for the committer.
//! - [`Meta::commit`] only queues; the [`Committer`] does the work, on the thread that steps it.
//! - redb sees the disk through a backend that is passed in and can be opened again after a failure. Relaxed durability
//!   is a backend whose sync returns at once; redb's `Durability::None` is never used, because it does not reuse pages.
//!
//! Absent on purpose: savepoints, compaction, several processes on one file.

mod backend;
mod engine;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use redb::{ReadOnlyTable, ReadTransaction, StorageBackend, TableDefinition};

use super::commit::Committer;
use super::{Batch, CommitError, CommitFuture, Meta, MetaError, Snapshot, Space, Visit, Visitor};
pub(crate) use engine::Engine;

/// Opens the catalog's file. Called again after each failure, when the backend before it was closed; what it then reads
/// must come from the disk and not from a cache that holds what the disk refused.
pub type OpenBackend = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// Hears of what happens inside the catalog. It must return at once and must not call the catalog.
pub type Observe = Arc<dyn Fn(CatalogEvent) + Send + Sync>;

/// What happens inside the catalog.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CatalogEvent {
    /// A group became durable, with one fsync (two with quick repair).
    Committed {
        /// Batches of the group, refused ones included; zero for the commit of an idle catalog.
        batches: usize,
        /// Batches that were refused.
        refused: usize,
        /// Whether the allocator state was saved, so that a crash needs no repair.
        quick_repair: bool,
    },
    /// The engine failed. Commits under way may or may not have happened.
    Unavailable,
    /// The file was opened, for the first time or after a failure.
    Available {
        /// Counts the openings, from 1.
        generation: u64,
    },
    /// The file was not closed cleanly and is being checked.
    Repairing {
        /// The share of the work that is done, from 0 to 1.
        progress: f64,
    },
}

/// A catalog in a redb file.
#[derive(Clone)]
pub struct LocalMeta(Arc<Engine>);

impl LocalMeta {
    /// Opens the file, which takes long only when it was not closed cleanly and its last commit did not save the
    /// allocator state (1 s per million objects). The committer must be stepped for commits to happen.
    pub fn open(open_backend: OpenBackend, observe: Observe) -> Result<(Self, Committer), MetaError> {
        let (engine, settled) = Engine::open(open_backend, observe)?;
        let engine = Arc::new(engine);
        Ok((Self(engine.clone()), Committer::new(engine, settled)))
    }

    /// Takes no more batches. The committer carries out what waits, closes the file and finishes.
    pub fn close(&self) {
        self.0.queue().close();
    }

    /// Whether reads and commits work now.
    pub fn is_available(&self) -> bool {
        self.0.is_available()
    }

    /// How many times the file was opened. When it grew, commits that were answered [`CommitError::Unavailable`] are
    /// decided: what a snapshot shows now is what became of them.
    pub fn generation(&self) -> u64 {
        self.0.generation()
    }
}

impl Meta for LocalMeta {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, MetaError> {
        let (transaction, generation) = self.0.begin_read()?;
        Ok(Box::new(LocalSnapshot { transaction, tables: RefCell::default(), engine: self.0.clone(), generation }))
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        let queued = self.0.queue().push(batch);
        Box::pin(async move {
            let lost = |_| Err(CommitError::Unavailable("the committer is gone".to_owned()));
            queued?.await.unwrap_or_else(lost)
        })
    }
}

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

struct LocalSnapshot {
    transaction: ReadTransaction,
    /// Tables that were read before: opening one looks it up by its name.
    tables: RefCell<BTreeMap<Space, Rows>>,
    engine: Arc<Engine>,
    generation: u64,
}

impl LocalSnapshot {
    fn with_rows<T>(&self, space: Space, read: impl FnOnce(&Rows) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        match self.tables.borrow_mut().entry(space) {
            Entry::Occupied(rows) => read(rows.get()),
            Entry::Vacant(place) => read(place.insert(self.transaction.open_table(table_definition(space))?)),
        }
    }

    /// Reads rows from `start` on until the visitor stops (`None`) or wants to go on elsewhere.
    fn scan_from(
        &self,
        space: Space,
        start: &[u8],
        end: &[u8],
        visit: &mut Visitor<'_>,
    ) -> Result<Option<Vec<u8>>, redb::Error> {
        let last = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        let rows = self.with_rows(space, |rows| Ok(rows.range::<&[u8]>((Bound::Included(start), last))?))?;
        for row in rows {
            let (key, record) = row?;
            match visit(key.value(), record.value()) {
                ControlFlow::Break(()) => break,
                ControlFlow::Continue(Visit::Seek(ahead)) if ahead.as_slice() > key.value() => return Ok(Some(ahead)),
                ControlFlow::Continue(_) => {}
            }
        }
        Ok(None)
    }

    fn failed(&self, error: &redb::Error) -> MetaError {
        self.engine.read_failed(self.generation, error)
    }
}

impl Snapshot for LocalSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        let record = self.with_rows(space, |rows| Ok(rows.get(key)?.map(|record| record.value().to_vec())));
        record.map_err(|error| self.failed(&error))
    }

    fn scan(&self, space: Space, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<(), MetaError> {
        let mut next = Some(start.to_vec());
        while let Some(start) = next {
            if !end.is_empty() && start.as_slice() >= end {
                break;
            }
            next = self.scan_from(space, &start, end, visit).map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    fn counter(&self, name: &[u8]) -> Result<i64, MetaError> {
        let counter = self.with_rows(Space::Counters, |rows| {
            rows.get(name)?.map_or(Ok(0), |record| counter_from_record(record.value()))
        });
        counter.map_err(|error| self.failed(&error))
    }
}

/// The redb table of a space.
pub(crate) fn table_definition(space: Space) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(space.name())
}

/// A counter's record: its value in 8 bytes, big-endian.
pub(crate) fn counter_from_record(record: &[u8]) -> Result<i64, redb::Error> {
    let bytes = record.try_into().map_err(|_| redb::Error::Corrupted("a counter that is not 8 bytes".to_owned()))?;
    Ok(i64::from_be_bytes(bytes))
}
