//! Who asks over TCP: connections, heads and bodies, and where a request goes.
//!
//! In -> out: requests -> the control API (`/v1`), a service by its mount, `/health` and `/metrics` -> answers.
//! Limits: [`CONNECTIONS_MAX`] or what this process may open, whichever is less; [`HEAD_BYTES_MAX`], [`BODY_BYTES_MAX`];
//! [`ARRIVAL_MAX`] for either to arrive; who does not read is let go ([`Paced`]); [`ENDING_MAX`] at the end.
//! Invariant: no instance is started for a request that is wrong; a name is answered for only if it is this host's, and no
//! page of another origin is.
//! Not here: what a service's call is (`mounts.rs`), the API (`control/api.rs`).

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::budget::Budget;
use super::metrics::Metrics;
use super::mounts::Mounts;
use super::requests_log::{Line, RequestsLog};
use crate::clock::now_ms;
use crate::config::tokens::{Scope, Tokens};
use crate::control::api;
use crate::control::caller::{Caller, KnownTokens, bearer};
use crate::control::paced::Paced;
use crate::control::refused_tokens::RefusedTokens;
use crate::control::{Api, HolderState, Problem};
use crate::exit::Fault;
use crate::open_files;
use crate::place;
use crate::relay;

const CONNECTIONS_MAX: usize = 1024;
/// Descriptors that the host itself needs: the store, plugins, trust that is read again, and what commands reach; of the last
/// it can be more.
const OWN_FILES: usize = 128;
const FILES_A_JOB: usize = 6;
const HEAD_BYTES_MAX: usize = 32 << 10;
const BODY_BYTES_MAX: usize = 1 << 20;
const ARRIVAL_MAX: Duration = Duration::from_secs(10);
const ENDING_MAX: Duration = Duration::from_secs(10);
/// How often what is new in the workspace's stream is vouched for.
const SIGN: Duration = Duration::from_secs(10);

/// What a front is opened with.
pub struct FrontSetup {
    pub services: SocketAddr,
    /// `/health` and `/metrics`.
    pub operators: SocketAddr,
    /// Names besides addresses and `localhost` that requests may be for.
    pub names: Vec<String>,
    pub jobs: u32,
    pub log_bytes_max: u64,
}

/// A thread that answers until it is dropped.
pub struct Front {
    state: Arc<HolderState>,
    handle: tokio::runtime::Handle,
    end: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    known: Arc<KnownTokens>,
    pub services_at: SocketAddr,
    pub operators_at: SocketAddr,
}

struct Shared {
    mounts: Arc<Mounts>,
    api: Api,
    router: Router,
    known: Arc<KnownTokens>,
    names: Vec<String>,
    metrics: Metrics,
    log: RequestsLog,
    bodies: Budget,
    answers: Budget,
}

impl Front {
    /// Listens, and begins to answer.
    ///
    /// # Errors
    /// `listen`: nothing can listen there.
    pub fn begin(setup: FrontSetup, mounts: Mounts, api: Api, tokens: Tokens) -> Result<Self, Fault> {
        let refused = RefusedTokens::of(mounts.stream());
        let known = Arc::new(KnownTokens { tokens, refused });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)?;
        let (services, services_at) = bind(&runtime, setup.services)?;
        let (operators, operators_at) = bind(&runtime, setup.operators)?;
        let connections = connections_max(setup.jobs);
        let (state, api) = (api.state.clone(), api.over(connections));
        let shared = Arc::new(Shared {
            log: RequestsLog::begin(api.place.workspace.join("logs"), setup.log_bytes_max)
                .map_err(anyhow::Error::from)?,
            router: api::router(api.clone()).map_err(anyhow::Error::from)?,
            mounts: Arc::new(mounts),
            api,
            known: known.clone(),
            names: setup.names,
            metrics: Metrics::new(connections).map_err(anyhow::Error::from)?,
            bodies: Budget::default(),
            answers: Budget::default(),
        });
        let (end, ended) = watch::channel(false);
        let handle = runtime.handle().clone();
        let work = async move {
            let slots = Arc::new(Semaphore::new(connections));
            // Those who look after the host are not shut out by those who use it.
            let few = Arc::new(Semaphore::new(8));
            let sign = {
                let shared = shared.clone();
                async move {
                    let mut signed = 0;
                    loop {
                        tokio::time::sleep(SIGN).await;
                        shared.known.refused.flush(false);
                        signed = shared.mounts.sign(signed);
                    }
                }
            };
            tokio::select! {
                ((), ()) = async { tokio::join!(
                    accept(services, slots, shared.clone(), false, ended.clone()),
                    accept(operators, few, shared.clone(), true, ended),
                ) } => {}
                () = sign => {}
            }
        };
        let thread = std::thread::Builder::new()
            .name("orch-front".to_owned())
            .spawn(move || {
                runtime.block_on(work);
                runtime.shutdown_background();
            })
            .map_err(anyhow::Error::from)?;
        Ok(Self { state, handle, end, thread: Some(thread), known, services_at, operators_at })
    }

    pub fn handle(&self) -> tokio::runtime::Handle {
        self.handle.clone()
    }
}

impl Drop for Front {
    /// Takes no connection any more; answers what was asked, for a bounded time.
    fn drop(&mut self) {
        self.state.end();
        self.end.send_replace(true);
        let _ = self.thread.take().map(JoinHandle::join);
        self.known.refused.flush(true);
    }
}

fn bind(runtime: &Runtime, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Fault> {
    let refused = |error| {
        let hint = Some(
            "another address is said with `--listen` or `--operators`; port 0 takes a free one".to_owned(),
        );
        place::input("listen", hint, format!("cannot listen at `{address}`: {error}"))
    };
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(refused)?;
    let at = listener.local_addr().map_err(anyhow::Error::from)?;
    Ok((listener, at))
}

/// How many may be open at once, so that the host can open what it needs.
fn connections_max(jobs: u32) -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let jobs_count = jobs as usize;
    // Of a command's connections each takes two.
    let reached = 2 * jobs_count * open_files::connections_of_a_command(jobs).min(relay::CONNECTIONS_MAX);
    let own = OWN_FILES.max(open_files::OWN as usize + reached) + FILES_A_JOB * jobs_count;
    files.saturating_sub(own).clamp(4, CONNECTIONS_MAX)
}

async fn accept(
    listener: TcpListener,
    slots: Arc<Semaphore>,
    shared: Arc<Shared>,
    operators: bool,
    mut ended: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // More wait in the kernel's queue.
            accepted = async {
                let slot = slots.clone().acquire_owned().await;
                (slot, listener.accept().await)
            } => accepted,
            Some(_) = open.join_next() => continue,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        let (Ok(slot), Ok((stream, client))) = accepted else {
            // Out of descriptors, mostly: give others time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        open.spawn(connection(stream, client, slot, shared.clone(), operators, ended.clone()));
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(ENDING_MAX, all).await;
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    _slot: OwnedSemaphorePermit,
    shared: Arc<Shared>,
    operators: bool,
    mut ended: watch::Receiver<bool>,
) {
    shared.metrics.connections.inc();
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request: Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.answer(request, client, operators).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(ARRIVAL_MAX).max_buf_size(HEAD_BYTES_MAX);
    let mut served = std::pin::pin!(server.serve_connection(TokioIo::new(Paced::new(stream)), answer));
    let ending = tokio::select! {
        served = &mut served => Some(served),
        _ = ended.wait_for(|ended| *ended) => None,
    };
    let served = match ending {
        Some(served) => served,
        None => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
    shared.metrics.connections.dec();
}

impl Shared {
    /// Answers, counts it and writes it down.
    async fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        operators: bool,
    ) -> Response<Body> {
        let (begun, at_ms) = (Instant::now(), now_ms());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (mount, answered) = match operators {
            true => ("operators", self.operators(&request).await),
            false => self.route(request, client.ip()).await,
        };
        let mut response = answered.unwrap_or_else(IntoResponse::into_response);
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        self.metrics.answered(mount, status, took);
        let bytes = hyper::body::Body::size_hint(response.body()).lower();
        self.log.line(Line { at_ms, client, method, path, status, bytes, took });
        response
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
    ) -> (&str, Result<Response<Body>, Problem>) {
        if let Err(problem) = self.check_head(&request) {
            return ("refused", Err(problem));
        }
        let path = request.uri().path();
        if path == "/v1" || path.starts_with("/v1/") {
            let caller = self.caller(&request, client);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(caller);
            let answered = TowerToHyperService::new(self.router.clone()).call(request).await;
            return ("/v1", Ok(answered.unwrap_or_else(|never: Infallible| match never {})));
        }
        let Some((index, mount)) = self.mounts.find(path) else {
            let what = "no service is mounted here";
            return ("none", Err(Problem::new(StatusCode::NOT_FOUND, "path-unknown", what)));
        };
        let answered = match mount.needs_token {
            true => self.caller(&request, client).may(Scope::Run).map(|who| who.token),
            false => Ok(None),
        };
        let answered = match answered {
            Ok(token) => self.serve(index, request, token).await,
            Err(problem) => Err(problem),
        };
        (mount.shown_path(), answered)
    }

    fn caller(&self, request: &Request<Incoming>, client: IpAddr) -> Caller {
        Caller::Tcp { known: self.known.clone(), client, shown: bearer(request.headers()) }
    }

    /// The answer of a service.
    async fn serve(
        &self,
        index: usize,
        request: Request<Incoming>,
        token: Option<String>,
    ) -> Result<Response<Body>, Problem> {
        let (parts, body) = request.into_parts();
        // Read before a place is taken: who sends slowly keeps nobody else from being answered.
        let said = hyper::body::Body::size_hint(&body).upper().map_or(BODY_BYTES_MAX, |upper| upper as usize);
        let too_large =
            || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body may have 1 MiB");
        if said > BODY_BYTES_MAX && hyper::body::Body::size_hint(&body).exact().is_some() {
            return Err(too_large());
        }
        let Some(_room) = self.bodies.room(said.min(BODY_BYTES_MAX)).await else { return Err(busy()) };
        let read = tokio::time::timeout(ARRIVAL_MAX, Limited::new(body, BODY_BYTES_MAX).collect()).await;
        let body = match read {
            Err(_) => {
                let what = "the body did not arrive";
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", what));
            }
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(too_large()),
            Ok(Err(_)) => {
                return Err(Problem::new(StatusCode::BAD_REQUEST, "body-malformed", "the body is broken"));
            }
            Ok(Ok(body)) => body.to_bytes(),
        };
        let request = Request::from_parts(parts, body);
        let (answered, tries) = self.mounts.clone().answer(index, request, token).await;
        self.metrics.calls_again.inc_by(tries.saturating_sub(1) as u64);
        let response = answered.map_err(|why| {
            if !matches!(why, super::mounts::NoAnswer::Busy | super::mounts::NoAnswer::Contended) {
                tracing::warn!(%why, "a service did not answer");
            }
            let (code, what) = why.problem();
            Problem::new(why.status(), code, what)
        })?;
        let (parts, body) = response.into_parts();
        let Some(body) = self.answers.counted(body).await else { return Err(busy()) };
        Ok(Response::from_parts(parts, Body::from(body)))
    }

    /// For those who look after this host.
    async fn operators(&self, request: &Request<Incoming>) -> Result<Response<Body>, Problem> {
        self.check_head(request)?;
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "only `GET`"));
        }
        match request.uri().path() {
            "/health" => match self.mounts.is_over() {
                false => Ok(text("text/plain; charset=utf-8", "ok\n")),
                true => {
                    let what = "the store takes no more events";
                    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store", what))
                }
            },
            "/metrics" => {
                let failed = |error: prometheus::Error| {
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics", error.to_string())
                };
                let view = self.api.state.view();
                let recorded = self.api.recorded(view.as_ref().map(|view| view.id.clone())).await?;
                let all = self.metrics.text(view.as_ref(), &recorded).map_err(failed)?;
                Ok(text("text/plain; version=0.0.4; charset=utf-8", all))
            }
            _ => {
                Err(Problem::new(StatusCode::NOT_FOUND, "path-unknown", "`/health` and `/metrics` are here"))
            }
        }
    }

    /// Fails for a request that is for somebody else, comes from another's page, or is coded in a way that nobody here undoes.
    fn check_head(&self, request: &Request<Incoming>) -> Result<(), Problem> {
        let bad = |code, what: &str| Err(Problem::new(StatusCode::BAD_REQUEST, code, what));
        let mut coded = request.headers().get_all(header::TRANSFER_ENCODING).iter();
        let (first, more) = (coded.next(), coded.next());
        if first.is_some_and(|one| !one.as_bytes().eq_ignore_ascii_case(b"chunked")) || more.is_some() {
            let what = "of transfer codings this host knows `chunked` alone";
            return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "transfer-coding", what));
        }
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => {
                host.to_str().ok().and_then(|host| host.parse::<http::uri::Authority>().ok())
            }
            (None, _) => return bad("host", "the request names no host"),
            (Some(_), Some(_)) => return bad("host", "the request names more than one host"),
        };
        // A name or a password before it is no part of a host.
        let Some(host) = host.filter(|host| !host.as_str().contains('@')) else {
            return bad("host", "the request's host is no name");
        };
        // Of both, the target's own is meant (RFC 9112); here they must say the same.
        if request.uri().authority().is_some_and(|authority| *authority != host) {
            return bad("host", "the request names two hosts");
        }
        if !self.is_own(host.host()) {
            let what = "this host has another name; `--host NAME` says one more";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host-unknown", what));
        }
        let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
        let same = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, origin)| origin);
        match same == Some(host.as_str()) {
            true => Ok(()),
            false => {
                Err(Problem::new(StatusCode::FORBIDDEN, "cross-origin", "a page of another origin asks"))
            }
        }
    }

    /// True for addresses, `localhost`, and the names that were said: a name that leads here by somebody else's doing is none.
    fn is_own(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<std::net::IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|name| host.eq_ignore_ascii_case(name))
    }
}

fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too much at once")
}

fn text(kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
