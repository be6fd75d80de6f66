//! What a store should be: a map, and what each operation does to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::body::{Bodies, Body};

/// An operation of a client; also the tag that its object or upload carries.
pub(crate) type OpId = u64;

/// In the number of a complete's look, beside the complete's own.
pub(crate) const LOOK: OpId = 1 << 63;

/// A piece of the store that no operation reaches across, so that its history can be judged alone: one key of the bucket
/// that stays, or all of another bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) bucket: &'static str,
    pub(crate) key: Option<&'static str>,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    CreateBucket,
    DeleteBucket,
    Put {
        key: &'static str,
        body: Body,
        condition: Option<Standing>,
    },
    /// Copies an object, perhaps onto itself, with its own attributes or the copy's.
    Copy {
        from: &'static str,
        to: &'static str,
        keeps_attributes: bool,
        condition: Option<Standing>,
    },
    /// Gives an object the one tag of this operation, in place of what it had.
    Tag {
        key: &'static str,
    },
    Delete {
        key: &'static str,
    },
    Get {
        key: &'static str,
    },
    Create {
        key: &'static str,
    },
    Stage {
        upload: OpId,
        number: u32,
        body: Body,
    },
    Complete {
        upload: OpId,
        parts: Vec<(u32, Body)>,
    },
    Abort {
        upload: OpId,
    },
    /// The first half of a complete: it looks at the parts, and later takes those, whatever is sent meanwhile.
    Look {
        complete: OpId,
        upload: OpId,
        parts: Vec<(u32, Body)>,
    },
    /// The store's own: the upload was idle for too long.
    Expire {
        upload: OpId,
    },
    /// The store's own: the upload was completed long ago.
    Forget {
        upload: OpId,
    },
}

impl Op {
    /// Whether it is about an upload that is there already.
    pub(crate) fn is_on_upload(&self) -> bool {
        matches!(self, Self::Stage { .. } | Self::Complete { .. } | Self::Abort { .. })
    }
}

/// What a conditional put or copy wants to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Nothing,
    Object(Bodies),
}

/// A definite answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Done,
    Found(Object),
    NoBucket,
    NoObject,
    NoUpload,
    Exists,
    NotEmpty,
    Precondition,
    InvalidPart,
    CompletedDifferently,
}

/// An object: who wrote it, who tagged it since, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) tag: OpId,
    pub(crate) tagged: Option<OpId>,
    pub(crate) bodies: Bodies,
}

/// An upload that was not aborted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Upload {
    Open { key: &'static str, parts: Parts },
    Completed { parts: Vec<(u32, Body)> },
}

/// The parts of an open upload.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Parts {
    /// By number and body, each with how often it was staged.
    pub(crate) staged: BTreeMap<(u32, Body), usize>,
    /// For each number the body that was staged last: the one a complete may name.
    pub(crate) latest: BTreeMap<u32, Body>,
}

impl Parts {
    pub(crate) fn stage(&mut self, number: u32, body: Body) {
        *self.staged.entry((number, body)).or_default() += 1;
        self.latest.insert(number, body);
    }
}

/// All that one place holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    /// Whether the bucket is there.
    pub(crate) exists: bool,
    pub(crate) objects: BTreeMap<&'static str, Object>,
    pub(crate) uploads: BTreeMap<OpId, Upload>,
    /// Completes under way that found their parts.
    pub(crate) looked: BTreeSet<OpId>,
}

impl State {
    /// Carries out operation `id`.
    pub(crate) fn apply(&mut self, id: OpId, op: &Op) -> Outcome {
        match op {
            Op::CreateBucket if self.exists => Outcome::Exists,
            Op::CreateBucket => {
                self.exists = true;
                Outcome::Done
            }
            // A client that found the bucket a moment ago hears of the upload alone.
            _ if !self.exists && op.is_on_upload() => Outcome::NoUpload,
            _ if !self.exists => Outcome::NoBucket,
            Op::DeleteBucket if !self.objects.is_empty() => Outcome::NotEmpty,
            Op::DeleteBucket => {
                *self = Self::default();
                Outcome::Done
            }
            Op::Put { key, body, condition } => {
                let object = Object { tag: id, tagged: None, bodies: Bodies::One(*body) };
                self.put(key, object, condition.as_ref()).map_or_else(|refused| refused, |()| Outcome::Done)
            }
            Op::Copy { from, to, keeps_attributes, condition } => {
                let Some(source) = self.objects.get(from) else { return Outcome::NoObject };
                let (tag, tagged) = if *keeps_attributes { (source.tag, source.tagged) } else { (id, None) };
                let object = Object { tag, tagged, bodies: source.bodies.clone() };
                self.put(to, object.clone(), condition.as_ref())
                    .map_or_else(|refused| refused, |()| Outcome::Found(object))
            }
            Op::Tag { key } => match self.objects.get_mut(key) {
                Some(object) => {
                    object.tagged = Some(id);
                    Outcome::Done
                }
                None => Outcome::NoObject,
            },
            Op::Delete { key } => {
                self.objects.remove(key);
                Outcome::Done
            }
            Op::Get { key } => self.objects.get(key).cloned().map_or(Outcome::NoObject, Outcome::Found),
            Op::Create { key } => {
                self.uploads.insert(id, Upload::Open { key, parts: Parts::default() });
                Outcome::Done
            }
            Op::Stage { upload, number, body } => match self.uploads.get_mut(upload) {
                Some(Upload::Open { parts, .. }) => {
                    parts.stage(*number, *body);
                    Outcome::Done
                }
                _ => Outcome::NoUpload,
            },
            Op::Look { complete, upload, parts } => {
                if self.has_latest(*upload, parts) {
                    self.looked.insert(*complete);
                }
                Outcome::Done
            }
            Op::Complete { upload, parts } => {
                let found = self.looked.remove(&id) || self.has_latest(*upload, parts);
                self.complete(*upload, parts, found)
            }
            Op::Abort { upload } | Op::Expire { upload } => match self.uploads.get(upload) {
                Some(Upload::Open { .. }) => self.forget(*upload),
                _ => Outcome::NoUpload,
            },
            Op::Forget { upload } => match self.uploads.get(upload) {
                Some(Upload::Completed { .. }) => self.forget(*upload),
                _ => Outcome::NoUpload,
            },
        }
    }

    fn put(&mut self, key: &'static str, object: Object, condition: Option<&Standing>) -> Result<(), Outcome> {
        match (condition, self.objects.get(key)) {
            (None, _) | (Some(Standing::Nothing), None) => {}
            (Some(Standing::Nothing), Some(_)) => return Err(Outcome::Precondition),
            (Some(Standing::Object(_)), None) => return Err(Outcome::NoObject),
            (Some(Standing::Object(wanted)), Some(standing)) if standing.bodies.etag() == wanted.etag() => {}
            (Some(Standing::Object(_)), Some(_)) => return Err(Outcome::Precondition),
        }
        self.objects.insert(key, object);
        Ok(())
    }

    /// Whether the upload is open and each of these parts is the latest of its number.
    fn has_latest(&self, upload: OpId, listed: &[(u32, Body)]) -> bool {
        let Some(Upload::Open { parts, .. }) = self.uploads.get(&upload) else { return false };
        listed.iter().all(|(number, body)| parts.latest.get(number) == Some(body))
    }

    fn complete(&mut self, upload: OpId, listed: &[(u32, Body)], found: bool) -> Outcome {
        match self.uploads.get(&upload) {
            None => Outcome::NoUpload,
            Some(Upload::Completed { parts }) if parts == listed => Outcome::Done,
            Some(Upload::Completed { .. }) => Outcome::CompletedDifferently,
            Some(Upload::Open { .. }) if !found => Outcome::InvalidPart,
            Some(Upload::Open { key, .. }) => {
                let bodies = Bodies::Parts(listed.iter().map(|(_, body)| *body).collect());
                self.objects.insert(key, Object { tag: upload, tagged: None, bodies });
                self.uploads.insert(upload, Upload::Completed { parts: listed.to_vec() });
                Outcome::Done
            }
        }
    }

    fn forget(&mut self, upload: OpId) -> Outcome {
        self.uploads.remove(&upload);
        Outcome::Done
    }
}
