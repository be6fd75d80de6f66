//! `wharf demo`: the whole pipeline on this machine, offline: a gateway over a temporary store, an image that is generated and
//! uploaded through presigned part URLs, its callback, and every byte read back and compared.
//!
//! The gateway is a process of its own, as in production, and everything goes through its sockets. What the bytes have to be is
//! computed here, by the CPU's definition of the image.

mod callback;
mod compare;
mod gateway;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::base::clock::Stopwatch;
use crate::config::size;
use crate::wire::image::{BitsPerPixel, Image, ImageError};

use callback::Callbacks;
use gateway::Gateway;
use report::{Report, Stage};

/// How often the generation is asked how far it is.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// How long the callback may take after the generation has finished.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(30);

/// Flags of `wharf demo`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Demo {
    /// The largest image that is not above this is generated, at most 4GiB
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size)]
    size: u64,
    /// What it shows; parameters as in the API, such as '{"kind":"random","seed":7}', or a kind alone
    #[arg(long, value_name = "PATTERN", default_value = "gradient")]
    pattern: String,
    /// Where the temporary store is made
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Leave the gateway running until Ctrl-C, and print its address and the image's URL
    #[arg(long)]
    keep: bool,
}

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    /// Wrong usage.
    #[error("{0}")]
    Usage(String),
    /// Something did not work.
    #[error("{0}")]
    Failed(String),
    /// A signal.
    #[error("interrupted")]
    Interrupted,
}

impl DemoError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => super::USAGE,
            Self::Failed(_) | Self::Interrupted => 1,
        }
    }

    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ImageError> for DemoError {
    fn from(error: ImageError) -> Self {
        Self::Usage(format!("--pattern: {error}"))
    }
}

impl Demo {
    /// Exit code 0 only if every byte was equal.
    pub(super) fn run(&self) -> ExitCode {
        match self.show() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::failure(&error, error.exit_code()),
        }
    }

    fn show(&self) -> Result<(), DemoError> {
        let image = self.image()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(DemoError::failed)?;
        runtime.block_on(async {
            tokio::select! {
                shown = self.pipeline(&image) => shown,
                () = stopped() => Err(DemoError::Interrupted),
            }
        })
    }

    fn image(&self) -> Result<Image, DemoError> {
        let image = Image::largest(self.size, BitsPerPixel::B24);
        if image.file_bytes() > self.size {
            return Err(DemoError::Usage(format!("--size: no image has at most {} bytes", self.size)));
        }
        let pattern = match serde_json::from_str(&self.pattern) {
            Ok(pattern @ Value::Object(_)) => pattern,
            _ => json!({ "kind": self.pattern }),
        };
        let mut fields: Map<String, Value> = image.to_json();
        fields.insert("pattern".to_owned(), pattern);
        Ok(Image::from_json(&fields)?)
    }

    async fn pipeline(&self, image: &Image) -> Result<(), DemoError> {
        let mut report = Report::default();
        let watch = Stopwatch::start();
        let gateway = Gateway::start(self.directory.as_deref(), self.keep).await?;
        let callbacks = Callbacks::listen(gateway.secret())?;
        report.add(Stage::new("start the gateway", watch, None, ""));

        let generation = generate(&gateway, &callbacks, image, &mut report).await?;
        let url = generation.get("imageUrl").and_then(Value::as_str);
        let url = url.ok_or_else(|| DemoError::failed("the finished generation has no imageUrl"))?;

        let watch = Stopwatch::start();
        callbacks.wait(&generation, CALLBACK_TIMEOUT).await?;
        report.add(Stage::new("callback", watch, None, ""));

        let watch = Stopwatch::start();
        let bar = bar("read back, compare", image.file_bytes());
        compare::every_byte(url, image, &bar).await?;
        bar.finish_and_clear();
        report.add(Stage::new("read back, compare", watch, Some(image.file_bytes()), "cpu"));

        report.print(image, &gateway)?;
        if self.keep {
            super::output::print(&format!(
                "\nAPI    {}\nS3     {}\nimage  {url}\nCtrl-C ends it",
                gateway.api(),
                gateway.s3()
            ))
            .map_err(|_| DemoError::failed("standard output is closed"))?;
            // The only way out is Ctrl-C, which whoever called waits for.
            std::future::pending::<()>().await;
        }
        gateway.stop()
    }
}

/// Ctrl-C, or another signal that asks it to end: then its gateway has to end and its store to vanish with it.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    let any = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures_util::future::select_all(any).await;
}

/// Orders the image and waits until it is there.
async fn generate(
    gateway: &Gateway,
    callbacks: &Callbacks,
    image: &Image,
    report: &mut Report,
) -> Result<Value, DemoError> {
    let watch = Stopwatch::start();
    let mut order = image.to_json();
    order.insert("fileName".to_owned(), "demo.bmp".into());
    order.insert("callbackUrl".to_owned(), callbacks.url().into());
    order.insert("callbackSecret".to_owned(), callbacks.secret().into());
    let begun = gateway.ask("POST", "/bmp", Some(&Value::Object(order))).await?;
    let uuid = begun.get("uuid").and_then(Value::as_str).ok_or_else(|| DemoError::failed("POST /bmp gave no uuid"))?;
    let bar = bar("generate, upload", image.file_bytes());
    loop {
        let state = gateway.ask("GET", &format!("/bmp/{uuid}"), None).await?;
        bar.set_position(state.get("bytesDone").and_then(Value::as_u64).unwrap_or_default());
        match state.get("status").and_then(Value::as_str) {
            Some("COMPLETED") => {
                bar.finish_and_clear();
                let backend = state.get("backend").and_then(Value::as_str).unwrap_or_default().to_owned();
                report.add(Stage::new("generate, upload, complete", watch, Some(image.file_bytes()), &backend));
                return Ok(state);
            }
            Some("PENDING" | "RUNNING") => tokio::time::sleep(ASKED_EVERY).await,
            status => {
                bar.abandon();
                let why = state.get("error").map(Value::to_string).unwrap_or_default();
                return Err(DemoError::Failed(format!("the generation ended {}: {why}", status.unwrap_or("oddly"))));
            }
        }
    }
}

/// A bar on standard error, where that is a terminal.
fn bar(what: &'static str, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes).with_message(what);
    let template = "{msg:20} [{wide_bar}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(size: u64, pattern: &str) -> Demo {
        Demo { size, pattern: pattern.to_owned(), directory: None, keep: false }
    }

    #[test]
    fn the_largest_image_that_is_not_above_the_size() {
        for size in [58, 1000, 1 << 20, 1 << 31, 1 << 32, u64::MAX] {
            let image = demo(size, "gradient").image().unwrap();
            assert!(image.file_bytes() <= size);
            let enough = size.min(u64::from(u32::MAX)) / 100 * 99;
            assert!(image.file_bytes() >= enough, "{size}: {}", image.file_bytes());
        }
        assert!(matches!(demo(57, "gradient").image(), Err(DemoError::Usage(_))));
    }

    #[test]
    fn patterns_by_kind_or_in_full() {
        assert_ne!(demo(1000, "smpte").image().unwrap().pattern, demo(1000, "gradient").image().unwrap().pattern);
        let seeded =
            |seed: u32| demo(1000, &format!("{{\"kind\":\"random\",\"seed\":{seed}}}")).image().unwrap().pattern;
        assert_ne!(seeded(1), seeded(2));
        assert!(matches!(demo(1000, "plaid").image(), Err(DemoError::Usage(_))));
    }
}
