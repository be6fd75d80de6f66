//! The socket under a connection, with or without TLS.
//!
//! It counts bytes and gives up on a peer that takes nothing, or next to nothing, for too long. Its deadline lies below TLS, where one write
//! that succeeds is one piece the peer's side took.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::telemetry::metrics::Metrics;
use crate::wire::idle::{IdleDeadline, Patience};

/// Bytes read at a time when they are dropped.
const DROP_UNIT_BYTES: usize = 64 << 10;

/// A TCP socket with a deadline on writes.
pub(super) struct Socket {
    tcp: TcpStream,
    write_deadline: IdleDeadline,
    metrics: Metrics,
    reset: ResetUnlessShutDown,
}

/// Set while the end of the connection is the only end of the response (HTTP/1.0 without a length): then only a reset
/// tells the client that the response broke off.
#[derive(Clone, Default)]
pub(super) struct ResetUnlessShutDown(Arc<AtomicBool>);

impl ResetUnlessShutDown {
    pub(super) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, patience: Patience, metrics: Metrics, reset: ResetUnlessShutDown) -> Self {
        Self { tcp, write_deadline: IdleDeadline::new(patience), metrics, reset }
    }

    /// Reads and drops until the peer ends, or this many bytes have come.
    async fn drop_incoming(&mut self, max_bytes: usize) {
        let mut buffer = vec![0; DROP_UNIT_BYTES.min(max_bytes)];
        let mut left = max_bytes;
        while left > 0 {
            match self.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    }

    /// Counts what was written and passes it on; writes that stay pending for too long fail.
    fn guard(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(count)) => {
                self.metrics.sent(count as u64);
                self.write_deadline.progressed(count);
                outcome
            }
            Poll::Ready(Err(_)) => outcome,
            Poll::Pending => {
                ready!(self.write_deadline.poll_expired(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes too little")))
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::Acquire) {
            // If the socket is gone already there is nothing left to reset.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.tcp).poll_read(cx, buffer);
        this.metrics.received(buffer.filled().len().saturating_sub(before) as u64);
        outcome
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.tcp).poll_write(cx, bytes);
        this.guard(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.tcp).poll_write_vectored(cx, slices);
        this.guard(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.reset.set(false);
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

/// A connection's bytes, in the clear.
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    /// Reads and drops what the peer still sends, so that closing does not reset the connection. Below TLS: nobody will
    /// look at these bytes.
    pub(super) async fn drop_incoming(&mut self, max_bytes: usize) {
        match self {
            Self::Plain(socket) => socket.drop_incoming(max_bytes).await,
            Self::Tls(tls) => tls.get_mut().0.drop_incoming(max_bytes).await,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
