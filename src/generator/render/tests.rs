//! Pieces are right, slots are few and come back.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};

use super::*;
use crate::wire::image::{BitsPerPixel, Pattern};

const SLOT_BYTES: usize = 1000;

fn renderer(slots: usize) -> Arc<Renderer> {
    Renderer::open(RendererConfig { choice: BackendChoice::Cpu, slots, slot_bytes: SLOT_BYTES }).unwrap()
}

fn image() -> Arc<Image> {
    Arc::new(Image::new(101, 67, BitsPerPixel::B24, false, Pattern::Random { seed: 5 }).unwrap())
}

#[tokio::test]
async fn pieces_make_the_file() {
    let (renderer, image) = (renderer(3), image());
    let end = image.file_bytes();
    let mut file = Vec::new();
    for start in (0..end).step_by(SLOT_BYTES) {
        let piece = renderer.render(&image, start..end.min(start + SLOT_BYTES as u64)).await.unwrap();
        assert_eq!(piece.backend.name(), "cpu");
        file.extend_from_slice(&piece.bytes);
    }
    let mut expected = vec![0; end as usize];
    cpu::fill(&image, &Params::of(&image), 0, &mut expected);
    assert!(file == expected);
    assert_eq!(renderer.render(&image, 5..5).await.unwrap().bytes.len(), 0);
}

#[tokio::test]
async fn what_is_no_piece_is_refused() {
    let (renderer, image) = (renderer(1), image());
    let end = image.file_bytes();
    #[expect(clippy::reversed_empty_ranges, reason = "that it is refused is what is asked")]
    for range in [0..SLOT_BYTES as u64 + 1, end - 1..end + 1, 2..1, 0..u64::MAX] {
        let refused = renderer.render(&image, range.clone()).await;
        assert!(matches!(refused, Err(RenderError::Range { start, .. }) if start == range.start), "{range:?}");
    }
    assert!(renderer.render(&image, 0..SLOT_BYTES as u64).await.is_ok());
}

/// While all slots are out the next piece waits, and then has the very memory of the one that came back.
#[tokio::test]
async fn a_piece_waits_for_a_slot() {
    let (renderer, image) = (renderer(2), image());
    let first = renderer.render(&image, 0..10).await.unwrap();
    let second = renderer.render(&image, 10..20).await.unwrap();
    assert_eq!(renderer.slots.free.available_permits(), 0);
    let mut third = pin!(renderer.render(&image, 20..30));
    assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (memory, copy) = (first.bytes.as_ptr(), first.bytes.clone());
    drop(first);
    assert_eq!(renderer.slots.free.available_permits(), 0);
    drop(copy);
    assert_eq!(third.await.unwrap().bytes.as_ptr(), memory);
    drop(second);
}

#[tokio::test]
async fn a_slot_comes_back_when_nobody_waits_any_more() {
    let (renderer, image) = (renderer(1), image());
    let all = u32::try_from(renderer.cores.available_permits()).unwrap();
    let cores = Arc::clone(&renderer.cores).acquire_many_owned(all).await.unwrap();
    let mut waiting = Box::pin(renderer.render(&image, 0..10));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(renderer.slots.free.available_permits(), 0);
    drop(waiting);
    assert_eq!(renderer.slots.free.available_permits(), 1);
    drop(cores);
    for _ in 0..3 {
        // Given up when it is under way, or when it is done: who can say.
        let mut begun = Box::pin(renderer.render(&image, 0..SLOT_BYTES as u64));
        let _ = begun.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(begun);
        assert!(renderer.render(&image, 0..10).await.is_ok());
    }
    assert_eq!(renderer.slots.idle.lock().unwrap().len(), 1);
}

#[test]
fn settings_that_say_little_still_make_a_renderer() {
    assert_eq!(renderer(0).slots.free.available_permits(), 1);
    assert!(renderer(1).describe().starts_with("CPU, "));
    assert_eq!(renderer(1).backend(), BackendKind::Cpu);
}
