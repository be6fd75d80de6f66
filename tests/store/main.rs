//! The store over the real disk: what it costs, what happens when many do the same at once, and what a damaged or full disk
//! does to it; and the store over an object store instead of the disk. Figures are printed with `cargo test --test store -- --nocapture`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assumption is the test's answer"
)]

mod commits;
mod complete;
mod copies;
mod documents;
mod expiry;
mod listing;
mod listing_cost;
mod quotas;
mod races;
mod reading;
mod records;
mod remote;
mod rig;
mod room;
mod sessions;
