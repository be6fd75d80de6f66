//! Where blocking work runs: on the runtime's blocking threads in production, in place in simulations (so that a
//! seed replays every step).

use tokio::runtime::Handle;

/// The blocking pool, or none.
#[derive(Clone, Debug)]
pub enum Offload {
    /// Blocking work goes to this runtime's blocking threads.
    Threads(Handle),
    /// Blocking work runs at once on the caller's thread: only where nothing else shares that thread.
    Inline,
}

/// Work that is under way.
pub enum Running<T> {
    /// On a blocking thread.
    Thread(tokio::task::JoinHandle<T>),
    /// Already finished.
    Finished(T),
}

/// The work panicked or the runtime is shutting down.
#[derive(Debug, thiserror::Error)]
#[error("blocking work was lost: {0}")]
pub struct Lost(String);

impl Offload {
    /// Starts `work`; it goes on whether or not the result is waited for.
    pub fn start<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Running<T> {
        match self {
            Self::Threads(runtime) => Running::Thread(runtime.spawn_blocking(work)),
            Self::Inline => Running::Finished(work()),
        }
    }

    /// Runs `work` and waits for its result.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        self.start(work).wait().await
    }
}

impl<T> Running<T> {
    /// The result, once it is there.
    pub async fn wait(self) -> Result<T, Lost> {
        match self {
            Self::Thread(handle) => handle.await.map_err(|error| Lost(error.to_string())),
            Self::Finished(value) => Ok(value),
        }
    }
}
