//! A slot: everything that one piece needs while it is made and sent. A stream of its own, a buffer on the device, a pinned
//! buffer of the same size, and an event that says when the copy is done.
//!
//! The kernel fills the device's buffer, the copy engine moves it into the pinned one, and the uploader sends the pinned bytes
//! as they lie there. The bindings offer traps on this way, and the slot goes around them:
//!
//! - Pinned memory is not write-combined: whoever hashes and sends it reads it, and from write-combined memory that crawls.
//! - The end of the copy is an event of the slot itself. The pinned buffer's own is recorded only while the bindings track
//!   events, which they do not here.
//! - That event blocks its waiter instead of letting it spin.
//! - The copy takes its length from the piece, not from either buffer.
#![expect(unsafe_code, reason = "kernels and copies work on raw memory, while the caller goes on")]

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaSlice, CudaStream, DevicePtr as _, DeviceRepr, DriverError, LaunchConfig,
    PinnedHostSlice, PushKernelArg as _, sys,
};

use super::super::params::Params;

/// What one thread of the kernel writes.
pub(super) const UNIT_BYTES: usize = 16;
/// Threads of a block: a multiple of every device's warp, and enough of them to hide the latency of the stores.
const BLOCK_THREADS: u32 = 256;

// SAFETY: a `repr(C)` struct of plain numbers without padding, the same as the kernel's struct of that name.
unsafe impl DeviceRepr for Params {}

/// One piece's place on the device and in pinned memory.
pub(super) struct Slot {
    stream: Arc<CudaStream>,
    device: CudaSlice<u8>,
    /// Owns the pinned memory. It is reached by `address` alone: asking this for its bytes fails once the device has died.
    pinned: PinnedHostSlice<u8>,
    address: NonNull<u8>,
    done: CudaEvent,
}

// SAFETY: the address points into memory that the slot owns and that no thread is bound to; the driver's objects are free to
// move between threads.
unsafe impl Send for Slot {}

impl Slot {
    /// A slot for pieces of `capacity_bytes`, which are rounded up to whole units.
    pub(super) fn open(context: &Arc<CudaContext>, capacity_bytes: usize) -> Result<Self, DriverError> {
        let capacity_bytes = capacity_bytes.next_multiple_of(UNIT_BYTES);
        let stream = context.new_stream()?;
        // SAFETY: unset memory, which the kernel fills before the copy reads it.
        let device = unsafe { stream.alloc::<u8>(capacity_bytes) }?;
        // SAFETY: unset memory, which the copy fills before anybody reads it.
        let mut pinned =
            unsafe { context.alloc_pinned_with_flags::<u8>(capacity_bytes, sys::CU_MEMHOSTALLOC_PORTABLE) }?;
        let address = NonNull::new(pinned.as_mut_ptr()?).ok_or(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY))?;
        let done = context.new_event(Some(sys::CUevent_flags::CU_EVENT_BLOCKING_SYNC))?;
        Ok(Self { stream, device, pinned, address, done })
    }

    /// What fits in.
    pub(super) fn capacity_bytes(&self) -> usize {
        self.pinned.len()
    }

    /// Makes the `count_bytes` of the file from `offset`, a multiple of the unit, and waits until they lie in pinned memory.
    /// The header's bytes are zero there.
    pub(super) fn make(
        &mut self,
        kernel: &CudaFunction,
        params: &Params,
        offset: u64,
        count_bytes: usize,
    ) -> Result<(), DriverError> {
        self.launch(kernel, params, offset, count_bytes)?;
        self.copy(count_bytes)?;
        self.wait()
    }

    /// Queues the kernel.
    pub(super) fn launch(
        &mut self,
        kernel: &CudaFunction,
        params: &Params,
        offset: u64,
        count_bytes: usize,
    ) -> Result<(), DriverError> {
        let units = count_bytes.div_ceil(UNIT_BYTES) as u64;
        let blocks = u32::try_from(units.div_ceil(u64::from(BLOCK_THREADS)));
        let (Ok(blocks), true) = (blocks, self.holds(count_bytes)) else {
            return Err(DriverError(sys::CUresult::CUDA_ERROR_INVALID_VALUE));
        };
        let shape = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (BLOCK_THREADS, 1, 1), shared_mem_bytes: 0 };
        let mut call = self.stream.launch_builder(kernel);
        call.arg(&mut self.device).arg(&units).arg(&offset).arg(params);
        // SAFETY: these are the kernel's arguments in its order; it writes `units` units from the buffer's start, and the
        // buffer holds them, because it is a whole number of units. The driver copies the arguments before it returns.
        unsafe { call.launch(shape) }?;
        Ok(())
    }

    /// Queues the copy of the buffer's first bytes into pinned memory.
    pub(super) fn copy(&mut self, count_bytes: usize) -> Result<(), DriverError> {
        if !self.holds(count_bytes) {
            return Err(DriverError(sys::CUresult::CUDA_ERROR_INVALID_VALUE));
        }
        self.stream.context().bind_to_thread()?;
        let (source, _read) = self.device.device_ptr(&self.stream);
        let target = self.address.as_ptr().cast();
        // SAFETY: both buffers hold this many bytes and live as long as the slot; nobody reads the pinned one before `wait`
        // has returned, because the slot is borrowed here and handed out there.
        unsafe { sys::cuMemcpyDtoHAsync_v2(target, source, count_bytes, self.stream.cu_stream()) }.result()
    }

    /// Waits for everything that was queued.
    pub(super) fn wait(&mut self) -> Result<(), DriverError> {
        self.done.record(&self.stream)?;
        self.done.synchronize()
    }

    fn holds(&self, count_bytes: usize) -> bool {
        (1..=self.capacity_bytes()).contains(&count_bytes)
    }

    /// Bytes of pinned memory; none for a range that is not within it. To be asked for only after [`Slot::make`] was good, for
    /// what it made.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        if range.start > range.end || range.end > self.capacity_bytes() {
            return &[];
        }
        // SAFETY: within the buffer, which the slot owns and the finished copy has set; no copy is under way, because each
        // needs the slot for itself and is waited for.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().add(range.start), range.len()) }
    }

    /// Puts `bytes` into pinned memory from `start` on, as far as they fit.
    pub(super) fn put(&mut self, start: usize, bytes: &[u8]) {
        let Some(room) = self.capacity_bytes().checked_sub(start) else { return };
        // SAFETY: within the buffer, which the slot owns; `bytes` is borrowed from elsewhere, as this borrow is exclusive.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.address.as_ptr().add(start), bytes.len().min(room));
        }
    }
}
