//! Every pattern, size, depth and order, whole and in ragged pieces: the GPU's bytes against the CPU's. Without a GPU the CPU's
//! pieces are held against its whole files, so that at least the pieces are known to fit together.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use wharf::generator::cpu;
use wharf::generator::cuda::Gpu;
use wharf::generator::params::Params;
use wharf::wire::image::Image;

use super::{Compared, Options, Verdict, cores, images};

/// Bytes of one look into a file that is too long to be compared whole.
const WINDOW_BYTES: u64 = 256 << 10;
const QUICK_WINDOW_BYTES: u64 = 16 << 10;

/// A comparison to be made: pieces of one image, within `span`.
struct Work {
    image: Image,
    span: Range<u64>,
}

/// How many images and places there are, what they hold, and the first piece that differed.
#[derive(Default)]
struct Tally {
    spans: u64,
    compared: Compared,
    first: Option<String>,
}

pub(super) async fn check(options: &Options, gpu: Option<&Arc<Gpu>>, out: &mut dyn Write) -> io::Result<Verdict> {
    let longest = options.slots().bytes as u64;
    let whole = images::whole(options.is_quick).into_iter().map(|image| {
        let span = 0..image.file_bytes();
        Work { image, span }
    });
    let window_bytes = if options.is_quick { QUICK_WINDOW_BYTES } else { WINDOW_BYTES };
    let work = whole.chain(images::largest().into_iter().flat_map(|image| windows(&image, window_bytes)));
    let mut outcomes =
        stream::iter(work.map(|work| compare(gpu.cloned(), work, longest))).buffer_unordered(cores() * 2);
    let mut tally = Tally::default();
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok((compared, first)) => {
                tally.spans += 1;
                tally.compared.add(compared);
                tally.first = tally.first.or(first);
            }
            Err(reason) => {
                writeln!(out, "bytes: {}, and then: {reason}", tally.compared)?;
                return Ok(Verdict::Bad);
            }
        }
    }
    let against = if gpu.is_some() { "GPU against CPU" } else { "CPU against itself" };
    writeln!(out, "bytes: {against}, {} images and places in images, {}", tally.spans, tally.compared)?;
    if let Some(first) = &tally.first {
        writeln!(out, "the first difference: {first}")?;
    }
    Ok(if tally.compared.mismatches == 0 { Verdict::Good } else { Verdict::Bad })
}

/// Places of a long file: its ends, and where the numbers of its bytes outgrow 31 bits.
fn windows(image: &Image, window_bytes: u64) -> Vec<Work> {
    let end = image.file_bytes();
    let starts = [0, end / 3, (1 << 31) - window_bytes / 2 - 5, end.saturating_sub(window_bytes - 1)];
    let window = |start: u64| Work { image: image.clone(), span: start..end.min(start + window_bytes) };
    starts.into_iter().map(window).collect()
}

/// Compares the span at once, where it is not too long, and then in ragged pieces.
async fn compare(gpu: Option<Arc<Gpu>>, work: Work, longest: u64) -> Result<(Compared, Option<String>), String> {
    let Work { image, span } = work;
    let (params, image) = (Params::of(&image), Arc::new(image));
    let expected = on_cpu(&image, &params, span.clone()).await?;
    let (mut all, mut first) = (Compared::default(), None);
    for piece in pieces(span.clone(), longest) {
        let made = match &gpu {
            Some(gpu) => gpu.render(&image, &params, piece.clone()).await.map_err(|error| error.to_string())?,
            None => on_cpu(&image, &params, piece.clone()).await?,
        };
        let at = |offset: u64| usize::try_from(offset - span.start).unwrap_or(usize::MAX);
        let compared = Compared::of(&made, expected.get(at(piece.start)..at(piece.end)).unwrap_or_default());
        if compared.mismatches > 0 && first.is_none() {
            first = Some(format!("{image:?}, bytes {} to {}", piece.start, piece.end));
        }
        all.add(compared);
    }
    Ok((all, first))
}

async fn on_cpu(image: &Arc<Image>, params: &Params, span: Range<u64>) -> Result<Bytes, String> {
    let (image, params) = (Arc::clone(image), *params);
    let work = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(span.end - span.start).unwrap_or(0)];
        cpu::fill(&image, &params, span.start, &mut bytes);
        Bytes::from(bytes)
    });
    work.await.map_err(|error| error.to_string())
}

/// The span in as few pieces as can be, and again in pieces of all lengths that begin anywhere.
fn pieces(span: Range<u64>, longest: u64) -> Vec<Range<u64>> {
    let even = (span.start..span.end).step_by(usize::try_from(longest).unwrap_or(usize::MAX));
    let mut pieces: Vec<_> = even.map(|start| start..span.end.min(start + longest)).collect();
    // Steps of a simple generator of numbers, the same in every run.
    let (mut start, mut number) = (span.start, 0x2545_f491_u64);
    while start < span.end {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let length = match (number >> 40) % 4 {
            0 => 1 + (number >> 20) % 40,
            1 => 1 + (number >> 20) % 1000,
            _ => 1 + (number >> 20) % (span.end - span.start),
        };
        let end = span.end.min(start + length.min(longest));
        pieces.push(start..end);
        start = end;
    }
    pieces
}
