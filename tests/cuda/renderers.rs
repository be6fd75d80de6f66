//! Which back end a renderer chooses, and when.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use wharf::generator::render::{BackendChoice, BackendKind, Renderer, RendererConfig};
use wharf::wire::image::{BitsPerPixel, Image, Pattern};

use super::child::child;
use super::driver;

fn config(choice: BackendChoice) -> RendererConfig {
    RendererConfig { choice, slots: 2, slot_bytes: 4096 }
}

#[test]
fn a_gpu_that_is_demanded_is_used_or_an_error() {
    let ended = child(&driver::whole(), "", "demand");
    assert!(ended.status == Some(0) && ended.has("a device of C, "), "{ended}");
    for (driver, fault) in [(driver::absent(), ""), (driver::whole(), "nodevice"), (driver::whole(), "oom=1")] {
        let ended = child(&driver, fault, "demand");
        assert!(ended.status == Some(3) && ended.has("no GPU can be used: "), "{ended}");
    }
}

pub(crate) fn demand() -> u8 {
    let mut out = String::new();
    let status = match Renderer::open(config(BackendChoice::Cuda)) {
        Ok(renderer) => {
            out.push_str(&renderer.describe());
            u8::from(renderer.backend() != BackendKind::Cuda)
        }
        Err(error) => {
            out.push_str(&error.to_string());
            3
        }
    };
    println!("{out}");
    status
}

#[test]
fn a_gpu_is_opened_meanwhile_and_the_first_piece_waits_for_it() {
    let ended = child(&driver::whole(), "gate", "meanwhile");
    assert_eq!(ended.status, Some(0), "{ended}");
    assert_eq!(ended.counted("launches"), 1, "{ended}");
}

/// The driver does not begin to work before the file is there: whoever waited for it earlier would wait for ever.
pub(crate) fn meanwhile() -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let renderer = Renderer::open(config(BackendChoice::Auto)).unwrap();
    assert_eq!(renderer.describe(), "a GPU that is being opened");
    let image = Arc::new(Image::new(10, 10, BitsPerPixel::B24, false, Pattern::Ebu).unwrap());
    let piece = runtime.block_on(async {
        let mut piece = std::pin::pin!(renderer.render(&image, 0..100));
        let waits = std::future::poll_fn(|context| Poll::Ready(piece.as_mut().poll(context).is_pending())).await;
        assert!(waits, "no device can have made it");
        std::fs::write(std::env::var("FAKECUDA_GATE").unwrap(), "").unwrap();
        piece.await.unwrap()
    });
    assert_eq!((piece.backend, piece.bytes.len()), (BackendKind::Cuda, 100));
    assert!(renderer.describe().starts_with("a device of C"), "{}", renderer.describe());
    0
}
