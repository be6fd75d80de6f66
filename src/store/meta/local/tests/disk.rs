//! A disk in memory that forgets what was not synced, and fails on demand.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use crate::base::rng::SeededRng;

/// What a disk writes in one piece.
const SECTOR_BYTES: usize = 512;

/// One file on a disk of its own.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What reads see.
    live: Vec<u8>,
    /// What certainly survives a crash.
    durable: Vec<u8>,
    /// What was done since the last sync, in its order.
    unsynced: Vec<Change>,
    rng: SeededRng,
    /// Handles of an earlier epoch belong to a process that is dead.
    epoch: u64,
    syncs: u64,
    plan: Plan,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plan {
    /// Nothing.
    Works,
    /// After this many more changes and syncs the power goes: everything fails.
    PowerCut(u64),
    /// The next sync fails, and loses some of what it should have written.
    FailSync,
    /// The next write panics.
    Panic,
}

impl Disk {
    /// An empty file; the seed decides what crashes lose.
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            live: Vec::new(),
            durable: Vec::new(),
            unsynced: Vec::new(),
            rng: SeededRng::new(seed),
            epoch: 0,
            syncs: 0,
            plan: Plan::Works,
        })))
    }

    pub(super) fn open(&self) -> Box<dyn StorageBackend> {
        Box::new(Handle { disk: self.clone(), epoch: self.lock().epoch })
    }

    pub(super) fn plan(&self, plan: Plan) {
        self.lock().plan = plan;
    }

    pub(super) fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// The machine stops and starts again: of what was not synced, some survives. Open handles are dead.
    pub(super) fn crash(&self) {
        let mut state = self.lock();
        state.lose_unsynced();
        state.epoch += 1;
        state.plan = Plan::Works;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Makes an arbitrary part of the unsynced changes durable and forgets the rest, sector by sector.
    fn lose_unsynced(&mut self) {
        // Everything, nothing, or any subset: each is a crash that happens.
        let kept_of_four = [0, 2, 4][usize::try_from(self.rng.below(3)).unwrap()];
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Length(length) => {
                    if self.rng.below(4) < kept_of_four {
                        self.durable.resize(length, 0);
                    }
                }
                Change::Write(offset, data) => {
                    for (i, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                        if self.rng.below(4) < kept_of_four {
                            write(&mut self.durable, offset + i * SECTOR_BYTES, sector);
                        }
                    }
                }
            }
        }
        self.live.clone_from(&self.durable);
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        match &mut self.plan {
            Plan::PowerCut(0) => return Err(io::Error::other("no power")),
            Plan::PowerCut(left) => *left -= 1,
            Plan::Panic => {
                self.plan = Plan::Works;
                panic!("a panic inside the backend, as planned");
            }
            Plan::Works | Plan::FailSync => {}
        }
        match &change {
            Change::Length(length) => self.live.resize(*length, 0),
            Change::Write(offset, data) => write(&mut self.live, *offset, data),
        }
        self.unsynced.push(change);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        match &mut self.plan {
            Plan::PowerCut(0) => return Err(io::Error::other("no power")),
            Plan::PowerCut(left) => *left -= 1,
            Plan::FailSync => {
                self.plan = Plan::Works;
                self.lose_unsynced();
                return Err(io::Error::other("the disk refused"));
            }
            Plan::Works | Plan::Panic => {}
        }
        self.syncs += 1;
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Length(length) => self.durable.resize(length, 0),
                Change::Write(offset, data) => write(&mut self.durable, offset, &data),
            }
        }
        Ok(())
    }
}

fn write(file: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if file.len() < offset + data.len() {
        file.resize(offset + data.len(), 0);
    }
    file[offset..offset + data.len()].copy_from_slice(data);
}

#[derive(Debug)]
struct Handle {
    disk: Disk,
    epoch: u64,
}

impl Handle {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.epoch == self.epoch { Ok(state) } else { Err(io::Error::other("a dead process has no files")) }
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        if state.plan == Plan::PowerCut(0) {
            return Err(io::Error::other("the disk cannot be read"));
        }
        let offset = usize::try_from(offset).unwrap();
        let from = state.live.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state()?.change(Change::Length(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state()?.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.state()?.change(Change::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}
