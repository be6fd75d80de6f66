//! Presigned URLs of SigV4: credentials in the query, for whoever is handed the URL and for as long as it says.
//!
//! [`mint`] makes them, [`verify`] is what the gateway does with one that comes back, [`explain`] says what it would do and
//! why. Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>. Any method may be presigned.
//! URLs of signature version 2 are told apart and explained here, and verified in [`super::sigv2`]; they are never minted.

mod explain;
mod link;
mod mint;
mod verify;

pub use explain::{Check, Explanation, Outcome};
pub use link::{Link, LinkError};
pub use mint::{AddressingStyle, PresignError, PresignKey, PresignRequest, mint};
pub(super) use verify::{QueryMechanism, authenticate, mechanism, one_token};

/// What S3 says to a life beyond [`crate::base::limits::PRESIGN_MAX`].
const LIFE_TOO_LONG: &str = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be \
                             less than 604800 seconds";
