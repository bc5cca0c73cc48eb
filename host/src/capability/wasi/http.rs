//! `wasi:http/types`: answering requests, never making them.
//!
//! Invariant: nothing is sent from here: `wasi:http/outgoing-handler` is linked with hooks of its own (`capability/http.rs`),
//! and the hook that would send one refuses.
//! Not here: the request that a service answers (`role/service.rs`).

use std::future::Future;

use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// Refuses every outgoing request.
pub(super) struct NoOutgoing;

type Transfer = Box<dyn Future<Output = Result<()>> + Send>;

impl WasiHttpHooks for NoOutgoing {
    fn send_request(
        &mut self,
        _request: ::http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _body: Transfer,
    ) -> Box<dyn Future<Output = Result<(::http::Response<WasiBody>, Transfer)>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
