//! The one streaming body, of requests and of responses.
//!
//! Invariants:
//! - it counts the bytes that pass and tells them to whoever holds its [`Progress`];
//! - a body with a declared length yields exactly that many bytes or an error, so a response that breaks off aborts
//!   its connection and never looks complete;
//! - after an error it yields nothing more;
//! - reading a request waits for the client at most as long as its deadline allows.
//!
//! Absent on purpose: a way to gather a body without a maximum, and trailers (those of aws-chunked travel inside the
//! data; HTTP's own are dropped).

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body::{Frame, SizeHint};

use super::BodyError;
use super::idle::Patience;
use super::incoming::{Reader, Remainder};

/// A stream of bytes with counting and deadline built in.
pub struct Body {
    source: Source,
    progress: Arc<Progress>,
    at_end: Option<AtEnd>,
}

type AtEnd = Box<dyn FnOnce(&Progress) + Send>;

enum Source {
    Bytes(Bytes),
    Stream { stream: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>, remaining: Option<u64> },
    Incoming(Reader),
    Over,
}

/// How far a body has come. Shared: it can be read while the body travels and after it is gone.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    polled: AtomicBool,
    finished: AtomicBool,
}

impl Progress {
    /// Bytes yielded so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether anybody has asked for a byte. A client that waits with `Expect: 100-continue` is told to go on by
    /// exactly that.
    pub fn polled(&self) -> bool {
        self.polled.load(Ordering::Acquire)
    }

    /// Whether the body was read to its proper end.
    pub fn finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Release);
    }
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::new(Source::Over, true)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self::new(Source::Bytes(bytes), false) }
    }

    /// What the stream yields: exactly `length` bytes if that is known. A stream that yields more or less fails the
    /// body.
    pub fn stream(stream: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static, length: Option<u64>) -> Self {
        Self::new(Source::Stream { stream: Box::pin(stream), remaining: length }, length == Some(0))
    }

    /// A body that arrives from the network, no slower than `patience` bears. The [`Remainder`] tells the server how
    /// far it was read, and holds the unread rest once the body is dropped.
    pub fn incoming(incoming: hyper::body::Incoming, patience: Patience) -> (Self, Remainder) {
        let ended = http_body::Body::is_end_stream(&incoming);
        let (reader, slot) = Reader::new(incoming, patience);
        let body = Self::new(Source::Incoming(reader), ended);
        let remainder = Remainder::new(Arc::clone(&body.progress), slot, patience);
        (body, remainder)
    }

    fn new(source: Source, finished: bool) -> Self {
        let progress = Progress { finished: AtomicBool::new(finished), ..Progress::default() };
        Self { source, progress: Arc::new(progress), at_end: None }
    }

    /// The shared count.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Calls `observe` once, when the body is dropped: for a response, when the server has taken its last byte or given
    /// up. A second observer is called after the first.
    #[must_use]
    pub fn at_end(mut self, observe: impl FnOnce(&Progress) + Send + 'static) -> Self {
        self.at_end = Some(match self.at_end.take() {
            None => Box::new(observe),
            Some(first) => Box::new(move |progress| {
                first(progress);
                observe(progress);
            }),
        });
        self
    }

    /// The bytes still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes.len() as u64),
            Source::Stream { remaining, .. } => *remaining,
            Source::Incoming(reader) => reader.size_hint().exact(),
            Source::Over => Some(0),
        }
    }

    /// The next bytes, or `None` at the end. Never an empty piece.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// The whole body, if it has at most `max_bytes`; otherwise [`BodyError::TooLarge`]. A body that declares more is
    /// refused before a byte of it is asked for.
    pub async fn collect(mut self, max_bytes: usize) -> Result<Bytes, BodyError> {
        if self.remaining().is_some_and(|remaining| remaining > max_bytes as u64) {
            return Err(BodyError::TooLarge(max_bytes));
        }
        let first = match self.next().await {
            None => return Ok(Bytes::new()),
            Some(first) => first?,
        };
        if first.len() > max_bytes {
            return Err(BodyError::TooLarge(max_bytes));
        }
        let Some(second) = self.next().await else { return Ok(first) };
        let mut all = BytesMut::from(first);
        let mut piece = Some(second);
        while let Some(bytes) = piece {
            let bytes = bytes?;
            if bytes.len() > max_bytes - all.len() {
                return Err(BodyError::TooLarge(max_bytes));
            }
            all.extend_from_slice(&bytes);
            piece = self.next().await;
        }
        Ok(all.freeze())
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.progress.polled.store(true, Ordering::Release);
        let next = loop {
            match ready!(self.source.poll_next(cx)) {
                // An empty piece would look like the end to some readers.
                Some(Ok(bytes)) if bytes.is_empty() => {}
                next => break next,
            }
        };
        match &next {
            Some(Ok(bytes)) => {
                self.progress.add(bytes.len());
                if self.source.is_over() {
                    self.progress.finish();
                }
            }
            Some(Err(_)) => self.source.fail(),
            None => {
                // The end that follows an error is not the proper one.
                if !matches!(self.source, Source::Over) {
                    self.progress.finish();
                    self.source = Source::Over;
                }
            }
        }
        Poll::Ready(next)
    }
}

impl Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self {
            Self::Over => Poll::Ready(None),
            Self::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Over;
                Poll::Ready(Some(Ok(bytes)))
            }
            Self::Stream { remaining: Some(0), .. } => Poll::Ready(None),
            Self::Stream { stream, remaining } => {
                let next = ready!(stream.as_mut().poll_next(cx));
                let Some(left) = remaining else { return Poll::Ready(next) };
                Poll::Ready(match next {
                    Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                        Some(rest) => {
                            *left = rest;
                            Some(Ok(bytes))
                        }
                        None => Some(Err(BodyError::failed("it is longer than was declared"))),
                    },
                    None => Some(Err(BodyError::failed(format!("{left} declared bytes are missing")))),
                    failed => failed,
                })
            }
            Self::Incoming(reader) => reader.poll_next(cx),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Bytes(_) => false,
            Self::Stream { remaining, .. } => *remaining == Some(0),
            Self::Incoming(reader) => reader.is_over(),
            Self::Over => true,
        }
    }

    fn fail(&mut self) {
        if let Self::Incoming(reader) = self {
            reader.forget();
        }
        *self = Self::Over;
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.get_mut().poll_data(cx).map(|next| next.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(observe) = self.at_end.take() {
            observe(&self.progress);
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("progress", &self.progress).field("remaining", &self.remaining()).finish()
    }
}

#[cfg(test)]
mod tests;
