//! Secrets at rest: sealed with the gateway's master key, so that a copy of the catalog alone tells nobody a secret.
//!
//! A sealed text is one byte with its format (1), 32 random bytes, then the ciphertext of ChaCha20-Poly1305 (RFC 8439) with its
//! tag. The key of each text is HMAC-SHA256 of those random bytes under the master key, so no key is used twice and the nonce
//! can be zero: the number of texts is not limited by the length of a nonce. What a text is for (its context) is authenticated
//! with it; opened for anything else it is refused.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use super::sigv4::hmac_sha256;
use crate::base::digest::hex;
use crate::base::rng::Rng;

const FORMAT: u8 = 1;
const SALT_BYTES: usize = 32;
const HEADER_BYTES: usize = 1 + SALT_BYTES;

/// Seals and opens with one master key, which is never shown.
#[derive(Clone)]
pub struct Sealer {
    master: [u8; 32],
}

impl Sealer {
    /// A sealer with this master key.
    pub fn new(master: [u8; 32]) -> Self {
        Self { master }
    }

    /// Seals `plain`, to be opened with the same `context` only.
    pub fn seal(&self, context: &str, plain: &[u8], rng: &dyn Rng) -> Vec<u8> {
        let mut salt = [0; SALT_BYTES];
        rng.fill(&mut salt);
        let mut sealed = plain.to_vec();
        // Fails for texts of 256 GiB alone, and for keys of a wrong length.
        let done = self.key(&salt).map(|key| key.seal_in_place_append_tag(zero(), Aad::from(context), &mut sealed));
        match done {
            Some(Ok(())) => [&[FORMAT], &salt[..], &sealed[..]].concat(),
            Some(Err(_)) | None => Vec::new(),
        }
    }

    /// What was sealed with this context; none for everything else.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (header, ciphertext) = sealed.split_at_checked(HEADER_BYTES)?;
        let (format, salt) = header.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let mut text = ciphertext.to_vec();
        let plain = self.key(salt)?.open_in_place(zero(), Aad::from(context), &mut text).ok()?.len();
        text.truncate(plain);
        Some(text)
    }

    /// A mark of a text that nobody can make or compare without the master key, in hexadecimal digits.
    pub fn mark(&self, text: &str) -> String {
        // The salts of sealed texts have another length, so no mark is ever one of their keys.
        hex(&hmac_sha256(&self.master, format!("mark of\n{text}").as_bytes()))
    }

    fn key(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let key = hmac_sha256(&self.master, salt);
        UnboundKey::new(&CHACHA20_POLY1305, &key).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::SeededRng;

    #[test]
    fn what_is_sealed_opens_in_its_context_alone() {
        let (sealer, rng) = (Sealer::new([7; 32]), SeededRng::new(1));
        for plain in [&b""[..], b"x", &[9; 5000]] {
            let sealed = sealer.seal("a", plain, &rng);
            assert_eq!(sealer.open("a", &sealed).as_deref(), Some(plain));
            assert_eq!(sealer.open("b", &sealed), None);
            assert_eq!(Sealer::new([8; 32]).open("a", &sealed), None);
            assert_ne!(sealer.seal("a", plain, &rng), sealed);
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let (sealer, rng) = (Sealer::new([7; 32]), SeededRng::new(2));
        let sealed = sealer.seal("a", b"secret", &rng);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open("a", &changed), None, "byte {at}");
            assert_eq!(sealer.open("a", &sealed[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn marks_are_of_one_text_and_one_key() {
        let sealer = Sealer::new([7; 32]);
        assert_eq!(sealer.mark("a"), sealer.mark("a"));
        assert_ne!(sealer.mark("a"), sealer.mark("b"));
        assert_ne!(sealer.mark("a"), Sealer::new([8; 32]).mark("a"));
    }

    #[test]
    fn nothing_is_shown() {
        let (sealer, rng) = (Sealer::new([7; 32]), SeededRng::new(3));
        assert_eq!(format!("{sealer:?}"), "Sealer(..)");
        let sealed = sealer.seal("a", b"wJalrXUtnFEMI", &rng);
        assert!(!sealed.windows(6).any(|bytes| b"wJalrXUtnFEMI".windows(6).any(|part| part == bytes)));
    }
}
