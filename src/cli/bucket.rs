//! `wharf bucket`: buckets, their quotas and their policies.

use std::path::PathBuf;

use http::Method;
use serde_json::{Value, json};

use super::key::read;
use super::output::{Listing, bytes, member, print, shown};
use super::session::{Connection, Failure, Path, Session, with_session};
use crate::config::{self, Variables};

/// The commands.
#[derive(clap::Subcommand)]
pub(super) enum Bucket {
    /// Make a bucket
    Create(Create),
    /// List the buckets with what they hold
    List(List),
    /// Delete an empty bucket
    Delete(One),
    /// Show or change how many bytes a bucket's objects may take together
    Quota(Quota),
    /// Show or change who may do what with a bucket
    Policy(SetPolicy),
}

/// `wharf bucket create`.
#[derive(clap::Args)]
pub(super) struct Create {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Let everybody read its objects
    #[arg(long)]
    public: bool,
    /// Most bytes its objects may take together
    #[arg(long, value_name = "SIZE")]
    quota: Option<String>,
    /// Print the bucket as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// `wharf bucket list`.
#[derive(clap::Args)]
pub(super) struct List {
    /// Only names that begin with this
    #[arg(long, default_value = "")]
    prefix: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A command about one bucket.
#[derive(clap::Args)]
pub(super) struct One {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    connection: Connection,
}

/// `wharf bucket quota`.
#[derive(clap::Args)]
pub(super) struct Quota {
    /// The bucket's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The new quota, such as 10GiB; without it the present one is printed
    #[arg(value_name = "SIZE")]
    size: Option<String>,
    /// Lift the quota
    #[arg(long, conflicts_with = "size")]
    none: bool,
    /// Print quota and usage as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// `wharf bucket policy`.
#[derive(clap::Args)]
pub(super) struct SetPolicy {
    /// The bucket's name
    #[arg(value_name = "NAME")]
    name: String,
    /// File with the new policy; without it the present one is printed
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take the policy away
    #[arg(long, conflicts_with = "file")]
    none: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Bucket {
    pub(super) fn run(self, variables: &Variables) -> Result<(), Failure> {
        match self {
            Self::Create(create) => {
                let quota = create.quota.as_deref().map(size).transpose()?;
                let body = json!({ "name": create.name, "public": create.public, "quota": quota });
                with_session(&create.connection, variables, |session| {
                    let made = session.ask(Method::POST, &Path::of(&["buckets"]), Some(&body))?;
                    if create.json { print(&made.to_string()) } else { Ok(()) }
                })
            }
            Self::List(list) => with_session(&list.connection, variables, |session| list.ask(session)),
            Self::Delete(one) => with_session(&one.connection, variables, |session| {
                session.ask(Method::DELETE, &Path::of(&["buckets", &one.name]), None).map(drop)
            }),
            Self::Quota(quota) => {
                let bytes = quota.size.as_deref().map(size).transpose()?;
                with_session(&quota.connection, variables, |session| quota.ask(session, bytes))
            }
            Self::Policy(set) => {
                let document = set.file.as_deref().map(document).transpose()?;
                with_session(&set.connection, variables, |session| set.ask(session, document.as_ref()))
            }
        }
    }
}

impl List {
    fn ask(&self, session: &Session) -> Result<(), Failure> {
        let columns = ["NAME", "OBJECTS", "BYTES", "QUOTA", "POLICY", "CREATED"];
        let mut listing = Listing::new(self.json, &columns);
        session.pages(&Path::of(&["buckets"]).query("prefix", &self.prefix), "buckets", |buckets| {
            listing.page(&buckets, |bucket| {
                let policy = if member(bucket, "policy").is_null() { "-" } else { "own" }.to_owned();
                let (held, quota) = (bytes(bucket, "bytes"), bytes(bucket, "quota"));
                vec![shown(bucket, "name"), shown(bucket, "objects"), held, quota, policy, shown(bucket, "created")]
            })
        })?;
        listing.end()
    }
}

impl Quota {
    fn ask(&self, session: &Session, new: Option<u64>) -> Result<(), Failure> {
        let quota = Path::of(&["buckets", &self.name, "quota"]);
        if self.none {
            return session.ask(Method::DELETE, &quota, None).map(drop);
        }
        if let Some(new) = new {
            return session.ask(Method::PUT, &quota, Some(&json!({ "bytes": new }))).map(drop);
        }
        let bucket = session.ask(Method::GET, &Path::of(&["buckets", &self.name]), None)?;
        if self.json {
            return print(&json!({ "quota": member(&bucket, "quota"), "bytes": member(&bucket, "bytes") }).to_string());
        }
        print(&bytes(&bucket, "quota"))
    }
}

impl SetPolicy {
    fn ask(&self, session: &Session, new: Option<&Value>) -> Result<(), Failure> {
        let path = Path::of(&["buckets", &self.name, "policy"]);
        match (new, self.none) {
            (Some(new), _) => session.ask(Method::PUT, &path, Some(new)).map(drop),
            (None, true) => session.ask(Method::DELETE, &path, None).map(drop),
            (None, false) => print(&session.ask(Method::GET, &path, None)?.to_string()),
        }
    }
}

fn size(text: &str) -> Result<u64, Failure> {
    config::size(text).map_err(|problem| Failure::usage(format!("the quota: {problem}")))
}

fn document(path: &std::path::Path) -> Result<Value, Failure> {
    serde_json::from_str(&read(path)?).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}
