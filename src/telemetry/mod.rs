//! Rank 1: what an operator sees of a running wharf: logs, the access log, metrics and health. Imports only `base`.
//!
//! Absent on purpose: push exporters, and secrets in any of it.

pub mod access;
pub mod health;
pub mod log;
pub mod metrics;
