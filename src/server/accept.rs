//! Listening and accepting. The loop ends only when the server drains.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::drain::{Phase, draining};
use super::{Shared, connection};

/// Connections the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;
/// How long accepting rests when the process or the machine is out of descriptors or memory: first, and at most.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A bound listener whose address can be bound again at once after a restart.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the server drains. A slot is taken before a connection is: a full server leaves clients in the
/// kernel's queue. A client with too many connections is not left there, where it would stand before the others: its
/// further ones are closed.
pub(super) async fn run(
    listener: TcpListener,
    slots: Arc<Semaphore>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    loop {
        let accepted = tokio::select! {
            () = draining(&mut phase) => return,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((tcp, peer, slot)) = accepted else { return };
        let Some(admission) = shared.clients.admit(peer.ip()) else {
            shared.metrics.connection_refused();
            tracing::debug!(%peer, "refused: the client has as many connections as one may have");
            continue;
        };
        let (shared, phase) = (Arc::clone(&shared), phase.clone());
        tokio::spawn(async move {
            connection::run(tcp, peer, &shared, phase).await;
            drop((admission, slot));
        });
    }
}

/// The next connection with its slot; `None` when the slots are closed for good.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    let mut pause = PAUSE;
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => return Some((tcp, peer, slot)),
            // The client gave up while it waited in the queue: its affair alone.
            Err(error) if is_of_one_connection(&error) => tracing::debug!(%error, "a connection was lost in the queue"),
            Err(error) => {
                tracing::error!(%error, ?pause, "cannot accept connections");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// accept(2) passes on errors of the one connection it would have returned.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
