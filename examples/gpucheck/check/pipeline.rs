//! One image through the generator's renderer: all pieces are asked for at once, and few slots are there to hold them.

use std::io::{self, Write};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use wharf::generator::cpu;
use wharf::generator::params::Params;
use wharf::generator::render::{BackendChoice, BackendKind, Renderer, RendererConfig};
use wharf::wire::image::Image;

use super::{Compared, Options, Verdict, images};

const FILE_BYTES: u64 = 2 << 30;
const QUICK_FILE_BYTES: u64 = 3 << 20;
/// What is drawn: every byte of it depends on its place and on nothing beside it.
const KIND: &str = "random";

pub(super) async fn check(options: &Options, out: &mut dyn Write) -> io::Result<Verdict> {
    let slots = options.slots();
    // Odd lengths: every piece but the first begins and ends within a unit of the kernel, and within a pixel.
    let piece_bytes = slots.bytes as u64 - 7;
    let config = RendererConfig { choice: BackendChoice::Auto, slots: slots.count, slot_bytes: slots.bytes };
    let renderer = Renderer::open(config).map_err(io::Error::other)?;
    let expected_backend = renderer.settled().await;
    let file_bytes = if options.is_quick { QUICK_FILE_BYTES } else { FILE_BYTES };
    let image = images::of_each_kind(file_bytes).into_iter().find(|(kind, _)| *kind == KIND);
    let Some((_, image)) = image else { return Ok(Verdict::Bad) };
    let image = Arc::new(image);
    let starts: Vec<_> = (0..image.file_bytes()).step_by(usize::try_from(piece_bytes).unwrap_or(1)).collect();
    let asked = starts.len();
    let pieces = starts.into_iter().map(|start| piece(&renderer, &image, start, piece_bytes));
    let mut outcomes = stream::iter(pieces).buffer_unordered(asked);
    let (mut all, mut on_gpu, mut on_cpu) = (Compared::default(), 0_u64, 0_u64);
    while let Some(outcome) = outcomes.next().await {
        let (compared, backend) = outcome.map_err(io::Error::other)?;
        all.add(compared);
        match backend {
            BackendKind::Cuda => on_gpu += 1,
            BackendKind::Cpu => on_cpu += 1,
        }
    }
    writeln!(
        out,
        "pipeline: {asked} pieces at once through {} slots, cuda {on_gpu}, cpu {on_cpu}, {all}",
        slots.count
    )?;
    let failed_over = expected_backend == BackendKind::Cuda && on_cpu > 0;
    if failed_over {
        writeln!(
            out,
            "the GPU failed, and the CPU made {on_cpu} of its pieces; the renderer now says {}",
            renderer.backend().name()
        )?;
    }
    Ok(if failed_over || all.mismatches > 0 { Verdict::Bad } else { Verdict::Good })
}

/// Makes a piece and compares it while it holds its slot.
async fn piece(
    renderer: &Renderer,
    image: &Arc<Image>,
    start: u64,
    length: u64,
) -> Result<(Compared, BackendKind), String> {
    let range = start..image.file_bytes().min(start + length);
    let rendered = renderer.render(image, range).await.map_err(|error| error.to_string())?;
    let image = Arc::clone(image);
    let compared = tokio::task::spawn_blocking(move || {
        let mut expected = vec![0; rendered.bytes.len()];
        cpu::fill(&image, &Params::of(&image), start, &mut expected);
        (Compared::of(&rendered.bytes, &expected), rendered.backend)
    });
    compared.await.map_err(|error| error.to_string())
}
