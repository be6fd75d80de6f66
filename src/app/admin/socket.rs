//! `<data-dir>/admin.sock`: the administration for whoever may open it. The file's mode (0600) is the check, so whoever
//! can connect is the owner of the data directory or the system's administrator, and is root here.
//!
//! We hold the lock of the data directory, so a socket that stands there belongs to a process that is dead.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::base::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_REQUEST_TIMEOUT, CONNECTION_BUFFER_MAX_BYTES, HEADERS_MAX};
use crate::store::fsio::socket::{SocketAddress, make_private, remove_socket};
use crate::wire::idle::Patience;
use crate::wire::{Body, Handler};

/// Its name in the data directory.
const NAME: &str = "admin.sock";
/// Connections the kernel holds until they are accepted.
const BACKLOG: u32 = 64;
/// How long accepting rests after a failure.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the socket of a data directory is.
pub(in crate::app) fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// A socket at work. Dropping it cuts its connections and leaves the file for the next start.
#[must_use = "dropping it cuts every connection"]
pub(in crate::app) struct AdminSocket {
    path: PathBuf,
    slots: Arc<Semaphore>,
    ending: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl AdminSocket {
    /// Binds the socket in `data_dir` and answers with `handler`.
    pub(in crate::app) fn serve(data_dir: &Path, handler: Handler) -> io::Result<Self> {
        let path = path_in(data_dir);
        remove_socket(&path)?;
        let socket = UnixSocket::new_stream()?;
        make_private(&socket)?;
        socket.bind(SocketAddress::of(&path)?.path())?;
        let listener = socket.listen(BACKLOG)?;
        let slots = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
        let (ending, watching) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&slots), handler, watching));
        Ok(Self { path, slots, ending, accepting })
    }

    /// Takes the name away, lets requests in flight finish for at most `timeout`, and ends.
    pub(in crate::app) async fn drain(mut self, timeout: Duration) {
        if let Err(error) = remove_socket(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket stays");
        }
        self.ending.send_replace(true);
        // A panic in the loop has closed the listener just the same.
        let _: Result<(), _> = (&mut self.accepting).await;
        let all = u32::try_from(ADMIN_CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let _: Result<_, _> = tokio::time::timeout(timeout, self.slots.acquire_many(all)).await;
    }
}

/// Accepts until the end. A slot is taken before a connection is.
async fn accept(listener: UnixListener, slots: Arc<Semaphore>, handler: Handler, mut ending: watch::Receiver<bool>) {
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
            Some((listener.accept().await, slot))
        };
        let accepted = tokio::select! {
            () = over(&mut ending) => return,
            accepted = next => accepted,
        };
        match accepted {
            None => return,
            Some((Ok((stream, _)), slot)) => {
                let (handler, ending) = (Arc::clone(&handler), ending.clone());
                tokio::spawn(async move {
                    serve(stream, handler, ending).await;
                    drop(slot);
                });
            }
            Some((Err(error), _)) => {
                tracing::error!(%error, "cannot accept connections on {NAME}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Returns at the end, or when the socket was dropped.
async fn over(ending: &mut watch::Receiver<bool>) {
    let _: Result<_, _> = ending.wait_for(|ending| *ending).await;
}

/// Answers the requests of one connection.
async fn serve(stream: UnixStream, handler: Handler, mut ending: watch::Receiver<bool>) {
    let service = service_fn(|request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move {
            let (head, incoming) = request.into_parts();
            let (body, _) = Body::incoming(incoming, Patience { idle: ADMIN_REQUEST_TIMEOUT, bytes_per_second_min: 0 });
            Ok::<Response<Body>, Infallible>(handler(Request::from_parts(head, body)).await)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(ADMIN_REQUEST_TIMEOUT);
    builder.max_buf_size(CONNECTION_BUFFER_MAX_BYTES).max_headers(HEADERS_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = over(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of {NAME} ended");
    }
}
