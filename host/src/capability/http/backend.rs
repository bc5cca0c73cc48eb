//! What stands behind outgoing HTTP.
//!
//! Not here: which requests may be sent (`http.rs`), how they are (`egress.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use orch_trust::permission::HttpTarget;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::capability::effect::Boxed;

/// The way out of the host.
pub trait Egress: Send + Sync {
    fn limits(&self) -> EgressLimits;
    /// Sends a request to its target and nowhere else. Dropping what comes back, or the answer's body, ends it.
    fn send(
        &self,
        plugin: Arc<str>,
        outgoing: Outgoing,
    ) -> Boxed<'static, Result<Response<WasiBody>, Failed>>;
    /// What the guest gets of an answer that `send` gave, once it is masked. Only who keeps answers has something to do here.
    fn answered(&self, answer: Response<WasiBody>) -> Boxed<'static, Result<Response<WasiBody>, Error>> {
        Box::pin(std::future::ready(Ok(answer)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressLimits {
    /// Of one call.
    pub requests: u32,
    /// Of one request's body.
    pub sent_bytes: u64,
    /// Of one answer's body.
    pub received_bytes: u64,
}

/// A request that a rule has.
pub struct Outgoing {
    pub target: HttpTarget,
    /// Its URI and `host` are the guest's own and count for nothing but the query.
    pub request: Request<WasiBody>,
    /// The same where the call is made again and asks for the same.
    pub key: String,
    pub times: Times,
}

/// How long a request waits; absent: as long as its call may.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub connect: Option<Duration>,
    pub first_byte: Option<Duration>,
    pub between_bytes: Option<Duration>,
    /// The call's.
    pub deadline: Instant,
}

/// Why there is no answer: what the guest is told, and what the operator is.
#[derive(Debug)]
pub struct Failed {
    pub error: Error,
    pub why: String,
}

impl Failed {
    pub fn new(error: Error, why: impl Into<String>) -> Self {
        Self { error, why: why.into() }
    }
}
