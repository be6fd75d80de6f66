//! Opening a GPU while everything else starts: who wants the first piece waits for it, and nobody else does.

use std::sync::Arc;

use tokio::sync::watch;

use super::Gpu;
use crate::base::clock::Stopwatch;
use crate::base::limits::GPU_OPEN_TIMEOUT;

/// A GPU that a thread is opening, or has opened.
pub struct Opening {
    state: watch::Receiver<State>,
    begun: Stopwatch,
}

/// How far it is.
#[derive(Clone)]
enum State {
    Pending,
    Open(Arc<Gpu>),
    Failed,
}

impl Opening {
    /// Begins to open the device of this number, as [`Gpu::open`] does.
    pub fn start(ordinal: usize, slots: usize, slot_bytes: usize) -> Self {
        let (sender, state) = watch::channel(State::Pending);
        let open = move || {
            let opened = match Gpu::open(ordinal, slots, slot_bytes) {
                Ok(gpu) => {
                    tracing::info!(device = gpu.describe(), "a GPU draws images");
                    State::Open(Arc::new(gpu))
                }
                Err(reason) => {
                    tracing::warn!(reason, "no GPU can be used, so the CPU draws images");
                    State::Failed
                }
            };
            // The renderer may be gone by now, and the GPU with it.
            let _ = sender.send(opened);
        };
        // Where no thread can be had the sender is dropped, which is a failure as any other.
        if let Err(error) = std::thread::Builder::new().name("gpu-open".to_owned()).spawn(open) {
            tracing::warn!(reason = %error, "no GPU can be used, so the CPU draws images");
        }
        Self { state, begun: Stopwatch::start() }
    }

    /// One that is done.
    pub fn done(gpu: Gpu) -> Self {
        Self { state: watch::channel(State::Open(Arc::new(gpu))).1, begun: Stopwatch::start() }
    }

    /// The GPU; waits while it is opened. None when that failed or takes too long, or the device is dead.
    pub async fn gpu(&self) -> Option<Arc<Gpu>> {
        let mut state = self.state.clone();
        let opened = state.wait_for(|state| !matches!(state, State::Pending));
        let patience = GPU_OPEN_TIMEOUT.saturating_sub(self.begun.elapsed());
        let state = tokio::time::timeout(patience, opened).await.ok()?.ok()?.clone();
        state.alive()
    }

    /// The GPU, where it is open by now and not dead.
    pub fn now(&self) -> Option<Arc<Gpu>> {
        self.state.borrow().clone().alive()
    }

    /// Whether it is still being opened.
    pub fn is_pending(&self) -> bool {
        matches!(*self.state.borrow(), State::Pending) && self.state.has_changed().is_ok()
    }
}

impl State {
    fn alive(self) -> Option<Arc<Gpu>> {
        match self {
            Self::Open(gpu) if !gpu.is_dead() => Some(gpu),
            Self::Open(_) | Self::Pending | Self::Failed => None,
        }
    }
}
