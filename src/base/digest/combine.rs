//! The CRC of two runs of bytes from the CRCs of each.
//!
//! A CRC is a polynomial over GF(2) modulo the algorithm's; bytes that follow multiply it by x once for each bit (Mark
//! Adler's `crc32_combine` in zlib 1.2.12). Raising x to that power takes a few dozen multiplications, 2 us for a part of
//! any length, where squaring the matrix of "one zero bit" takes 35: a complete combines 10,000 parts.

/// A CRC whose bits are reflected and whose initial and final masks are equal, as all of S3's are.
#[derive(Clone, Copy)]
pub(super) struct Polynomial {
    /// Bits.
    pub(super) width: u32,
    /// The polynomial without its highest term, reflected: its lowest bit is the coefficient of x^(width - 1).
    pub(super) reflected: u64,
}

impl Polynomial {
    /// The CRC of bytes with CRC `first`, followed by `next_len` bytes with CRC `next`.
    pub(super) fn combine(self, first: u64, next: u64, next_len: u64) -> u64 {
        self.multiply(first, self.x_to_bytes(next_len)) ^ next
    }

    /// x to the power of the bits in `len` bytes.
    fn x_to_bytes(self, mut len: u64) -> u64 {
        let one = 1 << (self.width - 1);
        let (mut power, mut factor) = (one, one >> 8);
        while len > 0 {
            if len & 1 == 1 {
                power = self.multiply(power, factor);
            }
            factor = self.multiply(factor, factor);
            len >>= 1;
        }
        power
    }

    fn multiply(self, a: u64, mut b: u64) -> u64 {
        let mut product = 0;
        // The highest bit is the coefficient of 1.
        for bit in (0..self.width).rev() {
            product ^= b & 0_u64.wrapping_sub(a >> bit & 1);
            b = (b >> 1) ^ (self.reflected & 0_u64.wrapping_sub(b & 1));
        }
        product
    }
}
