//! The directory that takes new blobs, and the fsync that all of them share.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::store::fsio::Directory;

/// The directory that takes new blobs, held open.
pub(super) struct BlobDirectory {
    pub(super) number: u64,
    pub(super) handle: Arc<dyn Directory>,
    group: GroupSync,
}

impl BlobDirectory {
    pub(super) fn new(number: u64, handle: Arc<dyn Directory>) -> Self {
        Self { number, handle, group: GroupSync::default() }
    }

    /// Makes every name changed before this call durable, together with whoever else asks.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.group.run(|| self.handle.sync())
    }
}

/// Shares syncs: a sync serves all who asked before it started; who asks while one runs waits for the next, because what
/// that one saw of the directory is unknown. One of those who wait carries it out, so no thread stands by for it.
#[derive(Default)]
struct GroupSync {
    state: Mutex<GroupState>,
    ended: Condvar,
}

#[derive(Default)]
struct GroupState {
    /// Syncs started so far; also the number of the latest.
    started: u64,
    running: bool,
    /// The latest sync that failed and how.
    failed: Option<(u64, io::ErrorKind, Option<i32>)>,
}

impl GroupSync {
    fn run(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = state.started + 1;
        while state.running && state.started <= mine {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.started >= mine {
            return state.outcome(mine);
        }
        state.started = mine;
        state.running = true;
        drop(state);
        let result = sync();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = false;
        if let Err(error) = &result {
            state.failed = Some((mine, error.kind(), error.raw_os_error()));
        }
        drop(state);
        self.ended.notify_all();
        result
    }
}

impl GroupState {
    /// How the sync with this number ended. A failure of a later one counts too: that one may have covered the names of
    /// this caller as well, and after a failed sync nothing is certain.
    fn outcome(&self, number: u64) -> io::Result<()> {
        match self.failed {
            Some((failed, _, Some(code))) if failed >= number => Err(io::Error::from_raw_os_error(code)),
            Some((failed, kind, None)) if failed >= number => Err(kind.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// A sync that already runs may have looked at the directory before the name was there: it serves nobody who asks
    /// while it runs, and one more serves all of them.
    #[test]
    fn who_asks_while_a_sync_runs_shares_the_next() {
        const LATE: usize = 15;
        let (group, syncs) = (GroupSync::default(), AtomicU64::new(0));
        let (started, wait_started) = mpsc::channel();
        let (release, wait_release) = mpsc::channel();
        let (asking, wait_asking) = mpsc::channel();
        std::thread::scope(|scope| {
            let (group, syncs) = (&group, &syncs);
            scope.spawn(move || {
                group.run(|| {
                    started.send(()).unwrap();
                    wait_release.recv().unwrap();
                    syncs.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                })
            });
            wait_started.recv().unwrap();
            let late: Vec<_> = (0..LATE)
                .map(|_| {
                    let asking = asking.clone();
                    scope.spawn(move || {
                        let mut own = None;
                        asking.send(()).unwrap();
                        group.run(|| {
                            own = Some(syncs.fetch_add(1, Ordering::SeqCst) + 1);
                            Ok(())
                        })?;
                        let done = syncs.load(Ordering::SeqCst);
                        assert!(own.unwrap_or(done) >= 2, "served by the sync that ran before the question");
                        io::Result::Ok(())
                    })
                })
                .collect();
            (0..LATE).for_each(|_| wait_asking.recv().unwrap());
            release.send(()).unwrap();
            late.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        });
        assert!((2..=1 + LATE as u64).contains(&syncs.load(Ordering::SeqCst)));
    }

    #[test]
    fn a_failed_sync_fails_and_the_next_is_a_new_one() {
        let group = GroupSync::default();
        let failed = group.run(|| Err(rustix::io::Errno::IO.into())).unwrap_err();
        assert_eq!(failed.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
        group.run(|| Ok(())).unwrap();
    }

    #[test]
    fn a_failure_reaches_everyone_it_was_to_serve() {
        let state = GroupState { started: 5, running: false, failed: Some((4, io::ErrorKind::Other, Some(5))) };
        assert!(state.outcome(3).is_err());
        assert_eq!(state.outcome(4).unwrap_err().raw_os_error(), Some(5));
        assert!(state.outcome(5).is_ok());
    }
}
