//! Open files and directories of the simulated disk.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::node::{DirectoryNode, FileNode, Node};
use super::{Call, Machine};
use crate::store::fsio::{Directory, File, NewFile, SyncKind};

pub(super) struct SimDirectory {
    pub(super) node: Arc<DirectoryNode>,
    pub(super) machine: Arc<Machine>,
}

impl Directory for SimDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        let node = Arc::<FileNode>::default();
        let has_name = !self.machine.unnamed;
        self.machine.mutate(None, || if has_name { set_new(&self.node, name, &node) } else { Ok(()) })?;
        let file = SimFile { node, kind: SyncKind::File, machine: Arc::clone(&self.machine) };
        let directory = Arc::clone(&self.node);
        Ok(Box::new(SimNewFile { file, directory, name: name.to_owned(), has_name, linked: false }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.machine.check()?;
        match self.node.get(name).ok_or(io::ErrorKind::NotFound)? {
            Node::File(_) => self.machine.mutate(None, || self.node.remove(name)),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        // A failed sync of names leaves them as uncertain as they were.
        self.machine.sync(SyncKind::Directory, || self.node.sync(), || {})
    }
}

fn set_new(directory: &DirectoryNode, name: &str, node: &Arc<FileNode>) -> io::Result<()> {
    match directory.get(name) {
        Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
        None => directory.set(name, Node::File(Arc::clone(node))),
    }
}

struct SimNewFile {
    file: SimFile,
    directory: Arc<DirectoryNode>,
    name: String,
    has_name: bool,
    linked: bool,
}

impl NewFile for SimNewFile {
    fn file(&self) -> &dyn File {
        &self.file
    }

    fn link(&mut self) -> io::Result<()> {
        self.file.machine.check()?;
        if !self.has_name {
            self.file.machine.mutate(None, || set_new(&self.directory, &self.name, &self.file.node))?;
        }
        self.linked = true;
        Ok(())
    }
}

impl Drop for SimNewFile {
    fn drop(&mut self) {
        if self.has_name && !self.linked {
            // Without power the name stays, as it would.
            let _ = self.file.machine.mutate(None, || self.directory.remove(&self.name));
        }
    }
}

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) node: Arc<FileNode>,
    pub(super) kind: SyncKind,
    pub(super) machine: Arc<Machine>,
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.machine.check()?;
        if self.node.read(offset, buffer) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        self.machine.check()?;
        Ok(self.machine.state().cached && self.node.read(offset, buffer))
    }

    fn write_at(&self, offset: u64, pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
        self.machine.mutate(Some(Call::Write), || {
            self.node.write(offset, bytes);
            Ok(())
        })
    }

    fn allocate(&self, _len: u64) -> io::Result<()> {
        // Room without length changes nothing that a reader or a reboot could see.
        self.machine.check()
    }

    fn write_behind(&self, _offset: u64, _len: u64) {}

    fn sync_data(&self) -> io::Result<()> {
        self.machine.sync(self.kind, || self.node.sync(), || self.node.lose_unsynced())
    }

    fn len(&self) -> io::Result<u64> {
        self.machine.check()?;
        Ok(self.node.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.machine.mutate(None, || {
            self.node.set_len(len);
            Ok(())
        })
    }
}
