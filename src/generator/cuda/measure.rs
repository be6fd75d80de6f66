//! How fast the device is, for the `gpucheck` program.

use std::time::Duration;

use super::{Gpu, GpuError};
use crate::base::clock::Stopwatch;
use crate::generator::params::Params;

impl Gpu {
    /// How long `rounds` kernels over a whole slot take, one after the other, without copies. The pixels are those from the
    /// file's start on, as far as the file reaches.
    pub async fn time_kernels(&self, params: &Params, rounds: usize) -> Result<Duration, GpuError> {
        let (kernel, params, count_bytes) = (self.kernel.clone(), *params, self.slot_bytes);
        let timed = self.with_slot(move |slot| {
            let stopwatch = Stopwatch::start();
            for _ in 0..rounds {
                slot.launch(&kernel, &params, 0, count_bytes)?;
            }
            slot.wait()?;
            Ok(stopwatch.elapsed())
        });
        Ok(timed.await?.1)
    }

    /// How long `rounds` copies of a whole slot into pinned memory take, one after the other, without kernels.
    pub async fn time_copies(&self, rounds: usize) -> Result<Duration, GpuError> {
        let count_bytes = self.slot_bytes;
        let timed = self.with_slot(move |slot| {
            let stopwatch = Stopwatch::start();
            for _ in 0..rounds {
                slot.copy(count_bytes)?;
            }
            slot.wait()?;
            Ok(stopwatch.elapsed())
        });
        Ok(timed.await?.1)
    }
}
