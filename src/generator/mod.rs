//! Rank 3: images whose every byte follows from their description ([`crate::wire::image`]). Any range of the file is made
//! on its own, so that a part is drawn straight into memory when it is to be sent: no whole image, no file.
//!
//! [`pattern`] is the definition of every pixel, in integers alone, so that all machines agree; [`cpu`] and the GPU's kernel
//! (`kernel/pattern.cu`, shipped as PTX) say the same faster, and tests hold them to it, byte for byte. [`render`] chooses
//! between the two and owns the buffers.
//!
//! Absent on purpose: compression, colour profiles and files above BMP's four gibibytes. It knows nothing of the gateway.

pub mod bmp;
pub mod cpu;
pub mod cuda;
pub mod params;
pub mod pattern;
pub mod render;
