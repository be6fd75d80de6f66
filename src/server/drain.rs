//! The end of a server: no new connections, requests in flight are finished, what is left at the deadline is cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How long cut connections may take to notice it, at most; a handler that blocks its thread is not waited for longer.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// Where a server stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Accepting and answering.
    Serving,
    /// Finishing what is in flight.
    Draining,
    /// Ending everything now.
    Cut,
}

/// Returns when the server drains, or is cut or dropped.
pub(super) async fn draining(phase: &mut watch::Receiver<Phase>) {
    // An error is a sender that is gone, which is the end as well.
    let _ = phase.wait_for(|phase| *phase >= Phase::Draining).await;
}

/// Returns when the server is cut or dropped.
pub(super) async fn cut(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase >= Phase::Cut).await;
}

/// The connections of one listener: each holds one slot.
#[derive(Debug)]
pub(super) struct Slots {
    pub(super) slots: Arc<Semaphore>,
    pub(super) connections: usize,
    pub(super) accepting: JoinHandle<()>,
}

/// A server at work.
#[derive(Debug)]
#[must_use = "dropping it cuts every connection"]
pub struct Running {
    addresses: Vec<SocketAddr>,
    phase: watch::Sender<Phase>,
    listeners: Vec<Slots>,
}

impl Running {
    pub(super) fn new(addresses: Vec<SocketAddr>, phase: watch::Sender<Phase>, listeners: Vec<Slots>) -> Self {
        Self { addresses, phase, listeners }
    }

    /// The bound addresses with their real ports, in the order of the configuration.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting, lets requests in flight finish for at most `timeout`, then cuts the rest. Returns how many
    /// connections were cut.
    pub async fn drain(mut self, timeout: Duration) -> usize {
        self.phase.send_replace(Phase::Draining);
        for listener in &mut self.listeners {
            // The listener is closed when this returns: from here on new connections are refused. A panic in the loop
            // would close it just the same.
            let _ = (&mut listener.accepting).await;
        }
        if tokio::time::timeout(timeout, self.finished()).await.is_ok() {
            return 0;
        }
        let cut = self.listeners.iter().map(|l| l.connections.saturating_sub(l.slots.available_permits())).sum();
        self.phase.send_replace(Phase::Cut);
        let _ = tokio::time::timeout(CUT_GRACE, self.finished()).await;
        cut
    }

    /// Returns when every slot is free.
    async fn finished(&self) {
        for listener in &self.listeners {
            let all = u32::try_from(listener.connections).unwrap_or(u32::MAX);
            // An error would be a closed semaphore, and nothing closes it.
            let _ = listener.slots.acquire_many(all).await;
        }
    }
}
