//! `wharf generator` as a process: the endpoint on a listener of its own, until a signal. Also what a generator is made of
//! wherever it runs.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::sync::OnceCell;

use super::admin::refusal;
use super::{Error, StopSignal, launch, server_on, tls};
use crate::base::clock::{Clock, SystemClock};
use crate::base::limits::{RENDER_SLOT_BYTES, RENDER_SLOTS, TLS_FILE_MAX_BYTES};
use crate::base::rng::{LETTERS_AND_DIGITS, Rng, SystemRng, draw};
use crate::base::worker::Bell;
use crate::config::{Config, Secret};
use crate::generator::endpoint::{CANCEL, Endpoint, EndpointConfig, GENERATE};
use crate::generator::render::{BackendChoice, Renderer, RendererConfig};
use crate::store::fsio::Fs;
use crate::store::fsio::real::RealFs;
use crate::telemetry::metrics::Metrics;
use crate::wire::Body;
use crate::wire::base_url::BaseUrl;
use crate::wire::destination::Outbound;
use crate::wire::trust::{self, TrustError, TrustSource};

/// Letters of the token that a gateway and its own generator agree on.
const TOKEN_LETTERS: usize = 40;

/// Generates until SIGTERM or SIGINT.
pub fn generate(config: Config) -> Result<(), Error> {
    launch(config, run)
}

/// Whom our own clients trust over TLS: the certificate of the settings, whatever its name, and what `--ca-file` vouches for.
/// The files are read for each connection, because they are renewed.
pub(super) fn trust_source(config: &Config) -> TrustSource {
    let own = config.tls.as_ref().map(|files| files.cert.clone());
    let authorities = config.ca_file.clone();
    Arc::new(move || {
        let read = |path: &std::path::PathBuf| {
            let unreadable = |why: String| TrustError::Unreadable(format!("{}: {why}", path.display()));
            match std::fs::metadata(path) {
                Ok(file) if file.len() > TLS_FILE_MAX_BYTES => {
                    Err(unreadable(format!("it is longer than {TLS_FILE_MAX_BYTES} bytes")))
                }
                _ => std::fs::read(path).map_err(|error| unreadable(error.to_string())),
            }
        };
        let own = own.as_ref().map(read).transpose()?;
        let authorities = authorities.as_ref().map(read).transpose()?;
        trust::either(own.as_deref(), authorities.as_deref())
    })
}

/// The endpoint of these settings, which asks for `token`.
pub(super) fn endpoint(
    config: &Config,
    token: Option<&Secret>,
    renderer: Arc<Renderer>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
) -> Endpoint {
    Endpoint::new(EndpointConfig {
        token: token.map(|token| token.expose().to_owned()),
        outbound: Outbound::new(config.generator_allow.clone(), trust_source(config)),
        callback_base: config.callback_base_url.clone(),
        renderer,
        clock,
        rng,
    })
}

/// The renderer: a GPU where there is one. Opening it may take a while.
pub(super) async fn renderer() -> Result<Arc<Renderer>, Error> {
    let config = RendererConfig { choice: BackendChoice::Auto, slots: RENDER_SLOTS, slot_bytes: RENDER_SLOT_BYTES };
    let opened = tokio::task::spawn_blocking(move || Renderer::open(config)).await.map_err(std::io::Error::other)?;
    Ok(opened.map_err(std::io::Error::other)?)
}

/// The generator of a gateway that has no other, on the gateway's own API port. What it takes is made with the first order:
/// most gateways never draw an image, and a GPU takes its time.
pub(super) struct Embedded {
    config: Config,
    token: Secret,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    endpoint: OnceCell<Endpoint>,
}

impl Embedded {
    /// `urls` are where the gateway itself is reached: parts and reports may always go there.
    pub(super) fn new(config: &Config, urls: &[BaseUrl], clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let random = || Secret::new(draw(rng.as_ref(), LETTERS_AND_DIGITS, TOKEN_LETTERS));
        let token = config.generator_token.clone().unwrap_or_else(random);
        let mut config = config.clone();
        config.generator_allow = config.generator_allow.with_hosts(urls);
        Self { config, token, clock, rng, endpoint: OnceCell::new() }
    }

    /// What it asks for as bearer token.
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// Whether a path is one of its own.
    pub(super) fn answers(path: &str) -> bool {
        [GENERATE, CANCEL].contains(&path)
    }

    /// Answers an order.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let made = self.endpoint.get_or_try_init(|| async {
            let renderer = renderer().await?;
            let (clock, rng) = (Arc::clone(&self.clock), Arc::clone(&self.rng));
            Ok::<_, Error>(endpoint(&self.config, Some(&self.token), renderer, clock, rng))
        });
        match made.await {
            Ok(endpoint) => endpoint.answer(request).await,
            Err(error) => {
                tracing::error!(%error, "the generator cannot be made");
                let message = "the generator cannot be made; the log says why";
                refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
            }
        }
    }

    /// Ends what is under way.
    pub(super) async fn stop(&self, within: Duration) {
        if let Some(endpoint) = self.endpoint.get() {
            endpoint.stop(within).await;
        }
    }
}

async fn run(config: Config, stop: StopSignal, reload: Bell) -> Result<(), Error> {
    refuse_what_cannot_be(&config)?;
    let (clock, rng): (Arc<dyn Clock>, Arc<dyn Rng>) = (Arc::new(SystemClock), Arc::new(SystemRng));
    let metrics = Metrics::new();
    let fs: Arc<dyn Fs> = Arc::new(RealFs::new());
    let tls = tls::Watcher::open(&config, &fs, Arc::clone(&clock), &metrics, reload)?;
    let server = server_on(&config.generator_listen, tls.as_ref().map(tls::Watcher::server_config), &config, &metrics)?;
    let tls = tls.map(|watcher| super::Driven::start(watcher, super::Pace::Full, metrics.clone())).transpose()?;
    let addresses = server.local_addrs().to_vec();
    let renderer = renderer().await?;
    if config.generator_token.is_none() {
        tracing::warn!("no generator-token: every process of this machine may order images");
    }
    let endpoint = endpoint(&config, config.generator_token.as_ref(), Arc::clone(&renderer), clock, rng);
    let running = server.serve(endpoint.handler());
    stop.started();
    print_ready(&config, &addresses, &renderer)?;

    stop.wait().await;
    tracing::info!("draining");
    let (cut, unfinished) = tokio::join!(running.drain(config.drain_timeout), endpoint.stop(config.drain_timeout));
    if cut + unfinished > 0 {
        tracing::warn!(
            connections = cut,
            generations = unfinished,
            "not everything was finished at the end of the drain"
        );
    }
    tokio::task::spawn_blocking(move || drop(tls.and_then(super::Driven::stop)))
        .await
        .map_err(std::io::Error::other)?;
    tracing::info!("stopped");
    Ok(())
}

/// What only this command finds wrong with its settings.
fn refuse_what_cannot_be(config: &Config) -> Result<(), Error> {
    let open = config.generator_listen.iter().find(|address| !address.ip().to_canonical().is_loopback());
    match open {
        Some(address) if config.generator_token.is_none() => Err(Error::Setting(format!(
            "generator-token: is needed to listen on {address}, which others can reach (generator-listen)"
        ))),
        _ if config.tls_self_signed => Err(Error::Setting(
            "tls-self-signed: wharf generator keeps no files; give it tls-cert and tls-key".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// The one line `generator` prints on standard output.
fn print_ready(config: &Config, addresses: &[SocketAddr], renderer: &Renderer) -> std::io::Result<()> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let line = serde_json::json!({
        "ready": true,
        "generator": addresses.first().map(|address| format!("{scheme}://{address}")).unwrap_or_default(),
        "backend": renderer.backend().name(),
        "device": renderer.describe(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
