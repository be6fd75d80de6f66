//! Logging to standard error: text on a terminal, one JSON object a line otherwise.

mod sink;

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use sink::Sink;

/// The process's sink, once it logs.
static SINK: OnceLock<Sink> = OnceLock::new();

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not of the form `level` or `target=level,...`.
    #[error("{filter:?} is not a log filter: {reason}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process logs already.
    #[error("logging is already set up")]
    Twice,
    /// The writing thread cannot be started.
    #[error("no thread for the log: {0}")]
    Thread(#[from] io::Error),
}

/// Starts logging for the whole process. `filter` is that of `--log`, such as `info` or
/// `info,wharf::store=debug`.
pub fn init(filter: &str) -> Result<(), LogError> {
    let filter = parse(filter)?;
    let sink = Sink::start(io::stderr())?;
    let started = if io::stderr().is_terminal() {
        text(filter, sink.clone()).try_init()
    } else {
        json(filter, sink.clone()).try_init()
    };
    started.map_err(|_already| LogError::Twice)?;
    SINK.set(sink).map_err(|_already| LogError::Twice)
}

/// Waits until what was logged so far is written, or for this long. For the end of the process.
pub fn flush(at_most: Duration) {
    if let Some(sink) = SINK.get() {
        sink.flush(at_most);
    }
}

/// Checks a filter without using it.
pub fn check(filter: &str) -> Result<(), LogError> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    let error = |reason: String| LogError::Filter { filter: filter.to_owned(), reason };
    if filter.trim().is_empty() {
        return Err(error("it is empty".to_owned()));
    }
    EnvFilter::try_new(filter).map_err(|parse| error(parse.to_string()))
}

fn text<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(writer).finish()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The JSON lines that `work` logs under `filter`.
    pub(crate) fn captured(filter: &str, work: impl FnOnce()) -> Vec<serde_json::Value> {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = json(parse(filter).unwrap(), move || writer.clone());
        tracing::subscriber::with_default(subscriber, work);
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn lines_are_json_and_filtered() {
        let lines = captured("info,wharf::quiet=error", || {
            tracing::info!(answer = 42, text = "two\nlines", "said");
            tracing::debug!("too low");
            tracing::info!(target: "wharf::quiet", "silenced");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], "said");
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["answer"], 42);
        assert_eq!(lines[0]["text"], "two\nlines");
    }

    #[test]
    fn a_bad_filter_is_refused() {
        for filter in ["", " ", "info,wharf=loud", "=====", "wharf[=info"] {
            assert!(matches!(check(filter), Err(LogError::Filter { .. })), "{filter:?}");
        }
        for filter in ["info", "debug,hyper=warn", "off"] {
            assert!(check(filter).is_ok(), "{filter:?}");
        }
    }
}
