//! The holder's side: a socket on a thread of its own.
//!
//! In -> out: requests -> [`Said`] for the loop -> an answer once it is durable.
//! Limits: 64 connections, 64 KiB a body, 16 KiB a head, 10 s for a request to arrive, 60 s for a connection.
//! Invariant: who is at the other end is looked at for each request; an act's answer comes after its event survives the end
//! of the machine's power.
//! Not here: where the socket lies (`place.rs`).

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use orch_journal::event::Who;
use orch_journal::{Journal, Level};
use orch_supervisor::Peer;
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::place::{Holding, SocketPlace};
use super::problem::{Problem, json};
use crate::drive::act::{Act, Refused, Said};
use crate::exit::Fault;

const CONNECTIONS_MAX: usize = 64;
const BODY_BYTES_MAX: usize = 64 << 10;
const HEAD_BYTES_MAX: usize = 16 << 10;
const ARRIVAL_MAX: Duration = Duration::from_secs(10);
const CONNECTION_MAX: Duration = Duration::from_secs(60);

/// A holder that answers, until it is dropped.
pub struct Listening {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    place: SocketPlace,
    _holding: Holding,
}

/// What answers need.
struct Holder {
    run: String,
    say: mpsc::Sender<Said>,
    journal: Arc<Journal>,
}

#[derive(Serialize)]
struct Standing<'a> {
    run: &'a str,
    pid: u32,
    version: &'static str,
}

#[derive(Serialize)]
struct Taken {
    event: u64,
}

impl Listening {
    /// Begins to answer for a run; who asks for it is heard by `say`.
    pub fn begin(
        place: SocketPlace,
        holding: Holding,
        run: String,
        say: mpsc::Sender<Said>,
        journal: Arc<Journal>,
    ) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)?;
        let listener = {
            let _runtime = runtime.enter();
            UnixListener::bind(place.socket())
                .map_err(|error| crate::place::io(&place.socket(), "bind", error))?
        };
        let (end, ended) = oneshot::channel();
        let holder = Arc::new(Holder { run, say, journal });
        let thread = std::thread::Builder::new()
            .name("orch-control".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = ended => {}
                        () = accept(listener, holder) => {}
                    }
                });
                runtime.shutdown_background();
            })
            .map_err(anyhow::Error::from)?;
        Ok(Self { end: Some(end), thread: Some(thread), place, _holding: holding })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Whoever comes now finds no socket, and waits for the store.
        let _ = std::fs::remove_file(self.place.socket());
        let _ = self.end.take().map(|end| end.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn accept(listener: UnixListener, holder: Arc<Holder>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // More wait in the kernel's queue.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly: give others time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let holder = holder.clone();
        tokio::spawn(async move {
            let _slot = slot;
            if tokio::time::timeout(CONNECTION_MAX, connection(stream, holder)).await.is_err() {
                tracing::debug!("a connection of the control socket took too long");
            }
        });
    }
}

async fn connection(stream: UnixStream, holder: Arc<Holder>) {
    // For the looks at who connected, which outlive this function's borrow of the stream.
    let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
    let socket = Arc::new(socket);
    let answer = service_fn(move |request| {
        let (holder, socket) = (holder.clone(), socket.clone());
        async move {
            let answer = answer(&holder, &socket, request).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|problem| problem.response()))
        }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(ARRIVAL_MAX).max_buf_size(HEAD_BYTES_MAX);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(%error, "a connection of the control socket ended early");
    }
}

async fn answer(
    holder: &Holder,
    socket: &OwnedFd,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Problem> {
    let path = request.uri().path().to_owned();
    let acts = path.strip_prefix("/v1/runs/").and_then(|rest| rest.strip_suffix("/acts"));
    match (request.method(), path.as_str(), acts) {
        (&Method::GET, "/v1", _) => {
            let standing =
                Standing { run: &holder.run, pid: std::process::id(), version: env!("CARGO_PKG_VERSION") };
            Ok(json(StatusCode::OK, &standing))
        }
        (&Method::POST, _, Some(run)) => {
            let who = person(socket)?;
            if run != holder.run {
                return Err(Refused::NotAtWork { run: run.to_owned() }.into());
            }
            let act = read(request).await?;
            // A second look: what it asks for took its time to arrive.
            person(socket)?;
            Ok(json(StatusCode::CREATED, &Taken { event: take(holder, act, who).await? }))
        }
        (_, "/v1", _) | (_, _, Some(_)) => {
            Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this is not done to it"))
        }
        _ => Err(Problem::new(StatusCode::NOT_FOUND, "path-unknown", "nothing is there")),
    }
}

/// Who asks, if that may be a person.
fn person(socket: &OwnedFd) -> Result<Who, Problem> {
    let refuse = |code, what: &str| Err(Problem::new(StatusCode::FORBIDDEN, code, what));
    let unknown = |error: std::io::Error| {
        Problem::new(StatusCode::FORBIDDEN, "peer-unknown", format!("cannot tell who asks: {error}"))
    };
    let peer = Peer::of(socket).map_err(unknown)?;
    if peer.uid != rustix::process::geteuid().as_raw() {
        return refuse("peer-is-another-user", "another user asks");
    }
    if peer.is_a_command().map_err(unknown)? {
        return refuse("peer-is-a-command", "a command of a plugin asks; people decide, commands do not");
    }
    Ok(Who { uid: peer.uid, pid: peer.process.pid, program: peer.program() })
}

async fn read(request: Request<Incoming>) -> Result<Act, Problem> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = tokio::time::timeout(ARRIVAL_MAX, body)
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body did not arrive"))?
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "at most 64 KiB"))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "act-malformed", error.to_string()))
}

/// Says it to the loop; gives the place of its event, which is durable.
async fn take(holder: &Holder, act: Act, who: Who) -> Result<u64, Problem> {
    let over = || Problem::from(Refused::NotAtWork { run: holder.run.clone() });
    let (answer, taken) = oneshot::channel();
    holder.say.send(Said { act, who, answer }).await.map_err(|_| over())?;
    let event = taken.await.map_err(|_| over())??;
    let durable = holder.journal.durable(event, Level::Power).await;
    durable
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not-durable", error.to_string()))?;
    Ok(event)
}
