//! A client for one request: over TCP, over TLS or over a Unix socket, with one deadline for everything and a bounded
//! answer. Each request has a connection of its own.
//!
//! Absent on purpose: pooling, redirects, retries, proxies. Who asks knows whether asking again is safe.

use std::io;
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::idle::Patience;
use super::{Body, BodyError};

/// Whom to ask.
#[derive(Clone, Debug)]
pub enum Peer {
    /// A host, by name or address, and its port.
    Tcp(String, u16),
    /// The same over TLS (see [`super::trust`]).
    Tls(String, u16, Arc<ClientConfig>),
    /// A Unix socket, by a path that is short enough to be an address.
    Unix(PathBuf),
}

/// How much is waited for, and taken.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From connecting to the last byte of the answer.
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
pub async fn ask(peer: &Peer, mut request: Request<Bytes>, bounds: Bounds) -> Result<Response<Bytes>, ClientError> {
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, peer.host());
    }
    let request = request.map(Body::full);
    let asking = async {
        match peer {
            Peer::Tcp(host, port) => exchange(tcp(host, *port).await?, request, bounds).await,
            Peer::Tls(host, port, trust) => exchange(tls(host, *port, trust).await?, request, bounds).await,
            Peer::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(ClientError::Unreachable)?;
                exchange(socket, request, bounds).await
            }
        }
    };
    tokio::time::timeout(bounds.timeout, asking).await.unwrap_or(Err(ClientError::Silent(bounds.timeout)))
}

impl Peer {
    fn host(&self) -> HeaderValue {
        let authority = match self {
            Self::Tcp(host, 80) | Self::Tls(host, 443, _) => bracketed(host),
            Self::Tcp(host, port) | Self::Tls(host, port, _) => format!("{}:{port}", bracketed(host)),
            Self::Unix(_) => "localhost".to_owned(),
        };
        HeaderValue::try_from(authority).unwrap_or(HeaderValue::from_static("localhost"))
    }
}

/// An IPv6 address stands in brackets beside a port.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    TcpStream::connect((host, port)).await.map_err(ClientError::Unreachable)
}

async fn tls(
    host: &str,
    port: u16,
    trust: &Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ClientError> {
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| ClientError::Untrusted(io::Error::other(error)))?;
    let socket = tcp(host, port).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(trust));
    connector.connect(name, socket).await.map_err(ClientError::Untrusted)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Body>,
    bounds: Bounds,
) -> Result<Response<Bytes>, ClientError> {
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
