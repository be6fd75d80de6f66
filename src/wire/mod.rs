//! Rank 2: the vocabulary of HTTP that servers, clients and operations share. Knows no S3, no storage, and of sockets only
//! how wharf's own [`client`] opens one.
//!
//! A [`Handler`] is an async function from a request to a response, and both carry the one streaming [`Body`].
//! A [`form::Form`] reads the one kind of body that has a structure of its own.
//! Absent on purpose: routing, and any way to gather a body without a maximum.

pub mod base_url;
pub mod body;
pub mod client;
pub mod cors;
pub mod destination;
pub mod error;
pub mod form;
pub mod forwarded;
pub mod handler;
pub mod host;
pub mod idle;
pub mod image;
pub mod incoming;
pub mod json;
pub mod network;
pub mod range;
pub mod trust;
pub mod url;

pub use body::Body;
pub use error::BodyError;
pub use handler::{ConnectionInfo, Handler};
