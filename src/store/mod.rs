//! The store: what is kept, and how. Knows no HTTP and no XML.

pub mod meta;
