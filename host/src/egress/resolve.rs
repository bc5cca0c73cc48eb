//! Names to addresses: looked up once for a connection, each address checked.
//!
//! A rule by name covers addresses of the public network that are not this machine's own: who asks for one of those from here
//! is past what keeps others away.
//! Invariant: what leaves [`Checked`] may be connected to; nothing is looked up again behind it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::address::{is_public, leads_to};
use crate::capability::effect::Boxed;

/// Who looks names up.
pub trait Resolve: Send + Sync {
    fn look_up(&self, name: String) -> Boxed<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's own way: its hosts file, its servers.
pub struct SystemNames;

impl Resolve for SystemNames {
    fn look_up(&self, name: String) -> Boxed<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// True of an address that this machine has. Nothing is sent: the kernel says from where it would go there, and to its own
/// it goes from that very address.
fn is_own(address: IpAddr) -> bool {
    let any: SocketAddr = match address {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let from = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    match from {
        Ok(from) => from.ip() == address,
        // Nothing goes there, so it is nobody's here. Whoever has no file left for a socket connects to nobody either.
        Err(_) => false,
    }
}

/// A name led to no address that a rule by name covers.
#[derive(Debug, thiserror::Error)]
pub(super) enum Prohibited {
    #[error(
        "`{name}` leads to {addresses}: addresses of this machine or of a private network, which only a rule that writes out the \
         address covers"
    )]
    Private { name: String, addresses: String },
    #[error("`{0}` has no address")]
    Nothing(String),
    #[error("`{name}` cannot be looked up: {why}")]
    Unknown { name: String, why: io::Error },
}

type Found = Boxed<'static, Result<std::vec::IntoIter<SocketAddr>, Prohibited>>;

/// Addresses that a rule by name covers.
#[derive(Clone)]
pub(super) struct Checked(pub(super) Arc<dyn Resolve>);

impl Service<Name> for Checked {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Prohibited;
    type Future = Found;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Prohibited>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Found {
        let names = self.0.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = addresses(&names, &name).await?;
            let covered = |address: &IpAddr| is_public(*address) && !is_own(leads_to(*address));
            let public: Vec<_> = found.iter().filter(|address| covered(address)).copied().collect();
            match public.is_empty() {
                false => Ok(sockets(public)),
                true => {
                    let shown: Vec<_> = found.iter().take(4).map(ToString::to_string).collect();
                    Err(Prohibited::Private { name, addresses: shown.join(", ") })
                }
            }
        })
    }
}

/// For the operator's own proxy.
#[derive(Clone)]
pub(super) struct AnyAddress(pub(super) Arc<dyn Resolve>);

impl Service<Name> for AnyAddress {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Prohibited;
    type Future = Found;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Prohibited>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Found {
        let names = self.0.clone();
        Box::pin(async move { Ok(sockets(addresses(&names, name.as_str()).await?)) })
    }
}

async fn addresses(names: &Arc<dyn Resolve>, name: &str) -> Result<Vec<IpAddr>, Prohibited> {
    let found = names.look_up(name.to_owned()).await;
    match found.map_err(|why| Prohibited::Unknown { name: name.to_owned(), why })? {
        none if none.is_empty() => Err(Prohibited::Nothing(name.to_owned())),
        found => Ok(found),
    }
}

/// The port is the connector's to say.
fn sockets(addresses: Vec<IpAddr>) -> std::vec::IntoIter<SocketAddr> {
    addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn an_address_is_this_machines_own_if_it_would_be_reached_from_itself() {
        // The rest of 127.0.0.0/8 is reached from this one, and is public for nobody.
        assert!(is_own("127.0.0.1".parse().unwrap()));
        for other in ["93.184.216.34", "2606:4700::1", "192.0.2.1"] {
            assert!(!is_own(other.parse().unwrap()), "{other}");
        }
    }
}
