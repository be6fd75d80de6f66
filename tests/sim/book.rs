//! What the test knows of a history: who asked for what, what was answered, and so what may be in the store.

use std::collections::{BTreeMap, HashMap};

use wharf::base::clock::Timestamp;
use wharf::base::limits::COMPLETED_KEPT;
use wharf::store::types::{ETag, UploadId};

use crate::body::{Bodies, Body};
use crate::judge::Judge;
use crate::machine::IDLE_MAX;
use crate::model::{Op, OpId, Outcome, Place, State};

/// The bucket that stays, and its keys: each key is a place of its own. One has a NUL in it, and one is the other's prefix.
pub(crate) const STAYS: &str = "stays";
pub(crate) const KEYS: [&str; 4] = ["a", "a\0b", "a/b/c", "\u{10ffff}"];
/// The bucket that comes and goes, and its keys.
pub(crate) const GOES: &str = "comes-and-goes";
pub(crate) const GOING_KEYS: [&str; 2] = ["x", "y"];
/// The bucket whose objects are copied onto each other, and its keys.
pub(crate) const COPIES: &str = "copies";
pub(crate) const COPIED_KEYS: [&str; 3] = ["p", "q", "r"];
pub(crate) const BUCKETS: [&str; 3] = [STAYS, GOES, COPIES];

/// The knowledge.
#[derive(Default)]
pub(crate) struct Book {
    judges: BTreeMap<Place, Judge>,
    places: BTreeMap<OpId, Place>,
    pub(crate) uploads: BTreeMap<OpId, KnownUpload>,
    by_md5: HashMap<[u8; 16], Body>,
    by_etag: HashMap<ETag, Bodies>,
    /// Questions and answers so far: the order of events.
    events: u64,
}

/// An upload, as clients know it.
pub(crate) struct KnownUpload {
    pub(crate) place: Place,
    pub(crate) key: &'static str,
    /// None as long as no answer named it.
    pub(crate) id: Option<UploadId>,
    pub(crate) staged: Vec<Staged>,
    /// The lists it was to be completed with.
    pub(crate) completes: Vec<Vec<(u32, Body)>>,
    /// When the latest thing that certainly keeps it alive was asked for.
    alive: Timestamp,
    /// When the first complete was asked for.
    completed: Option<Timestamp>,
    /// When the latest question or answer about it was heard.
    touched: Timestamp,
}

/// A part that was sent.
pub(crate) struct Staged {
    id: OpId,
    pub(crate) number: u32,
    pub(crate) body: Body,
    asked: u64,
    asked_at: Timestamp,
    answered: Option<u64>,
    /// It was certainly there.
    pub(crate) done: bool,
}

pub(crate) fn place_of(bucket: &'static str, key: &'static str) -> Place {
    Place { bucket, key: (bucket == STAYS).then_some(key) }
}

pub(crate) fn all_places() -> impl Iterator<Item = Place> {
    KEYS.into_iter().map(|key| place_of(STAYS, key)).chain([GOES, COPIES].map(|bucket| Place { bucket, key: None }))
}

impl Book {
    pub(crate) fn new() -> Self {
        let mut book = Self::default();
        for place in all_places() {
            // The buckets that stay are made before anything is asked.
            let state = State { exists: place.bucket != GOES, ..State::default() };
            book.judges.insert(place, Judge::new(state));
        }
        book
    }

    pub(crate) fn asked(&mut self, id: OpId, place: Place, op: Op, now: Timestamp) {
        self.events += 1;
        self.places.insert(id, place);
        match &op {
            Op::Put { body, .. } => self.learn(Bodies::One(*body)),
            Op::Create { key } => {
                let upload = KnownUpload {
                    place,
                    key,
                    id: None,
                    staged: Vec::new(),
                    completes: Vec::new(),
                    alive: now,
                    completed: None,
                    touched: now,
                };
                self.uploads.insert(id, upload);
            }
            Op::Stage { upload, number, body } => {
                self.learn(Bodies::One(*body));
                let staged = Staged {
                    id,
                    number: *number,
                    body: *body,
                    asked: self.events,
                    asked_at: now,
                    answered: None,
                    done: false,
                };
                self.upload(*upload).staged.push(staged);
            }
            Op::Complete { upload, parts } => {
                self.learn(Bodies::Parts(parts.iter().map(|(_, body)| *body).collect()));
                let upload = self.upload(*upload);
                upload.completed.get_or_insert(now);
                upload.completes.push(parts.clone());
            }
            _ => {}
        }
        if let Some(upload) = self.upload_of(id, &op) {
            upload.touched = now;
        }
        self.judge(place).asked(id, op);
    }

    pub(crate) fn answered(&mut self, id: OpId, op: &Op, outcome: &Outcome, now: Timestamp) -> Result<(), String> {
        self.closed(id, op, now);
        if let (Op::Stage { upload, .. }, Outcome::Done) = (op, outcome) {
            let upload = self.upload(*upload);
            for staged in upload.staged.iter_mut().filter(|staged| staged.id == id) {
                staged.done = true;
                upload.alive = upload.alive.max(staged.asked_at);
            }
        }
        let place = self.place(id);
        self.judge(place).answered(id, outcome)
    }

    pub(crate) fn failed(&mut self, id: OpId, op: &Op, now: Timestamp) {
        self.closed(id, op, now);
        let place = self.place(id);
        self.judge(place).failed(id);
    }

    pub(crate) fn in_doubt(&mut self, id: OpId, op: &Op, now: Timestamp) {
        self.closed(id, op, now);
        let place = self.place(id);
        self.judge(place).in_doubt(id);
    }

    /// Nothing more will be heard of the operation.
    fn closed(&mut self, id: OpId, op: &Op, now: Timestamp) {
        self.events += 1;
        let event = self.events;
        if let Some(upload) = self.upload_of(id, op) {
            upload.touched = now;
            upload.staged.iter_mut().filter(|staged| staged.id == id).for_each(|staged| staged.answered = Some(event));
        }
    }

    /// Nothing is under way, and this is what was found in the store.
    pub(crate) fn settle(&mut self, found: &BTreeMap<Place, State>) -> Result<(), String> {
        for (place, judge) in &mut self.judges {
            let found = found.get(place).ok_or_else(|| format!("nobody looked at {place:?}"))?;
            judge.settle(found).map_err(|why| format!("{place:?}: {why}"))?;
        }
        Ok(())
    }

    /// The store's own operations that the time allows from now on: uploads that are idle may expire, completed ones may be
    /// forgotten. Each is asked for in the name of the store, with an id that `number` gives.
    pub(crate) fn time_passed(&mut self, now: Timestamp, number: &mut dyn FnMut() -> OpId) {
        let mut due = Vec::new();
        for (tag, upload) in &self.uploads {
            if now.since(upload.alive) >= IDLE_MAX {
                due.push((upload.place, Op::Expire { upload: *tag }));
            }
            if upload.completed.is_some_and(|completed| now.since(completed) >= COMPLETED_KEPT) {
                due.push((upload.place, Op::Forget { upload: *tag }));
            }
        }
        for (place, op) in due {
            if !self.judge(place).awaits(&op) {
                let id = number();
                self.places.insert(id, place);
                let judge = self.judge(place);
                judge.asked(id, op);
                judge.in_doubt(id);
            }
        }
    }

    /// After every worker came to rest: whether this upload should be gone by now.
    pub(crate) fn is_overdue(&self, tag: OpId, completed: bool, now: Timestamp) -> bool {
        let limit = if completed { COMPLETED_KEPT } else { IDLE_MAX };
        self.uploads.get(&tag).is_some_and(|upload| now.since(upload.touched) >= limit)
    }

    pub(crate) fn upload_tag(&self, id: UploadId) -> Option<OpId> {
        self.uploads.iter().find(|(_, upload)| upload.id == Some(id)).map(|(tag, _)| *tag)
    }

    /// The body with this MD5, if any client ever sent one.
    pub(crate) fn body(&self, md5: [u8; 16]) -> Result<Body, String> {
        self.by_md5.get(&md5).copied().ok_or_else(|| "a body that nobody ever sent".to_owned())
    }

    /// The object with this tag, if any client ever asked for one.
    pub(crate) fn bodies(&self, etag: ETag) -> Result<Bodies, String> {
        self.by_etag.get(&etag).cloned().ok_or_else(|| format!("an object {etag} that nobody ever asked for"))
    }

    /// Whether a listing may show `shown` as the latest part of its number: no other was sent after all of its kind.
    pub(crate) fn may_be_latest(&self, tag: OpId, number: u32, shown: Body) -> bool {
        let Some(upload) = self.uploads.get(&tag) else { return false };
        let of_number = || upload.staged.iter().filter(|staged| staged.number == number);
        of_number().filter(|staged| staged.body == shown).any(|staged| {
            let end = staged.answered.unwrap_or(u64::MAX);
            !of_number().any(|other| other.done && other.body != shown && other.asked > end)
        })
    }

    pub(crate) fn possible(&self, place: Place) -> impl Iterator<Item = &State> {
        self.judges.get(&place).into_iter().flat_map(Judge::possible)
    }

    fn learn(&mut self, bodies: Bodies) {
        for body in bodies.all() {
            self.by_md5.insert(body.content().md5, *body);
        }
        self.by_etag.insert(bodies.etag(), bodies);
    }

    fn upload(&mut self, tag: OpId) -> &mut KnownUpload {
        self.uploads.get_mut(&tag).expect("operations name uploads that were created")
    }

    fn upload_of(&mut self, id: OpId, op: &Op) -> Option<&mut KnownUpload> {
        let tag = match op {
            Op::Create { .. } => id,
            Op::Stage { upload, .. } | Op::Complete { upload, .. } | Op::Abort { upload } => *upload,
            _ => return None,
        };
        self.uploads.get_mut(&tag)
    }

    fn place(&self, id: OpId) -> Place {
        *self.places.get(&id).expect("what is answered was asked")
    }

    fn judge(&mut self, place: Place) -> &mut Judge {
        self.judges.get_mut(&place).expect("every place has a judge")
    }
}
