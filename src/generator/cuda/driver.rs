//! The driver: whether there is one, its device, and the kernel loaded into it.
//!
//! The library is opened at run time. Where it is absent, or lacks a function, every call of the bindings panics; so both are
//! asked for before the first call, and what is missing is said in a sentence.
#![expect(unsafe_code, reason = "the functions of the driver's library are foreign code")]

use std::fmt;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, DriverError, sys};
use cudarc::nvrtc::Ptx;

/// The kernel, compiled ahead of time. The driver compiles it for its device.
const PTX: &str = include_str!("../kernel/pattern.ptx");
/// The kernel's name in it.
const ENTRY: &str = "bmp_part";

/// Every function of the library that the bindings call on our behalf; drivers have all of them since CUDA 11.2.
const FUNCTIONS: [&str; 33] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuGetErrorString",
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuMemGetInfo_v2",
    "cuModuleLoadData",
    "cuModuleGetFunction",
    "cuModuleUnload",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuMemAlloc_v2",
    "cuMemAllocAsync",
    "cuMemFree_v2",
    "cuMemFreeAsync",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemcpyDtoHAsync_v2",
    "cuLaunchKernel",
    "cuCtxSynchronize",
    "cuGetErrorName",
];

/// A device with the kernel loaded.
pub(super) struct Device {
    pub(super) context: Arc<CudaContext>,
    pub(super) kernel: CudaFunction,
    pub(super) description: Description,
}

/// What the device and its driver say of themselves.
pub(super) struct Description {
    name: String,
    /// Compute capability, major and minor.
    capability: (i32, i32),
    /// As the driver counts: 13000 is CUDA 13.0.
    driver: i32,
    memory_bytes: usize,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, capability: (major, minor), driver, memory_bytes } = self;
        let gibibytes = memory_bytes >> 30;
        write!(f, "{name}, compute capability {major}.{minor}, {gibibytes} GiB, driver of CUDA {}", Release(*driver))
    }
}

/// A version of CUDA as the driver counts it.
struct Release(i32);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// Whether this machine has the driver's library. Cheap where it has not: a few names are looked up.
pub(super) fn is_present() -> bool {
    // SAFETY: opening the library runs its initialisers, which the driver's library is made for.
    unsafe { sys::is_culib_present() }
}

/// The first function that the library lacks; none when it has all. To be called only where the library is present.
fn missing_function() -> Option<&'static str> {
    FUNCTIONS.into_iter().find(|name| {
        // SAFETY: the symbol is looked up, never called.
        unsafe { sys::culib().get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_err()
    })
}

impl Device {
    /// Opens the device of this number and loads the kernel. It can take seconds where the driver is not kept awake.
    pub(super) fn open(ordinal: usize) -> Result<Self, String> {
        if !is_present() {
            return Err("there is no CUDA driver library (libcuda.so.1)".to_owned());
        }
        if let Some(name) = missing_function() {
            return Err(format!("the CUDA driver library lacks {name}: drivers have it since CUDA 11.2"));
        }
        let count = CudaContext::device_count().map_err(|error| said("counting the devices", error))?;
        if usize::try_from(count).unwrap_or(0) <= ordinal {
            return Err(format!("there is no CUDA device {ordinal}: the driver knows {count}"));
        }
        let context = CudaContext::new(ordinal).map_err(|error| said("opening the device", error))?;
        // SAFETY: what this turns off orders the use of one buffer by several streams; each of our buffers belongs to one
        // stream, and what is copied out is waited for by an event of the slot.
        unsafe { context.disable_event_tracking() };
        let description = describe(&context).map_err(|error| said("asking the device what it is", error))?;
        let kernel = context
            .load_module(Ptx::from_src(PTX))
            .and_then(|module| module.load_function(ENTRY))
            .map_err(|error| said(&format!("loading the kernel with {description}"), error))?;
        Ok(Self { context, kernel, description })
    }
}

fn describe(context: &Arc<CudaContext>) -> Result<Description, DriverError> {
    let mut driver = 0;
    // SAFETY: the pointer is good for the one number that is written.
    unsafe { sys::cuDriverGetVersion(&raw mut driver) }.result()?;
    let (_, memory_bytes) = context.mem_get_info()?;
    Ok(Description { name: context.name()?, capability: context.compute_capability()?, driver, memory_bytes })
}

/// A driver's error in words.
pub(super) fn said(doing: &str, error: DriverError) -> String {
    format!("{doing}: {error}")
}
