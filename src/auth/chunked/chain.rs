//! The signatures of a body's chunks: each is made over the one before, the first over the request's own.
//!
//! A chunk's bytes are hashed as they pass, so a chunk of any size costs no memory, and each byte is hashed once here
//! (the request's signature does not cover the body in this mode, so nobody else hashes it for a signature).
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::ChunkedError;
use crate::auth::ChunkSeed;
use crate::base::digest::hex;

/// SHA-256 of no bytes, which stands in a chunk's string to sign where headers of the chunk might one day.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The chain, as far as it has been verified.
#[derive(Debug)]
pub(super) struct SignatureChain {
    seed: ChunkSeed,
    /// The signature that the next one builds on: always one we computed ourselves.
    previous: String,
    /// What the chunk that is passing claims to be signed with.
    claimed: Vec<u8>,
    /// Its bytes so far, or those of the trailers.
    hasher: Sha256,
}

impl SignatureChain {
    pub(super) fn new(seed: ChunkSeed) -> Self {
        let previous = seed.signature.clone();
        Self { seed, previous, claimed: Vec::new(), hasher: Sha256::new() }
    }

    /// A chunk begins that carries this signature, or none.
    pub(super) fn begin(&mut self, claimed: &[u8]) {
        self.claimed = claimed.to_vec();
    }

    /// Bytes of the chunk, or of the canonical trailers.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The chunk is complete: was it signed by the key that signed the request, and does it belong here?
    pub(super) fn verify_chunk(&mut self) -> Result<(), ChunkedError> {
        let hash = self.hasher.finalize_reset();
        let head = self.head("AWS4-HMAC-SHA256-PAYLOAD");
        let claimed = std::mem::take(&mut self.claimed);
        self.verify(format!("{head}\n{EMPTY_SHA256}\n{}", hex(&hash)), &claimed)
    }

    /// The same for the trailers, whose canonical lines have passed: `name:value\n` each.
    pub(super) fn verify_trailers(&mut self, claimed: &[u8]) -> Result<(), ChunkedError> {
        let hash = self.hasher.finalize_reset();
        let head = self.head("AWS4-HMAC-SHA256-TRAILER");
        self.verify(format!("{head}\n{}", hex(&hash)), claimed)
    }

    fn head(&self, algorithm: &str) -> String {
        format!("{algorithm}\n{}\n{}\n{}", self.seed.amz_date, self.seed.scope, self.previous)
    }

    fn verify(&mut self, string_to_sign: String, claimed: &[u8]) -> Result<(), ChunkedError> {
        let signature = self.seed.key.sign(&string_to_sign);
        if !bool::from(signature.as_bytes().ct_eq(claimed)) {
            let provided = String::from_utf8_lossy(claimed).into_owned();
            return Err(ChunkedError::SignatureMismatch { string_to_sign, provided });
        }
        self.previous = signature;
        Ok(())
    }
}
