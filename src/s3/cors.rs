//! Pages of other origins: which rules hold for a request, what a preflight is answered, and what is put on every answer.
//!
//! Two sources of rules. The built-in ones let in the console's own origin and those that the operator names
//! (`--cors-allow-origin`): every method, every header, and every header of the answer by name, because browsers match exposed
//! names letter by letter. They come first, so that no bucket can take away what the operator gave. A bucket's own document
//! comes next, and is all there is for the others. A request that names no origin costs no look at the store.
//!
//! Rules are those in force when the request came: the answer to DeleteBucket can still be read by the page that sent it.
//!
//! No answer of this port depends on a cookie or on anything else that a browser adds by itself, so a rule for all (`*`) gives a
//! page nothing that its server could not fetch.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors-troubleshooting.html>; sentences and order of the refusals as
//! LocalStack's tests recorded them of S3.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};

use super::S3Config;
use super::address::{self, Address};
use super::call::{Call, empty};
use super::error::{Code, Error};
use crate::base::limits::CORS_MAX_AGE;
use crate::store::types::{BucketName, DocumentKind};
use crate::wire::Body;
use crate::wire::cors::{Asked, Pattern, Rule, has_origin};

pub mod document;

/// The methods that S3 has, in its order. A preflight for another is refused.
pub const METHODS: [Method; 5] = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD];

/// The prefix of names that objects bring with them.
const USER: &str = "x-amz-meta-";

/// Names of headers on answers: what S3 says of objects, and what the upload protocols do. User metadata is exposed beside
/// these, by the names that are there.
pub const EXPOSED: [&str; 41] = [
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Date",
    "ETag",
    "Expires",
    "Last-Modified",
    "Location",
    "Retry-After",
    "Server",
    "Tus-Checksum-Algorithm",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Resumable",
    "Tus-Version",
    "Upload-Concat",
    "Upload-Defer-Length",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    "x-amz-access-point-alias",
    "x-amz-bucket-region",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-id-2",
    "x-amz-mp-parts-count",
    "x-amz-request-id",
    "x-amz-storage-class",
    "x-amz-tagging-count",
    "x-amz-website-redirect-location",
];

const NO_ORIGIN: &str = "Insufficient information. Origin request header needed.";
const NO_BUCKET: &str = "CORSResponse: Bucket not found";
const NOT_ENABLED: &str = "CORSResponse: CORS is not enabled for this bucket.";
const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, \
                           request method / Access-Control-Request-Method or Access-Control-Request-Headers are not \
                           whitelisted by the resource's CORS spec.";

/// The built-in rules: which origins are let in whatever a bucket says.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// For the origins that have a name: the console's, and those of the setting.
    named: Rule,
    /// For all, where the setting says so.
    all: Option<Rule>,
    /// What stands around a host's name in the console's origin, for listeners on every address: those have as many names as
    /// the machine, and one is the name by which this request came.
    beside: Vec<(&'static str, String)>,
    /// Domains below which buckets have hosts of their own.
    domains: Vec<String>,
}

impl Defaults {
    /// The rules for a console that listens here, and for these origins.
    pub fn new(console: &[SocketAddr], tls: bool, allowed: &[Pattern], domains: &[String]) -> Self {
        let scheme = if tls { "https://" } else { "http://" };
        let port = |address: &SocketAddr| match (tls, address.port()) {
            (false, 80) | (true, 443) => String::new(),
            (_, port) => format!(":{port}"),
        };
        let own = console.iter().flat_map(|address| {
            hosts(address.ip()).into_iter().map(move |host| format!("{scheme}{host}{}", port(address)))
        });
        let specific = allowed.iter().filter(|pattern| !pattern.is_any()).cloned();
        let named = own.filter_map(|origin| Pattern::parse(&origin)).chain(specific).collect();
        let everywhere = console.iter().filter(|address| address.ip().is_unspecified());
        Self {
            named: built_in(named),
            all: allowed.iter().find(|pattern| pattern.is_any()).map(|any| built_in(vec![any.clone()])),
            beside: everywhere.map(|address| (scheme, port(address))).collect(),
            domains: domains.to_vec(),
        }
    }

    /// The same rules for a port that also has this method.
    #[must_use]
    pub fn with_method(mut self, method: &Method) -> Self {
        for rule in [Some(&mut self.named), self.all.as_mut()].into_iter().flatten() {
            rule.methods.push(method.clone());
        }
        self
    }

    /// The built-in rule that lets this through, of a request with these headers.
    pub fn find(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Option<&Rule> {
        if self.is_beside(asked.origin, headers) && asked.is_within(&self.named) {
            return Some(&self.named);
        }
        asked.find([&self.named].into_iter().chain(&self.all))
    }

    /// Whether the origin is the console's at the host that the request came to, or that the bucket's host lies below.
    fn is_beside(&self, origin: &str, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
        let host = address::host_name(host).to_ascii_lowercase();
        self.beside.iter().any(|(scheme, port)| {
            let name = origin.strip_prefix(scheme).and_then(|rest| rest.strip_suffix(port.as_str()));
            let above =
                |name: &str| self.domains.iter().any(|domain| domain == name) && host.ends_with(&format!(".{name}"));
            name.is_some_and(|name| name == host || above(name))
        })
    }
}

/// What a browser on this machine or another calls an address in a URL.
fn hosts(address: IpAddr) -> Vec<String> {
    let local = || "localhost".to_owned();
    let six = |address: Ipv6Addr| format!("[{address}]");
    match address {
        IpAddr::V4(address) if address.is_unspecified() => vec![Ipv4Addr::LOCALHOST.to_string(), local()],
        IpAddr::V4(address) if address.is_loopback() => vec![address.to_string(), local()],
        IpAddr::V4(address) => vec![address.to_string()],
        IpAddr::V6(address) if address.is_unspecified() => {
            vec![Ipv4Addr::LOCALHOST.to_string(), six(Ipv6Addr::LOCALHOST), local()]
        }
        IpAddr::V6(address) if address.is_loopback() => vec![six(address), local()],
        IpAddr::V6(address) => vec![six(address)],
    }
}

fn built_in(origins: Vec<Pattern>) -> Rule {
    Rule {
        id: None,
        origins,
        methods: METHODS.to_vec(),
        headers: Pattern::parse("*").into_iter().collect(),
        exposed: EXPOSED.map(str::to_owned).to_vec(),
        max_age_seconds: u32::try_from(CORS_MAX_AGE.as_secs()).ok(),
    }
}

/// What the page that sent a request may read of its answer.
#[derive(Debug)]
pub struct Grant<'a> {
    asked: Asked<'a>,
    rule: Cow<'a, Rule>,
}

impl<'a> Grant<'a> {
    /// What the rules of the gateway and of the bucket allow; none where no page sent the request or none lets it through.
    /// Whatever else is wrong with the request or the store: it is answered all the same.
    pub fn of(config: &'a S3Config, head: &'a Parts) -> Option<Self> {
        if let Some(grant) = Self::built_in(&config.cors, head) {
            return Some(grant);
        }
        let asked = Self::asked(head)?;
        let bucket = Address::bucket_of(&head.uri, &head.headers, &config.domains)?;
        let rules = rules(config, &bucket).unwrap_or_else(|error| {
            if error.code() != Code::NO_SUCH_BUCKET {
                let detail = error.logged().unwrap_or_else(|| error.text());
                tracing::warn!(%bucket, detail, "the bucket's CORS document cannot be read");
            }
            None
        });
        let rule = asked.find(&rules?)?.clone();
        Some(Self { asked, rule: Cow::Owned(rule) })
    }

    /// What the built-in rules alone allow.
    pub fn built_in(defaults: &'a Defaults, head: &'a Parts) -> Option<Self> {
        let asked = Self::asked(head)?;
        let rule = defaults.find(&asked, &head.headers)?;
        Some(Self { asked, rule: Cow::Borrowed(rule) })
    }

    /// A preflight is no request of a page: its operation answers it, and a refused one says nothing.
    fn asked(head: &'a Parts) -> Option<Asked<'a>> {
        if head.method == Method::OPTIONS { None } else { Asked::of(&head.method, &head.headers) }
    }

    /// Says so on the answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        let user = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with(USER)).map(str::to_owned);
        let more = match self.rule {
            Cow::Borrowed(_) => user.collect(),
            // A document names what it exposes.
            Cow::Owned(_) => Vec::new(),
        };
        self.asked.allow(&self.rule, &more, headers);
    }
}

/// Answers a preflight, to whomever: browsers send it without credentials, whatever the request will carry.
///
/// # Errors
/// `BadRequest` for a request that is none, `AccessForbidden` where no rule allows what is asked.
pub fn preflight(call: &Call) -> Result<Response<Body>, Error> {
    if !has_origin(&call.headers) {
        return Err(Error::new(Code::BAD_REQUEST).message(NO_ORIGIN));
    }
    let asked = Asked::of(&call.method, &call.headers);
    if let Some(asked) = &asked
        && let Some(rule) = call.config.cors.find(asked, &call.headers)
    {
        return Ok(allowed(asked, rule));
    }
    let method = call.headers.get(ACCESS_CONTROL_REQUEST_METHOD).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let refused = |message: &str, target: &str| {
        let method = method.as_deref().unwrap_or(call.method.as_str());
        Error::new(Code::ACCESS_FORBIDDEN).message(message).with("Method", method).with("ResourceType", target)
    };
    let Some(bucket) = &call.address.bucket else { return Err(refused(NOT_ALLOWED, "SERVICE")) };
    let rules = match rules(&call.config, bucket) {
        Ok(rules) => rules.ok_or_else(|| refused(NOT_ENABLED, "BUCKET"))?,
        Err(error) if error.code() == Code::NO_SUCH_BUCKET => return Err(refused(NO_BUCKET, "BUCKET")),
        Err(error) => return Err(error),
    };
    if !METHODS.iter().any(|known| Some(known.as_str()) == method.as_deref()) {
        let method = method.as_deref().unwrap_or("null");
        return Err(Error::new(Code::BAD_REQUEST).message(format!("Invalid Access-Control-Request-Method: {method}")));
    }
    let target = if call.address.key.is_some() { "OBJECT" } else { "BUCKET" };
    match asked.as_ref().and_then(|asked| Some((asked, asked.find(&rules)?))) {
        Some((asked, rule)) => Ok(allowed(asked, rule)),
        None => Err(refused(NOT_ALLOWED, target)),
    }
}

fn allowed(asked: &Asked<'_>, rule: &Rule) -> Response<Body> {
    let mut response = empty(StatusCode::OK);
    asked.allow(rule, &[], response.headers_mut());
    response
}

/// The rules of a bucket, if it has a document of them.
fn rules(config: &S3Config, bucket: &BucketName) -> Result<Option<Vec<Rule>>, Error> {
    let bucket = config.store.bucket(bucket)?;
    let Some(stored) = config.store.bucket_document(&bucket, DocumentKind::Cors)? else { return Ok(None) };
    let damaged =
        |error: Error| Error::new(Code::INTERNAL_ERROR).detail(error.logged().unwrap_or_else(|| error.text()));
    document::read(&stored.bytes).map(Some).map_err(damaged)
}

#[cfg(test)]
mod tests;
