//! The open redb database, and its way from a failure back to work.
//!
//! redb refuses everything after its first I/O error, so a failure of any kind takes the database out of service: reads
//! and commits are answered "unavailable" at once, until the committer has dropped it and opened the file again. Each
//! opening has a generation; what an older generation reports no longer counts.
//!
//! Locks are taken in one order: the state, then the queue.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::backend::{Boxed, forget_unfinished_creation};
use super::{CatalogEvent, Observe, OpenBackend, table_definition};
use crate::base::limits;
use crate::store::meta::commit::Queue;
use crate::store::meta::{MetaError, Space};

/// A catalog file in use.
pub(crate) struct Engine {
    open_backend: OpenBackend,
    observe: Observe,
    state: RwLock<State>,
    queue: Queue,
}

struct State {
    /// Kept after a failure until the committer drops it.
    database: Option<Database>,
    /// Why the engine is unavailable; `None` when it is available.
    failure: Option<String>,
    generation: u64,
}

impl Engine {
    /// Opens the file, repairing it if it was not closed cleanly. True when a crash now would need no repair.
    pub(crate) fn open(open_backend: OpenBackend, observe: Observe) -> Result<(Self, bool), MetaError> {
        let (database, settled) = open_database(&open_backend, &observe).map_err(MetaError::Unavailable)?;
        let state = RwLock::new(State { database: Some(database), failure: None, generation: 1 });
        observe(CatalogEvent::Available { generation: 1 });
        Ok((Self { open_backend, observe, state, queue: Queue::default() }, settled))
    }

    /// The batches that wait.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Whether reads and commits work now.
    pub(crate) fn is_available(&self) -> bool {
        self.read_state().failure.is_none()
    }

    /// How many times the file was opened.
    pub(crate) fn generation(&self) -> u64 {
        self.read_state().generation
    }

    /// Tells the observer.
    pub(crate) fn tell(&self, event: CatalogEvent) {
        (self.observe)(event);
    }

    /// A read transaction and the generation it belongs to.
    pub(crate) fn begin_read(&self) -> Result<(ReadTransaction, u64), MetaError> {
        let state = self.read_state();
        let generation = state.generation;
        let begun = state.in_service().map_err(MetaError::Unavailable)?.begin_read();
        drop(state);
        match begun {
            Ok(transaction) => Ok((transaction, generation)),
            Err(error) => Err(self.read_failed(generation, &error.into())),
        }
    }

    /// The write transaction and the generation it belongs to. Only the committer asks.
    pub(crate) fn begin_write(&self) -> Result<(WriteTransaction, u64), String> {
        let state = self.read_state();
        let generation = state.generation;
        let begun = state.in_service()?.begin_write();
        drop(state);
        begun.map(|transaction| (transaction, generation)).map_err(|error| {
            let reason = error.to_string();
            self.fail(generation, &reason);
            reason
        })
    }

    /// What a reader of `generation` gets for this error.
    pub(crate) fn read_failed(&self, generation: u64, error: &redb::Error) -> MetaError {
        let reason = error.to_string();
        // Opening again cures a disk that failed for a while, never a page that is damaged.
        if matches!(error, redb::Error::Corrupted(_)) {
            tracing::error!(%reason, "the catalog is damaged");
        } else {
            self.fail(generation, &reason);
            // The committer sleeps: it is told. When it notices a failure itself it paces itself.
            self.queue.bell().ring();
        }
        MetaError::Unavailable(reason)
    }

    /// Takes the database of `generation` out of service.
    pub(crate) fn fail(&self, generation: u64, reason: &str) {
        let mut state = self.write_state();
        if state.generation != generation || state.failure.is_some() {
            return;
        }
        tracing::error!(%reason, generation, "the catalog failed and will be reopened");
        state.failure = Some(reason.to_owned());
        // Told while the state is locked, so that a reopening is never told before the failure it ends.
        self.tell(CatalogEvent::Unavailable);
        self.queue.refuse(reason);
    }

    /// Drops the failed database and opens the file again. True when a crash now would need no repair.
    pub(crate) fn reopen(&self) -> Result<bool, String> {
        // The old database must have let go of the file before it is opened again.
        let old = self.write_state().database.take();
        close_database(old);
        let (database, settled) = open_database(&self.open_backend, &self.observe)?;
        let mut state = self.write_state();
        state.database = Some(database);
        state.failure = None;
        state.generation += 1;
        tracing::info!(generation = state.generation, "the catalog is available again");
        self.tell(CatalogEvent::Available { generation: state.generation });
        self.queue.accept();
        Ok(settled)
    }

    /// Turns everybody away for ever and closes the file.
    pub(crate) fn close(&self) {
        self.queue.close();
        let mut state = self.write_state();
        let reason = state.failure.get_or_insert_with(|| "the catalog is closed".to_owned()).clone();
        self.queue.refuse(&reason);
        let database = state.database.take();
        drop(state);
        close_database(database);
    }

    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The database, if it is in service; else the reason why not.
    fn in_service(&self) -> Result<&Database, String> {
        match (&self.failure, &self.database) {
            (None, Some(database)) => Ok(database),
            (failure, _) => Err(failure.clone().unwrap_or_default()),
        }
    }
}

/// Opens the file with all its tables. True when a crash now would need no repair.
fn open_database(open_backend: &OpenBackend, observe: &Observe) -> Result<(Database, bool), String> {
    let repaired = Arc::new(AtomicBool::new(false));
    let open = || -> Result<Database, redb::Error> {
        let (observe, repaired) = (observe.clone(), repaired.clone());
        let mut builder = Database::builder();
        builder.set_cache_size(limits::CATALOG_CACHE_BYTES).set_repair_callback(move |session| {
            repaired.store(true, Ordering::Relaxed);
            tracing::warn!(progress = session.progress(), "repairing the catalog, which was not closed cleanly");
            observe(CatalogEvent::Repairing { progress: session.progress() });
        });
        let backend = open_backend().map_err(redb::Error::Io)?;
        forget_unfinished_creation(&*backend).map_err(redb::Error::Io)?;
        let database = builder.create_with_backend(Boxed(backend))?;
        create_tables(&database)?;
        Ok(database)
    };
    // redb may panic on a file that something else has damaged.
    match std::panic::catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => Ok((database, !repaired.load(Ordering::Relaxed))),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("a panic while the catalog was opened".to_owned()),
    }
}

/// Makes the tables a new file lacks, so that no read ever misses one.
fn create_tables(database: &Database) -> Result<(), redb::Error> {
    if database.begin_read()?.list_tables()?.count() >= Space::ALL.len() {
        return Ok(());
    }
    let mut transaction = database.begin_write()?;
    for space in Space::ALL {
        transaction.open_table(table_definition(space))?;
    }
    transaction.set_quick_repair(true);
    transaction.commit()?;
    Ok(())
}

/// Closes the database cleanly if it still can be. Snapshots that are still alive fail from now on.
fn close_database(database: Option<Database>) {
    let Some(database) = database else { return };
    // A panic in a transaction may have left locks behind that redb panics over.
    match std::panic::catch_unwind(AssertUnwindSafe(|| database.close())) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the catalog was not closed cleanly"),
        Err(_) => tracing::warn!("a panic while the catalog was closed"),
    }
}
