//! Generations that wait and those under way: a bounded number of each, and each id once.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::order::Order;
use super::uploader::Progress;

/// Works off one order; where it stands is told through the sender.
pub(super) type Work = Arc<dyn Fn(Arc<Order>, watch::Sender<Progress>) -> BoxFuture<'static, ()> + Send + Sync>;

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It waits, or is begun.
    Accepted,
    /// One of this id waits or is under way.
    Known,
    /// As many wait as may.
    Full,
    /// The generator is going down.
    Stopping,
}

/// The queue. A clone is the same queue.
#[derive(Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    work: Work,
    running_max: usize,
    waiting_max: usize,
    state: Mutex<State>,
    /// How many are under way.
    running: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    known: HashMap<String, Known>,
    /// Tells entries apart that have one id after each other.
    ticket: u64,
    running: usize,
    stopping: bool,
}

/// One order on its way through the queue.
struct Entry {
    order: Arc<Order>,
    ticket: u64,
    progress: watch::Sender<Progress>,
    ended: watch::Receiver<bool>,
    /// Whether somebody comes for it at once.
    starts: bool,
}

/// What others may do to it.
struct Known {
    ticket: u64,
    end: watch::Sender<bool>,
    progress: watch::Receiver<Progress>,
}

impl Queue {
    /// A queue of at most `waiting_max` orders beside the `running_max` that are worked off.
    pub(super) fn new(running_max: usize, waiting_max: usize, work: Work) -> Self {
        let running = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { work, running_max, waiting_max, state: Mutex::default(), running }) }
    }

    /// Takes an order. Must be called within a tokio runtime.
    pub(super) fn submit(&self, order: Order) -> Admission {
        let mut state = self.shared.state();
        if state.stopping {
            return Admission::Stopping;
        }
        if state.known.contains_key(&order.uuid) {
            return Admission::Known;
        }
        let starts = state.running < self.shared.running_max;
        if !starts && state.waiting.len() >= self.shared.waiting_max {
            return Admission::Full;
        }
        state.ticket += 1;
        let ticket = state.ticket;
        let (progress, watched) = watch::channel(Progress::of(&order));
        let (end, ended) = watch::channel(false);
        state.known.insert(order.uuid.clone(), Known { ticket, end, progress: watched });
        state.waiting.push_back(Entry { order: Arc::new(order), ticket, progress, ended, starts });
        if starts {
            state.running += 1;
            self.shared.running.send_replace(state.running);
            tokio::spawn(Arc::clone(&self.shared).work_off());
        }
        Admission::Accepted
    }

    /// Whether an order of this id waits or is under way.
    pub(super) fn knows(&self, uuid: &str) -> bool {
        self.shared.state().known.contains_key(uuid)
    }

    /// Whether the order of this id waits for others to end.
    pub(super) fn waits(&self, uuid: &str) -> bool {
        self.shared.state().waiting.iter().any(|entry| !entry.starts && entry.order.uuid == uuid)
    }

    /// Whether a further order would be turned away.
    pub(super) fn is_full(&self) -> bool {
        let state = self.shared.state();
        state.running >= self.shared.running_max && state.waiting.len() >= self.shared.waiting_max
    }

    /// Ends the order of this id, wherever it is. False when there is none.
    pub(super) fn cancel(&self, uuid: &str) -> bool {
        let mut state = self.shared.state();
        let Some(known) = state.known.remove(uuid) else { return false };
        known.end.send_replace(true);
        state.waiting.retain(|entry| entry.ticket != known.ticket);
        true
    }

    /// How far the order of this id has come.
    pub(super) fn progress(&self, uuid: &str) -> Option<watch::Receiver<Progress>> {
        self.shared.state().known.get(uuid).map(|known| known.progress.clone())
    }

    /// Takes no more, forgets those that wait, lets those under way finish for at most `within`, then ends them. Returns how
    /// many did not finish.
    pub(super) async fn stop(&self, within: Duration) -> usize {
        let waiting = {
            let mut state = self.shared.state();
            state.stopping = true;
            let waiting = std::mem::take(&mut state.waiting);
            for entry in &waiting {
                state.known.remove(&entry.order.uuid);
            }
            waiting.len()
        };
        let mut running = self.shared.running.subscribe();
        let finished = tokio::time::timeout(within, running.wait_for(|running| *running == 0)).await.is_ok();
        if finished {
            return waiting;
        }
        let cut = {
            let state = self.shared.state();
            for known in state.known.values() {
                known.end.send_replace(true);
            }
            state.running
        };
        // They end at their next step; the sender is this queue's own and not gone.
        let _: Result<_, _> = running.wait_for(|running| *running == 0).await;
        waiting + cut
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works off one order after another until none waits.
    async fn work_off(self: Arc<Self>) {
        while let Some(mut entry) = self.next() {
            let uuid = entry.order.uuid.clone();
            let work = AssertUnwindSafe((self.work)(entry.order, entry.progress)).catch_unwind();
            tokio::select! {
                done = work => if done.is_err() {
                    tracing::error!(uuid, "a generation panicked");
                },
                // An error is a sender that is gone with its entry.
                _ = entry.ended.wait_for(|ended| *ended) => tracing::info!(uuid, "a generation was ended early"),
            }
            let mut state = self.state();
            if state.known.get(&uuid).is_some_and(|known| known.ticket == entry.ticket) {
                state.known.remove(&uuid);
            }
        }
    }

    /// The next order; with none the worker that asks is over.
    fn next(&self) -> Option<Entry> {
        let mut state = self.state();
        let entry = state.waiting.pop_front();
        if entry.is_none() {
            state.running = state.running.saturating_sub(1);
            self.running.send_replace(state.running);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Semaphore, mpsc};

    use super::*;
    use crate::generator::order::tests::{good, read};

    fn order(uuid: &str) -> Order {
        let mut order = good();
        order["generationUuid"] = uuid.into();
        read(&order).unwrap()
    }

    /// Work that says that it begins, takes a permit to end, and panics on the order `panic`.
    fn work() -> (Work, Arc<Semaphore>, mpsc::UnboundedReceiver<String>) {
        let permits = Arc::new(Semaphore::new(0));
        let (begins, begun) = mpsc::unbounded_channel();
        let taken = Arc::clone(&permits);
        let work: Work = Arc::new(move |order, _| {
            let (permits, begins) = (Arc::clone(&taken), begins.clone());
            Box::pin(async move {
                begins.send(order.uuid.clone()).unwrap();
                assert_ne!(order.uuid, "panic");
                permits.acquire().await.unwrap().forget();
            })
        });
        (work, permits, begun)
    }

    #[tokio::test]
    async fn orders_wait_for_their_turn_and_are_known_by_their_id() {
        let (work, permits, mut begun) = work();
        let queue = Queue::new(1, 2, work);
        assert_eq!(queue.submit(order("a")), Admission::Accepted);
        assert_eq!(begun.recv().await.unwrap(), "a");
        for uuid in ["panic", "c"] {
            assert_eq!(queue.submit(order(uuid)), Admission::Accepted);
        }
        assert!(queue.is_full() && queue.waits("panic") && queue.waits("c") && !queue.waits("a"));
        for uuid in ["a", "panic", "c"] {
            assert_eq!(queue.submit(order(uuid)), Admission::Known, "{uuid}");
        }
        assert_eq!(queue.submit(order("d")), Admission::Full);
        permits.add_permits(1);
        assert_eq!(begun.recv().await.unwrap(), "panic");
        assert_eq!(begun.recv().await.unwrap(), "c", "a panic ends one order and no more");
        assert_eq!(queue.submit(order("a")), Admission::Accepted, "what is done may be ordered again");
        assert_eq!(queue.progress("a").unwrap().borrow().part_count, 3);
        permits.add_permits(2);
        assert_eq!(queue.stop(Duration::from_secs(20)).await, usize::from(begun.try_recv().is_err()));
        assert_eq!(queue.submit(order("e")), Admission::Stopping);
    }

    #[tokio::test]
    async fn what_is_cancelled_is_gone_at_once() {
        let (work, permits, mut begun) = work();
        let queue = Queue::new(1, 2, work);
        assert_eq!(queue.submit(order("a")), Admission::Accepted);
        assert_eq!(queue.submit(order("b")), Admission::Accepted);
        assert_eq!(begun.recv().await.unwrap(), "a");
        assert!(queue.cancel("b") && !queue.cancel("b") && !queue.cancel("nobody"));
        assert!(queue.cancel("a"));
        assert_eq!(queue.submit(order("a")), Admission::Accepted, "one of the same id does not end with the first");
        assert_eq!(begun.recv().await.unwrap(), "a");
        assert!(queue.knows("a") && !queue.knows("b"));
        permits.add_permits(1);
        assert_eq!(queue.stop(Duration::from_secs(20)).await, 0);
        assert!(!queue.knows("a") && begun.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_stop_waits_for_a_while() {
        let (work, _permits, mut begun) = work();
        let queue = Queue::new(1, 2, work);
        queue.submit(order("a"));
        queue.submit(order("b"));
        assert_eq!(begun.recv().await.unwrap(), "a");
        assert_eq!(queue.stop(Duration::from_millis(10)).await, 2);
        assert!(begun.try_recv().is_err() && !queue.knows("a") && !queue.knows("b"));
    }
}
