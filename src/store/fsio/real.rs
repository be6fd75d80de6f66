//! The operating system's disk (Linux).
//!
//! A new file is an unnamed one (`O_TMPFILE`), named by `linkat` when it is whole, so that a crash leaves nothing of it. Where
//! the filesystem does not offer that, it is made under its final name, and removed when it is dropped unlinked: a crash
//! then leaves a file that nothing names, which the orphan sweep finds.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, AtFlags, CWD, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags, retry_on_intr};

use super::{Directory, File, FreeSpace, Fs, HeldLock, NewFile, REPLACEMENT_SUFFIX, SyncCounts, SyncKind, parent_of};

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// The operating system's disk.
#[derive(Debug)]
pub struct RealFs {
    counts: Arc<SyncCounts>,
    /// Whether unnamed files are worth trying; cleared by the first filesystem that refuses one.
    unnamed: Arc<AtomicBool>,
}

impl RealFs {
    /// The disk, with unnamed files where the filesystem offers them.
    pub fn new() -> Self {
        Self { counts: Arc::default(), unnamed: Arc::new(AtomicBool::new(true)) }
    }

    /// The disk as on a filesystem without unnamed files.
    pub fn with_named_files() -> Self {
        Self { counts: Arc::default(), unnamed: Arc::new(AtomicBool::new(false)) }
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        self.open_directory(parent_of(path))?.sync()
    }
}

impl Default for RealFs {
    fn default() -> Self {
        Self::new()
    }
}

impl Fs for RealFs {
    fn make_directory(&self, path: &Path) -> io::Result<bool> {
        match rustix::fs::mkdir(path, Mode::from_raw_mode(DIRECTORY_MODE)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if path.is_dir() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open_directory(&self, path: &Path) -> io::Result<Arc<dyn Directory>> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Arc::new(RealDirectory {
            fd: Arc::new(fd),
            counts: Arc::clone(&self.counts),
            unnamed: Arc::clone(&self.unnamed),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = std::fs::File::open(path)?;
        Ok(Arc::new(RealFile { file, kind: SyncKind::File, counts: Arc::clone(&self.counts) }))
    }

    fn open_catalog(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
        // The lock file keeps a second process out; this holds even when somebody has removed it. Where locks are not
        // offered the lock file has to do.
        let lock = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        if lock == Err(Errno::WOULDBLOCK) {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process has it open"));
        }
        // Also when the file stood there: the process that made it may have died before this sync.
        self.sync_parent(path)?;
        // After a failed fsync Linux keeps the pages it could not write, marked clean: a catalog read from them would build
        // on what the disk never got. Clean pages are dropped here and read again; dirty ones are still on their way.
        match rustix::fs::fadvise(&file, 0, None, Advice::DontNeed) {
            // Who does not know the call has no page cache of that kind.
            Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Arc::new(RealFile { file, kind: SyncKind::Catalog, counts: Arc::clone(&self.counts) }))
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let replacement = replacement_of(path);
        match std::fs::remove_file(&replacement) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(FILE_MODE).open(&replacement)?;
        file.write_all(content)?;
        file.sync_all()?;
        self.counts.add(SyncKind::File);
        std::fs::rename(&replacement, path)?;
        self.sync_parent(path)
    }

    fn read_file(&self, path: &Path, max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        let mut content = Vec::new();
        let read = file.take(max_bytes as u64 + 1).read_to_end(&mut content)?;
        if read > max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(content))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<HeldLock>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::from_raw_mode(FILE_MODE))?;
        match retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(Some(HeldLock { _held: Box::new(fd) })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn free(&self, path: &Path) -> io::Result<FreeSpace> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(FreeSpace {
            bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            // btrfs and others make inodes as they go and report none at all.
            inodes: (stat.f_files > 0).then_some(stat.f_favail),
        })
    }

    fn sync_counts(&self) -> &Arc<SyncCounts> {
        &self.counts
    }
}

/// Beside the file, so that the rename stays within one filesystem.
fn replacement_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(REPLACEMENT_SUFFIX);
    PathBuf::from(name)
}

struct RealDirectory {
    fd: Arc<OwnedFd>,
    counts: Arc<SyncCounts>,
    unnamed: Arc<AtomicBool>,
}

impl RealDirectory {
    /// None where the filesystem has no unnamed files.
    fn create_unnamed(&self) -> io::Result<Option<OwnedFd>> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, ".", flags, Mode::from_raw_mode(FILE_MODE)) {
            Ok(fd) => Ok(Some(fd)),
            // EISDIR and EINVAL are how kernels and network filesystems that do not know the flag answer.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                self.unnamed.store(false, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Directory for RealDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        let unnamed = if self.unnamed.load(Ordering::Relaxed) { self.create_unnamed()? } else { None };
        let has_name = unnamed.is_none();
        let fd = match unnamed {
            Some(fd) => fd,
            None => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
                rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(FILE_MODE))?
            }
        };
        let file = RealFile { file: fd.into(), kind: SyncKind::File, counts: Arc::clone(&self.counts) };
        Ok(Box::new(RealNewFile {
            file,
            directory: Arc::clone(&self.fd),
            name: name.to_owned(),
            has_name,
            linked: false,
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    fn sync(&self) -> io::Result<()> {
        retry_on_intr(|| rustix::fs::fsync(&self.fd))?;
        self.counts.add(SyncKind::Directory);
        Ok(())
    }
}

struct RealNewFile {
    file: RealFile,
    directory: Arc<OwnedFd>,
    name: String,
    /// Made under its name, for want of unnamed files.
    has_name: bool,
    linked: bool,
}

impl NewFile for RealNewFile {
    fn file(&self) -> &dyn File {
        &self.file
    }

    fn link(&mut self) -> io::Result<()> {
        if !self.has_name {
            let path = format!("/proc/self/fd/{}", self.file.file.as_raw_fd());
            match rustix::fs::linkat(CWD, &path, &self.directory, &self.name, AtFlags::SYMLINK_FOLLOW) {
                // Without /proc: Linux 6.10 and later let the opener link by descriptor.
                Err(Errno::NOENT) => {
                    let file = self.file.file.as_fd();
                    rustix::fs::linkat(file, "", &self.directory, &self.name, AtFlags::EMPTY_PATH)?;
                }
                result => result?,
            }
        }
        self.linked = true;
        Ok(())
    }
}

impl Drop for RealNewFile {
    fn drop(&mut self) {
        if self.has_name && !self.linked {
            // What cannot be removed is an orphan, and the sweep's business.
            let _ = rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

#[derive(Debug)]
struct RealFile {
    file: std::fs::File,
    kind: SyncKind,
    counts: Arc<SyncCounts>,
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let wanted = buffer.len();
        match rustix::io::preadv2(&self.file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
            // Less than asked for means that the rest is on the device.
            Ok(read) => Ok(read == wanted),
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn write_at(&self, mut offset: u64, mut pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut pieces, 0);
        while !pieces.is_empty() {
            let written = retry_on_intr(|| rustix::io::pwritev(&self.file, pieces, offset))?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset = offset.saturating_add(written as u64);
            IoSlice::advance_slices(&mut pieces, written);
        }
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match retry_on_intr(|| rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, len)) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn write_behind(&self, offset: u64, len: u64) {
        start_writing(&self.file, offset, len);
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.counts.add(self.kind);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

#[expect(unsafe_code, reason = "no safe crate offers sync_file_range")]
fn start_writing(file: &std::fs::File, offset: u64, len: u64) {
    let (Ok(offset), Ok(len)) = (libc::off64_t::try_from(offset), libc::off64_t::try_from(len)) else { return };
    // SAFETY: the call takes no pointers, and `file` keeps the descriptor open while it lasts. Its result is advice:
    // a device's error stays with the file and shows in the next fdatasync.
    let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE) };
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::create_data_directory;
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn an_unlinked_file_leaves_nothing_with_and_without_unnamed_files() {
        for fs in [RealFs::new(), RealFs::with_named_files()] {
            let root = tempfile::tempdir().unwrap();
            let directory = fs.open_directory(root.path()).unwrap();
            let mut kept = directory.create("kept").unwrap();
            kept.file().write_at(1, &mut [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap();
            kept.file().allocate(10_000).unwrap();
            kept.file().sync_data().unwrap();
            kept.link().unwrap();
            drop(kept);
            drop(directory.create("dropped").unwrap());
            assert_eq!(fs.list(root.path()).unwrap(), ["kept"]);
            assert_eq!(fs.read_file(&root.path().join("kept"), 4).unwrap().unwrap(), b"\0abc");
            assert_eq!(mode_of(&root.path().join("kept")), 0o600);

            let mut again = directory.create("other").unwrap();
            again.link().unwrap();
            let clash = directory.create("other").and_then(|mut file| file.link());
            assert_eq!(clash.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            directory.sync().unwrap();
            assert_eq!(fs.sync_counts().get(SyncKind::File), 1);
            assert_eq!(fs.sync_counts().get(SyncKind::Directory), 1);
        }
    }

    #[test]
    fn reading_past_the_end_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let fs = RealFs::new();
        let file = fs.open_catalog(&root.path().join("catalog")).unwrap();
        file.set_len(10).unwrap();
        let mut buffer = [1; 8];
        file.read_at(&mut buffer, 2).unwrap();
        assert_eq!(buffer, [0; 8]);
        assert_eq!(file.read_at(&mut buffer, 3).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(!file.read_cached_at(&mut buffer, 3).unwrap());
    }

    #[test]
    fn small_files_are_private_and_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let (fs, path) = (RealFs::new(), root.path().join("a/b/credentials"));
        create_data_directory(&fs, path.parent().unwrap()).unwrap();
        create_data_directory(&fs, path.parent().unwrap()).unwrap();
        assert_eq!(mode_of(path.parent().unwrap()), 0o700);
        assert_eq!(fs.read_file(&path, 100).unwrap(), None);
        std::fs::write(replacement_of(&path), b"left by a crash, longer than what follows").unwrap();
        fs.replace_file(&path, b"old").unwrap();
        fs.replace_file(&path, b"new").unwrap();
        assert_eq!(fs.read_file(&path, 3).unwrap().unwrap(), b"new");
        assert_eq!(fs.read_file(&path, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(mode_of(&path), 0o600);
        assert_eq!(fs.list(path.parent().unwrap()).unwrap(), ["credentials"]);
    }

    #[test]
    fn the_lock_is_exclusive_and_ends_with_its_holder() {
        let root = tempfile::tempdir().unwrap();
        let (fs, path) = (RealFs::new(), root.path().join("wharf.lock"));
        let held = fs.lock(&path).unwrap();
        assert!(held.is_some());
        assert!(fs.lock(&path).unwrap().is_none());
        drop(held);
        assert!(fs.lock(&path).unwrap().is_some());
        assert!(fs.free(root.path()).unwrap().total_bytes > 0);
    }
}
