//! The disk, passed in: real ([`real`]) in production, simulated ([`sim`]) where a test owns power and faults.
//!
//! Blobs and catalog reach the disk through these traits alone, and this directory is the only one on the data path that
//! touches `std::fs`. It stands beside `blob` and `meta` because both use it and neither imports the other.
//!
//! Invariants both implementations keep:
//! - nothing is durable before a sync: [`File::sync_data`] for content and length, [`Directory::sync`] for names. A synced
//!   file whose directory was not synced may be nameless after a power cut, a named file that was not synced may hold
//!   anything;
//! - a file made by [`Directory::create`] has no name before [`NewFile::link`] and leaves none when it is dropped unlinked;
//! - nothing made here is accessible to other users (directories 0700, files 0600).
//!
//! Absent on purpose: renaming (blobs never move; [`Fs::replace_file`] hides the one that is needed), asynchronous calls.

pub mod backend;
pub mod real;
pub mod sim;
pub mod socket;

use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ends the name of the file that [`Fs::replace_file`] prepares and, when power dies inside it, leaves behind.
const REPLACEMENT_SUFFIX: &str = ".new";

/// What a write promises when it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut.
    Strict,
    /// It survives the death of the process: nothing is ever synced.
    Relaxed,
}

/// What a sync makes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncKind {
    /// Content of a blob or of a small file.
    File,
    /// Names in a directory.
    Directory,
    /// Content of the catalog.
    Catalog,
}

/// How often each kind of sync was carried out, for metrics.
#[derive(Debug, Default)]
pub struct SyncCounts {
    file: AtomicU64,
    directory: AtomicU64,
    catalog: AtomicU64,
}

impl SyncCounts {
    /// Syncs of this kind since the start.
    pub fn get(&self, kind: SyncKind) -> u64 {
        self.counter(kind).load(Ordering::Relaxed)
    }

    fn add(&self, kind: SyncKind) {
        self.counter(kind).fetch_add(1, Ordering::Relaxed);
    }

    fn counter(&self, kind: SyncKind) -> &AtomicU64 {
        match kind {
            SyncKind::File => &self.file,
            SyncKind::Directory => &self.directory,
            SyncKind::Catalog => &self.catalog,
        }
    }
}

/// Room on a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Bytes an unprivileged writer can still take.
    pub bytes: u64,
    /// Bytes of the whole filesystem.
    pub total_bytes: u64,
    /// Files that can still be made; none where the filesystem does not count them.
    pub inodes: Option<u64>,
}

/// A lock on the data directory; released when dropped, and by the kernel when the process dies.
pub struct HeldLock {
    _held: Box<dyn Send + Sync>,
}

impl fmt::Debug for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldLock")
    }
}

/// A filesystem. Paths are those of the caller; a missing thing is [`io::ErrorKind::NotFound`].
pub trait Fs: Send + Sync + 'static {
    /// Makes one directory. False when it stood there already. Not durable before its parent is synced.
    fn make_directory(&self, path: &Path) -> io::Result<bool>;

    /// Removes an empty directory; [`io::ErrorKind::DirectoryNotEmpty`] when it is not.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, sorted; names that are not UTF-8 are not ours and are left out.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// A handle on a directory.
    fn open_directory(&self, path: &Path) -> io::Result<Arc<dyn Directory>>;

    /// Opens a file for reading. It stays readable when its name is removed.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens the catalog for reading and writing, made empty where there is none. Its name is durable when this returns.
    /// What is then read is what the device holds, or will after the next sync: never what a failed sync lost, although
    /// the page cache goes on to show that as if it had been written.
    fn open_catalog(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Sets the whole content of a small file, mode 0600: after a crash it holds the old bytes or the new ones. Durable when
    /// this returns.
    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// The content of a small file; none where there is no file, [`io::ErrorKind::FileTooLarge`] above `max_bytes`.
    fn read_file(&self, path: &Path, max_bytes: usize) -> io::Result<Option<Vec<u8>>>;

    /// Takes the exclusive lock that the file at `path` stands for; none while another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<HeldLock>>;

    /// Room on the filesystem that holds `path`.
    fn free(&self, path: &Path) -> io::Result<FreeSpace>;

    /// How often each kind of sync was carried out through this filesystem.
    fn sync_counts(&self) -> &Arc<SyncCounts>;
}

/// An open directory.
pub trait Directory: Send + Sync {
    /// Starts a file that will get `name`.
    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>>;

    /// Removes a name.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes every name linked or removed before this call durable.
    fn sync(&self) -> io::Result<()>;
}

/// A file that has no name yet. Dropped before [`NewFile::link`] it leaves nothing behind.
pub trait NewFile: Send {
    /// The file itself.
    fn file(&self) -> &dyn File;

    /// Gives the file its name; [`io::ErrorKind::AlreadyExists`] when another has it. Durable after the directory's sync.
    fn link(&mut self) -> io::Result<()>;
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "a file is no collection")]
pub trait File: Send + Sync + fmt::Debug {
    /// Fills the buffer from `offset`; [`io::ErrorKind::UnexpectedEof`] when the file ends before that.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// As [`File::read_at`], but only from memory: false, and unspecified bytes in the buffer, where that would wait for the
    /// device, where the file is too short and where the filesystem does not offer it.
    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool>;

    /// Writes all bytes of all pieces, one behind the other, from `offset`. What the slices hold afterwards is unspecified.
    fn write_at(&self, offset: u64, pieces: &mut [IoSlice<'_>]) -> io::Result<()>;

    /// Reserves room for `len` bytes without changing the file's length; quietly nothing where that is not offered.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Starts writing this range to the device and does not wait. Advice: an error shows in the next [`File::sync_data`].
    fn write_behind(&self, offset: u64, len: u64);

    /// Makes content and length durable. After an error what was written since the last success is lost, even if a later
    /// call succeeds.
    fn sync_data(&self) -> io::Result<()>;

    /// Bytes in the file.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file or extends it with zeros; frees what [`File::allocate`] reserved beyond.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// Whether the error means that there is no room (ENOSPC, EDQUOT).
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Makes the data directory and what is missing above it, durably.
pub fn create_data_directory(fs: &dyn Fs, path: &Path) -> io::Result<()> {
    let parent = parent_of(path);
    let made = match fs.make_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && parent != path => {
            create_data_directory(fs, parent)?;
            fs.make_directory(path)?
        }
        result => result?,
    };
    // Also when the directory stood there: the process that made it may have died before this sync.
    match fs.open_directory(parent).and_then(|directory| directory.sync()) {
        // An operator's directory in a place that may not be read is the operator's care.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !made => Ok(()),
        result => result,
    }
}

/// The directory that holds `path`.
fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}
