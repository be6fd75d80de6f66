//! The data directory: who may use it (lock), whether this program understands it (format), and the kept credentials.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::rng::Rng;
use crate::config::Credentials;
use crate::config::credentials as file_format;
use crate::store::fsio::real::RealFs;
use crate::store::fsio::{Fs, HeldLock, create_data_directory};

/// The format of the data directory that this program writes; it reads every earlier one. 2: objects may share a body, which
/// a program that knows only 1 would remove with the first of them. 3: records say whose they are and who may read them, which
/// a program that knows only 2 would lose whenever it writes one anew, and buckets' objects are counted. 4: uploads of sessions,
/// whose counters a program that knows only 3 would not keep, and objects of more parts than it can count.
const FORMAT: u32 = 4;
/// The name of the file that keeps the format.
const FORMAT_FILE: &str = "FORMAT";
/// The name of the file that keeps the pair.
const CREDENTIALS: &str = "credentials";
/// The small files here are smaller than this.
const SMALL_FILE_MAX_BYTES: usize = 4096;

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The operating system refused.
    #[error("data directory {path}: {error}")]
    Io {
        /// What was to be read or made.
        path: PathBuf,
        /// Why it was not.
        error: std::io::Error,
    },
    /// Another process uses it.
    #[error("data directory {0} is in use by another wharf process")]
    InUse(PathBuf),
    /// A later version wrote it.
    #[error(
        "data directory {path} has format {found}; this version of wharf reads formats up to {FORMAT}: use a newer wharf"
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// There is no store in it, and whoever asks does not make one.
    #[error("{0} holds no store: name the --data-dir of a gateway that was started once")]
    NoStore(PathBuf),
    /// The catalog was there and is gone: an empty one in its place would make every blob an orphan.
    #[error(
        "{0} is missing or empty, but this data directory had a catalog: put it back, or start with an empty data directory"
    )]
    NoCatalog(PathBuf),
    /// A file in it is not what wharf wrote.
    #[error("{path} is unreadable: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A data directory that is ours until this is dropped.
pub(super) struct DataDir {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    _lock: HeldLock,
}

impl DataDir {
    /// Makes the directory where it is missing, locks it and checks its format.
    pub(super) fn open(path: &Path) -> Result<Self, DataDirError> {
        let fs: Arc<dyn Fs> = Arc::new(RealFs::new());
        create_data_directory(fs.as_ref(), path).map_err(at(path))?;
        let lock_path = path.join("wharf.lock");
        let lock = fs.lock(&lock_path).map_err(at(&lock_path))?.ok_or_else(|| DataDirError::InUse(path.to_owned()))?;
        let opened = Self { fs, path: path.to_owned(), _lock: lock };
        opened.check_format()?;
        Ok(opened)
    }

    /// Opens a directory that holds a store already; none is made.
    pub(super) fn open_existing(path: &Path) -> Result<Self, DataDirError> {
        match std::fs::metadata(path.join(FORMAT_FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(DataDirError::NoStore(path.to_owned())),
            Err(error) => Err(at(path)(error)),
            Ok(_) => Self::open(path),
        }
    }

    pub(super) fn fs(&self) -> &Arc<dyn Fs> {
        &self.fs
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn catalog_path(&self) -> PathBuf {
        self.path.join("catalog.redb")
    }

    /// The text of a small file in the directory, if there is one.
    pub(super) fn read_small(&self, name: &str) -> Result<Option<String>, DataDirError> {
        self.read_text(&self.path.join(name))
    }

    /// Sets the whole text of a small private file in the directory.
    pub(super) fn replace_small(&self, name: &str, text: &str) -> Result<(), DataDirError> {
        let path = self.path.join(name);
        self.fs.replace_file(&path, text.as_bytes()).map_err(at(&path))
    }

    /// The error of a small file that is not what wharf wrote.
    pub(super) fn unreadable(&self, name: &str, why: &str) -> DataDirError {
        DataDirError::Unreadable { path: self.path.join(name), why: why.to_owned() }
    }

    /// The kept pair, if there is one.
    pub(super) fn kept_credentials(&self) -> Result<Option<Credentials>, DataDirError> {
        let Some(text) = self.read_small(CREDENTIALS)? else { return Ok(None) };
        let parsed = file_format::parse(&text);
        parsed.map(Some).map_err(|error| self.unreadable(CREDENTIALS, &error.to_string()))
    }

    /// The kept pair; made, kept and said once on standard error when there is none.
    pub(super) fn credentials(&self, rng: &dyn Rng) -> Result<Credentials, DataDirError> {
        if let Some(credentials) = self.kept_credentials()? {
            return Ok(credentials);
        }
        let path = self.path.join(CREDENTIALS);
        let credentials = file_format::generate(rng);
        self.fs.replace_file(&path, file_format::render(&credentials).as_bytes()).map_err(at(&path))?;
        #[expect(clippy::print_stderr, reason = "said once to whoever starts the gateway, and never to the log")]
        {
            eprintln!("new root credentials, kept in {}:", path.display());
            eprintln!("  access key {}", credentials.access_key);
            eprintln!("  secret key {}", credentials.secret_key.expose());
        }
        Ok(credentials)
    }

    /// Writes the format where there is none or an earlier one. The catalog was opened and holds this run, nothing is written
    /// to it yet.
    pub(super) fn keep_format(&self) -> Result<(), DataDirError> {
        let path = self.path.join(FORMAT_FILE);
        if self.read_text(&path)?.is_some_and(|text| text.trim() == FORMAT.to_string()) {
            return Ok(());
        }
        self.fs.replace_file(&path, format!("{FORMAT}\n").as_bytes()).map_err(at(&path))
    }

    fn check_format(&self) -> Result<(), DataDirError> {
        let path = self.path.join(FORMAT_FILE);
        let Some(text) = self.read_text(&path)? else { return Ok(()) };
        let catalog = self.catalog_path();
        let len = match self.fs.open(&catalog).and_then(|file| file.len()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            len => len.map_err(at(&catalog))?,
        };
        if len == 0 {
            return Err(DataDirError::NoCatalog(catalog));
        }
        let digits = text.trim();
        match digits
            .parse::<u32>()
            .ok()
            .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .unwrap_or_default()
        {
            1..=FORMAT => Ok(()),
            found if found > FORMAT => Err(DataDirError::Newer { path: self.path.clone(), found }),
            _ => Err(DataDirError::Unreadable { path, why: "it does not hold a format number".to_owned() }),
        }
    }

    fn read_text(&self, path: &Path) -> Result<Option<String>, DataDirError> {
        let Some(bytes) = self.fs.read_file(path, SMALL_FILE_MAX_BYTES).map_err(at(path))? else { return Ok(None) };
        let unreadable = |_| DataDirError::Unreadable { path: path.to_owned(), why: "it is not UTF-8".to_owned() };
        String::from_utf8(bytes).map(Some).map_err(unreadable)
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> DataDirError {
    let path = path.to_owned();
    |error| DataDirError::Io { path, error }
}
