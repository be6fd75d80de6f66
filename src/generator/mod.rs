//! Rank 3: images whose every byte follows from their description ([`crate::wire::image`]). Any range of the file is made
//! on its own, so that a part is drawn straight into memory when it is to be sent: no whole image, no file.
//!
//! [`pattern`] is the definition of every pixel, in integers alone, so that all machines agree; [`cpu`] and the GPU's kernel
//! (`kernel/pattern.cu`, shipped as PTX) say the same faster, and tests hold them to it, byte for byte. [`render`] chooses
//! between the two and owns the buffers.
//!
//! [`endpoint`] takes orders for images over HTTP, a queue keeps them, and an uploader sends the parts to URLs it was given and
//! reports to the gateway, over HTTP as well: a generator may live on another host.
//!
//! Absent on purpose: compression, colour profiles and files above BMP's four gibibytes. It knows nothing of the gateway but
//! its API, and keeps nothing on a disk: what was not finished is the gateway's to order again.

mod backoff;
pub mod bmp;
pub mod cpu;
pub mod cuda;
pub mod endpoint;
mod gateway;
mod order;
pub mod params;
mod part;
pub mod pattern;
mod queue;
pub mod render;
mod uploader;
mod urls;

pub use uploader::Progress;
