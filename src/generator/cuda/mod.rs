//! The GPU backend: pieces of the file made by the kernel, copied into pinned memory, and sent from there without another
//! copy.
//!
//! - **Slots** ([`slot`]) are made once, because pinned memory is slow to make. They bound the pieces that are out at a time,
//!   and with them the memory. A piece's bytes are its slot's pinned memory; dropping the last of them sends the slot home.
//! - **Threads**, one a slot, call the driver and wait for it. Kernels and copies of different slots overlap with each other
//!   and with the sending of what is done; the asynchronous runtime never waits for the driver.
//! - **Failing over.** After most errors the driver refuses everything for the rest of the process: the device is then dead,
//!   as it is when it does not answer in time, and all who wait for a slot hear of it. The renderer makes the same bytes on
//!   the CPU, in the middle of a file too. What a dead device holds stays allocated: it frees nothing, and one that hangs
//!   would keep waiting whoever tried.
//!
//! Absent on purpose: several devices (the link to the host is the bound, and one kernel fills it), CRCs and MD5 on the
//! device (the CPU computes the first faster than the link delivers, and the second is serial), and a compiler at run time.

mod driver;
mod measure;
mod opening;
mod slot;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use cudarc::driver::{CudaFunction, DriverError, sys};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::bmp;
use super::params::Params;
use crate::base::limits::GPU_PIECE_TIMEOUT;
use crate::wire::image::Image;
use driver::{Device, said};
pub use opening::Opening;
use slot::{Slot, UNIT_BYTES};

/// Why a piece was not made. Its bytes can be had from the CPU.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GpuError(String);

/// A GPU with its slots.
pub struct Gpu {
    description: String,
    slot_bytes: usize,
    kernel: CudaFunction,
    slots: Arc<Slots>,
    /// Work for the threads; none once the GPU is dropped, which ends them.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

/// The slots that are at home.
struct Slots {
    home: Mutex<Vec<Slot>>,
    /// One permit for each; closed when the device is dead.
    permits: Arc<Semaphore>,
}

/// A slot in use, which goes home when this is dropped.
struct Held {
    slot: Option<Slot>,
    slots: Arc<Slots>,
    /// Given back after the slot is home, because fields are dropped after `drop`.
    _permit: OwnedSemaphorePermit,
}

/// The bytes of a finished piece.
struct Piece {
    held: Held,
    range: Range<usize>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu").field("description", &self.description).field("is_dead", &self.is_dead()).finish()
    }
}

impl Gpu {
    /// Whether this machine has the library of a CUDA driver: without one, `open` need not be tried. Fast.
    pub fn is_driver_present() -> bool {
        driver::is_present()
    }

    /// Opens the device of this number with `slots` slots for pieces of at most `slot_bytes`; the error is a sentence. This
    /// can take seconds, and wants a thread of its own.
    pub fn open(ordinal: usize, slots: usize, slot_bytes: usize) -> Result<Self, String> {
        // The functions were looked up before the first call, so that nothing is left to panic; but these are foreign
        // bindings, and a server that can do without a GPU does not end because of one.
        catch_unwind(|| Self::open_device(ordinal, slots, slot_bytes))
            .unwrap_or_else(|_| Err("the bindings of the CUDA driver panicked".to_owned()))
    }

    fn open_device(ordinal: usize, slots: usize, slot_bytes: usize) -> Result<Self, String> {
        let Device { context, kernel, description } = Device::open(ordinal)?;
        // A piece may begin anywhere within a unit, so that it touches one more than it fills.
        let capacity_bytes = slot_bytes.saturating_add(UNIT_BYTES);
        let made: Result<Vec<_>, _> = (0..slots).map(|_| Slot::open(&context, capacity_bytes)).collect();
        let home = made.map_err(|error| said(&format!("making {slots} slots of {capacity_bytes} bytes"), error))?;
        let slots = Arc::new(Slots { permits: Arc::new(Semaphore::new(home.len())), home: Mutex::new(home) });
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        let count = slots.permits.available_permits();
        let threads: Result<Vec<_>, _> = (0..count).map(|number| start_thread(number, Arc::clone(&waiting))).collect();
        let threads = threads.map_err(|error| format!("starting a thread: {error}"))?;
        Ok(Self { description: description.to_string(), slot_bytes, kernel, slots, jobs: Some(jobs), threads })
    }

    /// The device and its driver, in words.
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// Whether the device is given up for good.
    pub fn is_dead(&self) -> bool {
        self.slots.permits.is_closed()
    }

    /// Slots that are free at this moment.
    pub fn idle_slots(&self) -> usize {
        self.slots.permits.available_permits()
    }

    /// Makes these bytes of the image's file: at most the slots' size, from any offset. Waits while all slots are out.
    pub async fn render(&self, image: &Image, params: &Params, range: Range<u64>) -> Result<Bytes, GpuError> {
        let count_bytes = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        if !(1..=self.slot_bytes).contains(&count_bytes) || range.end > image.file_bytes() {
            return Err(GpuError(format!("bytes {} to {} are no piece of this image", range.start, range.end)));
        }
        let lead_bytes = range.start % UNIT_BYTES as u64;
        let offset = range.start - lead_bytes;
        let lead_bytes = usize::try_from(lead_bytes).unwrap_or(0);
        let made = lead_bytes..lead_bytes + count_bytes;
        let (kernel, params, end) = (self.kernel.clone(), *params, made.end);
        let (mut held, ()) = self.with_slot(move |slot| slot.make(&kernel, &params, offset, end)).await?;
        if let (Some(slot), Ok(offset)) = (&mut held.slot, usize::try_from(offset)) {
            slot.put(0, bmp::header(image).get(offset..).unwrap_or_default());
        }
        Ok(Bytes::from_owner(Piece { held, range: made }))
    }

    /// Does some work with a slot, on one of the threads.
    async fn with_slot<T, W>(&self, work: W) -> Result<(Held, T), GpuError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Slot) -> Result<T, DriverError> + Send + 'static,
    {
        let mut held = Slots::take(&self.slots).await?;
        let (answer, answered) = oneshot::channel();
        let job = move || {
            let Some(slot) = &mut held.slot else { return };
            let outcome = work(slot);
            // Where nobody waits any more, the slot goes home with the answer.
            let _ = answer.send(outcome.map(|value| (held, value)));
        };
        let taken = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Box::new(job)).is_ok());
        if !taken {
            return Err(self.slots.give_up("the threads of the GPU have ended"));
        }
        match tokio::time::timeout(GPU_PIECE_TIMEOUT, answered).await {
            Ok(Ok(Ok(done))) => Ok(done),
            Ok(Ok(Err(error))) if passes(error) => Err(GpuError(said("making a piece", error))),
            Ok(Ok(Err(error))) => Err(self.slots.give_up(&said("making a piece", error))),
            Ok(Err(_)) => Err(self.slots.give_up("a thread of the GPU panicked")),
            Err(_) => Err(self.slots.give_up("the device does not answer")),
        }
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.jobs = None;
        if self.is_dead() {
            // The kernel is not unloaded.
            std::mem::forget(self.kernel.clone());
            return;
        }
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

/// Whether the device is as good as before after this error: it wanted memory or resources that may be there the next time.
/// After others the context is lost, or would refuse the same thing again.
fn passes(error: DriverError) -> bool {
    matches!(error.0, sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY | sys::CUresult::CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES)
}

/// A thread that does jobs, one at a time, until nobody can send any.
fn start_thread(number: usize, waiting: Arc<Mutex<Receiver<Job>>>) -> std::io::Result<JoinHandle<()>> {
    let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
    std::thread::Builder::new().name(format!("gpu-{number}")).spawn(move || {
        while let Ok(job) = next() {
            // Whoever waits for the job hears of a panic, because it drops the answer's sender.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    })
}

impl Slots {
    /// A slot, as soon as one is at home.
    async fn take(slots: &Arc<Self>) -> Result<Held, GpuError> {
        let given_up = || GpuError("the device was given up".to_owned());
        let permit = Arc::clone(&slots.permits).acquire_owned().await.map_err(|_| given_up())?;
        let slot = slots.home.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let slot = Some(slot.ok_or_else(given_up)?);
        Ok(Held { slot, slots: Arc::clone(slots), _permit: permit })
    }

    /// From now on nobody gets a slot.
    fn give_up(&self, why: &str) -> GpuError {
        self.permits.close();
        GpuError(why.to_owned())
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if self.permits.is_closed() {
            let slots = self.home.get_mut().unwrap_or_else(PoisonError::into_inner);
            slots.drain(..).for_each(std::mem::forget);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.slots.home.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.held.slot.as_ref().map_or(&[], |slot| slot.bytes(self.range.clone()))
    }
}
