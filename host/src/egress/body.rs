//! Bodies of answers on their way to a guest: how long they may pause, and what they hold.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::{Error, WasiBody};

/// A body that ends with an error when it has waited so long for its next part.
pub(super) struct Paced {
    body: WasiBody,
    between: Duration,
    late: Pin<Box<tokio::time::Sleep>>,
}

impl Paced {
    pub(super) fn new(body: WasiBody, between: Duration) -> Self {
        Self { body, between, late: Box::pin(tokio::time::sleep(between)) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(waker) {
            this.late.as_mut().reset(tokio::time::Instant::now() + this.between);
            return Poll::Ready(frame);
        }
        ready!(this.late.as_mut().poll(waker));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// A body that keeps its connection's room until it is dropped.
pub(super) struct Roomed {
    pub(super) body: WasiBody,
    pub(super) _room: OwnedSemaphorePermit,
}

impl Body for Roomed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(waker)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
