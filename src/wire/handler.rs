//! What answers a request, and what it may know about the connection the request came by.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Request, Response};

use super::Body;

/// An async function from a request to its response. It never fails: an error is a response.
pub type Handler = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// Makes a [`Handler`] of an async closure.
pub fn handler<F, A>(answer: F) -> Handler
where
    F: Fn(Request<Body>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    Arc::new(move |request| Box::pin(answer(request)))
}

/// The connection a request came by; servers put it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The other end of the socket: the client, or the proxy before it.
    pub peer: SocketAddr,
    /// Our end of the socket.
    pub local: SocketAddr,
    /// Whether TLS ends here.
    pub tls: bool,
}
