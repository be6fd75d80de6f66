//! What generations there are, by age: names, states and, of those that are not over, how far they are. Their records are in the
//! store; what is here is read from them at the start and follows each change.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::events::Log;
use super::load::{Coming, Load};
use super::record::{Record, Status};
use crate::base::clock::Timestamp;
use crate::base::limits::EVENT_LOGS_KEPT_MAX;

/// The generations of this gateway.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Index>);

#[derive(Debug, Default)]
struct Index {
    /// Whether the records were read.
    loaded: bool,
    known: HashMap<String, Known>,
    by_age: BTreeSet<(u64, String)>,
    /// Those that are over and whose events are kept, oldest first.
    over: VecDeque<String>,
    /// Those that are being begun.
    coming: Vec<Coming>,
}

#[derive(Debug)]
struct Known {
    created_ms: u64,
    status: Status,
    calls_back: bool,
    /// The key that asked for it; nobody's where that is absent.
    user: Option<String>,
    live: Option<Arc<Live>>,
}

/// A generation that is not over, or was not a while ago.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) uuid: String,
    part_count: u64,
    pub(super) log: Arc<Log>,
    course: Mutex<Course>,
}

/// How far a generation is, as far as this process knows.
#[derive(Debug)]
pub(super) struct Course {
    /// When to look at it; never once it is over.
    pub(super) due: Option<Instant>,
    parts: BTreeMap<u64, (String, u64)>,
    bytes: u64,
    /// Who draws it.
    pub(super) backend: Option<String>,
    /// When a part came last, or this process began to look after it.
    pub(super) progressed: Instant,
    /// Whether its parts were looked at.
    pub(super) looked_at: bool,
    /// When its generator was heard of last.
    pub(super) heard: Option<Instant>,
    /// How often in a row its generator was asked again because nothing came.
    pub(super) silences: u32,
    /// How often in a row its generator could not be asked.
    pub(super) tries: u32,
}

/// A part, as events name it.
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) etag: String,
    pub(super) bytes: u64,
}

impl Live {
    fn new(record: &Record, now: Timestamp) -> Self {
        let moment = Instant::now();
        let course = Course {
            due: Some(moment),
            parts: BTreeMap::new(),
            bytes: 0,
            backend: record.backend.clone(),
            progressed: moment,
            looked_at: false,
            heard: None,
            silences: 0,
            tries: 0,
        };
        let live = Self {
            uuid: record.uuid.clone(),
            part_count: record.part_count(),
            log: Arc::new(Log::new(now)),
            course: Mutex::new(course),
        };
        live.tell_status(record.status);
        live
    }

    pub(super) fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Parts that are there, and their bytes.
    pub(super) fn done(&self) -> (u64, u64) {
        let course = self.course();
        (course.parts.len() as u64, course.bytes)
    }

    /// Takes note of a part that has come: its generator is at work.
    pub(super) fn see(&self, part: Part) {
        let mut course = self.course();
        if self.note(&mut course, part) {
            course.progressed = Instant::now();
            course.heard = Some(course.progressed);
            course.silences = 0;
        }
    }

    /// Takes note of a part that came at some time.
    pub(super) fn find(&self, part: Part) {
        self.note(&mut self.course(), part);
    }

    /// Takes note of a part that is there; tells those who listen, if they do not know it. Says whether it is new.
    fn note(&self, course: &mut Course, part: Part) -> bool {
        let known = (part.etag, part.bytes);
        if course.parts.get(&part.number) == Some(&known) {
            return false;
        }
        let (etag, bytes) = known.clone();
        let before = course.parts.insert(part.number, known).map_or(0, |(_, bytes)| bytes);
        course.bytes = course.bytes.saturating_sub(before).saturating_add(bytes);
        let data = json!({
            "partNumber": part.number,
            "eTag": etag,
            "partsDone": course.parts.len(),
            "partCount": self.part_count,
            "bytesDone": course.bytes,
        });
        self.log.push("part", &data, false);
        true
    }

    fn tell_status(&self, status: Status) {
        let (parts, bytes) = self.done();
        let data = json!({
            "uuid": self.uuid, "status": status.name(), "partsDone": parts, "partCount": self.part_count,
            "bytesDone": bytes,
        });
        self.log.push("status", &data, false);
    }
}

/// The last event of a generation that is over.
pub(super) fn last_event(record: &Record) -> (&'static str, Value) {
    let kind = if record.status == Status::Completed { "completed" } else { "failed" };
    let data = json!({
        "uuid": record.uuid,
        "status": record.status.name(),
        "objectName": record.key,
        "bucket": record.bucket,
        "bmpVolume": record.volume_bytes,
        "eTag": record.etag,
        "error": record.error,
        "partsDone": record.parts_done,
        "partCount": record.part_count(),
        "bytesDone": record.bytes_done,
    });
    (kind, data)
}

/// The events of a generation that was over before this process began, or long ago.
pub(super) fn retold(record: &Record) -> Arc<Log> {
    let log = Log::new(Timestamp(record.finished_ms.unwrap_or(record.created_ms)));
    let status = json!({
        "uuid": record.uuid, "status": record.status.name(), "partsDone": record.parts_done,
        "partCount": record.part_count(), "bytesDone": record.bytes_done,
    });
    log.push("status", &status, false);
    let (kind, data) = last_event(record);
    log.push(kind, &data, true);
    Arc::new(log)
}

impl History {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the records were read.
    pub(super) fn is_loaded(&self) -> bool {
        self.index().loaded
    }

    /// From now on all generations are known.
    pub(super) fn loaded(&self) {
        self.index().loaded = true;
    }

    /// A generation that is new, or was found at the start.
    pub(super) fn add(&self, record: &Record, now: Timestamp) {
        let live = (!record.status.is_over()).then(|| Arc::new(Live::new(record, now)));
        let mut index = self.index();
        index.by_age.insert((record.created_ms, record.uuid.clone()));
        let (created_ms, status, calls_back) = (record.created_ms, record.status, record.callback.is_some());
        let user = record.owner.as_ref().map(|owner| owner.user.clone());
        index.known.insert(record.uuid.clone(), Known { created_ms, status, calls_back, user, live });
    }

    /// A generation has come further.
    pub(super) fn changed(&self, record: &Record) {
        let mut index = self.index();
        let Some(known) = index.known.get_mut(&record.uuid) else { return };
        // Commits are told of in any order, and nothing follows the end.
        if known.status.is_over() {
            return;
        }
        let before = std::mem::replace(&mut known.status, record.status);
        let live = known.live.clone();
        if before == record.status {
            return;
        }
        if record.status.is_over() {
            index.over.push_back(record.uuid.clone());
            if index.over.len() > EVENT_LOGS_KEPT_MAX
                && let Some(oldest) = index.over.pop_front()
                && let Some(known) = index.known.get_mut(&oldest)
            {
                known.live = None;
            }
        }
        drop(index);
        let Some(live) = live else { return };
        if record.status.is_over() {
            live.course().due = None;
            let (kind, data) = last_event(record);
            live.log.push(kind, &data, true);
        } else {
            live.tell_status(record.status);
        }
    }

    /// A generation is forgotten.
    pub(super) fn remove(&self, uuid: &str) {
        let mut index = self.index();
        if let Some(known) = index.known.remove(uuid) {
            index.by_age.remove(&(known.created_ms, uuid.to_owned()));
        }
    }

    /// What this process knows of a generation.
    pub(super) fn live(&self, uuid: &str) -> Option<Arc<Live>> {
        self.index().known.get(uuid)?.live.clone()
    }

    /// Takes the place of one that is about to be begun, if there is room for it. `waiting` and `own_waiting` are the callbacks
    /// that wait already: of all, and of whoever asks where that has limits of its own.
    ///
    /// # Errors
    /// Why there is no room.
    pub(super) fn take_place(
        &self,
        coming: &Coming,
        waiting: usize,
        own_waiting: Option<usize>,
    ) -> Result<(), &'static str> {
        let mut index = self.index();
        let mut all = index.load(|_| true);
        all.calling_back = all.calling_back.saturating_add(waiting);
        let own = own_waiting.map(|waiting| {
            let mut own = index.load(|user| user == coming.user.as_deref());
            own.calling_back = own.calling_back.saturating_add(waiting);
            own
        });
        match all.too_much(own, coming.calls_back) {
            Some(why) => Err(why),
            None => {
                index.coming.push(coming.clone());
                Ok(())
            }
        }
    }

    /// One is there, or is not begun after all.
    pub(super) fn give_back(&self, coming: &Coming) {
        let mut index = self.index();
        if let Some(at) = index.coming.iter().position(|known| known == coming) {
            index.coming.swap_remove(at);
        }
    }

    /// The oldest that is over, if there are at least so many in all.
    pub(super) fn oldest_over(&self, at_least: usize) -> Option<String> {
        let index = self.index();
        if index.known.len() < at_least {
            return None;
        }
        let over = |uuid: &&String| index.known.get(*uuid).is_some_and(|known| known.status.is_over());
        index.by_age.iter().map(|(_, uuid)| uuid).find(over).cloned()
    }

    /// Names of generations, the newest first, from the one after `after` on; none where that is not known.
    pub(super) fn newest(&self, after: Option<&str>, status: Option<Status>, max: usize) -> Option<Vec<String>> {
        let index = self.index();
        let asked = |(_, uuid): &&(u64, String)| {
            let known = index.known.get(uuid);
            status.is_none_or(|status| known.is_some_and(|known| known.status == status))
        };
        let names = |found: &(u64, String)| found.1.clone();
        Some(match after {
            None => index.by_age.iter().rev().filter(asked).take(max).map(names).collect(),
            Some(uuid) => {
                let end = (index.known.get(uuid)?.created_ms, uuid.to_owned());
                index.by_age.range(..end).rev().filter(asked).take(max).map(names).collect()
            }
        })
    }

    /// Those to be looked at now, which are not to be looked at again before `until`, at most `max`; and when the next is due.
    pub(super) fn take_due(&self, until: Instant, max: usize) -> (Vec<Arc<Live>>, Option<Instant>) {
        let now = Instant::now();
        let index = self.index();
        let (mut taken, mut next) = (Vec::new(), None::<Instant>);
        for live in index.known.values().filter_map(|known| known.live.as_ref()) {
            let mut course = live.course();
            match course.due {
                Some(due) if due <= now && taken.len() < max => {
                    course.due = Some(until);
                    taken.push(Arc::clone(live));
                }
                Some(due) => next = Some(next.map_or(due, |next| next.min(due))),
                None => {}
            }
        }
        (taken, next)
    }
}

impl Index {
    /// Those that are not over and those that are being begun, of the keys that are asked for.
    fn load(&self, asked: impl Fn(Option<&str>) -> bool) -> Load {
        let unfinished = self.known.values().filter(|known| !known.status.is_over());
        let all = unfinished.map(|known| (known.user.as_deref(), known.calls_back));
        let all = all.chain(self.coming.iter().map(|coming| (coming.user.as_deref(), coming.calls_back)));
        all.filter(|(user, _)| asked(*user)).fold(Load::default(), |load, (_, calls_back)| Load {
            unfinished: load.unfinished.saturating_add(1),
            calling_back: load.calling_back.saturating_add(usize::from(calls_back)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::GENERATIONS_UNFINISHED_PER_KEY_MAX;

    impl History {
        fn unfinished(&self) -> usize {
            self.index().load(|_| true).unfinished
        }

        fn unfinished_of(&self, user: Option<&str>) -> usize {
            self.index().load(|asked| asked == user).unfinished
        }
    }

    fn record(uuid: &str, status: &str, created_ms: u64) -> Record {
        let text = format!(
            r#"{{"uuid":"{uuid}","status":"{status}","image":{{}},"volume_bytes":1,"part_size_bytes":1,"bucket":"b","key":"k",
            "upload":"u","s3_base":"","created_ms":{created_ms},"owner":{{"user":"{uuid}","fingerprint":"f"}}}}"#
        );
        Record::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn nothing_follows_the_end() {
        let history = History::default();
        history.add(&record("a", "PENDING", 1), Timestamp(1));
        history.add(&record("b", "RUNNING", 1), Timestamp(1));
        assert_eq!((history.unfinished(), history.unfinished_of(Some("a")), history.unfinished_of(None)), (2, 1, 0));
        history.changed(&record("a", "CANCELLED", 1));
        history.changed(&record("a", "RUNNING", 1));
        assert_eq!((history.unfinished(), history.unfinished_of(Some("a"))), (1, 0));
        assert_eq!(history.newest(None, Some(Status::Cancelled), 9).unwrap(), ["a"]);
        assert!(history.live("a").unwrap().course().due.is_none(), "it is looked at no more");
    }

    #[test]
    fn those_that_are_being_begun_count() {
        let history = History::default();
        let coming = Coming { user: Some("a".to_owned()), calls_back: true };
        for _ in 0..GENERATIONS_UNFINISHED_PER_KEY_MAX {
            assert_eq!(history.take_place(&coming, 0, Some(0)), Ok(()));
        }
        assert!(history.take_place(&coming, 0, Some(0)).is_err_and(|why| why.contains("this key")));
        assert_eq!(history.take_place(&Coming { user: None, ..coming.clone() }, 0, Some(0)), Ok(()), "another's");
        history.give_back(&coming);
        assert_eq!(history.take_place(&coming, 0, Some(0)), Ok(()));
    }

    #[test]
    fn the_oldest_that_is_over_makes_way_where_there_are_too_many() {
        let history = History::default();
        for (uuid, status, created_ms) in [("a", "RUNNING", 1), ("b", "FAILED", 2), ("c", "COMPLETED", 3)] {
            history.add(&record(uuid, status, created_ms), Timestamp(1));
        }
        assert_eq!((history.oldest_over(4), history.oldest_over(3).as_deref()), (None, Some("b")));
        history.remove("b");
        assert_eq!((history.oldest_over(3), history.oldest_over(2).as_deref()), (None, Some("c")));
    }
}
