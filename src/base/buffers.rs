//! A pool of equal buffers, so that streaming neither allocates nor faults pages per read.
//!
//! A buffer taken from the pool becomes `Bytes` that go back to the pool when their last clone is dropped. The pool
//! keeps at most `keep` idle buffers; how many are in use is bounded by the connections that hold one each.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// A pool of buffers of one size.
#[derive(Clone, Debug)]
pub struct BufferPool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    size: usize,
    keep: usize,
    idle: Mutex<Vec<Box<[u8]>>>,
}

impl BufferPool {
    /// A pool of buffers of `size` bytes that keeps at most `keep` idle ones.
    pub fn new(size: usize, keep: usize) -> Self {
        Self(Arc::new(Inner { size, keep, idle: Mutex::new(Vec::new()) }))
    }

    /// The size of every buffer.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// A buffer with unspecified content.
    pub fn take(&self) -> Buffer {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = idle.unwrap_or_else(|| vec![0; self.0.size].into_boxed_slice());
        Buffer { bytes, pool: Arc::clone(&self.0) }
    }
}

/// A buffer of the pool; goes back when dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    pool: Arc<Inner>,
}

impl Buffer {
    /// The whole buffer, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Bytes `range` of the buffer (cut to its size), without copying.
    pub fn freeze(self, range: std::ops::Range<usize>) -> Bytes {
        let all = Bytes::from_owner(self);
        let end = range.end.min(all.len());
        all.slice(range.start.min(end)..end)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.pool.keep {
            idle.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_after_its_last_reader() {
        let pool = BufferPool::new(8, 1);
        let mut buffer = pool.take();
        buffer.bytes_mut().copy_from_slice(b"abcdefgh");
        let bytes = buffer.freeze(2..100);
        let copy = bytes.clone();
        assert_eq!(&copy[..], b"cdefgh");
        drop(bytes);
        assert!(pool.0.idle.lock().unwrap().is_empty());
        drop(copy);
        assert_eq!(pool.0.idle.lock().unwrap().len(), 1);
    }
}
