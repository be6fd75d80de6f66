//! What clients send: bodies that follow from a seed, so that the model holds numbers and not bytes, and no two bodies
//! with different seeds have the same content.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use wharf::base::digest::{Checksum, ChecksumAlgorithm};
use wharf::base::rng::{Rng as _, SeededRng};
use wharf::store::types::ETag;

/// Bodies whose content is kept by a thread: more than a history has.
const KEPT_MAX: usize = 2000;

/// A body, by what makes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Body {
    seed: u32,
    len: u32,
}

/// A body with its bytes and digests.
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) md5: [u8; 16],
    pub(crate) crc64nvme: Checksum,
}

impl Body {
    pub(crate) fn new(seed: u32, len: u32) -> Self {
        // Short bodies have few contents.
        let seed = if len < 4 { seed & ((1 << (8 * len)) - 1) } else { seed };
        Self { seed, len }
    }

    pub(crate) fn len(self) -> u64 {
        u64::from(self.len)
    }

    pub(crate) fn content(self) -> Rc<Content> {
        thread_local!(static KEPT: RefCell<HashMap<Body, Rc<Content>>> = RefCell::default());
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            Rc::clone(kept.entry(self).or_insert_with(|| Rc::new(self.make())))
        })
    }

    fn make(self) -> Content {
        let mut bytes = vec![0; self.len as usize];
        SeededRng::new(u64::from(self.seed)).fill(&mut bytes);
        for (byte, seed) in bytes.iter_mut().zip(self.seed.to_le_bytes()) {
            *byte = seed;
        }
        Content {
            md5: Md5::digest(&bytes).into(),
            crc64nvme: Checksum::of(ChecksumAlgorithm::Crc64Nvme, &bytes),
            bytes: bytes.into(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}x{}", self.seed, self.len)
    }
}

/// The bytes of an object: one body, or the parts of an upload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Bodies {
    One(Body),
    Parts(Vec<Body>),
}

impl Bodies {
    pub(crate) fn all(&self) -> &[Body] {
        match self {
            Self::One(body) => std::slice::from_ref(body),
            Self::Parts(bodies) => bodies,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.all().iter().map(|body| body.len()).sum()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.all().iter().flat_map(|body| body.content().bytes.to_vec()).collect()
    }

    /// By the rule of the AWS documentation: the MD5 of the bytes, or of the parts' MD5s with their count.
    pub(crate) fn etag(&self) -> ETag {
        match self {
            Self::One(body) => ETag::of_body(body.content().md5),
            Self::Parts(bodies) => {
                let mut md5 = Md5::new();
                bodies.iter().for_each(|body| md5.update(body.content().md5));
                ETag { md5: md5.finalize().into(), parts: u32::try_from(bodies.len()).ok() }
            }
        }
    }

    /// Of all bytes, computed from the bytes.
    pub(crate) fn crc64nvme(&self) -> Checksum {
        match self {
            Self::One(body) => body.content().crc64nvme.clone(),
            Self::Parts(_) => Checksum::of(ChecksumAlgorithm::Crc64Nvme, &self.bytes()),
        }
    }
}
