//! Numbers and names that are never used twice.
//!
//! Each opening of a store is a **run** with a number of its own, raised and committed before anything else. A growing
//! number is the run in the high 24 bits and a sequence in the low 40: it grows through the whole life of the store
//! without a write per number, and rows keyed by it always go to the right edge of their B-tree.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

const SEQUENCE_BITS: u32 = 40;

/// The number of an opening of the store, from 1.
pub type RunNumber = u32;

/// Hands out growing numbers for one run.
#[derive(Debug)]
pub struct Sequence {
    run: RunNumber,
    next: AtomicU64,
}

impl Sequence {
    /// The numbers of `run`.
    pub fn new(run: RunNumber) -> Self {
        Self { run, next: AtomicU64::new(0) }
    }

    /// The run these numbers belong to.
    pub fn run(&self) -> RunNumber {
        self.run
    }

    /// The next growing number, larger than every one before it in this store.
    pub fn next(&self) -> u64 {
        (u64::from(self.run) << SEQUENCE_BITS) | self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The name of one blob: unique for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId {
    /// The run that wrote it.
    pub run: RunNumber,
    /// Its place in that run; also decides the directory.
    pub sequence: u64,
    /// Keeps names apart even when a catalog was restored from a copy and its run numbers repeat.
    pub random: u32,
}

impl BlobId {
    /// Length of [`BlobId::to_bytes`].
    pub const LEN: usize = 16;

    /// Big-endian, so that ids sort in the order of their making.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let value = (u128::from(self.run) << 96) | (u128::from(self.sequence) << 32) | u128::from(self.random);
        value.to_be_bytes()
    }

    /// The inverse of [`BlobId::to_bytes`].
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let value = u128::from_be_bytes(bytes);
        #[expect(clippy::cast_possible_truncation, reason = "each field takes exactly its bits")]
        Self { run: (value >> 96) as u32, sequence: (value >> 32) as u64, random: value as u32 }
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:016x}-{:08x}", self.run, self.sequence, self.random)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_round_trip_and_sort_by_age() {
        let old = BlobId { run: 1, sequence: u64::MAX, random: 7 };
        let new = BlobId { run: 2, sequence: 0, random: 0 };
        assert_eq!(BlobId::from_bytes(old.to_bytes()), old);
        assert!(old.to_bytes() < new.to_bytes());
    }

    #[test]
    fn numbers_grow_across_runs() {
        let first = Sequence::new(1);
        let a = first.next();
        assert!(first.next() > a);
        assert!(Sequence::new(2).next() > first.next());
    }
}
