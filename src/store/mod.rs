//! The store: bytes and the metadata that names them.

pub mod blob;
pub mod fsio;
