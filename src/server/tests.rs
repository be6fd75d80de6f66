//! Raw bytes over TCP against a running server: the only way to test framing, deadlines and closes.

mod bodies;
mod lifetime;
mod requests;
mod responses;
mod slowness;
mod tls;
mod versions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::{Config, Limits, Running, Server};
use crate::telemetry::metrics::Metrics;
use crate::wire::handler::handler;
use crate::wire::{Body, BodyError, ConnectionInfo, Handler};

/// No test waits longer for a byte: what hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// A deadline under test.
const SHORT: Duration = Duration::from_millis(80);
const MIB: usize = 1 << 20;

struct Site {
    address: SocketAddr,
    running: Running,
    metrics: Metrics,
}

fn site_with(limits: Limits, handler: Handler) -> Site {
    let metrics = Metrics::new();
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    let server = Server::bind(Config { listen, tls: None, limits, metrics: metrics.clone() }).unwrap();
    let running = server.serve(handler);
    Site { address: running.local_addrs()[0], running, metrics }
}

fn site() -> Site {
    site_with(Limits::default(), handler(answer))
}

/// What most tests talk to.
async fn answer(request: Request<Body>) -> Response<Body> {
    let info = request.extensions().get::<ConnectionInfo>().copied();
    let (head, mut body) = request.into_parts();
    match head.uri.path() {
        "/echo" => match body.collect(MIB).await {
            Ok(bytes) => Response::new(Body::full(bytes)),
            Err(error) => refusal(&error),
        },
        "/count" => {
            let mut count = 0;
            while let Some(bytes) = body.next().await {
                match bytes {
                    Ok(bytes) => count += bytes.len(),
                    Err(error) => return refusal(&error),
                }
            }
            text(StatusCode::OK, count.to_string())
        }
        "/refuse" => text(StatusCode::FORBIDDEN, "no"),
        "/peek" => {
            let first = body.next().await.unwrap().unwrap();
            text(StatusCode::BAD_REQUEST, String::from_utf8_lossy(&first[..1]))
        }
        "/who" => text(StatusCode::OK, format!("{info:?}")),
        "/stream" => Response::new(pieces(3, None, false)),
        "/broken" => Response::new(pieces(2, Some(100), true)),
        "/broken-chunked" => Response::new(pieces(2, None, true)),
        "/short" => Response::new(pieces(2, Some(100), false)),
        "/panic" => panic!("before the first await"),
        "/panic-later" => {
            let _ = body.collect(MIB).await;
            panic!("after an await")
        }
        _ => text(StatusCode::NOT_FOUND, "?"),
    }
}

fn text(status: StatusCode, text: impl AsRef<str>) -> Response<Body> {
    let mut response = Response::new(Body::full(text.as_ref().to_owned()));
    *response.status_mut() = status;
    response
}

fn refusal(error: &BodyError) -> Response<Body> {
    text(StatusCode::BAD_REQUEST, format!("{error:?}").split(['(', ' ']).next().unwrap_or_default())
}

/// `count` times `abc`, each given to the socket before the next is made, and then perhaps an error.
fn pieces(count: usize, length: Option<u64>, fails: bool) -> Body {
    let pieces = stream::unfold(0, move |index| async move {
        tokio::task::yield_now().await;
        match index {
            index if index < count => Some((Ok(Bytes::from_static(b"abc")), index + 1)),
            index if index == count && fails => Some((Err(BodyError::failed("the disk is gone")), index + 1)),
            _ => None,
        }
    });
    Body::stream(pieces, length)
}

/// A client that knows nothing of HTTP but where an answer ends.
struct Client<S> {
    io: S,
    unread: Vec<u8>,
}

#[derive(Debug)]
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(have, _)| *have == name)
            .map(|(_, value)| value)
    }

    fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

async fn connect(address: SocketAddr) -> Client<TcpStream> {
    Client { io: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(PATIENCE, self.io.write_all(bytes.as_ref())).await.expect("sending hangs").expect("sending fails");
        self.io.flush().await.unwrap();
    }

    /// More bytes; false at the end.
    async fn more(&mut self) -> std::io::Result<bool> {
        let mut buffer = [0; 4096];
        let count = timeout(PATIENCE, self.io.read(&mut buffer)).await.expect("the server says nothing")?;
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }

    async fn until(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                let rest = self.unread.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
            }
            let more = self.more().await.expect("the connection is reset");
            assert!(more, "the end came after {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// The next answer, whose body has a Content-Length.
    async fn answer(&mut self) -> Answer {
        let head = self.until(b"\r\n\r\n").await;
        let mut answer = Answer { head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            assert!(self.more().await.unwrap(), "the body is short");
        }
        let rest = self.unread.split_off(length);
        answer.body = String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
        answer
    }

    /// Everything up to the end, which must be a clean one.
    async fn rest(&mut self) -> String {
        while self.more().await.expect("the connection is reset") {}
        String::from_utf8(std::mem::take(&mut self.unread)).unwrap()
    }

    async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

fn put(path: &str, length: usize, more: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{more}\r\n")
}

fn put_chunked(path: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
}
