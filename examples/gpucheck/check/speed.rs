//! How fast the GPU's kernel, its copies and both together are, and the CPU beside them.

use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use wharf::base::clock::Stopwatch;
use wharf::generator::cpu;
use wharf::generator::cuda::{Gpu, GpuError};
use wharf::generator::params::Params;
use wharf::wire::image::Image;

use super::{Options, Verdict, cores, images};

const FILE_BYTES: u64 = 2 << 30;
const QUICK_FILE_BYTES: u64 = 1 << 20;
/// A measurement goes on until it took this long.
const LONG_ENOUGH: Duration = Duration::from_millis(300);
/// What one core fills at a time: it should stay in its cache no more than a part of an upload does.
const CPU_PIECE_BYTES: usize = 8 << 20;
const QUICK_CPU_PIECE_BYTES: usize = 64 << 10;

/// Bytes and the time they took.
#[derive(Clone, Copy)]
struct Measured {
    bytes: f64,
    time: Duration,
}

impl Measured {
    fn gigabytes_per_second(self) -> f64 {
        self.bytes / 1e9 / self.time.as_secs_f64().max(1e-9)
    }
}

pub(super) async fn table(options: &Options, gpu: Option<&Gpu>, out: &mut dyn Write) -> io::Result<Verdict> {
    match rows(options, gpu, out).await? {
        Ok(()) => Ok(Verdict::Good),
        Err(error) => {
            writeln!(out, "the GPU failed: {error}")?;
            Ok(Verdict::Bad)
        }
    }
}

async fn rows(options: &Options, gpu: Option<&Gpu>, out: &mut dyn Write) -> io::Result<Result<(), GpuError>> {
    let (slots, cores) = (options.slots(), cores());
    writeln!(out)?;
    if let Some(gpu) = gpu {
        let copied = match repeat(options, slots.bytes, |rounds| gpu.time_copies(rounds)).await {
            Ok(measured) => measured.gigabytes_per_second(),
            Err(error) => return Ok(Err(error)),
        };
        writeln!(out, "Copies from the device into pinned memory, alone: {copied:.2} GB/s.\n")?;
    }
    let together = format!("kernels and copies, {} slots", slots.count);
    writeln!(out, "| GB/s | kernel | {together} | CPU, 1 core | CPU, cores: {cores} |")?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    let file_bytes = if options.is_quick { QUICK_FILE_BYTES } else { FILE_BYTES };
    for (kind, image) in images::of_each_kind(file_bytes) {
        let params = Params::of(&image);
        let on_gpu = match gpu {
            None => ["-".to_owned(), "-".to_owned()],
            Some(gpu) => match gpu_row(options, gpu, &image, &params).await {
                Ok(row) => row.map(|measured| format!("{:.2}", measured.gigabytes_per_second())),
                Err(error) => return Ok(Err(error)),
            },
        };
        let on_cpu = [1, cores].map(|threads| cpu_speed(options, &image, &params, threads).gigabytes_per_second());
        writeln!(out, "| {kind} | {} | {:.2} | {:.2} |", on_gpu.join(" | "), on_cpu[0], on_cpu[1])?;
    }
    Ok(Ok(()))
}

/// The kernel alone, and kernels with copies through all slots.
async fn gpu_row(options: &Options, gpu: &Gpu, image: &Image, params: &Params) -> Result<[Measured; 2], GpuError> {
    let slots = options.slots();
    let kernel = repeat(options, slots.bytes, |rounds| gpu.time_kernels(params, rounds)).await?;
    let spans = image.file_bytes() / slots.bytes as u64;
    let together = repeat(options, slots.bytes, async |rounds| {
        let stopwatch = Stopwatch::start();
        let starts = (0..rounds as u64).map(|round| round % spans.max(1) * slots.bytes as u64);
        let piece = |start: u64| gpu.render(image, params, start..image.file_bytes().min(start + slots.bytes as u64));
        let mut pieces = stream::iter(starts.map(piece)).buffer_unordered(slots.count);
        while let Some(piece) = pieces.next().await {
            drop(piece?);
        }
        Ok(stopwatch.elapsed())
    });
    Ok([kernel, together.await?])
}

/// Doubles the rounds until they take long enough.
async fn repeat<F>(options: &Options, bytes: usize, time: impl Fn(usize) -> F) -> Result<Measured, GpuError>
where
    F: Future<Output = Result<Duration, GpuError>>,
{
    // The first round pays for what is made when it is first used.
    time(1).await?;
    let mut rounds = 1;
    loop {
        let took = time(rounds).await?;
        if took >= LONG_ENOUGH || options.is_quick {
            return Ok(Measured { bytes: bytes as f64 * rounds as f64, time: took });
        }
        rounds *= 2;
    }
}

/// The CPU with so many threads, each of which fills its own pieces.
fn cpu_speed(options: &Options, image: &Image, params: &Params, threads: usize) -> Measured {
    let bytes = if options.is_quick { QUICK_CPU_PIECE_BYTES } else { CPU_PIECE_BYTES };
    let pieces = (image.file_bytes() / bytes as u64).max(1);
    let fill = |thread: usize| {
        let mut piece = vec![0; bytes];
        cpu::fill(image, params, 0, &mut piece);
        let (stopwatch, mut rounds) = (Stopwatch::start(), 0_u64);
        while rounds == 0 || (stopwatch.elapsed() < LONG_ENOUGH && !options.is_quick) {
            let start = (rounds * threads as u64 + thread as u64) % pieces * bytes as u64;
            cpu::fill(image, params, start, &mut piece);
            rounds += 1;
        }
        Measured { bytes: bytes as f64 * rounds as f64, time: stopwatch.elapsed() }
    };
    let measured: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || fill(thread))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let bytes = measured.iter().map(|one| one.bytes).sum();
    Measured { bytes, time: measured.iter().map(|one| one.time).max().unwrap_or_default() }
}
