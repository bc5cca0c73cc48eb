//! Services at their paths, and a call of one.
//!
//! In -> out: a request without its mount -> an answer whose writes are in the workspace's stream.
//! Limits: [`CALLS_MAX`] at once, [`WAIT`] for one of them, the plugin's `wallMs` for a call, [`TRIES_MAX`] calls for a request.
//! Invariant: what an answer wrote is kept with it, or not at all; an answer is kept only if nothing that it read through `kv`
//! or `tasks` changed since, and what it asks of the host is kept only if no run began or ended since; nothing is shown that could be lost; a service can
//! have no effect but what providers do for it, and starts no program.
//! Not here: connections, heads and bodies (`front.rs`), the call itself (`role/service.rs`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use orch_journal::event::{AskedAct, AskedTask, Called, Event, Reported, Writes};
use orch_journal::{Journal, JournalError, Level};
use orch_trust::manifest::Role;
use tokio::sync::Semaphore;

use super::control::{CallControl, SharedControl};
use super::gate::ServiceGate;
use super::tasks::{CallTasks, SharedTasks};
use crate::call::{CallReport, Lent};
use crate::capability::http::backend::Egress;
use crate::capability::lent::Providers;
use crate::capability::nothing::Nothing;
use crate::capability::provided::Asking;
use crate::capability::secrets::backend::SecretReader;
use crate::capability::vectors::backend::Shelf;
use crate::clock::now_ms;
use crate::drive::asked::AskedQueue;
use crate::drive::extend;
use crate::drive::kv::KvOverlay;
use crate::drive::kv_reads::KvReads;
use crate::drive::measured::MeasuredFor;
use crate::drive::reported;
use crate::drive::roles::{Bound, Roles};
use crate::engine::CallError;
use crate::holder::Holder;
use crate::place::Place;
use crate::role::service::Handle;
use crate::run_log::RunLog;

/// Services that answer at once.
pub const CALLS_MAX: u32 = 32;
const WAIT: Duration = Duration::from_secs(5);
const TRIES_MAX: usize = 8;
/// Where a service is mounted, for the links that it makes.
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// Of one connection only, or set by who sends the answer.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::PROXY_AUTHENTICATE,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// A service at its path.
pub(super) struct Mount {
    /// Without a slash at its end; empty for all paths.
    pub path: String,
    /// Who asks needs a token, if the grant lets it change something and policy does not say `public`.
    pub needs_token: bool,
    bound: Bound,
}

impl Mount {
    /// For people.
    pub(super) fn shown_path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }
}

/// Why there is no answer of the service.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("too many requests at once")]
    Busy,
    #[error("others changed what the service read, {TRIES_MAX} times")]
    Contended,
    #[error("the service was withdrawn")]
    Withdrawn,
    #[error("the call did not come back")]
    Host,
    #[error("the service failed: {0}")]
    Failed(CallError),
    #[error("the service asked for a task that cannot be added: {0}")]
    Asked(String),
    #[error("what the service wrote cannot be kept: {0}")]
    NotKept(JournalError),
}

/// What a call read, to be held against what is there when it is kept.
struct Read<'a> {
    kv: &'a KvReads,
    tasks: &'a CallTasks,
    control: &'a CallControl,
}

/// What all calls share.
pub struct Mounts {
    /// The longest path first, so that the most exact one answers.
    mounts: Vec<Mount>,
    place: Place,
    task_file: PathBuf,
    roles: Arc<Roles>,
    kv: Arc<KvOverlay>,
    metrics: Arc<MeasuredFor>,
    vectors: Arc<Shelf>,
    providers: Providers,
    secrets: Arc<dyn SecretReader>,
    egress: Arc<dyn Egress>,
    tasks: Arc<SharedTasks>,
    asked: Arc<AskedQueue>,
    control: Arc<SharedControl>,
    stream: Arc<Journal>,
    stream_name: String,
    log: Arc<RunLog>,
    level: Level,
    slots: Semaphore,
    /// What each service reported since this host began.
    reported: Mutex<BTreeMap<String, Reported>>,
    guests: tokio::runtime::Handle,
}

/// An answer, and how many calls it took.
pub(super) type Answered = (Result<Response<Bytes>, NoAnswer>, usize);

impl Mounts {
    pub fn of(
        holder: &Holder,
        services: Vec<(String, Bound)>,
        is_public: impl Fn(&Bound) -> bool,
        guests: tokio::runtime::Handle,
    ) -> Self {
        let mount = |(path, bound): (String, Bound)| Mount {
            path: path.trim_end_matches('/').to_owned(),
            needs_token: !is_public(&bound),
            bound,
        };
        let mut mounts: Vec<Mount> = services.into_iter().map(mount).collect();
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        Self {
            mounts,
            place: holder.place.clone(),
            task_file: holder.task_file.clone(),
            roles: holder.roles.clone(),
            kv: holder.kv.clone(),
            metrics: Arc::new(MeasuredFor {
                measured: holder.measured.clone(),
                journal: holder.stream.clone(),
            }),
            vectors: holder.vectors.clone(),
            providers: holder.providers.clone(),
            secrets: holder.secrets.clone(),
            egress: holder.egress.clone(),
            tasks: Arc::new(SharedTasks::of(holder.state.clone())),
            asked: holder.asked.clone(),
            control: Arc::new(SharedControl {
                state: holder.state.clone(),
                acts: holder.acts.clone(),
                api: holder.api.clone(),
                task_file: holder.place.workspace.join(&holder.task_file),
            }),
            stream: holder.stream.clone(),
            stream_name: holder.stream_name.clone(),
            log: Arc::new(RunLog::new(
                holder.place.workspace.join("logs"),
                "serve",
                holder.rules().log_bytes_max,
            )),
            level: holder.rules().durability.answers(),
            slots: Semaphore::new(CALLS_MAX as usize),
            reported: Mutex::default(),
            guests,
        }
    }

    /// Id and path of each, and whether who asks needs a token.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.mounts.iter().map(|mount| (mount.bound.id.as_str(), mount.shown_path(), mount.needs_token))
    }

    /// Where what happens beside the runs is recorded.
    pub(super) fn stream(&self) -> Arc<Journal> {
        self.stream.clone()
    }

    /// Vouches for what the stream has by now, unless it was vouched for already; gives how many events that are.
    pub(super) fn sign(&self, signed: u64) -> u64 {
        let events = self.stream.events();
        if events > signed {
            self.stream.sign_head();
        }
        events
    }

    /// True when nothing more can be kept.
    pub(super) fn is_over(&self) -> bool {
        self.stream.is_over()
    }

    /// The service of a path.
    pub(super) fn find(&self, path: &str) -> Option<(usize, &Mount)> {
        let is_below = |mount: &&Mount| {
            path.strip_prefix(&mount.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let index = self.mounts.iter().position(|mount| is_below(&mount))?;
        Some((index, self.mounts.get(index)?))
    }

    /// Answers with that service. `token`: name of the one that was shown.
    pub(super) async fn answer(
        self: Arc<Self>,
        index: usize,
        request: Request<Bytes>,
        token: Option<String>,
    ) -> Answered {
        let Ok(Ok(_slot)) = tokio::time::timeout(WAIT, self.slots.acquire()).await else {
            return (Err(NoAnswer::Busy), 0);
        };
        let shared = self.clone();
        let answered = self.guests.spawn(async move {
            let Some(mount) = shared.mounts.get(index) else { return (Err(NoAnswer::Withdrawn), 0) };
            let request = beneath(request, &mount.path);
            let Ok(number) = getrandom::u64() else { return (Err(NoAnswer::Host), 0) };
            // Each time the same, so that what a call asked of providers is known again.
            let gate = Arc::new(ServiceGate::new(
                shared.stream.clone(),
                shared.level,
                mount.bound.id.clone(),
                number >> 11,
            ));
            for tries in 1..=TRIES_MAX {
                if let Some(answer) = shared.call(mount, &request, token.as_deref(), gate.clone()).await {
                    return (answer, tries);
                }
            }
            (Err(NoAnswer::Contended), TRIES_MAX)
        });
        answered.await.unwrap_or((Err(NoAnswer::Host), 1))
    }

    /// One call; nothing if what it read changed meanwhile.
    async fn call(
        &self,
        mount: &Mount,
        request: &Request<Bytes>,
        token: Option<&str>,
        gate: Arc<ServiceGate>,
    ) -> Option<Result<Response<Bytes>, NoAnswer>> {
        let bound = &mount.bound;
        let reads = Arc::new(KvReads::new(self.kv.clone()));
        let tasks = Arc::new(CallTasks::new(self.tasks.clone()));
        let control = Arc::new(CallControl::new(self.control.clone()));
        let lent = Lent {
            protected: self.place.protected(&self.task_file),
            settings: bound.settings.clone(),
            tasks: tasks.clone(),
            kv: reads.clone(),
            metrics: self.metrics.clone(),
            vectors: self.vectors.clone(),
            controls: control.clone(),
            log: self.log.clone(),
            secrets: self.secrets.clone(),
            providers: self.providers.clone(),
            egress: self.egress.clone(),
            asking: Asking {
                key: gate.key(&self.stream_name).into(),
                role: Some(Role::Service),
                ..Asking::default()
            },
            // No program, and no effect but what providers are asked for: a request is answered again whenever somebody else
            // was faster.
            effects: gate,
            ..Nothing::lent(self.place.workspace.clone(), bound.wall)
        };
        let CallReport { result, writes, asked, denied, notes, .. } =
            bound.call(lent, &Handle(request.clone())).await;
        let of_service = denied.into_iter().map(|what| (bound.id.clone(), what));
        for (plugin, what) in of_service.chain(notes.denied) {
            tracing::warn!(plugin, what, "a service was denied something");
        }
        for (code, text) in notes.warned {
            tracing::warn!(plugin = bound.id, code, text, "a service did not get what it asked for");
        }
        let mut response = match result {
            Ok(response) => response,
            Err(CallError::Withdrawn { .. }) => return Some(Err(NoAnswer::Withdrawn)),
            Err(error) => return Some(Err(NoAnswer::Failed(error))),
        };
        HOP_BY_HOP.iter().for_each(|name| drop(response.headers_mut().remove(name)));
        // What failed by its own words keeps nothing.
        let is_good = !response.status().is_server_error();
        let mut writes = Writes { plugin: bound.id.clone(), ..writes };
        if let Err(error) = self.fit(&mut writes) {
            return Some(Err(NoAnswer::Failed(error)));
        }
        if is_good && (!writes.is_empty() || !asked.is_empty()) {
            if let Err(why) = self.check(&asked) {
                return Some(Err(NoAnswer::Asked(why)));
            }
            let read = Read { kv: &reads, tasks: &tasks, control: &control };
            match self.keep(bound, read, writes, asked, token) {
                Ok(Some(event)) => {
                    if let Err(error) = self.stream.durable(event, self.level).await {
                        return Some(Err(NoAnswer::NotKept(error)));
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some(Err(NoAnswer::NotKept(error))),
            }
        } else if !reads.hold(&*self.kv) {
            return None;
        }
        if let Err(error) =
            self.wait_for_what_was_read(Read { kv: &reads, tasks: &tasks, control: &control }).await
        {
            return Some(Err(NoAnswer::NotKept(error)));
        }
        Some(Ok(response))
    }

    /// Leaves out metrics for which there is no room, and says so; fails for findings without.
    fn fit(&self, writes: &mut Writes) -> Result<(), CallError> {
        let mut left_out = reported::LeftOut::new();
        reported::fit(&self.lock_reported(), writes, &mut left_out)?;
        for (plugin, count) in left_out {
            tracing::warn!(plugin, count, "metrics of a service are not kept: it reported too many");
        }
        Ok(())
    }

    fn lock_reported(&self) -> MutexGuard<'_, BTreeMap<String, Reported>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails for tasks that no run could take in.
    fn check(&self, asked: &[AskedTask]) -> Result<(), String> {
        if !self.asked.has_room(asked.len()) {
            return Err("too many wait for a run already".to_owned());
        }
        let view = self.tasks.view();
        let known = |id: &orch_task::TaskId| {
            let Some(view) = &view else { return false };
            view.state.read().unwrap_or_else(std::sync::PoisonError::into_inner).by_id.contains_key(id)
        };
        extend::check(asked, &self.roles, &known)
    }

    /// Records what a call wrote; nothing if it read what changed since.
    fn keep(
        &self,
        bound: &Bound,
        read: Read<'_>,
        writes: Writes,
        asked: Vec<AskedTask>,
        token: Option<&str>,
    ) -> Result<Option<u64>, JournalError> {
        /// Why nothing is recorded.
        enum Not {
            Held,
            Taken(JournalError),
        }
        let written = writes.kv_only();
        let said: Vec<_> = writes.of_each().map(|one| (one.plugin.clone(), one.reported())).collect();
        let record = || {
            if !read.tasks.hold() || !read.control.hold() {
                return Err(Not::Held);
            }
            let act = writes.act.clone();
            let called = Called {
                call: "handle".to_owned(),
                plugin: bound.id.clone(),
                task: None,
                rerun: false,
                fault: None,
                writes,
                asked: asked.clone(),
                token: token.map(str::to_owned),
                at: now_ms(),
            };
            let event = self.stream.append(Event::Called(Box::new(called))).map_err(Not::Taken)?;
            self.asked.add(event, &bound.id, &asked);
            let mut reported = self.lock_reported();
            for (plugin, said) in said {
                *reported.entry(plugin).or_default() += said;
            }
            if let Some(act) = act {
                let (plugin, token) = (bound.id.clone(), token.map(str::to_owned));
                self.control.acts.add(AskedAct { call: event, plugin, token, act });
            }
            Ok(event)
        };
        match self.kv.commit_if(read.kv, &written, &self.stream, record) {
            Ok(event) => Ok(event),
            Err(Not::Held) => Ok(None),
            Err(Not::Taken(error)) => Err(error),
        }
    }

    /// Returns once everything that the call may have read survives the end of this process.
    async fn wait_for_what_was_read(&self, read: Read<'_>) -> Result<(), JournalError> {
        let Read { kv: reads, tasks, control } = read;
        let run = tasks.view().map(|view| &view.journal);
        for (journal, is_read) in [
            (run, tasks.is_used() || !reads.is_empty()),
            (control.read(), true),
            (Some(&self.stream), !reads.is_empty()),
        ] {
            let Some(journal) = journal.filter(|_| is_read) else { continue };
            let events = journal.events();
            if journal.committed() < events {
                journal.durable(events - 1, self.level).await?;
            }
        }
        Ok(())
    }
}

/// The request as a service sees it: its path begins after the mount, and nothing says who asks.
fn beneath(mut request: Request<Bytes>, mount: &str) -> Request<Bytes> {
    let path = request.uri().path().strip_prefix(mount).unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = format!("{path}{query}").parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    headers.remove(header::AUTHORIZATION);
    headers.remove(PREFIX);
    if let Ok(mount) = HeaderValue::from_str(mount) {
        headers.insert(PREFIX, mount);
    }
    request
}

impl NoAnswer {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Busy | Self::Contended | Self::Withdrawn => StatusCode::SERVICE_UNAVAILABLE,
            Self::Host | Self::Failed(CallError::Machine { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Failed(_) | Self::Asked(_) => StatusCode::BAD_GATEWAY,
            Self::NotKept(_) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// Code and sentence for who asked: nothing of what the plugin or the host said to the operator.
    pub(super) fn problem(&self) -> (&'static str, &'static str) {
        match self {
            Self::Busy => ("busy", "too many requests at once"),
            Self::Contended => ("contended", "others changed what the service read"),
            Self::Host | Self::Failed(CallError::Machine { .. }) => ("host-failed", "the host failed"),
            Self::Withdrawn => ("withdrawn", "the service was withdrawn"),
            Self::Failed(_) => ("service-failed", "the service failed"),
            Self::Asked(_) => ("service-failed", "the service asked for a task that cannot be added"),
            Self::NotKept(_) => ("not-kept", "what the service wrote cannot be kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_sees_the_path_beneath_its_mount_and_never_the_token() {
        for (mount, asked, seen) in [
            ("/status", "/status", "/"),
            ("/status", "/status/", "/"),
            ("/status", "/status/a/b?c=d", "/a/b?c=d"),
            ("/status", "/status?c=d", "/?c=d"),
            ("", "/a?b", "/a?b"),
            ("/a%20b", "/a%20b/c", "/c"),
        ] {
            let request = Request::get(asked)
                .header(header::AUTHORIZATION, "Bearer x")
                .header("X-Forwarded-Prefix", "/forged")
                .body(Bytes::new())
                .unwrap();
            let found = beneath(request, mount);
            assert_eq!(found.uri().path_and_query().unwrap(), seen, "{asked}");
            assert_eq!(found.headers().get(header::AUTHORIZATION), None);
            assert_eq!(found.headers().get_all(PREFIX).iter().collect::<Vec<_>>(), [mount]);
        }
    }
}
