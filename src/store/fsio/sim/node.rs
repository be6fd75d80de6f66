//! Files and directories of the simulated disk: durable state, changes since the last sync, current state.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Survivors;
use crate::base::rng::{Rng as _, SeededRng};

/// Smallest unit a torn write is cut into; the largest is eight of them.
const SECTOR_BYTES: u64 = 512;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Arc<FileNode>),
    Directory(Arc<DirectoryNode>),
}

/// A file, with or without a name.
#[derive(Debug, Default)]
pub(super) struct FileNode(Mutex<FileState>);

#[derive(Debug, Default)]
struct FileState {
    durable: Vec<u8>,
    unsynced: Vec<FileChange>,
    current: Vec<u8>,
}

#[derive(Clone, Debug)]
enum FileChange {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen(u64),
}

impl FileNode {
    fn state(&self) -> MutexGuard<'_, FileState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn content(&self) -> Vec<u8> {
        self.state().current.clone()
    }

    pub(super) fn len(&self) -> u64 {
        self.state().current.len() as u64
    }

    pub(super) fn overwrite(&self, content: Vec<u8>) {
        *self.state() = FileState { durable: content.clone(), unsynced: Vec::new(), current: content };
    }

    /// False when the file ends before the buffer is full.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> bool {
        let state = self.state();
        let found = usize::try_from(offset).ok().and_then(|start| state.current.get(start..)?.get(..buffer.len()));
        found.map(|bytes| buffer.copy_from_slice(bytes)).is_some()
    }

    pub(super) fn write(&self, offset: u64, bytes: Vec<u8>) {
        self.change(FileChange::Write { offset, bytes });
    }

    pub(super) fn set_len(&self, len: u64) {
        self.change(FileChange::SetLen(len));
    }

    fn change(&self, change: FileChange) {
        let mut state = self.state();
        apply(&mut state.current, &change);
        state.unsynced.push(change);
    }

    pub(super) fn sync(&self) {
        let mut state = self.state();
        let FileState { durable, unsynced, .. } = &mut *state;
        for change in unsynced.drain(..) {
            apply(durable, &change);
        }
    }

    /// A failed sync: the changes stay visible and are never written.
    pub(super) fn lose_unsynced(&self) {
        self.state().unsynced.clear();
    }

    /// Reads show no longer what a failed sync lost: the cache gave up its clean pages, the lost ones among them.
    pub(super) fn drop_cache(&self) {
        let mut state = self.state();
        let FileState { durable, unsynced, current } = &mut *state;
        current.clone_from(durable);
        unsynced.iter().for_each(|change| apply(current, change));
    }

    fn after_power_cut(&self, survivors: Survivors<'_>) -> Self {
        let state = self.state();
        let mut content = state.durable.clone();
        for change in &state.unsynced {
            match (survivors, change) {
                (Survivors::None, _) => {}
                (Survivors::Some(rng, chance), FileChange::Write { offset, bytes }) => {
                    write_torn(&mut content, *offset, bytes, rng, chance);
                }
                _ if survives(survivors) => apply(&mut content, change),
                _ => {}
            }
        }
        let after = Self::default();
        after.overwrite(content);
        after
    }
}

fn apply(content: &mut Vec<u8>, change: &FileChange) {
    match change {
        FileChange::Write { offset, bytes } => write(content, *offset, bytes),
        FileChange::SetLen(len) => content.resize(usize::try_from(*len).unwrap_or(usize::MAX), 0),
    }
}

fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(target) = content.get_mut(start..end) {
        target.copy_from_slice(bytes);
    }
}

/// Writes the units that survive, each cut at multiples of its own size as a device and a page cache do.
fn write_torn(content: &mut Vec<u8>, offset: u64, bytes: &[u8], rng: &SeededRng, chance: u64) {
    let unit = SECTOR_BYTES << rng.below(4);
    let (mut offset, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let len = usize::try_from(unit - offset % unit).unwrap_or(usize::MAX).min(rest.len());
        let (piece, behind) = rest.split_at(len);
        if rng.below(8) < chance {
            write(content, offset, piece);
        }
        offset += len as u64;
        rest = behind;
    }
}

fn survives(survivors: Survivors<'_>) -> bool {
    match survivors {
        Survivors::None => false,
        Survivors::All => true,
        Survivors::Some(rng, chance) => rng.next_u64() % 8 < chance,
    }
}

/// A directory.
#[derive(Debug, Default)]
pub(super) struct DirectoryNode(Mutex<DirectoryState>);

#[derive(Debug, Default)]
struct DirectoryState {
    durable: BTreeMap<String, Node>,
    unsynced: Vec<NameChange>,
    current: BTreeMap<String, Node>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, Node),
    Remove(String),
    /// Both names at once.
    Rename(String, String, Node),
}

impl DirectoryNode {
    fn state(&self) -> MutexGuard<'_, DirectoryState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, name: &str) -> Option<Node> {
        self.state().current.get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().current.keys().cloned().collect()
    }

    pub(super) fn set(&self, name: &str, node: Node) -> io::Result<()> {
        self.change(NameChange::Set(name.to_owned(), node));
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.get(name).ok_or(io::ErrorKind::NotFound)?;
        self.change(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let node = self.get(from).ok_or(io::ErrorKind::NotFound)?;
        self.change(NameChange::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    fn change(&self, change: NameChange) {
        let mut state = self.state();
        rename(&mut state.current, &change);
        state.unsynced.push(change);
    }

    pub(super) fn sync(&self) {
        let mut state = self.state();
        let DirectoryState { durable, unsynced, .. } = &mut *state;
        for change in unsynced.drain(..) {
            rename(durable, &change);
        }
    }

    pub(super) fn after_power_cut(&self, survivors: Survivors<'_>) -> Self {
        let state = self.state();
        let mut names = state.durable.clone();
        state.unsynced.iter().filter(|_| survives(survivors)).for_each(|change| rename(&mut names, change));
        for node in names.values_mut() {
            *node = match node {
                Node::File(file) => Node::File(Arc::new(file.after_power_cut(survivors))),
                Node::Directory(directory) => Node::Directory(Arc::new(directory.after_power_cut(survivors))),
            };
        }
        Self(Mutex::new(DirectoryState { durable: names.clone(), unsynced: Vec::new(), current: names }))
    }
}

fn rename(names: &mut BTreeMap<String, Node>, change: &NameChange) {
    match change {
        NameChange::Set(name, node) => {
            names.insert(name.clone(), node.clone());
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
        NameChange::Rename(from, to, node) => {
            names.remove(from);
            names.insert(to.clone(), node.clone());
        }
    }
}
