//! `wharf key`: access keys beside the root key, and API tokens.

use std::path::{Path as FilePath, PathBuf};

use http::Method;
use serde_json::{Value, json};

use super::output::{Listing, aligned, member, print, shown};
use super::session::{Connection, Failure, Path, Session, with_session};
use crate::auth::policy::Policy;
use crate::config::{self, Variables};

/// The commands.
#[derive(clap::Subcommand)]
pub(super) enum Key {
    /// Make an access key and show its secret, once
    Create(Create),
    /// List the access keys
    List(List),
    /// Refuse an access key from the next request on, and everything it gave out
    Disable(One),
    /// Accept a disabled access key again
    Enable(One),
    /// Delete an access key and its tokens
    Delete(One),
    /// Show or change what an access key may do
    Policy(SetPolicy),
    /// Make a bearer token for the API with the rights of an access key; list or end its tokens
    Token(Token),
}

/// `wharf key create`.
#[derive(clap::Args)]
pub(super) struct Create {
    /// Its id: 3 to 128 letters, digits and any of -_.@+; drawn where it is left out
    #[arg(value_name = "ACCESS_KEY")]
    id: Option<String>,
    /// What it may do: readwrite, readonly, writeonly, owner (everything in buckets of its own), or a file with a policy;
    /// without one only what buckets allow it
    #[arg(long, value_name = "FILE|readwrite|readonly|writeonly|owner")]
    policy: Option<String>,
    /// File that holds its secret, of at least 8 characters; drawn where it is left out
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// Print {"accessKey","secretKey"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// `wharf key list`.
#[derive(clap::Args)]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A command about one key.
#[derive(clap::Args)]
pub(super) struct One {
    /// The key's id
    #[arg(value_name = "ACCESS_KEY")]
    id: String,
    #[command(flatten)]
    connection: Connection,
}

/// `wharf key policy`.
#[derive(clap::Args)]
pub(super) struct SetPolicy {
    /// The key's id
    #[arg(value_name = "ACCESS_KEY")]
    id: String,
    /// Its new policy, as for create; without it the present one is printed
    #[arg(value_name = "FILE|readwrite|readonly|writeonly|owner")]
    policy: Option<String>,
    /// Take its policy away
    #[arg(long, conflicts_with = "policy")]
    none: bool,
    #[command(flatten)]
    connection: Connection,
}

/// `wharf key token`.
#[derive(clap::Args)]
pub(super) struct Token {
    /// The key's id
    #[arg(value_name = "ACCESS_KEY")]
    id: String,
    /// How long the token lives, at most 366d
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    expires: String,
    /// What narrows it: as for create
    #[arg(long, value_name = "FILE|readwrite|readonly|writeonly|owner")]
    policy: Option<String>,
    /// List the key's tokens instead, by their ids
    #[arg(long, conflicts_with_all = ["policy", "end", "end_all"])]
    list: bool,
    /// End the token of this id instead
    #[arg(long, value_name = "ID", conflicts_with = "policy")]
    end: Option<String>,
    /// End all tokens of the key instead
    #[arg(long, conflicts_with_all = ["policy", "end"])]
    end_all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Key {
    pub(super) fn run(self, variables: &Variables) -> Result<(), Failure> {
        match self {
            Self::Create(create) => {
                let body = create.body()?;
                with_session(&create.connection, variables, |session| create.ask(session, &body))
            }
            Self::List(list) => with_session(&list.connection, variables, |session| list.ask(session)),
            Self::Disable(one) => one.enable(variables, false),
            Self::Enable(one) => one.enable(variables, true),
            Self::Delete(one) => with_session(&one.connection, variables, |session| {
                session.ask(Method::DELETE, &Path::of(&["keys", &one.id]), None).map(drop)
            }),
            Self::Policy(set) => {
                let change = match (&set.policy, set.none) {
                    (Some(policy), _) => Some(json!({ "policy": policy_of(policy)? })),
                    (None, true) => Some(json!({ "policy": null })),
                    (None, false) => None,
                };
                with_session(&set.connection, variables, |session| set.ask(session, change))
            }
            Self::Token(token) => {
                let seconds = config::duration(&token.expires)
                    .map_err(|problem| Failure::usage(format!("--expires: {problem}")))?
                    .as_secs();
                let policy = token.policy.as_deref().map(policy_of).transpose()?;
                let body = json!({ "expiresIn": seconds, "policy": policy });
                with_session(&token.connection, variables, |session| token.ask(session, &body))
            }
        }
    }
}

impl Create {
    fn body(&self) -> Result<Value, Failure> {
        let secret = match &self.secret_key_file {
            Some(path) => Some(read(path)?.trim_end_matches(['\r', '\n']).to_owned()),
            None => None,
        };
        let policy = self.policy.as_deref().map(policy_of).transpose()?;
        Ok(json!({ "accessKey": self.id, "secretKey": secret, "policy": policy, "name": self.name }))
    }

    fn ask(&self, session: &Session, body: &Value) -> Result<(), Failure> {
        let made = session.ask(Method::POST, &Path::of(&["keys"]), Some(body))?;
        if self.json {
            return print(
                &json!({ "accessKey": member(&made, "accessKey"), "secretKey": member(&made, "secretKey") })
                    .to_string(),
            );
        }
        let rows = [("access key", "accessKey"), ("secret key", "secretKey")];
        print(&aligned(None, rows.iter().map(|(title, name)| vec![(*title).to_owned(), shown(&made, name)]).collect()))
    }
}

impl List {
    fn ask(&self, session: &Session) -> Result<(), Failure> {
        let mut listing = Listing::new(self.json, &["ACCESS KEY", "ENABLED", "POLICY", "CREATED", "NAME"]);
        session.pages(&Path::of(&["keys"]), "keys", |keys| {
            listing.page(&keys, |key| {
                vec![
                    shown(key, "accessKey"),
                    shown(key, "enabled"),
                    policy(key),
                    shown(key, "created"),
                    shown(key, "name"),
                ]
            })
        })?;
        listing.end()
    }
}

impl One {
    fn enable(&self, variables: &Variables, enabled: bool) -> Result<(), Failure> {
        with_session(&self.connection, variables, |session| {
            let body = json!({ "enabled": enabled });
            session.ask(Method::PATCH, &Path::of(&["keys", &self.id]), Some(&body)).map(drop)
        })
    }
}

impl SetPolicy {
    fn ask(&self, session: &Session, change: Option<Value>) -> Result<(), Failure> {
        let path = Path::of(&["keys", &self.id]);
        match change {
            Some(change) => session.ask(Method::PATCH, &path, Some(&change)).map(drop),
            None => print(&member(&session.ask(Method::GET, &path, None)?, "policy").to_string()),
        }
    }
}

impl Token {
    fn ask(&self, session: &Session, body: &Value) -> Result<(), Failure> {
        let path = Path::of(&["keys", &self.id, "tokens"]);
        if let Some(id) = &self.end {
            return session.ask(Method::DELETE, &Path::of(&["keys", &self.id, "tokens", id]), None).map(drop);
        }
        if self.end_all {
            return session.ask(Method::DELETE, &path, None).map(drop);
        }
        if self.list {
            let mut listing = Listing::new(self.json, &["ID", "POLICY", "CREATED", "EXPIRES"]);
            session.pages(&path, "tokens", |tokens| {
                listing.page(&tokens, |token| {
                    vec![shown(token, "id"), policy(token), shown(token, "created"), shown(token, "expires")]
                })
            })?;
            return listing.end();
        }
        let made = session.ask(Method::POST, &path, Some(body))?;
        print(&if self.json { made.to_string() } else { shown(&made, "token") })
    }
}

/// The name of a canned policy, or "own" for any other.
fn policy(item: &Value) -> String {
    match item.get("policy") {
        Some(Value::Object(_)) => "own".to_owned(),
        _ => shown(item, "policy"),
    }
}

/// A canned policy by its name, or the text of a file.
fn policy_of(text: &str) -> Result<String, Failure> {
    if Policy::CANNED.contains(&text) { Ok(text.to_owned()) } else { read(FilePath::new(text)) }
}

/// The text of a small file that a flag names.
pub(super) fn read(path: &FilePath) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}
