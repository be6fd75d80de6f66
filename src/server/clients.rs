//! How many connections each client has: none may take the slots of all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::network::Networks;

/// Bits of an IPv6 address that stand for one client: whoever has one address of such a network has them all (RFC 6177).
const CLIENT_PREFIX_BITS: u32 = 64;

/// The open connections by client.
#[derive(Debug)]
pub(super) struct Clients {
    max: usize,
    uncapped: Networks,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that counts as its client's for as long as this lives.
#[derive(Debug)]
pub(super) struct Admission {
    clients: Arc<Clients>,
    client: Option<IpAddr>,
}

impl Clients {
    pub(super) fn new(max: usize, uncapped: Networks) -> Arc<Self> {
        Arc::new(Self { max, uncapped, open: Mutex::default() })
    }

    /// Counts a connection of this address; none where its client has as many as it may have.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admission> {
        let clients = Arc::clone(self);
        if self.uncapped.contains(address) {
            return Some(Admission { clients, client: None });
        }
        let client = client_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Admission { clients, client: Some(client) })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut open = self.clients.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let rest = u128::MAX >> CLIENT_PREFIX_BITS;
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !rest))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_count() {
        let clients = Clients::new(2, Networks::loopback());
        let admit = |text: &str| clients.admit(text.parse().unwrap());
        let first = admit("203.0.113.9");
        // The same address, as a listener for both protocols shows it.
        let second = admit("::ffff:203.0.113.9");
        assert!(first.is_some() && second.is_some() && admit("203.0.113.9").is_none());
        assert!(admit("203.0.113.10").is_some());
        let neighbours = [admit("2001:db8::1"), admit("2001:db8::2:0:0:1")];
        assert!(neighbours.iter().all(Option::is_some) && admit("2001:db8:0:0:ffff::").is_none());
        assert!(admit("2001:db8:0:1::1").is_some());
        assert!((0..10).map(|_| admit("127.0.0.1")).collect::<Vec<_>>().iter().all(Option::is_some));
        drop(first);
        let third = admit("203.0.113.9");
        assert!(third.is_some() && admit("203.0.113.9").is_none());
        drop((second, third, neighbours));
        assert!(clients.open.lock().unwrap().is_empty(), "clients without connections are forgotten");
    }
}
