//! Services: HTTP requests that the host hands over.
//!
//! In -> out: a request -> a whole response.
//! Limits: the request's body (the caller's), the response's body (`outputKiB`), the call's wall time.
//! Invariant: no request goes out; a response is handed on whole or not at all.
//! Not here: listening, paths and concurrency (`commands/serve.rs`).

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use orch_journal::event::Writes;
use orch_trust::manifest::Role;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::{Ask, Export, Exported, Form};
use crate::bindings::types::types::Failure;
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::limits::Exceeded;
use crate::engine::store::CallState;

/// The role's export.
pub struct ServiceExport;

impl Export for ServiceExport {
    const ROLE: Role = Role::Service;
    const FORM: Form = Form::Keyed { name: "services", by: "path", many: false };
    type Pre = ProxyPre<CallState>;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        ProxyPre::new(pre)
    }
}

/// A linked service.
pub type Service<E> = Exported<ServiceExport, E>;

type Sent = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// How collecting a response's body went wrong.
enum BodyError {
    TooLarge,
    Broken(String),
}

/// What the guest left of a response.
pub struct Left {
    /// A response that was not set, or a body that was not ended, will never be.
    unended: bool,
    response: Option<Result<Response<Bytes>, BodyError>>,
}

/// Answer this request, whose body was read and bounded by the caller.
#[derive(Clone, Debug)]
pub struct Handle(pub Request<Bytes>);

impl Ask for Handle {
    const NAME: &'static str = "handle";
    type Of = ServiceExport;
    type Raw = Left;
    type Answer = Response<Bytes>;

    async fn ask(
        &self,
        pre: &ProxyPre<CallState>,
        store: &mut Store<CallState>,
        _wall: Duration,
    ) -> wasmtime::Result<Result<Left, Failure>> {
        let output_bytes_max = store.data().output_bytes_max();
        let (sender, receiver) = oneshot::channel();
        let call = async {
            let called = async {
                let no_error = |never: Infallible| -> ErrorCode { match never {} };
                let request = self.0.clone().map(|body| Full::new(body).map_err(no_error));
                let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
                let response = store.data_mut().http().new_response_outparam(sender)?;
                let instance = pre.instantiate_async(&mut *store).await?;
                instance.wasi_http_incoming_handler().call_handle(&mut *store, request, response).await
            };
            let called = called.await;
            // However it ended: nobody waits for an answer that nobody will give.
            let unended = store.data_mut().drop_resources();
            called.map(|()| unended)
        };
        // The guest writes the body while it is collected here.
        let (called, response) = tokio::join!(call, collect(receiver, output_bytes_max));
        called.map(|unended| Ok(Left { unended, response }))
    }

    fn check(&self, left: Left, state: &mut CallState) -> Result<Response<Bytes>, CallError> {
        match left.response {
            Some(Ok(_)) if left.unended => Err(state.wrong_answer("a body without an end")),
            Some(Ok(response)) => Ok(response),
            Some(Err(BodyError::TooLarge)) => Err(state.limit(Exceeded::Output)),
            Some(Err(BodyError::Broken(message))) => Err(state.wrong_answer(message)),
            None => Err(state.wrong_answer("no response")),
        }
    }

    fn keep(_answer: &Self::Answer, _writes: &mut Writes) {}

    fn asked(_answer: &Self::Answer) -> Vec<AskedTask> {
        Vec::new()
    }
}

/// The whole response; `None` if the guest set none.
async fn collect(
    receiver: oneshot::Receiver<Sent>,
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
