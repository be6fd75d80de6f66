//! wharf: a self-hosted, S3-compatible chunk gateway. (The architecture document grows here.)

pub mod app;
pub mod base;
pub mod cli;
pub mod config;

/// The store's vocabulary, as far as settings speak it.
pub mod store {
    pub mod types;

    pub(crate) mod blob {
        #[derive(Debug)]
        pub(crate) struct Sealed;
    }

    mod body {
        #[derive(Debug)]
        pub(crate) struct DiscardGuard;
    }
}
