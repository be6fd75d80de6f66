//! Settings: flag over environment over file over default, into one validated [`Config`].
//!
//! - [`settings::SETTINGS`] is the only list: flags, help, environment variables, file keys, defaults and the commented
//!   file `config/wharf.toml` derive from it.
//! - A higher layer replaces a setting whole: lists are not merged.
//! - An environment variable that is set but empty counts as unset, so that compose files can pass through what may be
//!   missing. An unknown flag, `WHARF_*` variable or key of the file is an error that names it.
//! - Secrets are [`Secret`]: no `Debug`, log line or error shows them.
//!
//! Absent on purpose: reading the environment (the caller passes it in), writing any file, opening sockets or the store,
//! and settings of features that do not exist, but for `api-public-url` and `internal-url`, which are checked here and wait for
//! the upload API.

pub mod credentials;
mod layers;
pub mod settings;
mod urls;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::store::fsio::Durability;
pub use crate::store::room::Reserve;
use crate::store::types::BucketName;
use crate::wire::base_url::BaseUrl;
use crate::wire::cors::Pattern;
use crate::wire::destination::Destinations;
use crate::wire::network::Networks;
use crate::wire::url::HttpUrl;

pub use layers::{Flags, StoreFlags, Variables};
use settings::{SETTINGS, Setting};
pub use urls::{presign_life, reachable};
pub use values::{bucket_name, duration, size};

/// Everything a gateway is told, checked. Addresses, paths and times are ready to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where catalog, blobs, lock file and credentials live.
    pub data_dir: PathBuf,
    /// Listeners of the S3 dialect, at least one.
    pub s3_listen: Vec<SocketAddr>,
    /// Listeners of API, health and metrics, at least one.
    pub api_listen: Vec<SocketAddr>,
    /// The root credentials; none means the pair kept in the data directory.
    pub credentials: Option<Credentials>,
    /// The region that requests are signed for.
    pub region: String,
    /// Buckets made at start where they are missing.
    pub buckets: Vec<StartBucket>,
    /// What clients reach the S3 listeners as; empty where nobody said.
    pub public_urls: Vec<BaseUrl>,
    /// What clients reach the API listeners as.
    pub api_public_url: Option<BaseUrl>,
    /// What the generator reaches the S3 listeners as.
    pub internal_url: Option<BaseUrl>,
    /// Listeners of `wharf generator`, at least one.
    pub generator_listen: Vec<SocketAddr>,
    /// The generator that generations are sent to; none means the gateway's own.
    pub generator_url: Option<BaseUrl>,
    /// What a generator asks for as bearer token.
    pub generator_token: Option<Secret>,
    /// Where a generator may be told to send parts and reports.
    pub generator_allow: Destinations,
    /// The API a generator reports to: what it is told, and what it takes where it is told none.
    pub callback_base_url: Option<HttpUrl>,
    /// Where callbacks may go.
    pub callback_allow: Destinations,
    /// Authorities that our own clients trust beside the certificate of `tls`.
    pub ca_file: Option<PathBuf>,
    /// Host names, in lower case, under which `bucket.DOMAIN` addresses a bucket.
    pub domains: Vec<String>,
    /// Origins whose pages may use every bucket, beside the console's own.
    pub cors_allow_origins: Vec<Pattern>,
    /// Proxies whose word for the client's host, scheme and address is taken.
    pub trusted_proxies: Networks,
    /// Certificate and key of every listener; none serves plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether the gateway makes those files itself where they are missing.
    pub tls_self_signed: bool,
    /// What a 200 promises.
    pub durability: Durability,
    /// How long a multipart upload may stay idle.
    pub expire_uploads: Duration,
    /// Free bytes kept back.
    pub reserve: Reserve,
    /// How long the URLs live that wharf presigns.
    pub presign_expires: Duration,
    /// Whether URLs presigned with signature version 2 are accepted.
    pub sigv2_presign: bool,
    /// How long requests in flight may take to finish after SIGTERM.
    pub drain_timeout: Duration,
    /// Directives of `tracing_subscriber::EnvFilter`, known to parse.
    pub log: String,
}

/// A bucket that is to be there from the start on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartBucket {
    /// Its name.
    pub name: BucketName,
    /// Whether everybody may read its objects, by its policy, unless it has one already.
    pub public: bool,
}

/// An access key and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The public half, as it stands in every request.
    pub access_key: String,
    /// The half that signs.
    pub secret_key: Secret,
}

/// Text that is never shown: its `Debug` hides it and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for signing and for the credentials file.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The files of a TLS server, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, its own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A setting that cannot be used: one line that names the setting, where its value came from and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} ({origin}): {problem}")]
pub struct ConfigError {
    setting: String,
    origin: Origin,
    problem: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Environment(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl ConfigError {
    fn new(setting: impl Into<String>, origin: Origin, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), origin, problem: problem.into() }
    }

    /// The name of the setting at fault.
    pub fn setting(&self) -> &str {
        &self.setting
    }
}

impl Config {
    /// Lays `flags` over `variables` over the file that either names over the defaults, and checks the whole.
    ///
    /// Reads the settings file and the files that `..._FILE` variables name, and nothing else. Errors name the setting
    /// and where its value came from.
    pub fn load(flags: &Flags, variables: &Variables) -> Result<Self, ConfigError> {
        let values = layers::resolve(flags, variables)?;
        let mut draft = Draft::blank();
        let mut origins = BTreeMap::new();
        for setting in SETTINGS {
            let (origin, texts) = match values.get(setting.name) {
                Some(value) => (value.origin.clone(), value.texts.clone()),
                None => match setting.default {
                    settings::Default::Text(text) => (Origin::Default, vec![text.to_owned()]),
                    settings::Default::Absent(_) => continue,
                },
            };
            (setting.set)(&mut draft, &texts)
                .map_err(|problem| ConfigError::new(setting.name, origin.clone(), problem))?;
            origins.insert(setting.name, origin);
        }
        draft.finish().map_err(|(setting, problem)| {
            ConfigError::new(setting, origins.remove(setting).unwrap_or(Origin::Default), problem)
        })
    }
}

/// A configuration under construction: what the rows of the table write to.
#[derive(Debug)]
pub(crate) struct Draft {
    config: Config,
    access_key: Option<String>,
    secret_key: Option<Secret>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
}

impl Draft {
    /// Placeholders: every setting with a default writes its own.
    fn blank() -> Self {
        Self {
            config: Config {
                data_dir: PathBuf::new(),
                s3_listen: Vec::new(),
                api_listen: Vec::new(),
                credentials: None,
                region: String::new(),
                buckets: Vec::new(),
                public_urls: Vec::new(),
                api_public_url: None,
                internal_url: None,
                generator_listen: Vec::new(),
                generator_url: None,
                generator_token: None,
                generator_allow: Destinations::default(),
                callback_base_url: None,
                callback_allow: Destinations::default(),
                ca_file: None,
                domains: Vec::new(),
                cors_allow_origins: Vec::new(),
                trusted_proxies: Networks::default(),
                tls: None,
                tls_self_signed: false,
                durability: Durability::Strict,
                expire_uploads: Duration::ZERO,
                reserve: Reserve::Standard,
                presign_expires: Duration::ZERO,
                sigv2_presign: false,
                drain_timeout: Duration::ZERO,
                log: String::new(),
            },
            access_key: None,
            secret_key: None,
            tls_cert: None,
            tls_key: None,
        }
    }

    /// What one setting alone cannot know: pairs are whole, and no two listeners want one address. An error names the
    /// setting that was given.
    fn finish(self) -> Result<Config, (&'static str, String)> {
        let mut config = self.config;
        config.credentials = match (self.access_key, self.secret_key) {
            (Some(access_key), Some(secret_key)) => Some(Credentials { access_key, secret_key }),
            (None, None) => None,
            (Some(_), None) => return Err(("access-key", "needs secret-key beside it".to_owned())),
            (None, Some(_)) => return Err(("secret-key", "needs access-key beside it".to_owned())),
        };
        config.tls = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err(("tls-cert", "needs tls-key beside it".to_owned())),
            (None, Some(_)) => return Err(("tls-key", "needs tls-cert beside it".to_owned())),
        };
        if config.tls_self_signed && config.tls.is_some() {
            return Err(("tls-self-signed", "cannot be on beside tls-cert and tls-key".to_owned()));
        }
        if config.tls_self_signed {
            let file = |name| config.data_dir.join(name);
            config.tls = Some(TlsFiles { cert: file("tls.crt"), key: file("tls.key") });
        }
        let fixed = |address: &&SocketAddr| address.port() != 0;
        if let Some(shared) = config.api_listen.iter().filter(fixed).find(|address| config.s3_listen.contains(address))
        {
            return Err(("api-listen", format!("{shared} is already an address of s3-listen")));
        }
        Ok(config)
    }
}

/// The settings file with every key commented out at its default: the text of `config/wharf.toml`.
pub fn sample_file() -> String {
    let head = "# wharf's settings. Flags and WHARF_* environment variables win over this file (wharf serve --help).\n\
                # Every key stands here with its default, commented out; an unknown key is an error.\n\
                # Relative paths are relative to the directory wharf is started in.\n";
    SETTINGS
        .iter()
        .filter(|setting| setting.in_file)
        .fold(head.to_owned(), |text, setting| text + "\n" + &sample(setting))
}

fn sample(setting: &Setting) -> String {
    let (note, value) = match setting.default {
        settings::Default::Text(text) => (String::new(), text),
        settings::Default::Absent(what) => (format!(" Default: {what}."), setting.example),
    };
    let value = if setting.many { format!("[\"{value}\"]") } else { format!("\"{value}\"") };
    format!("# {}.{note}\n# {} = {value}\n", setting.about, setting.name)
}
