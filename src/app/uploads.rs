//! The upload API of a gateway: made of the settings, the S3 port it is about, and its own generator.

use std::net::SocketAddr;
use std::sync::Arc;

use super::generator::{Embedded, trust_source};
use super::judge::S3Judge;
use tokio::sync::Semaphore;

use crate::auth::{Authenticator, Keyring};
use crate::base::limits::API_DOCUMENTS_MAX_BYTES;
use crate::config::{Config, reachable};
use crate::pipeline::generations::Settings;
use crate::pipeline::links::Addresses;
use crate::pipeline::{self, Pipeline};
use crate::s3::S3Config;
use crate::wire::base_url::BaseUrl;
use crate::wire::url::HttpUrl;

/// The upload API of a gateway, and the generator that it orders from.
pub(super) struct Uploads {
    pub(super) pipeline: Pipeline,
    /// There unless the settings name another.
    pub(super) generator: Option<Arc<Embedded>>,
}

/// The upload API, beside the S3 port that it is about.
pub(super) fn uploads(
    config: &Config,
    s3: &Arc<S3Config>,
    keyring: &Arc<Keyring>,
    s3_addrs: &[SocketAddr],
    api_addrs: &[SocketAddr],
) -> Uploads {
    let tls = config.tls.is_some();
    // A server has at least one listener.
    let first = |addrs: &[SocketAddr]| addrs.first().copied().unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    let (s3_listener, api_listener) = (first(s3_addrs), first(api_addrs));
    let own = |listener: SocketAddr| BaseUrl::of_address(tls, reachable(listener));
    let own_api = own(api_listener);
    let addresses = Addresses {
        public: config.public_urls.first().cloned(),
        api_public: config.api_public_url.clone(),
        internal: config.internal_url.clone().unwrap_or_else(|| own(s3_listener)),
        api_internal: reports_to(config, &own_api),
        s3_listener,
        api_listener,
        tls,
    };
    let embedded = || {
        let own = [addresses.internal.clone(), own_api.clone(), addresses.api_internal.base().clone()];
        Arc::new(Embedded::new(config, &own, Arc::clone(&s3.clock), Arc::clone(&s3.rng)))
    };
    let generator = config.generator_url.is_none().then(embedded);
    let token = generator.as_ref().map(|own| own.token()).or(config.generator_token.as_ref());
    let generations = Settings::new(
        config.generator_url.clone().unwrap_or_else(|| own_api.clone()),
        token.map(|token| token.expose().to_owned()),
        config.callback_allow.clone(),
        trust_source(config),
    );
    let pipeline = Pipeline::new(pipeline::Config {
        generations,
        store: Arc::clone(&s3.store),
        authenticator: Authenticator::new(Arc::clone(keyring), config.region.clone()),
        judge: Arc::new(S3Judge::new(Arc::clone(s3))),
        bucket: config.buckets.first().map(|bucket| bucket.name.clone()),
        region: config.region.clone(),
        addresses,
        presign_expires: config.presign_expires,
        expire_uploads: config.expire_uploads,
        documents: Arc::new(Semaphore::new(API_DOCUMENTS_MAX_BYTES)),
        metrics: s3.metrics.clone(),
        clock: Arc::clone(&s3.clock),
        rng: Arc::clone(&s3.rng),
    });
    Uploads { pipeline, generator }
}

/// What a generator is told to report to: what the settings say; else, where it is on another machine perhaps, what clients
/// reach the API as; else the API's own listener.
fn reports_to(config: &Config, own: &BaseUrl) -> HttpUrl {
    let public = config.api_public_url.as_ref().filter(|_| config.generator_url.is_some());
    config.callback_base_url.clone().unwrap_or_else(|| HttpUrl::of_base(public.unwrap_or(own)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::{Flags, Variables};

    #[test]
    fn a_generator_elsewhere_is_told_how_to_reach_the_gateway() {
        let load = |named: &[(&str, &str)]| {
            let named = named.iter().map(|(name, value)| (OsString::from(*name), OsString::from(*value)));
            Config::load(&Flags::default(), &Variables::new(named)).unwrap()
        };
        let own = BaseUrl::parse("http://127.0.0.1:9001").unwrap();
        let (generator, public) =
            (("WHARF_GENERATOR_URL", "http://gpu.example:9002"), ("WHARF_API_PUBLIC_URL", "https://api.example"));
        let base = ("WHARF_CALLBACK_BASE_URL", "http://gateway.internal/wharf/");
        for (named, expected) in [
            (&[][..], "http://127.0.0.1:9001/"),
            (&[public], "http://127.0.0.1:9001/"),
            (&[generator], "http://127.0.0.1:9001/"),
            (&[generator, public], "https://api.example/"),
            (&[generator, public, base], "http://gateway.internal/wharf/"),
            (&[base], "http://gateway.internal/wharf/"),
        ] {
            assert_eq!(reports_to(&load(named), &own).to_string(), expected, "{named:?}");
        }
    }
}
