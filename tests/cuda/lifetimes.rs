//! Pieces, slots and devices that go in another order than they came. The driver ends a child that leaves memory behind, or
//! frees it too early.

use std::future::Future;
use std::task::Poll;

use wharf::generator::cuda::Gpu;
use wharf::generator::params::Params;
use wharf::wire::image::{BitsPerPixel, Image, Pattern};

use super::child::child;
use super::driver;

const SLOT_BYTES: usize = 4096;

#[test]
fn a_piece_outlives_its_device() {
    let ended = child(&driver::whole(), "", "outlive");
    assert_eq!(ended.status, Some(0), "{ended}");
}

/// The last piece is read when the GPU is gone, and only its end frees the rest.
pub(crate) fn outlive() -> u8 {
    let gpu = Gpu::open(0, 2, SLOT_BYTES).unwrap();
    let (image, params) = image();
    let piece = runtime().block_on(gpu.render(&image, &params, 54..2054)).unwrap();
    let clone = piece.clone();
    drop(gpu);
    drop(piece);
    let colour = [0x12, 0x34, 0x56];
    assert!(clone.chunks_exact(3).all(|pixel| pixel == colour), "{clone:?}");
    drop(clone);
    0
}

#[test]
fn a_piece_that_nobody_waits_for_gives_its_slot_back() {
    let ended = child(&driver::whole(), "slow", "cancel");
    assert_eq!(ended.status, Some(0), "{ended}");
    assert_eq!(ended.counted("launches"), 5, "{ended}");
}

/// Four pieces begin and are dropped, one after the other, through one slot; the fifth is waited for.
pub(crate) fn cancel() -> u8 {
    let gpu = Gpu::open(0, 1, SLOT_BYTES).unwrap();
    let (image, params) = image();
    runtime().block_on(async {
        for _ in 0..4 {
            let mut piece = Box::pin(gpu.render(&image, &params, 0..2000));
            let begun = std::future::poll_fn(|context| Poll::Ready(piece.as_mut().poll(context).is_pending())).await;
            assert!(begun && gpu.idle_slots() == 0, "a slow copy cannot be done yet");
            drop(piece);
            while gpu.idle_slots() == 0 {
                tokio::task::yield_now().await;
            }
        }
        let piece = gpu.render(&image, &params, 0..2000).await.unwrap();
        assert_eq!((piece.len(), &piece[..2]), (2000, &b"BM"[..]));
    });
    0
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn image() -> (Image, Params) {
    let color = wharf::wire::image::Color::new(0x0056_3412);
    let image = Image::new(1000, 10, BitsPerPixel::B24, false, Pattern::Solid { color }).unwrap();
    let params = Params::of(&image);
    (image, params)
}
