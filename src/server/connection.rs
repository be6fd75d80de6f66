//! One connection from the handshake to its close.
//!
//! hyper reads and answers the requests, one after the other however many the client has sent ahead. When it is done it
//! has shut down the write side; what the client still sends is then read and dropped for a bounded while, and only
//! then is the socket closed.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::drain::{Phase, cut, draining};
use super::exchange::{self, Conduct};
use super::stream::{ResetUnlessShutDown, Socket, Stream};
use super::{Limits, Shared};
use crate::base::limits;
use crate::telemetry::metrics::Metrics;
use crate::wire::ConnectionInfo;

/// Runs a connection to its end. Returns early when the server is cut.
pub(super) async fn run(tcp: TcpStream, peer: SocketAddr, shared: &Arc<Shared>, mut phase: watch::Receiver<Phase>) {
    let _open = Open::new(&shared.metrics);
    // A head and a small body are two writes: with Nagle's algorithm the second would wait for the peer's delayed
    // acknowledgement. Where it cannot be switched off the connection is slow, not wrong.
    let _ = tcp.set_nodelay(true);
    let Ok(local) = tcp.local_addr() else { return };
    let conduct = Conduct {
        info: ConnectionInfo { peer, local, tls: shared.tls.is_some() },
        unread: Arc::new(AtomicBool::new(false)),
        reset: ResetUnlessShutDown::default(),
    };
    let mut watching = phase.clone();
    let life = async {
        let socket = Socket::new(tcp, shared.limits.patience(), shared.metrics.clone(), conduct.reset.clone());
        let stream = tokio::select! {
            stream = secure(socket, shared, peer) => stream,
            () = draining(&mut watching) => None,
        };
        if let Some(stream) = stream {
            serve(stream, shared, conduct, watching).await;
        }
    };
    tokio::select! {
        () = life => {}
        () = cut(&mut phase) => tracing::debug!(%peer, "connection cut"),
    }
}

/// The TLS handshake, where the server speaks TLS.
async fn secure(socket: Socket, shared: &Shared, peer: SocketAddr) -> Option<Stream> {
    let Some(tls) = &shared.tls else { return Some(Stream::Plain(socket)) };
    match timeout(shared.limits.handshake, tls.accept(socket)).await {
        Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "TLS handshake failed");
            None
        }
        Err(_elapsed) => {
            tracing::debug!(%peer, "TLS handshake timed out");
            None
        }
    }
}

/// Answers requests until the connection is done, then closes it so that the last answer arrives.
async fn serve(stream: Stream, shared: &Arc<Shared>, conduct: Conduct, mut phase: watch::Receiver<Phase>) {
    let service = service_fn(|request| {
        let answering = exchange::answer(Arc::clone(shared), conduct.clone(), request);
        async { Ok::<_, Infallible>(answering.await) }
    });
    let mut connection = builder(&shared.limits).serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        outcome = &mut connection => Some(outcome),
        () = draining(&mut phase) => None,
    };
    let drained = ended.is_none();
    let outcome = match ended {
        Some(outcome) => outcome,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let mut stream = connection.into_parts().io.into_inner();
    let refused = outcome.as_ref().is_err_and(hyper::Error::is_parse);
    if let Err(error) = &outcome {
        let (peer, cause) = (conduct.info.peer, error.source());
        if error.is_user() {
            tracing::warn!(%peer, %error, cause, "a response broke off");
        } else {
            tracing::debug!(%peer, %error, cause, "connection ended");
        }
    }
    if outcome.is_err() && !refused {
        // A response that broke off, a peer that is gone or too slow: there is no answer to protect.
        return;
    }
    // hyper has shut the write side down, save where a client asked for an upgrade that nobody gives it.
    if stream.shutdown().await.is_err() {
        return;
    }
    // An idle connection that is closed because the server ends has nothing on its way; its client may hold it open.
    if refused || !drained || conduct.unread.load(Ordering::Acquire) {
        let _ = timeout(shared.limits.linger, stream.drop_incoming(shared.limits.linger_bytes)).await;
    }
}

fn builder(settings: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Counted from the end of the previous answer, so it ends idle connections too.
        .header_read_timeout(settings.header)
        .max_buf_size(limits::CONNECTION_BUFFER_MAX_BYTES)
        .max_headers(limits::HEADERS_MAX)
        // A client that has shut down its write side still gets its answer.
        .half_close(true);
    builder
}

/// Counts a connection as open for as long as it lives.
struct Open<'a>(&'a Metrics);

impl<'a> Open<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.connection_opened();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}
