//! Where a gateway of these settings is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{Config, values};
use crate::wire::base_url::BaseUrl;

impl Config {
    /// What presigned URLs begin with: the first public URL, or the S3 listener as this machine reaches it. None where only
    /// the start of the gateway picks a port.
    pub fn presign_base(&self) -> Option<BaseUrl> {
        let listener = || {
            let address = self.s3_listen.iter().find(|address| address.port() != 0)?;
            Some(BaseUrl::of_address(self.tls.is_some(), reachable(*address)))
        };
        self.public_urls.first().cloned().or_else(listener)
    }
}

/// Where a listener is reached from its own machine.
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(address, listener.port())
}

/// The life of a presigned URL, as `--presign-expires` takes it.
///
/// # Errors
/// Words that say what was expected.
pub fn presign_life(text: &str) -> Result<Duration, String> {
    values::presign_life(&[text.to_owned()])
}
