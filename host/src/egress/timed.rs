//! Connections that are there in time, TLS and proxy included.
//!
//! Invariant: one takes no longer than the door gives it, nor than what is left to the request that it is made for.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tower_service::Service;

use crate::capability::effect::Boxed;

type Error = Box<dyn std::error::Error + Send + Sync>;

tokio::task_local! {
    /// Of the request that is being sent: a connector is told nothing but an address.
    pub(super) static LEFT: Duration;
}

#[derive(Clone)]
pub(super) struct Timed<C> {
    pub(super) connector: C,
    pub(super) most: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Error: Into<Error>,
    C::Response: 'static,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = Error;
    type Future = Boxed<'static, Result<C::Response, Error>>;

    fn poll_ready(&mut self, waker: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.connector.poll_ready(waker).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let left = LEFT.try_with(|left| *left).unwrap_or(self.most);
        let (connecting, most) = (self.connector.call(uri), self.most.min(left));
        Box::pin(async move {
            match tokio::time::timeout(most, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}
