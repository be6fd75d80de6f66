//! Rank 4: listeners, TLS and HTTP/1.1 connections that run a [`Handler`]. Knows no S3.
//!
//! Invariants:
//! - every wait on a peer has a deadline and every buffer a size; connections beyond the cap wait in the kernel's queue, those
//!   beyond what one client may have are closed;
//! - a peer that moves a byte now and then does not hold its connection by that;
//! - the client sees the answer: a connection closed with request bytes unread is shut down, read away for a bounded
//!   while and then closed, because closing it at once would reset it and destroy the answer on its way;
//! - a response that breaks off never looks complete;
//! - no failure of accepting, of a connection or of a handler ends the server.
//!
//! Absent on purpose: HTTP/2, upgrades and routing.

mod accept;
mod clients;
mod connection;
mod drain;
mod exchange;
mod stream;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::base::limits;
use crate::telemetry::metrics::Metrics;
use crate::wire::Handler;
use crate::wire::idle::Patience;
use crate::wire::network::Networks;

use clients::Clients;
pub use drain::Running;
use drain::{Phase, Slots};

/// What a server is made of.
#[derive(Debug)]
pub struct Config {
    /// Addresses to listen on; port 0 picks a free one.
    pub listen: Vec<SocketAddr>,
    /// TLS for every listener (see [`tls::Certificates`]), or plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Deadlines and caps.
    pub limits: Limits,
    /// Where connections and their bytes are counted.
    pub metrics: Metrics,
}

/// Deadlines and caps of a server. The default is that of [`limits`]; tests use smaller ones.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections of one listener at a time.
    pub connections: usize,
    /// Connections of one client at a time, over all listeners: of an IPv4 address, or of the 2^64 IPv6 addresses of a host.
    pub connections_per_client: usize,
    /// Whom that does not bound: who speaks for many clients.
    pub uncapped: Networks,
    /// Time for a complete request head, and how long an idle keep-alive connection is held.
    pub header: Duration,
    /// Longest pause between two reads of a request body, and between two writes of a response.
    pub body_idle: Duration,
    /// Slowest transfer of either on the whole; see [`Patience`].
    pub bytes_per_second_min: u64,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Longest time, and most bytes, that are read and dropped before a connection with unread bytes is closed.
    pub linger: Duration,
    /// See `linger`.
    pub linger_bytes: usize,
    /// A rest of a request body this small that arrives within this time is read away to keep the connection.
    pub unread: Duration,
    /// See `unread`.
    pub unread_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS_MAX,
            connections_per_client: limits::CONNECTIONS_PER_CLIENT_MAX,
            uncapped: Networks::loopback(),
            header: limits::HEADER_TIMEOUT,
            body_idle: limits::BODY_IDLE_TIMEOUT,
            bytes_per_second_min: limits::TRANSFER_MIN_BYTES_PER_SECOND,
            handshake: limits::HANDSHAKE_TIMEOUT,
            linger: limits::LINGER_TIMEOUT,
            linger_bytes: limits::LINGER_MAX_BYTES,
            unread: limits::UNREAD_BODY_TIMEOUT,
            unread_bytes: limits::UNREAD_BODY_MAX_BYTES,
        }
    }
}

impl Limits {
    /// How slow a peer may be that is waited for within a request or an answer.
    fn patience(&self) -> Patience {
        Patience { idle: self.body_idle, bytes_per_second_min: self.bytes_per_second_min }
    }
}

/// A server whose listeners are bound: clients can connect, and are served once [`Server::serve`] is called.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
    metrics: Metrics,
}

/// What every connection of a server shares.
struct Shared {
    handler: Handler,
    tls: Option<tokio_rustls::TlsAcceptor>,
    limits: Limits,
    clients: Arc<Clients>,
    metrics: Metrics,
}

impl Server {
    /// Binds every address, or none; the error names the address. Must be called within a tokio runtime.
    pub fn bind(config: Config) -> io::Result<Self> {
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for address in config.listen {
            let listener = accept::listen(address)
                .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
            addresses.push(listener.local_addr()?);
            listeners.push(listener);
        }
        Ok(Self { listeners, addresses, tls: config.tls, limits: config.limits, metrics: config.metrics })
    }

    /// The bound addresses with their real ports, in the order of [`Config::listen`].
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts to answer with `handler`. Dropping what this returns cuts every connection; [`Running::drain`] ends them
    /// decently.
    pub fn serve(self, handler: Handler) -> Running {
        let (phase, watching) = watch::channel(Phase::Serving);
        let shared = Arc::new(Shared {
            handler,
            tls: self.tls.map(tokio_rustls::TlsAcceptor::from),
            clients: Clients::new(self.limits.connections_per_client, self.limits.uncapped.clone()),
            limits: self.limits,
            metrics: self.metrics,
        });
        let connections = shared.limits.connections.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let mut listeners = Vec::new();
        for listener in self.listeners {
            let slots = Arc::new(Semaphore::new(connections));
            let accepting =
                tokio::spawn(accept::run(listener, Arc::clone(&slots), Arc::clone(&shared), watching.clone()));
            listeners.push(Slots { slots, connections, accepting });
        }
        Running::new(self.addresses, phase, listeners)
    }
}

#[cfg(test)]
mod tests;
