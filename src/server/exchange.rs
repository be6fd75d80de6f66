//! One request and its response: the last resort for panics, and the rule for bodies left unread.
//!
//! A final answer sent before the request's body was read to its end closes the connection, since whatever follows
//! would be taken for the next request. A small rest that is there already is read away instead, except where the client
//! still waits for `100 Continue`: it may or may not send the body, so nothing that follows can be trusted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::Shared;
use super::stream::ResetUnlessShutDown;
use crate::wire::incoming::Remainder;
use crate::wire::{Body, ConnectionInfo, Handler};

/// What a connection learns from its exchanges.
#[derive(Clone)]
pub(super) struct Conduct {
    pub(super) info: ConnectionInfo,
    /// Request bytes are, or may be, still on their way although the answer is final.
    pub(super) unread: Arc<AtomicBool>,
    pub(super) reset: ResetUnlessShutDown,
}

/// Answers one request.
pub(super) async fn answer(shared: Arc<Shared>, conduct: Conduct, request: Request<Incoming>) -> Response<Body> {
    let (mut head, incoming) = request.into_parts();
    let waits = head.version >= Version::HTTP_11 && expects_continue(&head.headers);
    let closes_at_end = head.version < Version::HTTP_11 && head.method != Method::HEAD;
    // hyper sends no `100 Continue` for an empty body. botocore, told a final status while it waits for that line, reads
    // the next answer of this connection wrongly and hangs: such a connection ends with the answer.
    let never_told = waits && incoming.is_end_stream();
    let (body, remainder) = Body::incoming(incoming, shared.limits.patience());
    head.extensions.insert(conduct.info);

    let mut response = caught(&shared.handler, Request::from_parts(head, body)).await;
    let settled = settled(remainder, waits, &shared).await;
    if !settled {
        conduct.unread.store(true, Ordering::Release);
    }
    if !settled || never_told {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if closes_at_end && response.body().size_hint().exact().is_none() {
        conduct.reset.set(true);
    }
    response
}

/// Whether the request's body is at its end, perhaps after reading a small rest away.
async fn settled(remainder: Remainder, waits: bool, shared: &Shared) -> bool {
    if remainder.progress().finished() {
        return true;
    }
    if waits && !remainder.progress().polled() {
        return false;
    }
    remainder.drain(shared.limits.unread_bytes, shared.limits.unread).await
}

fn expects_continue(headers: &http::HeaderMap) -> bool {
    headers.get_all(EXPECT).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The handler's response, or a bare 500 when it panics.
async fn caught(handler: &Handler, request: Request<Body>) -> Response<Body> {
    let method = request.method().clone();
    // The handler is called inside the future, so that a panic before its first await is caught too. Nothing it may
    // have left half done is seen again: the request and all it held are gone.
    let answering = AssertUnwindSafe(async { handler(request).await });
    match answering.catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(%method, panic = panic_text(panic.as_ref()), "a handler panicked");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of unknown kind")
}
