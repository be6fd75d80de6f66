//! Blobs as files on a local disk.
//!
//! `blobs/<run>-<number>/<sequence>-<random>`, as `name` says. The directory's number is the sequence divided by
//! [`DIRECTORY_FILES_MAX`], so that at any time one directory takes every new file and one fsync of it serves everyone who
//! waits (`directory`). What a file holds is drawn in `footer`.
//!
//! A blob's way: unnamed file, content with checksums in the same pass, footer, fdatasync, link, shared directory fsync.
//! A directory of an earlier run takes no new files; it goes with its last one.
//!
//! Absent on purpose: an index (the catalog is one), overwriting, renaming, O_DIRECT (the next read is likely to come
//! from the page cache).

mod directory;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::directory::BlobDirectory;
use self::reader::DiskReader;
use self::writer::DiskWriter;
use super::name::{directory_name, directory_of, file_name, parse_directory_name, parse_file_name};
use super::{BlobError, Blobs, Free, Reader, Writer};
use crate::base::buffers::BufferPool;
use crate::base::id::{BlobId, RunNumber};
use crate::base::limits::{BLOCK_BYTES, DIRECTORY_FILES_MAX};
use crate::base::rng::Rng;
use crate::store::fsio::{Directory, Durability, Fs, is_full};

/// Where blobs live below the data directory.
const BLOBS_DIRECTORY: &str = "blobs";

/// Blobs below one data directory.
pub struct DiskBlobs {
    fs: Arc<dyn Fs>,
    root: PathBuf,
    /// Handle on `root`, to sync the names of directories.
    top: Arc<dyn Directory>,
    run: RunNumber,
    durability: Durability,
    rng: Arc<dyn Rng>,
    pool: BufferPool,
    current: Mutex<Current>,
}

/// Where the next blob goes. The lock is held over input/output only while a new directory is made, once in
/// [`DIRECTORY_FILES_MAX`] blobs, when every new blob needs that directory.
struct Current {
    next_sequence: u64,
    directory: Option<Arc<BlobDirectory>>,
}

impl DiskBlobs {
    /// Opens the blobs below the data directory `data_dir` for run `run`. Reads take their buffers from `pool`, whose
    /// buffers must hold a block (64 KiB) and should hold [`crate::base::limits::READ_UNIT_BYTES`].
    pub fn open(
        fs: Arc<dyn Fs>,
        data_dir: &Path,
        run: RunNumber,
        durability: Durability,
        rng: Arc<dyn Rng>,
        pool: BufferPool,
    ) -> Result<Self, BlobError> {
        if pool.size() < BLOCK_BYTES {
            return Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, "read buffers are below one block")));
        }
        let root = data_dir.join(BLOBS_DIRECTORY);
        fs.make_directory(&root).map_err(failed)?;
        if durability == Durability::Strict {
            fs.open_directory(data_dir).and_then(|directory| directory.sync()).map_err(failed)?;
        }
        let top = fs.open_directory(&root).map_err(failed)?;
        let current = Mutex::new(Current { next_sequence: 0, directory: None });
        Ok(Self { fs, root, top, run, durability, rng, pool, current })
    }

    /// A new id and the directory it belongs to.
    fn allot(&self) -> io::Result<(BlobId, Arc<BlobDirectory>)> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = current.next_sequence;
        let number = sequence / DIRECTORY_FILES_MAX;
        let directory = match &current.directory {
            Some(directory) if directory.number == number => Arc::clone(directory),
            _ => Arc::new(self.make_directory(number)?),
        };
        current.next_sequence += 1;
        current.directory = Some(Arc::clone(&directory));
        let mut random = [0; 4];
        self.rng.fill(&mut random);
        Ok((BlobId { run: self.run, sequence, random: u32::from_be_bytes(random) }, directory))
    }

    fn make_directory(&self, number: u64) -> io::Result<BlobDirectory> {
        let path = self.directory_path(self.run, number);
        self.fs.make_directory(&path)?;
        if self.durability == Durability::Strict {
            self.top.sync()?;
        }
        Ok(BlobDirectory::new(number, self.fs.open_directory(&path)?))
    }

    fn directory_path(&self, run: RunNumber, number: u64) -> PathBuf {
        self.root.join(directory_name(run, number))
    }

    /// Runs and numbers of all directories, in order.
    fn directories(&self) -> io::Result<Vec<(RunNumber, u64)>> {
        let names = self.fs.list(&self.root)?;
        let mut directories: Vec<_> = names.iter().filter_map(|name| parse_directory_name(name)).collect();
        directories.sort_unstable();
        Ok(directories)
    }

    /// The directory that new blobs go to, if it is this one.
    fn current(&self, run: RunNumber, number: u64) -> Option<Arc<BlobDirectory>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.directory.clone().filter(|directory| run == self.run && directory.number == number)
    }

    /// Removes blobs of one directory, then syncs it, even where nothing was left to remove: an earlier call may have
    /// died between the two.
    fn remove_from(&self, run: RunNumber, number: u64, ids: &[BlobId]) -> io::Result<()> {
        let current = self.current(run, number);
        let handle = match &current {
            Some(directory) => Arc::clone(&directory.handle),
            None => match self.fs.open_directory(&self.directory_path(run, number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                result => result?,
            },
        };
        let removed = ids.iter().map(|id| found(handle.remove(&file_name(*id)))).fold(Ok(()), io::Result::and);
        if self.durability == Durability::Strict {
            match &current {
                Some(directory) => directory.sync()?,
                None => handle.sync()?,
            }
        }
        if run != self.run {
            self.remove_empty(run, number)?;
        }
        removed
    }

    /// Removes a directory that takes no new blobs, if it is empty.
    fn remove_empty(&self, run: RunNumber, number: u64) -> io::Result<()> {
        match found(self.fs.remove_directory(&self.directory_path(run, number))) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => result,
        }
    }

    fn list_run(&self, run: RunNumber, after: Option<BlobId>, max: usize) -> io::Result<Vec<BlobId>> {
        let mut ids = Vec::new();
        for (_, number) in self.directories()?.into_iter().filter(|(of, _)| *of == run) {
            if ids.len() >= max {
                break;
            }
            if after.is_some_and(|after| (after.run, directory_of(after.sequence)) > (run, number)) {
                continue;
            }
            let names = match self.fs.list(&self.directory_path(run, number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
            if names.is_empty() && run != self.run {
                self.remove_empty(run, number)?;
            }
            let found = names.iter().filter_map(|name| parse_file_name(run, name));
            let mut found: Vec<_> =
                found.filter(|id| directory_of(id.sequence) == number && Some(*id) > after).collect();
            found.sort_unstable();
            found.truncate(max - ids.len());
            ids.append(&mut found);
        }
        Ok(ids)
    }
}

impl Blobs for DiskBlobs {
    fn create(&self, expected_len: Option<u64>) -> Result<Box<dyn Writer>, BlobError> {
        let (id, directory) = self.allot().map_err(failed)?;
        Ok(Box::new(DiskWriter::start(id, directory, self.durability, expected_len).map_err(failed)?))
    }

    fn open(&self, id: BlobId) -> Result<Arc<dyn Reader>, BlobError> {
        let path = self.directory_path(id.run, directory_of(id.sequence)).join(file_name(id));
        match self.fs.open(&path) {
            Ok(file) => Ok(Arc::new(DiskReader::open(id, file, self.pool.clone())?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BlobError::NotFound(id)),
            Err(error) => Err(BlobError::Io(error)),
        }
    }

    fn remove(&self, ids: &[BlobId]) -> Result<(), BlobError> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        let place = |id: &BlobId| (id.run, directory_of(id.sequence));
        let mut removed = Ok(());
        for group in ids.chunk_by(|a, b| place(a) == place(b)) {
            let Some((run, number)) = group.first().map(place) else { continue };
            // One bad directory keeps nobody else's blobs.
            removed = removed.and(self.remove_from(run, number, group));
        }
        removed.map_err(failed)
    }

    fn list(&self, run: RunNumber, after: Option<BlobId>, max: usize) -> Result<Vec<BlobId>, BlobError> {
        self.list_run(run, after, max).map_err(failed)
    }

    fn runs(&self) -> Result<Vec<RunNumber>, BlobError> {
        let mut runs: Vec<_> = self.directories().map_err(failed)?.into_iter().map(|(run, _)| run).collect();
        runs.dedup();
        Ok(runs)
    }

    fn opens_at_once(&self) -> bool {
        true
    }

    fn free(&self) -> Result<Option<Free>, BlobError> {
        let free = self.fs.free(&self.root).map_err(failed)?;
        Ok(Some(Free { bytes: free.bytes, total_bytes: free.total_bytes, inodes: free.inodes }))
    }
}

/// A missing thing is as good as a removed one.
fn found(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn failed(error: io::Error) -> BlobError {
    if is_full(&error) { BlobError::Full } else { BlobError::Io(error) }
}
