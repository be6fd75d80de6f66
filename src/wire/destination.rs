//! Where clients of ours may go when somebody else says where: part URLs, callback bases, callbacks. Without it a caller could
//! have the gateway's machine ask services that trust it (server-side request forgery).
//!
//! A URL is admitted by its host's name, or by its addresses: then **every** address that the name resolves to must be
//! allowed, and the connection goes to the addresses that were checked, so that a second answer of the resolver changes
//! nothing (DNS rebinding). Redirects are never followed by [`super::client`].
//!
//! IPv4 addresses in IPv6 clothes (`::ffff:10.0.0.1`) are IPv4 here. Addresses that translate to others (NAT64, 6to4) are
//! what they are: a range of IPv4 does not admit them. Never admitted: the unspecified address (Linux takes it for
//! loopback), multicast and broadcast. Link-local addresses, where clouds keep the credentials of a machine, are admitted by
//! ranges within the link-local ones alone, never by a larger one such as `0.0.0.0/0`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::base_url::BaseUrl;
use super::client::Peer;
use super::network::Network;
use super::trust::{TrustError, TrustSource};
use super::url::HttpUrl;
use crate::base::limits::{DESTINATION_ADDRESSES_MAX, RESOLVE_TIMEOUT};

/// Host names and ranges of addresses; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// In lower case.
    names: Vec<String>,
    networks: Vec<Network>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A host name, wherever it resolves to.
    Name(String),
    /// Addresses.
    Network(Network),
}

/// Why a URL is not called.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// Its host, or an address its host resolves to, is not allowed.
    #[error("{0} is not an allowed destination")]
    Forbidden(String),
    /// Its host has no address.
    #[error("{0} cannot be resolved: {1}")]
    Unresolved(String, String),
    /// Nobody said whom to trust over TLS, or it cannot be read now.
    #[error("{0} cannot be called over TLS: {1}")]
    Trust(String, #[source] TrustError),
}

impl DestinationError {
    /// Whether trying again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Forbidden(_) | Self::Trust(_, TrustError::Missing) => false,
            // Files are read for each connection, and while they are renewed they may be gone, or half written.
            Self::Unresolved(..)
            | Self::Trust(_, TrustError::Pem(_) | TrustError::Certificate(_) | TrustError::Unreadable(_)) => true,
        }
    }
}

impl Destination {
    /// Reads a host name, an address or a range such as `10.0.0.0/8`.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Some(network) = Network::parse(bare) {
            return Some(Self::Network(network));
        }
        let url = HttpUrl::parse(&format!("http://{text}")).ok()?;
        let named = url.address().is_none() && url.target() == "/" && url.name().len() == text.len();
        named.then(|| Self::Name(url.name().to_owned()))
    }
}

impl Destinations {
    /// These, and nothing else.
    pub fn new(destinations: Vec<Destination>) -> Self {
        let mut all = Self::default();
        for destination in destinations {
            match destination {
                Destination::Name(name) => all.names.push(name),
                Destination::Network(network) => all.networks.push(network),
            }
        }
        all
    }

    /// These, and the hosts of these URLs by whatever name or address they have there.
    #[must_use]
    pub fn with_hosts<'a>(mut self, urls: impl IntoIterator<Item = &'a BaseUrl>) -> Self {
        for url in urls {
            let Ok(url) = HttpUrl::parse(&url.to_string()) else { continue };
            match url.address() {
                Some(address) => self.networks.extend(Network::parse(&address.to_string())),
                None => self.names.push(url.name().to_owned()),
            }
        }
        self
    }

    /// This machine.
    pub fn loopback() -> Self {
        let networks = ["127.0.0.0/8", "::1"].into_iter().filter_map(Network::parse).collect();
        Self { names: Vec::new(), networks }
    }

    /// Whether the URL's host may be allowed, as far as that can be told without a resolver.
    pub fn may_be_allowed(&self, url: &HttpUrl) -> bool {
        match url.address() {
            Some(address) => self.contains(address),
            None => self.names_host(url) || !self.networks.is_empty(),
        }
    }

    /// The addresses of the URL's host, all of which are allowed.
    ///
    /// # Errors
    /// [`DestinationError::Forbidden`] when one of them is not, [`DestinationError::Unresolved`] when there is none in time.
    pub async fn resolve(&self, url: &HttpUrl) -> Result<Vec<SocketAddr>, DestinationError> {
        if let Some(address) = url.address() {
            return self.admit(url, vec![SocketAddr::new(address, url.port())]);
        }
        let unresolved = |why: String| DestinationError::Unresolved(url.base().to_string(), why);
        if !self.may_be_allowed(url) {
            return Err(DestinationError::Forbidden(url.base().to_string()));
        }
        let lookup = tokio::net::lookup_host((url.name(), url.port()));
        match tokio::time::timeout(RESOLVE_TIMEOUT, lookup).await {
            Ok(Ok(addresses)) => self.admit(url, addresses.collect()),
            Ok(Err(error)) => Err(unresolved(error.to_string())),
            Err(_) => Err(unresolved(format!("no answer within {RESOLVE_TIMEOUT:?}"))),
        }
    }

    /// What the host of the URL resolved to, judged.
    fn admit(&self, url: &HttpUrl, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, DestinationError> {
        if addresses.is_empty() {
            return Err(DestinationError::Unresolved(url.base().to_string(), "it has no address".to_owned()));
        }
        let named = self.names_host(url);
        let allowed = |address: &SocketAddr| {
            let ip = address.ip().to_canonical();
            is_unicast(ip) && (named || self.contains(ip))
        };
        if !addresses.iter().all(allowed) {
            return Err(DestinationError::Forbidden(url.base().to_string()));
        }
        Ok(addresses.into_iter().take(DESTINATION_ADDRESSES_MAX).collect())
    }

    fn names_host(&self, url: &HttpUrl) -> bool {
        self.names.iter().any(|name| name == url.name())
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let beside = beside_link_local(address);
        is_unicast(address)
            && self
                .networks
                .iter()
                .any(|network| network.contains(address) && beside.is_none_or(|ordinary| !network.contains(ordinary)))
    }
}

/// An address of one host.
fn is_unicast(address: IpAddr) -> bool {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// For a link-local address one that lies in every range that goes beyond the link-local ones.
fn beside_link_local(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) if address.is_link_local() => Some(IpAddr::V4(Ipv4Addr::new(169, 255, 0, 0))),
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            Some(IpAddr::V6(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0)))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// A client's way out: where it may go, and whom it believes there.
#[derive(Clone)]
pub struct Outbound {
    allowed: Destinations,
    trust: TrustSource,
}

impl Outbound {
    /// Goes to `allowed` alone; `trust` is asked for each connection over TLS.
    pub fn new(allowed: Destinations, trust: TrustSource) -> Self {
        Self { allowed, trust }
    }

    /// Where it may go.
    pub fn allowed(&self) -> &Destinations {
        &self.allowed
    }

    /// Whom to ask for the URL: addresses that were checked, under the URL's own name.
    pub async fn peer(&self, url: &HttpUrl) -> Result<Peer, DestinationError> {
        let addresses = self.allowed.resolve(url).await?;
        let tls = match url.is_https() {
            true => {
                let trust = (self.trust)();
                Some(trust.map_err(|error| DestinationError::Trust(url.base().to_string(), error))?)
            }
            false => None,
        };
        Ok(Peer::Resolved {
            base: url.base().clone(),
            name: url.name().to_owned(),
            addresses: Arc::from(addresses),
            tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::trust;

    fn destinations(items: &[&str]) -> Destinations {
        Destinations::new(items.iter().map(|item| Destination::parse(item).unwrap()).collect())
    }

    fn url(text: &str) -> HttpUrl {
        HttpUrl::parse(text).unwrap()
    }

    fn admits(allowed: &Destinations, host: &str, addresses: &[&str]) -> bool {
        let addresses = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 80)).collect();
        allowed.admit(&url(&format!("http://{host}/")), addresses).is_ok()
    }

    #[test]
    fn names_addresses_and_ranges_are_read() {
        for good in ["files.example.com", "Wharf", "10.0.0.1", "10.0.0.0/8", "::1", "[::1]", "2001:db8::/32"] {
            assert!(Destination::parse(good).is_some(), "{good}");
        }
        assert_eq!(Destination::parse("Wharf"), Some(Destination::Name("wharf".to_owned())));
        for bad in
            ["", "http://h", "h:80", "h/", "h?", "u@h", "*.h", "1.2.3", "0x7f.1", "10.0.0.0/33", "[h]", "::g", "a b"]
        {
            assert_eq!(Destination::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn hosts_that_are_addresses_need_no_resolver() {
        let cases: [(&[&str], &str, bool); 22] = [
            (&["127.0.0.0/8", "::1"], "http://127.0.0.1:9000/", true),
            (&["127.0.0.0/8", "::1"], "http://127.255.0.9/", true),
            (&["127.0.0.0/8", "::1"], "http://[::1]:1/", true),
            (&["127.0.0.0/8", "::1"], "http://[::ffff:127.0.0.1]/", true),
            (&["127.0.0.0/8", "::1"], "http://[::ffff:10.0.0.1]/", false),
            (&["127.0.0.0/8", "::1"], "http://[::127.0.0.1]/", false),
            (&["127.0.0.0/8", "::1"], "http://[64:ff9b::127.0.0.1]/", false),
            (&["127.0.0.0/8", "::1"], "http://0.0.0.0/", false),
            (&["127.0.0.0/8", "::1"], "http://[::]/", false),
            (&["127.0.0.0/8", "::1"], "http://169.254.169.254/latest/meta-data/", false),
            (&["127.0.0.0/8", "::1"], "http://10.0.0.1/", false),
            (&["10.0.0.0/8"], "http://127.0.0.1/", false),
            (&["0.0.0.0/0", "::/0"], "http://192.0.2.1/", true),
            (&["0.0.0.0/0", "::/0"], "http://0.0.0.0/", false),
            (&["0.0.0.0/0", "::/0"], "http://[::ffff:0.0.0.0]/", false),
            (&["0.0.0.0/0", "::/0"], "http://169.254.169.254/", false),
            (&["0.0.0.0/0", "::/0"], "http://[::ffff:169.254.169.254]/", false),
            (&["0.0.0.0/0", "::/0"], "http://[fe80::1]/", false),
            (&["0.0.0.0/0", "::/0"], "http://255.255.255.255/", false),
            (&["0.0.0.0/0", "::/0"], "http://224.0.0.1/", false),
            (&["169.254.0.0/16", "fe80::/10"], "http://169.254.169.254/", true),
            (&["169.254.0.0/16", "fe80::/10"], "http://[fe80::1]/", true),
        ];
        for (allowed, text, admitted) in cases {
            let (allowed, url) = (destinations(allowed), url(text));
            assert_eq!(allowed.may_be_allowed(&url), admitted, "{text}");
            let resolved = allowed.resolve(&url).await;
            assert_eq!(resolved.is_ok(), admitted, "{text} {resolved:?}");
        }
        assert!(!Destinations::default().may_be_allowed(&url("http://127.0.0.1/")));
        assert!(!Destinations::default().may_be_allowed(&url("http://h/")));
    }

    #[test]
    fn every_address_of_a_name_must_be_allowed() {
        let loopback = Destinations::loopback();
        assert!(loopback.may_be_allowed(&url("http://anything.example/")), "only a resolver can tell");
        for (addresses, admitted) in [
            (&["127.0.0.1"][..], true),
            (&["127.0.0.1", "::1"], true),
            (&["127.0.0.1", "10.0.0.1"], false),
            (&["10.0.0.1", "127.0.0.1"], false),
            (&["127.0.0.1", "0.0.0.0"], false),
            (&["::ffff:127.0.0.1"], true),
            (&["::ffff:169.254.169.254"], false),
            (&[], false),
        ] {
            assert_eq!(admits(&loopback, "h.example", addresses), admitted, "{addresses:?}");
        }
        let named = destinations(&["h.example"]);
        assert!(admits(&named, "H.example", &["10.0.0.1", "2001:db8::1"]), "a name is allowed wherever it leads");
        assert!(!admits(&named, "h.example", &["0.0.0.0"]) && !admits(&named, "h.example", &["ff02::1"]));
        for other in ["x.h.example", "h.example.evil", "hh.example"] {
            assert!(!named.may_be_allowed(&url(&format!("http://{other}/"))), "{other}");
        }
        let own = ["http://10.0.0.5:9000", "http://[2001:db8::5]", "https://Wharf:81"]
            .map(|url| BaseUrl::parse(url).unwrap());
        let own = Destinations::default().with_hosts(&own);
        for (host, address, admitted) in [
            ("10.0.0.5", "10.0.0.5", true),
            ("x", "2001:db8::5", true),
            ("wharf", "192.0.2.1", true),
            ("x", "10.0.0.6", false),
        ] {
            assert_eq!(admits(&own, host, &[address]), admitted, "{host}");
        }
        let many: Vec<String> = (1..100).map(|last| format!("127.0.0.{last}")).collect();
        let many = many.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 80)).collect();
        assert_eq!(loopback.admit(&url("http://h/"), many).unwrap().len(), DESTINATION_ADDRESSES_MAX);
    }

    #[tokio::test]
    async fn names_are_resolved_and_the_connection_goes_where_they_led() {
        let nobody: TrustSource = Arc::new(|| Err(TrustError::Missing));
        let outbound = Outbound::new(Destinations::loopback(), Arc::clone(&nobody));
        let Ok(Peer::Resolved { addresses, name, tls: None, .. }) = outbound.peer(&url("http://localhost:81/")).await
        else {
            panic!("localhost is this machine")
        };
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 81), "{addresses:?}");
        assert_eq!(name, "localhost");
        let missing = outbound.peer(&url("http://nobody.invalid/")).await;
        assert!(matches!(&missing, Err(error @ DestinationError::Unresolved(..)) if error.is_passing()));
        let secure = outbound.peer(&url("https://127.0.0.1/")).await;
        assert!(matches!(&secure, Err(error @ DestinationError::Trust(..)) if !error.is_passing()));
        for passing in ["a file that is gone", "no PEM"] {
            let trust: TrustSource = Arc::new(move || match passing {
                "no PEM" => trust::either(Some(b"-----BEGIN CERTIFICATE-----\nAA"), None),
                why => Err(TrustError::Unreadable(why.to_owned())),
            });
            let renewed = Outbound::new(Destinations::loopback(), trust).peer(&url("https://127.0.0.1/")).await;
            assert!(matches!(&renewed, Err(error @ DestinationError::Trust(..)) if error.is_passing()), "{passing}");
        }
        let elsewhere = Outbound::new(destinations(&["10.0.0.0/8"]), nobody);
        assert!(matches!(elsewhere.peer(&url("http://localhost/")).await, Err(DestinationError::Forbidden(_))));
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
        let outbound =
            Outbound::new(Destinations::loopback(), Arc::new(move || trust::either(Some(own.as_bytes()), None)));
        assert!(matches!(outbound.peer(&url("https://127.0.0.1/")).await, Ok(Peer::Resolved { tls: Some(_), .. })));
    }
}
