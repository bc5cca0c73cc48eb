//! HTTP requests, each to the service of its path.
//!
//! In -> out: [`Mounted`] services, a listening address -> responses.
//! Limits: 1 MiB of body, 64 requests at once, 10 s for a request to arrive, the plugin's `wallMs` for its answer.
//! Invariant: a service is lent what is committed, and can have no effect and start no program.
//! Not here: binding services (`serve.rs`), the call itself (`role/service.rs`).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::committed_tasks::CommittedTasks;
use crate::call::Lent;
use crate::capability::kv::KvReader;
use crate::capability::nothing::Nothing;
use crate::console::Console;
use crate::drive::roles::Bound;
use crate::engine::CallError;
use crate::exit::Fault;
use crate::place::{self, Place};
use crate::role::service::Handle;
use crate::run_log::RunLog;

const BODY_BYTES_MAX: usize = 1 << 20;
pub(super) const REQUESTS_MAX: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The services by their paths, and what every request needs.
pub(super) struct Mounted {
    pub place: Place,
    /// The first that fits answers.
    pub services: Vec<(String, Bound)>,
    pub kv: Arc<dyn KvReader>,
    pub log: Arc<RunLog>,
    pub slots: Semaphore,
    pub guests: tokio::runtime::Handle,
}

/// Answers at this address until somebody interrupts.
///
/// # Errors
/// Nothing can listen there.
pub(super) async fn listen(
    address: SocketAddr,
    mounted: Arc<Mounted>,
    console: Console,
) -> Result<(), Fault> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| place::input("listen", None, format!("cannot listen at `{address}`: {error}")))?;
    let at = listener.local_addr().map_err(anyhow::Error::from)?;
    for (path, bound) in &mounted.services {
        console.line(&format!("http://{at}{path}  {}", bound.id));
    }
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, mostly: give others time to close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let mounted = mounted.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let mounted = mounted.clone();
                async move { Ok::<_, Infallible>(answer(&mounted, request).await) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(false);
            if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

async fn answer(mounted: &Arc<Mounted>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Ok(_slot) = mounted.slots.try_acquire() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once\n");
    };
    let path = request.uri().path();
    let is_below = |at: &str| {
        path == at || path.strip_prefix(at.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    let Some(index) = mounted.services.iter().position(|(at, _)| is_below(at)) else {
        return plain(StatusCode::NOT_FOUND, "no service is mounted here\n");
    };
    // A plugin sees the authority of every request.
    if request.uri().authority().is_none() && !request.headers().contains_key(http::header::HOST) {
        return plain(StatusCode::BAD_REQUEST, "the request names no host\n");
    }
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the request took too long\n"),
        Ok(Err(_)) => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request's body is broken or too large\n");
        }
        Ok(Ok(body)) => body.to_bytes(),
    };
    let shared = mounted.clone();
    let call =
        mounted.guests.spawn(async move { handle(&shared, index, Request::from_parts(parts, body)).await });
    call.await.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "the host failed\n"))
}

async fn handle(mounted: &Mounted, index: usize, request: Request<Bytes>) -> Response<Full<Bytes>> {
    let Some((_, bound)) = mounted.services.get(index) else {
        return plain(StatusCode::NOT_FOUND, "no service is mounted here\n");
    };
    let lent = Lent {
        protected: mounted.place.protected(Path::new("tasks.yml")),
        settings: bound.settings.clone(),
        tasks: Arc::new(CommittedTasks::of(&mounted.place.state)),
        kv: mounted.kv.clone(),
        log: mounted.log.clone(),
        // No effect and no program: nobody would write them down.
        ..Nothing::lent(mounted.place.workspace.clone(), bound.wall)
    };
    match bound.call(lent, &Handle(request)).await.result {
        Ok(response) => response.map(Full::new),
        Err(error @ CallError::Withdrawn { .. }) => {
            tracing::warn!(%error, code = error.code(), "a service is withdrawn");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the service was withdrawn\n")
        }
        Err(error) => {
            tracing::warn!(%error, code = error.code(), "a service failed");
            plain(StatusCode::BAD_GATEWAY, "the service failed\n")
        }
    }
}
