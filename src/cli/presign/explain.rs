//! `wharf presign --explain URL`: the gateway's own verification, without the gateway.

use std::process::ExitCode;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{FAILED, Presign, Refusal, credentials_of};
use crate::auth::seal::Sealer;
use crate::auth::{Authenticator, Keyring, RequestHead};
use crate::config::Config;
use crate::s3::address::Address;
use crate::store::types::BucketName;
use crate::wire::base_url::BaseUrl;

/// The explanation, and the exit code: 0 when the URL would be accepted.
pub(super) fn explain(command: &Presign, url: &str, config: &Config) -> Result<(String, ExitCode), Refusal> {
    let uri = parse_url(url)?;
    let method = command.method.as_deref().unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Refusal::Argument("--method", format!("{method:?} is no method")))?;
    let headers = headers(command, &uri)?;
    let credentials = credentials_of(config)?;
    // Session tokens are opened by the running gateway alone; here none is known.
    let sealer = Sealer::new([0; 32]);
    let keyring = Keyring::new(&credentials.access_key, credentials.secret_key.expose(), sealer);
    let authenticator = Authenticator::new(keyring, config.region.clone())
        .sigv2_presign(config.sigv2_presign)
        .public_hosts(config.public_urls.iter().map(BaseUrl::host));
    let origin_form = uri.path_and_query().map_or("/", |target| target.as_str());
    let target = origin_form.parse().map_err(|_| not_a_url(url))?;
    let address = match Address::parse(&target, &headers, &config.domains) {
        Ok(address) => address,
        Err(error) => {
            return Ok((format!("FAILED  address: {}: {}\n", error.code().name, error.text()), ExitCode::from(FAILED)));
        }
    };
    let head = RequestHead {
        method: &method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &headers,
        bucket_in_host: address.bucket.as_ref().filter(|_| address.virtual_host).map(BucketName::as_str),
    };
    let explanation = authenticator.explain(head, command.time()?);
    let code = if explanation.is_accepted() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
    Ok((explanation.to_string(), code))
}

fn not_a_url(url: &str) -> Refusal {
    Refusal::Argument("--explain", format!("expected http://host/path?query, found {url:?}"))
}

fn parse_url(url: &str) -> Result<Uri, Refusal> {
    let uri: Uri = url.trim().parse().map_err(|_| not_a_url(url))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => Ok(uri),
        _ => Err(not_a_url(url)),
    }
}

/// What a client sends with the URL: its host, and the headers given.
fn headers(command: &Presign, uri: &Uri) -> Result<HeaderMap, Refusal> {
    let wrong = |name: &str| Refusal::Argument("--header", format!("{name:?} is no header, or its value is none"));
    let mut headers = HeaderMap::new();
    let own_port = if uri.scheme_str() == Some("https") { ":443" } else { ":80" };
    let host = uri.authority().map_or("", |authority| authority.as_str());
    // Clients leave out the port that goes without saying.
    let host = host.strip_suffix(own_port).unwrap_or(host);
    headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| wrong("host"))?);
    for (name, value) in command.headers()? {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(&name))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong(&name))?;
        match parsed == HOST {
            // A proxy that changes the host is one reason to ask.
            true => drop(headers.insert(parsed, value)),
            false => drop(headers.append(parsed, value)),
        }
    }
    Ok(headers)
}
