//! The supervisor: drives each worker on a thread of its own, paces it, survives its errors and panics, and stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::clock::Stopwatch;
use crate::base::worker::{Bell, Next, Worker, WorkerError};
use crate::telemetry::metrics::Metrics;

/// First pause after a failed step; it doubles with each further failure.
const ERROR_PAUSE_MIN: Duration = Duration::from_millis(100);
/// ... at most
const ERROR_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Longest rest of a worker at half pace.
const REST_MAX: Duration = Duration::from_millis(100);

/// How much of a thread a worker may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// All of it.
    Full,
    /// It rests as long as its step took, so that requests have the disk at least half of the time.
    Half,
}

/// A worker on its thread.
pub(super) struct Driven<W> {
    bell: Bell,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<W>,
}

impl<W: Worker> Driven<W> {
    pub(super) fn start(worker: W, pace: Pace, metrics: Metrics) -> std::io::Result<Self> {
        let bell = worker.bell();
        let stop = Arc::new(AtomicBool::new(false));
        let driver = Driver { worker, pace, metrics, stop: Arc::clone(&stop) };
        let thread = std::thread::Builder::new().name(driver.worker.name().to_owned()).spawn(move || driver.run())?;
        Ok(Self { bell, stop, thread })
    }

    /// Stops after the step under way. The worker comes back unless it panicked beyond rescue.
    pub(super) fn stop(self) -> Option<W> {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        self.thread.join().ok()
    }

    /// Waits until the worker has finished by itself.
    pub(super) fn join(self) {
        self.bell.ring();
        if self.thread.join().is_err() {
            tracing::error!("a worker's thread ended with a panic");
        }
    }
}

struct Driver<W> {
    worker: W,
    pace: Pace,
    metrics: Metrics,
    stop: Arc<AtomicBool>,
}

impl<W: Worker> Driver<W> {
    fn run(mut self) -> W {
        let name = self.worker.name();
        let bell = self.worker.bell();
        let mut error_pause = ERROR_PAUSE_MIN;
        while !self.stop.load(Ordering::Acquire) {
            let watch = Stopwatch::start();
            let step = catch_unwind(AssertUnwindSafe(|| self.worker.step()))
                .unwrap_or_else(|_| Err(WorkerError("the step panicked".to_owned())));
            self.metrics.worker_step(name);
            match step {
                Ok(Next::Finished) => break,
                Ok(Next::Again) if self.pace == Pace::Half => {
                    // The bell is not waited for here: a ring must not be lost, and a rest is a rest.
                    std::thread::sleep(watch.elapsed().min(REST_MAX));
                }
                Ok(Next::Again) => {}
                Ok(Next::After(pause)) => {
                    bell.wait(pause);
                }
                Err(error) => {
                    self.metrics.worker_error(name);
                    tracing::error!(worker = name, %error, "a step failed");
                    bell.wait(error_pause);
                    error_pause = (error_pause * 2).min(ERROR_PAUSE_MAX);
                    continue;
                }
            }
            error_pause = ERROR_PAUSE_MIN;
        }
        self.worker
    }
}
