//! The stages of the check, and what is printed. The test of the CUDA backend runs this same code over a driver of its own.

mod bytes;
mod images;
mod pipeline;
mod speed;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tokio::runtime::Runtime;
use wharf::generator::cuda::Gpu;

/// The device that is checked: CUDA puts the fastest first.
const DEVICE: usize = 0;

const USAGE: &str = "\
gpucheck: compares a GPU's images with the CPU's, byte for byte, and measures both.

usage: gpucheck [--quick] [--only bytes|pipeline|speed]

  --quick  small images and short measurements, whose numbers mean nothing
  --only   one stage alone: bytes (every pattern in pieces of every kind), pipeline (pieces of one image through
           few slots, as the generator makes them), speed (a table of GB/s)

exit status: 0 all equal, 1 bytes differ or the GPU failed, 2 wrong usage, 3 no GPU (the CPU is checked and measured)
";

/// What to do.
struct Options {
    is_quick: bool,
    /// None for all of them.
    only: Option<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Bytes,
    Pipeline,
    Speed,
}

/// Slots of the checked renderer.
#[derive(Clone, Copy)]
struct Slots {
    count: usize,
    bytes: usize,
}

impl Options {
    fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self { is_quick: false, only: None };
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "--quick" => options.is_quick = true,
                "--only" => {
                    options.only = Some(match arguments.next()? {
                        "bytes" => Stage::Bytes,
                        "pipeline" => Stage::Pipeline,
                        "speed" => Stage::Speed,
                        _ => return None,
                    });
                }
                _ => return None,
            }
        }
        Some(options)
    }

    fn includes(&self, stage: Stage) -> bool {
        self.only.is_none_or(|only| only == stage)
    }

    fn slots(&self) -> Slots {
        if self.is_quick { Slots { count: 3, bytes: 64 << 10 } } else { Slots { count: 8, bytes: 64 << 20 } }
    }
}

/// Bytes that were compared.
#[derive(Clone, Copy, Default)]
struct Compared {
    pieces: u64,
    bytes: u64,
    mismatches: u64,
}

impl Compared {
    /// Two texts of one length, byte for byte; a byte too few or too many is a mismatch.
    fn of(made: &[u8], expected: &[u8]) -> Self {
        let same = made.iter().zip(expected).filter(|(made, expected)| made == expected).count();
        let longest = made.len().max(expected.len());
        Self { pieces: 1, bytes: longest as u64, mismatches: (longest - same) as u64 }
    }

    fn add(&mut self, other: Self) {
        self.pieces += other.pieces;
        self.bytes += other.bytes;
        self.mismatches += other.mismatches;
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pieces, {} bytes, {} mismatches", self.pieces, self.bytes, self.mismatches)
    }
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Good,
    NoGpu,
    Bad,
}

/// Runs the stages and returns the exit status.
pub(crate) fn run(arguments: &[String], out: &mut dyn Write) -> u8 {
    let Some(options) = Options::parse(arguments) else {
        // Nobody can be told where this fails.
        let _ = out.write_all(USAGE.as_bytes());
        return 2;
    };
    let verdict = Runtime::new().and_then(|runtime| runtime.block_on(stages(&options, out)));
    match verdict {
        Ok(Verdict::Good) => 0,
        Ok(Verdict::NoGpu) => 3,
        Ok(Verdict::Bad) | Err(_) => 1,
    }
}

async fn stages(options: &Options, out: &mut dyn Write) -> io::Result<Verdict> {
    let gpu = open(options, out)?;
    let mut verdict = if gpu.is_some() { Verdict::Good } else { Verdict::NoGpu };
    if options.includes(Stage::Bytes) {
        verdict = verdict.max(bytes::check(options, gpu.as_ref(), out).await?);
    }
    if options.includes(Stage::Pipeline) {
        verdict = verdict.max(pipeline::check(options, out).await?);
    }
    if options.includes(Stage::Speed) {
        verdict = verdict.max(speed::table(options, gpu.as_deref(), out).await?);
    }
    out.flush()?;
    Ok(verdict)
}

/// Opens the GPU, and says what there is.
fn open(options: &Options, out: &mut dyn Write) -> io::Result<Option<Arc<Gpu>>> {
    let (cores, slots) = (cores(), options.slots());
    writeln!(out, "CPU: {cores} core{}", if cores == 1 { "" } else { "s" })?;
    match Gpu::open(DEVICE, slots.count, slots.bytes) {
        Ok(gpu) => {
            writeln!(out, "GPU: {}", gpu.describe())?;
            Ok(Some(Arc::new(gpu)))
        }
        Err(reason) => {
            writeln!(out, "GPU: none can be used: {reason}")?;
            Ok(None)
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
