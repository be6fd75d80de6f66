//! A disk in memory that forgets what was not synced.
//!
//! Every file and directory has a durable and a current state and, between them, the changes since its last sync. Power
//! can be cut at any step: each mutating or sync call is one **operation**, and at the armed one it and every later call
//! fail. [`SimFs::reboot`] then gives the disk a machine finds when power is back: the durable state and *any* subset of
//! the changes, with writes cut into units of 512 to 4096 bytes that are kept or lost one by one. What ext4 would never
//! reorder may be reordered here: code that survives this relies on its syncs alone.
//!
//! - An operation that power dies in may have happened or not; a sync that power dies in promised nothing.
//! - A file without a name is gone, and so is all under a directory whose own name was lost.
//! - After a failed [`File::sync_data`] the changes it was to make durable are lost and a later sync does not bring them
//!   back, although reads still show them until [`Fs::open_catalog`] asks the device: what Linux does.
//! - [`SimFs::ignore`] makes one kind of sync a lie, so that a test can prove that it would notice a missing one.
//!
//! Absent on purpose: permissions, links to more than one name, a bound on the bytes held.

mod handle;
mod node;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::handle::{SimDirectory, SimFile};
use self::node::{DirectoryNode, FileNode, Node};
use super::{Directory, File, FreeSpace, Fs, HeldLock, REPLACEMENT_SUFFIX, SyncCounts, SyncKind, parent_of};
use crate::base::rng::SeededRng;

/// What a disk keeps, when power is cut, of the changes that were not synced.
#[derive(Clone, Copy, Debug)]
pub enum Survivors<'a> {
    /// Nothing.
    None,
    /// Everything, as after the death of the process alone.
    All,
    /// Each with this chance out of eight.
    Some(&'a SeededRng, u64),
}

/// A call that can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`File::write_at`].
    Write,
    /// A sync of this kind.
    Sync(SyncKind),
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO.
    Device,
    /// ENOSPC.
    Full,
}

/// A simulated disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimFs {
    root: Arc<DirectoryNode>,
    machine: Arc<Machine>,
}

/// What all files of one disk share.
#[derive(Debug)]
struct Machine {
    /// Whether new files are made without a name.
    unnamed: bool,
    counts: Arc<SyncCounts>,
    state: Mutex<MachineState>,
}

#[derive(Debug)]
struct MachineState {
    operations: u64,
    crash_at: Option<u64>,
    power_off: bool,
    cached: bool,
    free: FreeSpace,
    ignored: Vec<SyncKind>,
    /// Faults to come: the call and how many such calls pass before it fails.
    faults: Vec<(Call, u64, Fault)>,
    locks: BTreeSet<PathBuf>,
}

/// Whether power lasts through an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    Stays,
    DiesNow,
}

impl SimFs {
    /// An empty disk with a root directory.
    pub fn new() -> Self {
        Self::over(Arc::default(), true)
    }

    /// An empty disk whose filesystem has no unnamed files.
    pub fn with_named_files() -> Self {
        Self::over(Arc::default(), false)
    }

    fn over(root: Arc<DirectoryNode>, unnamed: bool) -> Self {
        let free = FreeSpace { bytes: 1 << 40, total_bytes: 2 << 40, inodes: Some(1 << 30) };
        let state = MachineState {
            operations: 0,
            crash_at: None,
            power_off: false,
            cached: true,
            free,
            ignored: Vec::new(),
            faults: Vec::new(),
            locks: BTreeSet::new(),
        };
        Self { root, machine: Arc::new(Machine { unnamed, counts: Arc::default(), state: Mutex::new(state) }) }
    }

    /// Operations so far: mutating and sync calls.
    pub fn operations(&self) -> u64 {
        self.machine.state().operations
    }

    /// Cuts power in operation number `operation` (the first of a disk is number 0): it and all later calls fail.
    pub fn arm_crash_at(&self, operation: u64) {
        self.machine.state().crash_at = Some(operation);
    }

    /// Cuts power now, between two operations.
    pub fn cut_power(&self) {
        self.machine.state().power_off = true;
    }

    /// Whether power was cut.
    pub fn is_off(&self) -> bool {
        self.machine.state().power_off
    }

    /// From now on syncs of this kind report success and do nothing. Holds for every sync of the kind: set it after the
    /// store was opened to ask about the blobs alone.
    pub fn ignore(&self, kind: SyncKind) {
        self.machine.state().ignored.push(kind);
    }

    /// Lets `passing` calls of this kind pass and the one after them fail, once, without a crash.
    pub fn fail(&self, call: Call, passing: u64, fault: Fault) {
        self.machine.state().faults.push((call, passing, fault));
    }

    /// Takes back the faults that have not happened yet, and answers how many those were.
    pub fn take_back_faults(&self) -> usize {
        std::mem::take(&mut self.machine.state().faults).len()
    }

    /// Whether [`File::read_cached_at`] finds everything in memory, as it does at first, or nothing.
    pub fn set_cached(&self, cached: bool) {
        self.machine.state().cached = cached;
    }

    /// Sets what [`Fs::free`] answers.
    pub fn set_free(&self, free: FreeSpace) {
        self.machine.state().free = free;
    }

    /// The current content of a file.
    pub fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.file_at(path)?.content())
    }

    /// Puts other bytes into a file, durably: what a failing device or another program does. No operation.
    pub fn damage(&self, path: &Path, content: Vec<u8>) -> io::Result<()> {
        self.file_at(path)?.overwrite(content);
        Ok(())
    }

    /// The disk after a power cut, with chance deciding what it kept: nothing, everything, or a part.
    pub fn reboot(&self, rng: &SeededRng) -> Self {
        match rng.below(8) {
            0 => self.reboot_keeping(Survivors::None),
            1 => self.reboot_keeping(Survivors::All),
            _ => self.reboot_keeping(Survivors::Some(rng, 1 + rng.below(7))),
        }
    }

    /// The disk after a power cut that lost all that was not synced.
    pub fn reboot_losing_all(&self) -> Self {
        self.reboot_keeping(Survivors::None)
    }

    /// The disk after a power cut. This one is dead from then on; the new one counts its operations from 0 and has no
    /// faults armed.
    pub fn reboot_keeping(&self, survivors: Survivors<'_>) -> Self {
        self.cut_power();
        let after = Self::over(Arc::new(self.root.after_power_cut(survivors)), self.machine.unnamed);
        after.set_free(self.machine.state().free);
        after
    }

    /// The node at `path`, seen from the root whether the path is absolute or not.
    fn node_at(&self, path: &Path) -> io::Result<Node> {
        let mut node = Node::Directory(Arc::clone(&self.root));
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Node::Directory(directory) = node else { return Err(io::ErrorKind::NotADirectory.into()) };
            let name = name.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
            node = directory.get(name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    fn directory_at(&self, path: &Path) -> io::Result<Arc<DirectoryNode>> {
        match self.node_at(path)? {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn file_at(&self, path: &Path) -> io::Result<Arc<FileNode>> {
        match self.node_at(path)? {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn open_node(&self, node: Arc<FileNode>, kind: SyncKind) -> SimFile {
        SimFile { node, kind, machine: Arc::clone(&self.machine) }
    }

    fn handle(&self, node: Arc<DirectoryNode>) -> SimDirectory {
        SimDirectory { node, machine: Arc::clone(&self.machine) }
    }
}

impl Default for SimFs {
    fn default() -> Self {
        Self::new()
    }
}

impl Fs for SimFs {
    fn make_directory(&self, path: &Path) -> io::Result<bool> {
        self.machine.check()?;
        match self.node_at(path) {
            Ok(Node::Directory(_)) => return Ok(false),
            Ok(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => {}
        }
        let (parent, name) = (self.directory_at(parent_of(path))?, name_of(path)?);
        self.machine.mutate(None, || parent.set(name, Node::Directory(Arc::default())))?;
        Ok(true)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.machine.check()?;
        if !self.directory_at(path)?.names().is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (parent, name) = (self.directory_at(parent_of(path))?, name_of(path)?);
        self.machine.mutate(None, || parent.remove(name))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.machine.check()?;
        Ok(self.directory_at(path)?.names())
    }

    fn open_directory(&self, path: &Path) -> io::Result<Arc<dyn Directory>> {
        self.machine.check()?;
        Ok(Arc::new(self.handle(self.directory_at(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.machine.check()?;
        Ok(Arc::new(self.open_node(self.file_at(path)?, SyncKind::File)))
    }

    fn open_catalog(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.machine.check()?;
        let parent = self.directory_at(parent_of(path))?;
        let node = match self.file_at(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (node, name) = (Arc::<FileNode>::default(), name_of(path)?);
                self.machine.mutate(None, || parent.set(name, Node::File(Arc::clone(&node))))?;
                node
            }
            result => result?,
        };
        self.handle(parent).sync()?;
        node.drop_cache();
        Ok(Arc::new(self.open_node(node, SyncKind::Catalog)))
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.machine.check()?;
        let (parent, name) = (self.directory_at(parent_of(path))?, name_of(path)?);
        let (node, replacement) = (Arc::<FileNode>::default(), format!("{name}{REPLACEMENT_SUFFIX}"));
        self.machine.mutate(None, || parent.set(&replacement, Node::File(Arc::clone(&node))))?;
        let file = self.open_node(node, SyncKind::File);
        file.write_at(0, &mut [IoSlice::new(content)])?;
        file.sync_data()?;
        self.machine.mutate(None, || parent.rename(&replacement, name))?;
        self.handle(parent).sync()
    }

    fn read_file(&self, path: &Path, max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
        self.machine.check()?;
        match self.file_at(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(file) => Some(file.content())
                .filter(|content| content.len() <= max_bytes)
                .map_or_else(|| Err(io::ErrorKind::FileTooLarge.into()), |content| Ok(Some(content))),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<HeldLock>> {
        self.machine.check()?;
        let taken = self.machine.state().locks.insert(path.to_owned());
        let machine = Arc::clone(&self.machine);
        Ok(taken.then(|| HeldLock { _held: Box::new(SimLock { path: path.to_owned(), machine }) }))
    }

    fn free(&self, _path: &Path) -> io::Result<FreeSpace> {
        self.machine.check()?;
        Ok(self.machine.state().free)
    }

    fn sync_counts(&self) -> &Arc<SyncCounts> {
        &self.machine.counts
    }
}

struct SimLock {
    path: PathBuf,
    machine: Arc<Machine>,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.machine.state().locks.remove(&self.path);
    }
}

impl Machine {
    fn state(&self) -> MutexGuard<'_, MachineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails when power is off: what every call that is no operation does first.
    fn check(&self) -> io::Result<()> {
        if self.state().power_off { Err(power_is_off()) } else { Ok(()) }
    }

    /// One mutating operation. When power dies in it, it has happened as far as memory goes, and the caller sees an error.
    fn mutate<T>(&self, call: Option<Call>, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let power = self.begin(call)?;
        let result = change();
        if power == Power::DiesNow { Err(power_is_off()) } else { result }
    }

    /// One sync. `lose` runs when a fault is injected.
    fn sync(&self, kind: SyncKind, keep: impl FnOnce(), lose: impl FnOnce()) -> io::Result<()> {
        match self.begin(Some(Call::Sync(kind))) {
            Ok(Power::Stays) => {}
            Ok(Power::DiesNow) => return Err(power_is_off()),
            Err(error) => {
                if !self.state().power_off {
                    lose();
                }
                return Err(error);
            }
        }
        self.counts.add(kind);
        if !self.state().ignored.contains(&kind) {
            keep();
        }
        Ok(())
    }

    fn begin(&self, call: Option<Call>) -> io::Result<Power> {
        let mut state = self.state();
        if state.power_off {
            return Err(power_is_off());
        }
        let operation = state.operations;
        state.operations += 1;
        if state.crash_at.is_some_and(|at| operation >= at) {
            state.power_off = true;
            return Ok(Power::DiesNow);
        }
        match state.take_fault(call) {
            Some(Fault::Device) => Err(rustix::io::Errno::IO.into()),
            Some(Fault::Full) => Err(rustix::io::Errno::NOSPC.into()),
            None => Ok(Power::Stays),
        }
    }
}

impl MachineState {
    fn take_fault(&mut self, call: Option<Call>) -> Option<Fault> {
        let call = call?;
        let mut due = None;
        self.faults.retain_mut(|(of, passing, fault)| {
            if *of != call {
                return true;
            }
            if *passing == 0 && due.is_none() {
                due = Some(*fault);
                return false;
            }
            *passing = passing.saturating_sub(1);
            true
        });
        due
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("power is off")
}

fn name_of(path: &Path) -> io::Result<&str> {
    path.file_name().and_then(|name| name.to_str()).ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}
