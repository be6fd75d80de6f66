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
    let addresses = Addresses {
        public: config.public_urls.first().cloned(),
        api_public: config.api_public_url.clone(),
        internal: config.internal_url.clone().unwrap_or_else(|| own(s3_listener)),
        api_internal: own(api_listener),
        s3_listener,
        api_listener,
        tls,
    };
    let embedded = || {
        let own = [addresses.internal.clone(), addresses.api_internal.clone()];
        Arc::new(Embedded::new(config, &own, Arc::clone(&s3.clock), Arc::clone(&s3.rng)))
    };
    let generator = config.generator_url.is_none().then(embedded);
    let token = generator.as_ref().map(|own| own.token()).or(config.generator_token.as_ref());
    let generations = Settings::new(
        config.generator_url.clone().unwrap_or_else(|| addresses.api_internal.clone()),
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
