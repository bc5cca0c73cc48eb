//! `orch-host serve`: answers HTTP requests with the workspace's services.
//!
//! In -> out: listening address, bound services -> responses.
//! Limits: 1 MiB of body, 64 requests at once, 10 s for a request to arrive, the plugin's `wallMs` for its answer.
//! Invariant: services are admitted, granted and run like every other plugin; they read what is committed.
//! Not here: the call itself (`role/service.rs`).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use orch_journal::Reader;
use orch_journal::event::TaskIndex;
use orch_journal::rows::TaskRow;
use orch_task::{Kind, Status, Task, TaskId};
use orch_trust::manifest::Role;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::call::{Boxed, Lent};
use crate::capability::EffectGate;
use crate::capability::kv::KvReader;
use crate::capability::process::{ProcessError, ProcessOutput, ProcessRequest, Processes};
use crate::capability::tasks::{TaskReader, TaskSummary};
use crate::config::workspace::WorkspaceError;
use crate::console::Console;
use crate::drive::gate::NoEffects;
use crate::drive::kv::KvOverlay;
use crate::drive::roles::Bound;
use crate::engine::{CallError, Engine};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place};
use crate::plugins::{self, Workbench};
use crate::role::service::Handle;
use crate::run_log::RunLog;
use crate::session;

const BODY_BYTES_MAX: usize = 1 << 20;
const REQUESTS_MAX: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub struct ServeArgs {
    /// The workspace
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// State folder, relative to the workspace
    #[arg(long, value_name = "DIR", default_value = ".orch")]
    memory: PathBuf,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
}

/// What every request needs.
struct Desk {
    place: Place,
    services: Vec<(String, Bound)>,
    kv: Arc<dyn KvReader>,
    log: Arc<RunLog>,
    slots: Semaphore,
    guests: tokio::runtime::Handle,
}

pub fn run(args: &ServeArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::of(&args.dir, &args.memory)?;
    let operator = place::operator(home)?;
    if !operator.knows_workspace(&place.workspace)? {
        return Err(WorkspaceError::Unknown { path: place.workspace.to_path_buf() }.into());
    }
    let config = place.config()?;
    let trust = operator.rules(&config, place.lock()?);
    let admitted = plugins::admit_bound(
        &config,
        &place::package_folders(&operator, &args.plugins)?,
        &trust,
        place::now(),
    )?;
    super::run::warn_of_notices(&operator, &admitted, console);
    super::run::announce(&admitted, console);
    operator.saw(admitted.unpinned(&trust.lock))?;
    let engine = Engine::run(REQUESTS_MAX as u32, 0)
        .map_err(|error| Fault::new(Exit::HostError, "engine", None, error))?;
    let cache = session::native_cache(&operator)?;
    let mut bench = Workbench::new(&engine, &cache, &config, &admitted.by_id);
    let mut services = Vec::new();
    for service in config.roles.of(Role::Service) {
        services.push((service.key.clone(), bench.bind(service)?));
    }
    let _recheck = session::recheck(&operator, &config, place.lock()?, &admitted, &bench.withdrawals())?;
    if services.is_empty() {
        let hint = "say `roles: {services: {/path: NAMESPACE/NAME}}` in `config.yaml`".to_owned();
        return Err(place::input("no-service", Some(hint), "the workspace binds no service".to_owned()));
    }
    // The longest path first, so that the most exact one answers.
    services.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    let guests = session::guest_runtime(2)?;
    let desk = Arc::new(Desk {
        kv: Arc::new(KvOverlay::open(&place.state)?),
        log: Arc::new(RunLog::new(place.workspace.join("logs"), "serve")),
        place,
        services,
        slots: Semaphore::new(REQUESTS_MAX),
        guests: guests.handle().clone(),
    });
    let main =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    main.block_on(listen(args.listen, desk, console))?;
    guests.shutdown_background();
    Ok(Exit::Done)
}

async fn listen(address: SocketAddr, desk: Arc<Desk>, console: Console) -> Result<(), Fault> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| place::input("listen", None, format!("cannot listen at `{address}`: {error}")))?;
    let at = listener.local_addr().map_err(anyhow::Error::from)?;
    for (path, bound) in &desk.services {
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
        let desk = desk.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let desk = desk.clone();
                async move { Ok::<_, Infallible>(answer(&desk, request).await) }
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

async fn answer(desk: &Arc<Desk>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Ok(_slot) = desk.slots.try_acquire() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once\n");
    };
    let path = request.uri().path();
    let mounted = |at: &str| {
        path == at || path.strip_prefix(at.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    let Some(place) = desk.services.iter().position(|(at, _)| mounted(at)) else {
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
    let shared = desk.clone();
    let call =
        desk.guests.spawn(async move { handle(&shared, place, Request::from_parts(parts, body)).await });
    call.await.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "the host failed\n"))
}

async fn handle(desk: &Desk, place: usize, request: Request<Bytes>) -> Response<Full<Bytes>> {
    let Some((_, bound)) = desk.services.get(place) else {
        return plain(StatusCode::NOT_FOUND, "no service is mounted here\n");
    };
    let effects: Arc<dyn EffectGate> = Arc::new(NoEffects);
    let lent = Lent {
        protected: desk.place.protected(Path::new("tasks.yml")),
        workspace: desk.place.workspace.clone(),
        settings: bound.settings.clone(),
        tasks: Arc::new(StoreTasks { state: desk.place.state.clone(), rows: OnceLock::new() }),
        kv: desk.kv.clone(),
        effects,
        processes: Arc::new(NoProcesses),
        log: desk.log.clone(),
        wall: bound.wall,
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

/// Services start no programs: nobody would write down the intent.
struct NoProcesses;

impl Processes for NoProcesses {
    fn run(
        &self,
        request: ProcessRequest,
        _effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        let program = request.program.display().to_string();
        Box::pin(async move { Err(ProcessError::NotFound { program }) })
    }
}

/// Tasks of the newest run as they are committed, read once a request.
struct StoreTasks {
    state: PathBuf,
    rows: OnceLock<Vec<TaskRow>>,
}

impl StoreTasks {
    fn rows(&self) -> &[TaskRow] {
        self.rows.get_or_init(|| {
            let read = || -> Option<Vec<TaskRow>> {
                let reader = Reader::open(&self.state).ok()?;
                let newest = reader.runs().ok()?.into_iter().next()?;
                reader.tasks(&newest.id).ok()
            };
            read().unwrap_or_default()
        })
    }
}

impl TaskReader for StoreTasks {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        let row = self.rows().get(index as usize)?;
        let mut task = Task::new(TaskId::parse(&row.id).ok()?, Kind::parse(&row.kind).ok()?);
        task.description = row.description.clone();
        Some(task)
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        self.rows().iter().find(|row| row.id == id).map(|row| row.place)
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let page = self.rows().iter().skip(start as usize).take(1000);
        page.filter_map(|row| {
            Some(TaskSummary {
                index: row.place,
                id: row.id.clone(),
                kind: row.kind.clone(),
                status: Status::from_word(&row.status)?,
                priority: 0,
                cost: 1,
            })
        })
        .collect()
    }
}
