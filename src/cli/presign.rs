//! `wharf presign`: mints a presigned URL, or explains one. No gateway is needed: keys, region and public URL come from the
//! settings, and where no keys are set, from the data directory.

mod explain;

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use http::Method;

use crate::auth::parse_amz_date;
use crate::auth::presign::{AddressingStyle, PresignError, PresignKey, PresignRequest, mint};
use crate::base::clock::{Clock as _, SystemClock, Timestamp};
use crate::base::limits::PARTS_MAX;
use crate::config::{Config, Credentials, Flags, credentials, presign_life};
use crate::store::types::{BucketName, ObjectKey};

/// The exit code of a URL that would be refused, and of what the machine refuses.
const FAILED: u8 = 1;

/// What the command line says, settings included.
#[derive(clap::Args)]
pub(super) struct Presign {
    /// What the URL is for
    #[arg(value_enum, required_unless_present = "explain")]
    operation: Option<Operation>,
    /// The object, or for list the bucket with a prefix: s3://bucket/key
    #[arg(value_name = "S3_URI", required_unless_present = "explain")]
    target: Option<String>,
    /// How long the URL lives, 1s to 7d [default: --presign-expires]
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    /// The upload, for part, complete, abort and list-parts
    #[arg(long, value_name = "ID")]
    upload_id: Option<String>,
    /// The number of the part, for part
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(PARTS_MAX)))]
    part: Option<u16>,
    /// A header that whoever uses the URL must send with this value; several allowed
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// A further query parameter, such as response-content-type=text/plain; several allowed
    #[arg(long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// The time the URL is signed or judged at, such as 20260101T000000Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The bucket stands in the host: bucket.HOST/key
    #[arg(long)]
    virtual_host: bool,
    /// The session token of temporary credentials
    #[arg(long, value_name = "TOKEN")]
    session_token: Option<String>,
    /// Say which checks this URL passes, which one it fails, and what was expected; nothing is sent
    #[arg(long, value_name = "URL", conflicts_with_all = MINTING)]
    explain: Option<String>,
    /// The method the explained URL is used with [default: GET]
    #[arg(long)]
    method: Option<String>,
    #[command(flatten)]
    settings: Flags,
}

/// What only a URL that is being made has.
const MINTING: [&str; 8] =
    ["operation", "target", "expires", "upload_id", "part", "query", "virtual_host", "session_token"];

/// The operations that have a URL of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Operation {
    /// GetObject
    Get,
    /// PutObject
    Put,
    /// HeadObject
    Head,
    /// DeleteObject
    Delete,
    /// UploadPart
    Part,
    /// CreateMultipartUpload
    Create,
    /// CompleteMultipartUpload
    Complete,
    /// AbortMultipartUpload
    Abort,
    /// ListParts
    ListParts,
    /// ListObjectsV2
    List,
}

/// Why there is no URL.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}: {1}")]
    Argument(&'static str, String),
    #[error("{0}")]
    Mint(#[from] PresignError),
    #[error(
        "access-key: none is set, and there is no {0} to take it from; give --access-key and --secret-key, or --data-dir"
    )]
    NoKeys(PathBuf),
    #[error("{0}: {1}")]
    Credentials(PathBuf, String),
    #[error("s3-listen: port 0 is picked when the gateway starts, so a URL cannot know it; give --public-url")]
    UnknownPort,
}

impl Presign {
    /// The settings among the flags.
    pub(super) fn settings(&self) -> &Flags {
        &self.settings
    }

    /// Prints the URL or its explanation.
    pub(super) fn run(&self, config: &Config) -> ExitCode {
        let done = match &self.explain {
            Some(url) => explain::explain(self, url, config),
            None => self.minted(config).map(|url| (format!("{url}\n"), ExitCode::SUCCESS)),
        };
        match done {
            Ok((text, code)) => print(&text, code),
            Err(refusal) => super::failure(&refusal, super::USAGE),
        }
    }

    fn minted(&self, config: &Config) -> Result<String, Refusal> {
        let (Some(operation), Some(target)) = (self.operation, &self.target) else {
            return Err(Refusal::Argument("presign", "needs an operation and s3://bucket/key".to_owned()));
        };
        if self.method.is_some() {
            return Err(Refusal::Argument("--method", format!("is for --explain; {operation} has its own")));
        }
        let (bucket, rest) = parse_target(target)?;
        let query = self.parameters(operation, rest)?;
        let object = match operation {
            Operation::List => None,
            _ => Some(object_key(rest)?),
        };
        let headers = self.headers()?;
        let credentials = credentials_of(config)?;
        let expires = match &self.expires {
            Some(text) => presign_life(text).map_err(|problem| Refusal::Argument("--expires", problem))?,
            None => config.presign_expires,
        };
        let base = config.presign_base().ok_or(Refusal::UnknownPort)?;
        Ok(mint(&PresignRequest {
            key: PresignKey {
                access_key_id: &credentials.access_key,
                secret: credentials.secret_key.expose(),
                session_token: self.session_token.as_deref(),
            },
            region: &config.region,
            method: &operation.method(),
            base: &base,
            style: if self.virtual_host { AddressingStyle::VirtualHost } else { AddressingStyle::Path },
            bucket: bucket.as_str(),
            object: object.as_ref().map(ObjectKey::as_str),
            query: &borrowed(&query),
            headers: &borrowed(&headers),
            expires,
            time: self.time()?,
        })?)
    }

    /// The operation's own parameters, and behind them those of `--query`.
    fn parameters(&self, operation: Operation, prefix: &str) -> Result<Vec<(String, String)>, Refusal> {
        let upload = self.option(operation.is_of_an_upload(), "--upload-id", self.upload_id.as_ref(), operation)?;
        let part = self.option(operation == Operation::Part, "--part", self.part.as_ref(), operation)?;
        let own: [Option<(&str, String)>; 5] = [
            (operation == Operation::Create).then(|| ("uploads", String::new())),
            (operation == Operation::List).then(|| ("list-type", "2".to_owned())),
            (operation == Operation::List && !prefix.is_empty()).then(|| ("prefix", prefix.to_owned())),
            part.map(|number| ("partNumber", number.to_string())),
            upload.map(|id| ("uploadId", id.clone())),
        ];
        let own = own.into_iter().flatten().map(|(name, value)| (name.to_owned(), value));
        let further = self.query.iter().map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        });
        Ok(own.chain(further).collect())
    }

    /// An option that some operations need and the others have no use for.
    fn option<'a, T>(
        &self,
        needed: bool,
        name: &'static str,
        value: Option<&'a T>,
        operation: Operation,
    ) -> Result<Option<&'a T>, Refusal> {
        match (needed, value) {
            (true, None) => Err(Refusal::Argument(name, format!("{operation} needs it"))),
            (false, Some(_)) => Err(Refusal::Argument(name, format!("{operation} has no use for it"))),
            (_, value) => Ok(value),
        }
    }

    fn headers(&self) -> Result<Vec<(String, String)>, Refusal> {
        let parse = |text: &String| match text.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(Refusal::Argument("--header", format!("expected 'name: value', found {text:?}"))),
        };
        self.header.iter().map(parse).collect()
    }

    fn time(&self) -> Result<Timestamp, Refusal> {
        let Some(text) = &self.at else { return Ok(SystemClock.now()) };
        parse_amz_date(text).ok_or_else(|| {
            Refusal::Argument("--at", format!("expected a time such as 20260101T000000Z, found {text:?}"))
        })
    }
}

impl Operation {
    fn method(self) -> Method {
        match self {
            Self::Get | Self::ListParts | Self::List => Method::GET,
            Self::Put | Self::Part => Method::PUT,
            Self::Head => Method::HEAD,
            Self::Delete | Self::Abort => Method::DELETE,
            Self::Create | Self::Complete => Method::POST,
        }
    }

    fn is_of_an_upload(self) -> bool {
        matches!(self, Self::Part | Self::Complete | Self::Abort | Self::ListParts)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = clap::ValueEnum::to_possible_value(self);
        f.write_str(value.as_ref().map_or("it", |value| value.get_name()))
    }
}

/// Bucket, and what stands behind its slash.
fn parse_target(target: &str) -> Result<(BucketName, &str), Refusal> {
    let wrong = || Refusal::Argument("S3_URI", format!("expected s3://bucket/key, found {target:?}"));
    let rest = target.strip_prefix("s3://").ok_or_else(wrong)?;
    let (bucket, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let name = BucketName::parse(bucket)
        .ok_or_else(|| Refusal::Argument("S3_URI", format!("{bucket:?} is not a bucket name")))?;
    Ok((name, rest))
}

fn object_key(text: &str) -> Result<ObjectKey, Refusal> {
    let problem = if text.is_empty() { "names no object" } else { "the key is longer than 1024 bytes" };
    ObjectKey::parse(text).ok_or_else(|| Refusal::Argument("S3_URI", problem.to_owned()))
}

/// The root key: of the settings, or the pair that the gateway keeps in its data directory.
fn credentials_of(config: &Config) -> Result<Credentials, Refusal> {
    if let Some(credentials) = &config.credentials {
        return Ok(credentials.clone());
    }
    let path = config.data_dir.join("credentials");
    match std::fs::read_to_string(&path) {
        Ok(text) => credentials::parse(&text).map_err(|problem| Refusal::Credentials(path, problem.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Refusal::NoKeys(path)),
        Err(error) => Err(Refusal::Credentials(path, error.to_string())),
    }
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Prints the answer and nothing else. Where nobody can read it, the command has failed.
fn print(text: &str, code: ExitCode) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => code,
        Err(error) => super::failure(&format!("standard output: {error}"), FAILED),
    }
}

#[cfg(test)]
mod tests;
