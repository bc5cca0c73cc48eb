//! Services: HTTP requests that the host hands over.
//!
//! In -> out: a request -> a whole response.
//! Limits: the request's body (the caller's), the response's body (`outputKiB`), the call's wall time.
//! Invariant: no request goes out; a response is handed on whole or not at all.
//! Not here: listening, paths and concurrency (`commands/serve.rs`).

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::call::{CallContext, CallReport};
use crate::engine::limits::Exceeded;
use crate::engine::link::Linked;
use crate::engine::store::{self, CallState};
use crate::engine::{CallError, Compiled, Engine};

/// A linked service.
pub struct Service<E> {
    linked: Linked<E>,
    pre: ProxyPre<CallState>,
}

type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// How collecting a response's body went wrong.
enum BodyError {
    TooLarge,
    Broken(String),
}

impl<E: Compilable> Service<E> {
    /// # Errors
    /// `Link`: an import is not granted, or the export is missing.
    pub fn link(engine: &Engine, compiled: Compiled<E>) -> Result<Self, CallError> {
        let linked = Linked::new(engine, compiled, Role::Service)?;
        let pre = ProxyPre::new(linked.pre().clone()).map_err(|error| linked.lacks_export(&error))?;
        Ok(Self { linked, pre })
    }

    pub fn evidence(&self) -> &E {
        self.linked.evidence()
    }

    /// The plugin's response. The request's body was read and bounded by the caller.
    pub async fn handle(&self, context: CallContext, request: Request<Bytes>) -> CallReport<Response<Bytes>> {
        let mut store = self.linked.store(context);
        let wall = match store::arm(&mut store) {
            Ok(wall) => wall,
            Err(withdrawn) => return store::report(store, Err(withdrawn)),
        };
        let output_bytes_max = store.data().output_bytes_max();
        let (sender, receiver) = oneshot::channel();
        let call = async {
            let no_error = |never: Infallible| -> ErrorCode { match never {} };
            let request = request.map(|body| Full::new(body).map_err(no_error));
            let request = store.data_mut().http_uncounted().new_incoming_request(Scheme::Http, request)?;
            let response = store.data_mut().http_uncounted().new_response_outparam(sender)?;
            let instance = self.pre.instantiate_async(&mut store).await?;
            let called =
                instance.wasi_http_incoming_handler().call_handle(&mut store, request, response).await;
            // A response that was not set, or a body that was not ended, will never be.
            let unended = store.data_mut().drop_resources();
            called.map(|()| unended)
        };
        // The guest writes the body while it is collected here.
        let both = async {
            let (called, collected) = tokio::join!(call, collect(receiver, output_bytes_max));
            called.map(|unended| (unended, collected))
        };
        let outcome = store::within(wall, both).await;
        let settled = store::settle(&mut store, outcome);
        let result = settled.and_then(|(unended, collected)| self.response(unended, collected, &store));
        store::report(store, result)
    }

    fn response(
        &self,
        unended: bool,
        collected: Option<Result<Response<Bytes>, BodyError>>,
        store: &Store<CallState>,
    ) -> Result<Response<Bytes>, CallError> {
        let plugin: &Arc<str> = self.linked.plugin();
        match collected {
            Some(Ok(_)) if unended => Err(CallError::answer(plugin, "a body without an end")),
            Some(Ok(response)) => Ok(response),
            Some(Err(BodyError::TooLarge)) => Err(store.data().limit(Exceeded::Output)),
            Some(Err(BodyError::Broken(message))) => Err(CallError::answer(plugin, message)),
            None => Err(CallError::answer(plugin, "no response")),
        }
    }
}

/// The whole response; `None` if the guest set none.
async fn collect(
    receiver: oneshot::Receiver<Answer>,
    bytes_max: usize,
) -> Option<Result<Response<Bytes>, BodyError>> {
    let response = match receiver.await.ok()? {
        Ok(response) => response,
        Err(code) => return Some(Err(BodyError::Broken(format!("error instead of a response: {code:?}")))),
    };
    let (parts, body) = response.into_parts();
    Some(match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(error) => Err(BodyError::Broken(format!("body of the response: {error}"))),
    })
}
