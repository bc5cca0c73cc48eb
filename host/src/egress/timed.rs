//! Connections that are there in time, TLS and proxy included.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tower_service::Service;

use crate::capability::effect::Boxed;

type Error = Box<dyn std::error::Error + Send + Sync>;

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
        let (connecting, most) = (self.connector.call(uri), self.most);
        Box::pin(async move {
            match tokio::time::timeout(most, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}
