//! `wharf upload`: open multipart uploads.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::output::{Listing, age, bytes, print, shown};
use super::session::{Connection, Failure, Path, Session, with_session};
use crate::config::{self, Variables};

/// The commands.
#[derive(clap::Subcommand)]
pub(super) enum Upload {
    /// List open uploads with their age and the bytes they hold
    List(List),
    /// Abort one upload, or all that have been idle for long
    Abort(Abort),
}

/// Which uploads.
#[derive(clap::Args)]
pub(super) struct Filter {
    /// Only uploads to this bucket
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// Only uploads of keys that begin with this
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only uploads that nothing was sent to for this long, such as 7d
    #[arg(long, value_name = "DURATION")]
    older_than: Option<String>,
}

/// `wharf upload list`.
#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// `wharf upload abort`.
#[derive(clap::Args)]
pub(super) struct Abort {
    /// Bucket, key and upload id of one upload
    #[arg(value_names = ["BUCKET", "KEY", "UPLOAD_ID"], num_args = 3, required_unless_present = "older_than")]
    #[arg(conflicts_with_all = ["older_than", "bucket", "prefix"])]
    upload: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    connection: Connection,
}

impl Upload {
    pub(super) fn run(self, variables: &Variables) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                let idle = list.filter.idle()?;
                with_session(&list.connection, variables, |session| list.ask(session, idle))
            }
            Self::Abort(abort) => {
                let idle = abort.filter.idle()?;
                with_session(&abort.connection, variables, |session| abort.ask(session, idle))
            }
        }
    }
}

impl Filter {
    /// How long an upload has to be idle.
    fn idle(&self) -> Result<Duration, Failure> {
        let text = self.older_than.as_deref().unwrap_or("0s");
        config::duration(text).map_err(|problem| Failure::usage(format!("--older-than: {problem}")))
    }

    fn pages(
        &self,
        session: &Session,
        idle: Duration,
        mut show: impl FnMut(Vec<Value>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut path = Path::of(&["uploads"]).query("prefix", &self.prefix);
        if let Some(bucket) = &self.bucket {
            path = path.query("bucket", bucket);
        }
        session.pages(&path, "uploads", |mut uploads| {
            uploads.retain(|upload| {
                upload.get("idleSeconds").and_then(Value::as_u64).is_some_and(|seconds| seconds >= idle.as_secs())
            });
            show(uploads)
        })
    }
}

impl List {
    fn ask(&self, session: &Session, idle: Duration) -> Result<(), Failure> {
        let columns = ["BUCKET", "KEY", "UPLOAD ID", "AGE", "IDLE", "PARTS", "BYTES"];
        let mut listing = Listing::new(self.json, &columns);
        self.filter.pages(session, idle, |uploads| {
            listing.page(&uploads, |upload| {
                let name = |name: &str| shown(upload, name);
                let (since, idle) = (age(upload, "ageSeconds"), age(upload, "idleSeconds"));
                vec![name("bucket"), name("key"), name("uploadId"), since, idle, name("parts"), bytes(upload, "bytes")]
            })
        })?;
        listing.end()
    }
}

impl Abort {
    fn ask(&self, session: &Session, idle: Duration) -> Result<(), Failure> {
        let abort = |bucket: &str, key: &str, id: &str| {
            let path = Path::of(&["uploads", id]).query("bucket", bucket).query("key", key);
            session.ask(Method::DELETE, &path, None).map(drop)
        };
        if let [bucket, key, id] = self.upload.as_slice() {
            return abort(bucket, key, id);
        }
        let mut aborted = 0_u64;
        self.filter.pages(session, idle, |uploads| {
            for upload in uploads {
                let text = |name: &str| upload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                abort(&text("bucket"), &text("key"), &text("uploadId"))?;
                aborted += 1;
            }
            Ok(())
        })?;
        print(&format!("{aborted} aborted"))
    }
}
