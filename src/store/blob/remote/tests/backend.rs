//! A backend that notes what it is asked, fails where it is told to, and can be as awkward as the least of the real ones.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// How long an abort in the background may take before a test gives it up.
const ABORT_MAX: Duration = Duration::from_secs(60);
/// How long a part takes, so that a writer could begin too many at once.
const PART_TIME: Duration = Duration::from_millis(20);

/// What a backend is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Put,
    Begin,
    Part,
    Complete,
    Get,
    Delete,
    List,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing happens.
    Broken,
    /// Nothing happens, and the backend says that it is full.
    Full,
    /// It happens, and whoever asked is told that the name was taken: what a client's second attempt meets.
    Lost,
}

/// A store in memory under observation.
#[derive(Debug, Default)]
pub(super) struct Backend {
    inner: InMemory,
    notes: Arc<Notes>,
    /// No suffix ranges (Azure), no conditional puts (old S3 look-alikes), listings backwards (a directory has any order).
    awkward: bool,
}

#[derive(Debug, Default)]
struct Notes {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<Call, usize>,
    fault: Option<(Call, usize, Fault)>,
    /// Uploads neither completed nor aborted.
    open_uploads: usize,
    parts: Vec<usize>,
    in_flight: usize,
    in_flight_most: usize,
}

impl Backend {
    pub(super) fn awkward() -> Self {
        Self { awkward: true, ..Self::default() }
    }

    /// The call after so many others of its kind fails, once.
    pub(super) fn fail(&self, call: Call, passing: usize, fault: Fault) {
        self.notes.state.lock().unwrap().fault = Some((call, passing, fault));
    }

    pub(super) fn calls(&self, call: Call) -> usize {
        self.notes.state.lock().unwrap().calls.get(&call).copied().unwrap_or_default()
    }

    /// Bytes of every part so far, and the most parts at once.
    pub(super) fn parts(&self) -> (Vec<usize>, usize) {
        let state = self.notes.state.lock().unwrap();
        (state.parts.clone(), state.in_flight_most)
    }

    /// Waits until no upload is open.
    pub(super) fn wait_for_aborts(&self) {
        let open = self.notes.state.lock().unwrap();
        let (open, _) = self.notes.changed.wait_timeout_while(open, ABORT_MAX, |state| state.open_uploads > 0).unwrap();
        assert_eq!(open.open_uploads, 0, "uploads are left open");
    }
}

impl Notes {
    /// Notes a call. Fails where a test wants it; true where only its answer is to be lost.
    fn asked(&self, call: Call) -> Result<bool> {
        let mut state = self.state.lock().unwrap();
        *state.calls.entry(call).or_default() += 1;
        let Some((failing, passing, fault)) = state.fault.take_if(|(failing, ..)| *failing == call) else {
            return Ok(false);
        };
        if passing > 0 {
            state.fault = Some((failing, passing - 1, fault));
            return Ok(false);
        }
        match fault {
            Fault::Broken => Err(Error::Generic { store: "tests", source: "the backend broke".into() }),
            Fault::Full => {
                Err(Error::Generic { store: "tests", source: io::Error::from(io::ErrorKind::StorageFull).into() })
            }
            Fault::Lost => Ok(true),
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

fn taken(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "there is such an object".into() }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a backend of tests")
    }
}

#[async_trait]
impl ObjectStore for Backend {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.awkward && options.mode == PutMode::Create {
            let (operation, implementer) = ("a conditional put".to_owned(), self.to_string());
            return Err(Error::NotImplemented { operation, implementer });
        }
        let lost = self.notes.asked(Call::Put)?;
        let stored = self.inner.put_opts(path, payload, options).await?;
        if lost { Err(taken(path)) } else { Ok(stored) }
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.notes.asked(Call::Begin)?;
        let inner = self.inner.put_multipart_opts(path, options).await?;
        self.notes.change(|state| state.open_uploads += 1);
        Ok(Box::new(Upload { inner, notes: Arc::clone(&self.notes) }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if self.awkward && matches!(options.range, Some(GetRange::Suffix(_))) {
            return Err(Error::NotSupported { source: "suffix ranges".into() });
        }
        if !options.head {
            self.notes.asked(Call::Get)?;
        }
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, notes) = (self.inner.clone(), Arc::clone(&self.notes));
        let paths = paths.and_then(move |path| {
            let (inner, notes) = (inner.clone(), Arc::clone(&notes));
            async move {
                notes.asked(Call::Delete)?;
                // The store in memory finds nothing missing; Google's and Azure's do.
                inner.get_opts(&path, GetOptions::new().with_head(true)).await?;
                inner.delete_stream(stream::iter([Ok(path.clone())]).boxed()).try_collect::<Vec<_>>().await?;
                Ok(path)
            }
        });
        paths.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = self.notes.asked(Call::List) {
            return stream::iter([Err(error)]).boxed();
        }
        let objects = self.inner.list(prefix);
        if !self.awkward {
            return objects;
        }
        let backwards = objects.collect::<Vec<_>>();
        stream::once(backwards).flat_map(|objects| stream::iter(objects.into_iter().rev())).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.notes.asked(Call::List)?;
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        if self.awkward {
            listed.common_prefixes.reverse();
        }
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    notes: Arc<Notes>,
}

/// A part under way, however it ends.
struct InFlight(Arc<Notes>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.change(|state| state.in_flight -= 1);
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let asked = self.notes.asked(Call::Part);
        self.notes.change(|state| {
            state.parts.push(data.content_length());
            state.in_flight += 1;
            state.in_flight_most = state.in_flight_most.max(state.in_flight);
        });
        let in_flight = InFlight(Arc::clone(&self.notes));
        let sent = self.inner.put_part(data);
        Box::pin(async move {
            let _in_flight = in_flight;
            tokio::time::sleep(PART_TIME).await;
            asked?;
            sent.await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.notes.asked(Call::Complete)?;
        let completed = self.inner.complete().await?;
        self.notes.change(|state| state.open_uploads -= 1);
        Ok(completed)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await?;
        self.notes.change(|state| state.open_uploads -= 1);
        Ok(())
    }
}
