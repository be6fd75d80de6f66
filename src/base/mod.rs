//! Rank 0: what every other module may use. Knows nothing of storage, HTTP or S3.

pub mod buffers;
pub mod clock;
pub mod digest;
pub mod id;
pub mod limits;
pub mod offload;
pub mod rng;
pub mod worker;
