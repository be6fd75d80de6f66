//! wharf: a self-hosted, S3-compatible chunk gateway. (The architecture document grows here.)

pub mod base;
pub mod server;
pub mod telemetry;
pub mod wire;
