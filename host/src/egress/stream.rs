//! Connections as they are, for whoever speaks on them itself.
//!
//! In -> out: a target that was granted -> a connection to a checked address of it.
//! Limits: those of the door for connecting.
//! Invariant: the same as of requests: a name is looked up once, its address is checked where it is connected to.
//! Not here: who may connect where (`relay.rs`).

use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use orch_trust::permission::{HttpHost, NetworkTarget};
use tokio::net::TcpStream;
use tower_service::Service;

use super::resolve::{AnyAddress, Checked, Prohibited};
use super::timed::Timed;
use super::{Door, connector, fault};

/// No connection.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unreached {
    /// A name led where no name may lead.
    pub prohibited: bool,
    pub why: String,
}

impl Door {
    /// A name goes by the operator's proxy, if there is one; an address that is written out does not.
    ///
    /// # Errors
    /// `Unreached`: nobody is there, not in time, or nobody may.
    pub async fn connect(&self, target: &NetworkTarget) -> Result<TcpStream, Unreached> {
        let uri = Uri::builder().scheme("http").authority(target.to_string()).path_and_query("/").build();
        let uri =
            uri.map_err(|error| Unreached { prohibited: false, why: format!("`{target}`: {error}") })?;
        let most = self.connect;
        let connected = match &self.proxy {
            Some(proxy) if matches!(target.host, HttpHost::Name(_)) => {
                let connector = Tunnel::new(proxy.clone(), connector(AnyAddress(self.names.clone())));
                Timed { connector, most }.call(uri).await
            }
            _ => Timed { connector: connector(Checked(self.names.clone())), most }.call(uri).await,
        };
        connected.map(TokioIo::into_inner).map_err(|error| {
            let cause: fault::Cause<'_> = &*error;
            let private = |cause: fault::Cause<'_>| {
                matches!(cause.downcast_ref::<Prohibited>(), Some(Prohibited::Private { .. }))
            };
            let prohibited = fault::causes(cause).any(private);
            Unreached { prohibited, why: format!("`{target}`: {}", fault::words(cause)) }
        })
    }
}
