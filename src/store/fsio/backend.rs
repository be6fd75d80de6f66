//! redb's storage over a [`File`].
//!
//! [`Durability::Relaxed`] answers every sync at once: redb's own `Durability::None` is no substitute, because pages freed
//! by such commits are not used again. Byte-range locks are absent: the data directory's lock file keeps other processes
//! out before the catalog is opened.

use std::io::{self, IoSlice};
use std::sync::Arc;

use redb::StorageBackend;

use super::{Durability, File};

/// The catalog's file as redb sees it.
#[derive(Debug)]
pub struct CatalogBackend {
    file: Arc<dyn File>,
    durability: Durability,
}

impl CatalogBackend {
    /// A backend over a file from [`super::Fs::open_catalog`], which also counts its syncs.
    pub fn new(file: Arc<dyn File>, durability: Durability) -> Self {
        Self { file, durability }
    }
}

impl StorageBackend for CatalogBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.durability {
            Durability::Strict => self.file.sync_data(),
            Durability::Relaxed => Ok(()),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, &mut [IoSlice::new(data)])
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use redb::{Database, ReadableDatabase as _, TableDefinition};

    use super::super::real::RealFs;
    use super::super::sim::SimFs;
    use super::super::{Fs, SyncKind};
    use super::*;

    const TABLE: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");

    fn open(fs: &dyn Fs, path: &Path, durability: Durability) -> Database {
        let file = fs.open_catalog(path).unwrap();
        redb::Builder::new().create_with_backend(CatalogBackend::new(file, durability)).unwrap()
    }

    fn put(database: &Database, key: u64) {
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TABLE).unwrap().insert(key, key * 2).unwrap();
        transaction.commit().unwrap();
    }

    fn get(database: &Database, key: u64) -> Option<u64> {
        let transaction = database.begin_read().unwrap();
        transaction.open_table(TABLE).ok()?.get(key).unwrap().map(|value| value.value())
    }

    #[test]
    fn a_real_catalog_survives_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalog.redb");
        let fs = RealFs::new();
        put(&open(&fs, &path, Durability::Strict), 21);
        assert!(fs.sync_counts().get(SyncKind::Catalog) > 0);
        assert_eq!(get(&open(&fs, &path, Durability::Strict), 21), Some(42));
    }

    #[test]
    fn only_a_strict_commit_survives_a_power_cut() {
        for (durability, kept) in [(Durability::Strict, Some(42)), (Durability::Relaxed, None)] {
            let fs = SimFs::new();
            let database = open(&fs, Path::new("catalog.redb"), durability);
            put(&database, 21);
            let after = fs.reboot_losing_all();
            assert_eq!(get(&open(&after, Path::new("catalog.redb"), Durability::Strict), 21), kept);
        }
    }

    /// The same commit with its fsyncs removed: the simulation has to show the loss.
    #[test]
    fn an_ignored_catalog_sync_loses_the_commit() {
        let fs = SimFs::new();
        fs.ignore(SyncKind::Catalog);
        let database = open(&fs, Path::new("catalog.redb"), Durability::Strict);
        put(&database, 21);
        let after = fs.reboot_losing_all();
        assert_eq!(get(&open(&after, Path::new("catalog.redb"), Durability::Strict), 21), None);
    }
}
