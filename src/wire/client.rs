//! A client for one request: over TCP, over TLS or over a Unix socket, with deadlines for everything and a bounded answer.
//! Each request has a connection of its own.
//!
//! [`ask`] has one deadline for the whole. [`send`] is for bodies of any length: connecting and answering have deadlines, and
//! between them the peer must keep taking bytes; time in which the body itself is not ready does not count against it.
//!
//! Absent on purpose: pooling, redirects, retries, proxies. Who asks knows whether asking again is safe.

mod stream;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Request, Response};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

use super::base_url::BaseUrl;
use super::idle::Patience;
use super::{Body, BodyError};
use crate::base::limits::{BODY_IDLE_TIMEOUT, TRANSFER_MIN_BYTES_PER_SECOND};
use stream::Stream;

/// Whom to ask.
#[derive(Clone, Debug)]
pub enum Peer {
    /// A host, by name or address, and its port.
    Tcp(String, u16),
    /// The same over TLS (see [`super::trust`]).
    Tls(String, u16, Arc<ClientConfig>),
    /// A Unix socket, by a path that is short enough to be an address.
    Unix(PathBuf),
    /// A host whose addresses were looked up, and judged, before (see [`super::destination`]).
    Resolved {
        /// What stands in the Host header.
        base: BaseUrl,
        /// Its name alone, which TLS asks for.
        name: String,
        /// Where it is, the first choice first.
        addresses: Arc<[SocketAddr]>,
        /// Whom to trust; none speaks plain HTTP.
        tls: Option<Arc<ClientConfig>>,
    },
}

/// How much is waited for, and taken.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For [`ask`] from connecting to the last byte of the answer; for [`send`] the time for connecting, and again from the
    /// last byte sent to that of the answer.
    pub timeout: Duration,
    /// Longest body of an answer.
    pub answer_max_bytes: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody could be reached, so nothing was asked.
    #[error("cannot connect: {0}")]
    Unreachable(#[source] io::Error),
    /// The peer did not show that it is the one to talk to; nothing was asked.
    #[error("TLS: {0}")]
    Untrusted(#[source] io::Error),
    /// No answer within this time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// What came is no answer of HTTP/1.1, or the connection broke off.
    #[error("no proper answer: {0}")]
    Broken(#[source] hyper::Error),
    /// The answer's body is too long or broke off.
    #[error("the answer is incomplete: {0}")]
    Body(#[source] BodyError),
}

/// Asks `peer` and gathers its answer. `Host` is the peer's unless the request names one.
pub async fn ask(peer: &Peer, request: Request<Bytes>, bounds: Bounds) -> Result<Response<Bytes>, ClientError> {
    let request = request.map(Body::full);
    let asking = async { exchange(connect(peer).await?, peer, request, bounds).await };
    tokio::time::timeout(bounds.timeout, asking).await.unwrap_or(Err(ClientError::Silent(bounds.timeout)))
}

/// Sends a request whose body comes piece by piece, and gathers the answer, which may come before the body is sent whole. A
/// body of known length has a `Content-Length`. `Host` is the peer's unless the request names one.
pub async fn send(peer: &Peer, request: Request<Body>, bounds: Bounds) -> Result<Response<Bytes>, ClientError> {
    let silent = || ClientError::Silent(bounds.timeout);
    let stream = tokio::time::timeout(bounds.timeout, connect(peer)).await.unwrap_or_else(|_| Err(silent()))?;
    let (taken, all_taken) = oneshot::channel::<()>();
    // The body is dropped once the connection has taken its last byte; so its end is seen by the sender's.
    let request = request.map(|body| body.at_end(move |_| drop(taken)));
    let unanswered = async {
        let _: Result<(), _> = all_taken.await;
        tokio::time::sleep(bounds.timeout).await;
    };
    tokio::select! {
        answer = exchange(stream, peer, request, bounds) => answer,
        () = unanswered => Err(silent()),
    }
}

impl Peer {
    fn host(&self) -> HeaderValue {
        let authority = match self {
            Self::Tcp(host, 80) | Self::Tls(host, 443, _) => bracketed(host),
            Self::Tcp(host, port) | Self::Tls(host, port, _) => format!("{}:{port}", bracketed(host)),
            Self::Unix(_) => "localhost".to_owned(),
            Self::Resolved { base, .. } => base.host().to_owned(),
        };
        HeaderValue::try_from(authority).unwrap_or(HeaderValue::from_static("localhost"))
    }
}

/// An IPv6 address stands in brackets beside a port.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// How slowly a peer may take what is sent to it.
const PATIENCE: Patience = Patience { idle: BODY_IDLE_TIMEOUT, bytes_per_second_min: TRANSFER_MIN_BYTES_PER_SECOND };

async fn connect(peer: &Peer) -> Result<Stream, ClientError> {
    let unreachable = ClientError::Unreachable;
    match peer {
        Peer::Tcp(host, port) => {
            let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
            Ok(Stream::new(socket, PATIENCE))
        }
        Peer::Tls(host, port, trust) => {
            let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
            secured(socket, host, trust).await
        }
        Peer::Unix(path) => Ok(Stream::new(UnixStream::connect(path).await.map_err(unreachable)?, PATIENCE)),
        Peer::Resolved { name, addresses, tls, .. } => {
            let socket = TcpStream::connect(addresses.as_ref()).await.map_err(unreachable)?;
            // What is sent in small pieces is sent at once.
            socket.set_nodelay(true).map_err(unreachable)?;
            match tls {
                Some(trust) => secured(socket, name, trust).await,
                None => Ok(Stream::new(socket, PATIENCE)),
            }
        }
    }
}

async fn secured(socket: TcpStream, host: &str, trust: &Arc<ClientConfig>) -> Result<Stream, ClientError> {
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| ClientError::Untrusted(io::Error::other(error)))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(trust));
    let stream = connector.connect(name, socket).await.map_err(ClientError::Untrusted)?;
    Ok(Stream::new(stream, PATIENCE))
}

async fn exchange(
    stream: Stream,
    peer: &Peer,
    mut request: Request<Body>,
    bounds: Bounds,
) -> Result<Response<Bytes>, ClientError> {
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, peer.host());
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
    // How the connection ended shows in the exchange, which may still have to read what came before the end.
    let driven = async {
        let _: Result<(), _> = connection.await;
        std::future::pending::<Result<Response<Bytes>, ClientError>>().await
    };
    let asked = async {
        let (head, incoming) = sender.send_request(request).await.map_err(ClientError::Broken)?.into_parts();
        let (body, _) = Body::incoming(incoming, Patience { idle: bounds.timeout, bytes_per_second_min: 0 });
        let bytes = body.collect(bounds.answer_max_bytes).await.map_err(ClientError::Body)?;
        Ok(Response::from_parts(head, bytes))
    };
    tokio::select! {
        answer = asked => answer,
        never = driven => never,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const BOUNDS: Bounds = Bounds { timeout: Duration::from_secs(20), answer_max_bytes: 8 };

    /// What is asked, and the outcome, where the peer answers with `answer` and closes.
    async fn asked(answer: &'static [u8], bounds: Bounds) -> (String, Result<Response<Bytes>, ClientError>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::Tcp("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 1024];
            let count = socket.read(&mut asked).await.unwrap();
            socket.write_all(answer).await.unwrap();
            asked.truncate(count);
            String::from_utf8(asked).unwrap()
        };
        let request = Request::post("/x?y=z").body(Bytes::from_static(b"body")).unwrap();
        tokio::join!(server, ask(&peer, request, bounds))
    }

    #[tokio::test]
    async fn an_answer_comes_whole() {
        let (asked, answer) = asked(b"HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n12345678", BOUNDS).await;
        assert!(asked.starts_with("POST /x?y=z HTTP/1.1\r\n") && asked.ends_with("\r\n\r\nbody"), "{asked}");
        assert!(asked.contains("host: 127.0.0.1:") && asked.contains("content-length: 4"), "{asked}");
        let answer = answer.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (201, &b"12345678"[..]));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for answer in [&b""[..], b"nonsense", b"HTTP/1.1 2000 200"] {
            assert!(matches!(asked(answer, BOUNDS).await.1, Err(ClientError::Broken(_))), "{answer:?}");
        }
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789"[..],
            b"HTTP/1.1 200 OK\r\n\r\n123456789",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234",
        ] {
            assert!(matches!(asked(answer, BOUNDS).await.1, Err(ClientError::Body(_))), "{answer:?}");
        }
    }

    /// A body of `length` bytes that comes in pieces, the first few at once and the rest once `rest` is there.
    fn in_pieces(length: u64, first: usize, rest: oneshot::Receiver<()>) -> Body {
        let first = futures_util::stream::iter((0..first).map(|_| Ok(Bytes::from_static(b"12345678"))));
        let rest = futures_util::stream::once(async move {
            let _: Result<(), _> = rest.await;
            Ok(Bytes::from_static(b"the rest"))
        });
        Body::stream(futures_util::StreamExt::chain(first, rest), Some(length))
    }

    #[tokio::test]
    async fn a_body_is_sent_as_it_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = BaseUrl::parse("http://files.example:81").unwrap();
        let peer =
            Peer::Resolved { base, name: "files.example".to_owned(), addresses: Arc::from([address]), tls: None };
        let (release, rest) = oneshot::channel();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"1234567812345678") {
                assert_ne!(socket.read_buf(&mut asked).await.unwrap(), 0);
            }
            // Only now does the body go on: nothing gathers it.
            release.send(()).unwrap();
            while !asked.ends_with(b"the rest") {
                assert_ne!(socket.read_buf(&mut asked).await.unwrap(), 0);
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            String::from_utf8(asked).unwrap()
        };
        let request = Request::put("/k").body(in_pieces(24, 2, rest)).unwrap();
        let (asked, answer) = tokio::join!(server, send(&peer, request, BOUNDS));
        assert_eq!(answer.unwrap().status(), 200);
        assert!(asked.contains("content-length: 24\r\n") && asked.contains("host: files.example:81\r\n"), "{asked}");
        assert!(!asked.contains("transfer-encoding"), "{asked}");
    }

    #[tokio::test]
    async fn an_answer_may_come_before_the_body_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::Tcp("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let (kept, rest) = oneshot::channel();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.read_u8().await.unwrap();
            socket.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
            socket
        };
        let request = Request::put("/k").body(in_pieces(24, 2, rest)).unwrap();
        let (_socket, answer) = tokio::join!(server, send(&peer, request, BOUNDS));
        assert_eq!(answer.unwrap().status(), 403);
        drop(kept);
    }

    #[tokio::test]
    async fn the_answer_is_waited_for_once_the_body_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::Tcp("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let short = Bounds { timeout: Duration::from_millis(20), ..BOUNDS };
        let (release, rest) = oneshot::channel();
        let late = async {
            tokio::time::sleep(short.timeout * 5).await;
            release.send(()).unwrap();
        };
        let request = Request::put("/k").body(in_pieces(16, 1, rest)).unwrap();
        let started = tokio::time::Instant::now();
        let (answer, ()) = tokio::join!(send(&peer, request, short), late);
        assert!(matches!(answer, Err(ClientError::Silent(_))), "{answer:?}");
        assert!(started.elapsed() >= short.timeout * 6, "a body that is late is not the peer's silence");
    }

    #[tokio::test]
    async fn silence_and_absence_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::Tcp("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let request = || Request::new(Bytes::new());
        let short = Bounds { timeout: Duration::from_millis(20), ..BOUNDS };
        assert!(matches!(ask(&peer, request(), short).await, Err(ClientError::Silent(_))));
        drop(listener);
        assert!(matches!(ask(&peer, request(), BOUNDS).await, Err(ClientError::Unreachable(_))));
        let nowhere = Peer::Unix("/nonexistent/admin.sock".into());
        assert!(matches!(ask(&nowhere, request(), BOUNDS).await, Err(ClientError::Unreachable(_))));
    }
}
