//! The GPU's kernel without a GPU. Its source runs as C (`compiled`), and the PTX that is shipped runs translated to C
//! (`translated`); what both make of images is compared, byte for byte, with the definition in Rust. So that the comparison is
//! known to see something, sources with one small mistake each are shown to fail it.
//!
//! What this cannot show: the driver's own compiler, and how fast a GPU is.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assumption is the test's answer"
)]

mod child;
mod compiled;
mod images;
mod ptx;
mod translated;
mod translator;
