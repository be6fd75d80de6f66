//! Pieces of images in memory, as they are sent: which back end makes them, and the fixed number of buffers they live in.
//!
//! A piece holds its buffer until the last clone of its bytes is dropped; who asks for a piece while all are out waits. So
//! memory is `slots` times `slot_bytes`, however many pieces are wanted. The CPU makes pieces on blocking threads, as many at a
//! time as there are cores. A GPU has slots of its own, and what it fails at is made again by the CPU: the bytes are the same.
//! The CPU's slots come into being when the first piece needs one, so whoever has a GPU pays for both only after it failed.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cpu;
use super::cuda::{Gpu, Opening};
use super::params::Params;
use crate::wire::image::Image;

/// Who shall make the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendChoice {
    /// A GPU where there is one that works, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU, or an error.
    Cuda,
}

/// Who made the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// A GPU.
    Cuda,
    /// The CPU.
    Cpu,
}

impl BackendKind {
    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Cpu => "cpu",
        }
    }
}

/// The settings of a renderer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RendererConfig {
    /// Who shall make the bytes.
    pub choice: BackendChoice,
    /// Pieces in memory at a time; none counts as one.
    pub slots: usize,
    /// The longest piece.
    pub slot_bytes: usize,
}

/// Why there is no renderer, or no piece.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A GPU is asked for, and none can be used.
    #[error("no GPU can be used: {0}")]
    NoGpu(String),
    /// The range does not lie in the file, or is longer than a slot.
    #[error("bytes {start} to {end} are no piece of a file of {file_bytes} in slots of {slot_bytes}")]
    Range {
        /// The first byte asked for.
        start: u64,
        /// The first byte behind.
        end: u64,
        /// The file's length.
        file_bytes: u64,
        /// The longest piece.
        slot_bytes: usize,
    },
    /// The runtime is going down.
    #[error("the work was lost: {0}")]
    Lost(String),
}

/// A piece of an image. Its bytes hold a slot until the last clone of them is dropped.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The bytes.
    pub bytes: Bytes,
    /// Who made them.
    pub backend: BackendKind,
}

/// The one place where back ends part.
enum Backend {
    Cpu,
    /// A GPU, while it is well; the CPU makes what it does not.
    Cuda(Opening),
}

/// The device that is used: CUDA puts the fastest first.
const DEVICE: usize = 0;

/// Makes pieces of images.
pub struct Renderer {
    backend: Backend,
    slot_bytes: usize,
    /// Buffers of the CPU's pieces.
    slots: Arc<Slots>,
    /// One permit a core: a piece that is begun is finished soon, rather than all of them late.
    cores: Arc<Semaphore>,
}

impl Renderer {
    /// A renderer; an error only where a GPU is demanded and none can be used. A GPU that is demanded is waited for; else it
    /// is opened meanwhile, and the first piece waits for it.
    pub fn open(config: RendererConfig) -> Result<Arc<Self>, RenderError> {
        let backend = match config.choice {
            BackendChoice::Cpu => Backend::Cpu,
            BackendChoice::Auto if Gpu::is_driver_present() => {
                Backend::Cuda(Opening::start(DEVICE, config.slots.max(1), config.slot_bytes))
            }
            BackendChoice::Auto => {
                tracing::info!(reason = "there is no CUDA driver library", "the CPU draws images");
                Backend::Cpu
            }
            BackendChoice::Cuda => {
                let gpu = Gpu::open(DEVICE, config.slots.max(1), config.slot_bytes).map_err(RenderError::NoGpu)?;
                Backend::Cuda(Opening::done(gpu))
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(Self {
            backend,
            slot_bytes: config.slot_bytes,
            slots: Arc::new(Slots::new(config.slots, config.slot_bytes)),
            cores: Arc::new(Semaphore::new(cores)),
        }))
    }

    /// Who makes the bytes, as long as nothing fails.
    pub fn backend(&self) -> BackendKind {
        match &self.backend {
            Backend::Cuda(opening) if opening.is_pending() || opening.now().is_some() => BackendKind::Cuda,
            Backend::Cuda(_) | Backend::Cpu => BackendKind::Cpu,
        }
    }

    /// The same, once it is known whether a GPU can be used.
    pub async fn settled(&self) -> BackendKind {
        match &self.backend {
            Backend::Cuda(opening) if opening.gpu().await.is_some() => BackendKind::Cuda,
            Backend::Cuda(_) | Backend::Cpu => BackendKind::Cpu,
        }
    }

    /// The device, for people: `CPU, 16 cores`.
    pub fn describe(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpu = || format!("CPU, {cores} core{}", if cores == 1 { "" } else { "s" });
        match &self.backend {
            Backend::Cuda(opening) if opening.is_pending() => "a GPU that is being opened".to_owned(),
            Backend::Cuda(opening) => opening.now().map_or_else(cpu, |gpu| gpu.describe().to_owned()),
            Backend::Cpu => cpu(),
        }
    }

    /// The longest piece.
    pub fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// Makes bytes `range` of the image's file. Waits while all slots are out. The work goes on when the future is dropped,
    /// and then gives its slot back.
    pub async fn render(&self, image: &Arc<Image>, range: Range<u64>) -> Result<Rendered, RenderError> {
        let bytes = self.checked(image, &range)?;
        let on_gpu = match &self.backend {
            Backend::Cuda(opening) => render_on_gpu(opening, image, range.clone()).await,
            Backend::Cpu => None,
        };
        match on_gpu {
            Some(bytes) => Ok(Rendered { bytes, backend: BackendKind::Cuda }),
            None => self.render_on_cpu(image, range.start, bytes).await,
        }
    }

    /// The length of a range that is a piece of the image.
    fn checked(&self, image: &Image, range: &Range<u64>) -> Result<usize, RenderError> {
        let (start, end, file_bytes, slot_bytes) = (range.start, range.end, image.file_bytes(), self.slot_bytes);
        let bytes = end.checked_sub(start).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| *bytes <= slot_bytes && end <= file_bytes);
        bytes.ok_or(RenderError::Range { start, end, file_bytes, slot_bytes })
    }

    async fn render_on_cpu(&self, image: &Arc<Image>, start: u64, bytes: usize) -> Result<Rendered, RenderError> {
        let mut slot = Slots::take(&self.slots, bytes).await?;
        let core = acquire(&self.cores).await?;
        let image = Arc::clone(image);
        let work = tokio::task::spawn_blocking(move || {
            cpu::fill(&image, &Params::of(&image), start, slot.bytes_mut());
            drop(core);
            slot
        });
        let slot = work.await.map_err(|error| RenderError::Lost(error.to_string()))?;
        Ok(Rendered { bytes: Bytes::from_owner(slot), backend: BackendKind::Cpu })
    }
}

/// The bytes, where the GPU can make them.
async fn render_on_gpu(opening: &Opening, image: &Image, range: Range<u64>) -> Option<Bytes> {
    if range.is_empty() {
        return None;
    }
    let gpu = opening.gpu().await?;
    match gpu.render(image, &Params::of(image), range).await {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            tracing::warn!(%error, is_given_up = gpu.is_dead(), "a piece of an image failed on the GPU: the CPU makes it");
            None
        }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, RenderError> {
    Arc::clone(semaphore).acquire_owned().await.map_err(|error| RenderError::Lost(error.to_string()))
}

/// Buffers of one size, made when first needed, and kept.
struct Slots {
    size: usize,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Box<[u8]>>>,
}

impl Slots {
    fn new(count: usize, size: usize) -> Self {
        Self { size, free: Arc::new(Semaphore::new(count.max(1))), idle: Mutex::new(Vec::new()) }
    }

    /// A slot for so many bytes, at most a buffer's size.
    async fn take(this: &Arc<Self>, bytes: usize) -> Result<Slot, RenderError> {
        let permit = acquire(&this.free).await?;
        let idle = this.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buffer = idle.unwrap_or_else(|| vec![0; this.size].into_boxed_slice());
        Ok(Slot { buffer, bytes, home: Arc::clone(this), permit: Some(permit) })
    }
}

/// A buffer that is out; it goes home when dropped, before its permit lets the next one in.
struct Slot {
    buffer: Box<[u8]>,
    bytes: usize,
    home: Arc<Slots>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// The piece's bytes, at first unspecified.
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.bytes).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Slot {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.bytes).unwrap_or_default()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        drop(self.permit.take());
    }
}
