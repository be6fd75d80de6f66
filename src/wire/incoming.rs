//! Bodies that arrive from the network: the reading end, with its deadline, and the server's view of what was left
//! unread.
//!
//! A reader that is dropped before the end leaves hyper's body behind for the [`Remainder`], so that the server can
//! read a small rest away and keep the connection. After an error nothing is left behind: such a connection is closed.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, SizeHint};
use hyper::body::Incoming;

use super::BodyError;
use super::body::Progress;
use super::idle::{IdleDeadline, Patience};

/// Where a dropped reader leaves the rest.
pub(super) type Slot = Arc<Mutex<Option<Incoming>>>;

/// The reading end.
pub(super) struct Reader {
    incoming: Option<Incoming>,
    idle: IdleDeadline,
    slot: Slot,
}

impl Reader {
    pub(super) fn new(incoming: Incoming, patience: Patience) -> (Self, Slot) {
        let slot = Slot::default();
        (Self { incoming: Some(incoming), idle: IdleDeadline::new(patience), slot: Arc::clone(&slot) }, slot)
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(incoming) = self.incoming.as_mut() else { return Poll::Ready(None) };
        loop {
            return match Pin::new(&mut *incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.idle.progressed(frame.data_ref().map_or(0, Bytes::len));
                    match frame.into_data() {
                        Ok(bytes) => Poll::Ready(Some(Ok(bytes))),
                        Err(_trailers) => continue,
                    }
                }
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BodyError::from_hyper(&error)))),
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => self.idle.poll_expired(cx).map(|()| Some(Err(BodyError::Timeout))),
            };
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }

    /// Drops the rest for good.
    pub(super) fn forget(&mut self) {
        self.incoming = None;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.incoming.take();
    }
}

/// The server's view of a request's body.
#[derive(Debug)]
pub struct Remainder {
    progress: Arc<Progress>,
    slot: Slot,
    patience: Patience,
}

impl Remainder {
    pub(super) fn new(progress: Arc<Progress>, slot: Slot, patience: Patience) -> Self {
        Self { progress, slot, patience }
    }

    /// How far the handler read.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Reads and drops the rest, if it is at most `max_bytes` and all of it arrives `within` that time. True when the
    /// body is now at its end. Asking for the rest of a body nobody has polled sends a waiting client its
    /// `100 Continue`, so this must not be called then.
    pub async fn drain(self, max_bytes: usize, within: Duration) -> bool {
        if self.progress.finished() {
            return true;
        }
        let Some(incoming) = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take() else { return false };
        if incoming.size_hint().lower() > max_bytes as u64 {
            return false;
        }
        let (mut reader, _) = Reader::new(incoming, self.patience);
        let read_away = async {
            let mut left = max_bytes;
            while let Some(piece) = poll_fn(|cx| reader.poll_next(cx)).await {
                let Some(rest) = piece.ok().and_then(|bytes| left.checked_sub(bytes.len())) else { return false };
                left = rest;
            }
            true
        };
        tokio::time::timeout(within, read_away).await.unwrap_or(false)
    }
}
