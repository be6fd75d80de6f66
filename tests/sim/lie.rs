//! A disk that leaves out one of the store's syncs, so that the simulation can show what that sync is for.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wharf::store::fsio::sim::SimFs;
use wharf::store::fsio::{Directory, File, FreeSpace, Fs, HeldLock, NewFile, SyncCounts, SyncKind};

/// The sync that does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Every sync of this kind, once the store is open.
    Kind(SyncKind),
    /// Of the data directory, which names the directory of blobs.
    DataDirectory,
    /// Of the directory of blobs, which names each run's directories.
    BlobsDirectory,
    /// Of a run's directory, when files were linked into it and none removed.
    AfterLink,
    /// Of a run's directory, when files were removed from it.
    AfterRemoval,
}

impl Lie {
    pub(crate) const ALL: [Self; 7] = [
        Self::Kind(SyncKind::File),
        Self::Kind(SyncKind::Directory),
        Self::Kind(SyncKind::Catalog),
        Self::DataDirectory,
        Self::BlobsDirectory,
        Self::AfterLink,
        Self::AfterRemoval,
    ];
}

/// The simulated disk with a lie.
pub(crate) struct LyingFs {
    pub(crate) disk: SimFs,
    pub(crate) lie: Lie,
}

struct LyingDirectory {
    inner: Arc<dyn Directory>,
    /// How far below the data directory it is.
    depth: usize,
    lie: Lie,
    removed: AtomicBool,
}

impl Directory for LyingDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        self.inner.create(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.removed.store(true, Ordering::Relaxed);
        self.inner.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        let removed = self.removed.swap(false, Ordering::Relaxed);
        let lies = match self.lie {
            Lie::Kind(_) => false,
            Lie::DataDirectory => self.depth == 0,
            Lie::BlobsDirectory => self.depth == 1,
            Lie::AfterLink => self.depth == 2 && !removed,
            Lie::AfterRemoval => self.depth == 2 && removed,
        };
        if lies { Ok(()) } else { self.inner.sync() }
    }
}

impl Fs for LyingFs {
    fn make_directory(&self, path: &Path) -> io::Result<bool> {
        self.disk.make_directory(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn open_directory(&self, path: &Path) -> io::Result<Arc<dyn Directory>> {
        let depth = path.components().count().saturating_sub(1);
        let inner = self.disk.open_directory(path)?;
        Ok(Arc::new(LyingDirectory { inner, depth, lie: self.lie, removed: AtomicBool::new(false) }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.disk.open(path)
    }

    fn open_catalog(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.disk.open_catalog(path)
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.disk.replace_file(path, content)
    }

    fn read_file(&self, path: &Path, max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
        self.disk.read_file(path, max_bytes)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<HeldLock>> {
        self.disk.lock(path)
    }

    fn free(&self, path: &Path) -> io::Result<FreeSpace> {
        self.disk.free(path)
    }

    fn sync_counts(&self) -> &Arc<SyncCounts> {
        self.disk.sync_counts()
    }
}
