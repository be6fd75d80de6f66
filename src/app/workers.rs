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
    stop: Stop,
    thread: JoinHandle<W>,
}

/// Tells a driver to stop. Rests wait on its bell and not on the worker's, which may ring all the time.
#[derive(Clone, Default)]
struct Stop {
    told: Arc<AtomicBool>,
    bell: Bell,
}

impl<W: Worker> Driven<W> {
    pub(super) fn start(worker: W, pace: Pace, metrics: Metrics) -> std::io::Result<Self> {
        let bell = worker.bell();
        let stop = Stop::default();
        let driver = Driver { worker, pace, metrics, stop: stop.clone() };
        let thread = std::thread::Builder::new().name(driver.worker.name().to_owned()).spawn(move || driver.run())?;
        Ok(Self { bell, stop, thread })
    }

    /// Stops after the step under way. The worker comes back unless it panicked beyond rescue.
    pub(super) fn stop(self) -> Option<W> {
        self.stop.told.store(true, Ordering::Release);
        self.stop.bell.ring();
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
    stop: Stop,
}

impl<W: Worker> Driver<W> {
    fn run(mut self) -> W {
        let name = self.worker.name();
        let bell = self.worker.bell();
        let mut error_pause = ERROR_PAUSE_MIN;
        while !self.stop.told.load(Ordering::Acquire) {
            let watch = Stopwatch::start();
            let step = catch_unwind(AssertUnwindSafe(|| self.worker.step()))
                .unwrap_or_else(|_| Err(WorkerError("the step panicked".to_owned())));
            self.metrics.worker_step(name);
            match step {
                Ok(Next::Finished) => break,
                Ok(Next::Again) if self.pace == Pace::Half => {
                    self.stop.bell.wait(watch.elapsed().min(REST_MAX));
                }
                Ok(Next::Again) => {}
                Ok(Next::After(pause)) => {
                    bell.wait(pause);
                }
                Err(error) => {
                    self.metrics.worker_error(name);
                    tracing::error!(worker = name, %error, "a step failed");
                    self.stop.bell.wait(error_pause);
                    error_pause = (error_pause * 2).min(ERROR_PAUSE_MAX);
                    continue;
                }
            }
            error_pause = ERROR_PAUSE_MIN;
        }
        self.worker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails or panics at each step, and rings its own bell as the sweep does when it finds more to do.
    struct Broken {
        bell: Bell,
        steps: u32,
        panics: bool,
    }

    impl Worker for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn step(&mut self) -> Result<Next, WorkerError> {
            self.steps += 1;
            self.bell.ring();
            assert!(!self.panics, "a step that panics");
            Err(WorkerError("a step that fails".to_owned()))
        }

        fn bell(&self) -> Bell {
            self.bell.clone()
        }
    }

    #[test]
    fn failing_steps_are_paced_whatever_the_bell_says_and_the_worker_comes_back() {
        // A sweep whose unlink failed rang its own bell and was stepped 23,800 times in 5 s.
        for panics in [false, true] {
            let worker = Broken { bell: Bell::default(), steps: 0, panics };
            let driven = Driven::start(worker, Pace::Half, Metrics::new()).unwrap();
            Bell::default().wait(ERROR_PAUSE_MIN * 4);
            let worker = driven.stop().unwrap();
            assert!((1..=4).contains(&worker.steps), "{} steps", worker.steps);
        }
    }
}
