//! What a run needs of its host: the workspace, the plugins, the threads, the rules.
//!
//! In -> out: what `session.rs` prepared -> a [`Lent`] for each call.
//! Invariant: nothing in here changes during a run but the overlay of `kv`, the log, and the rules of a host that serves.
//! Not here: the run itself (`run.rs`), where rules come from (`config/`).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use orch_journal::Journal;
use orch_journal::Level;
use orch_task::{Env, Look, OnDoubt, Task};
use serde::Deserialize;
use tokio::sync::watch;

use super::acts::ActQueue;
use super::asked::AskedQueue;
use super::branch::{Beginning, Branch};
use super::kv::KvOverlay;
use super::marks::Marks;
use super::own_files::OwnFiles;
use super::retry::Backoff;
use super::roles::{Bound, Roles};
use super::standing::{Standing, Watches};
use super::task_reader::{SharedState, StateReader};
use crate::call::Lent;
use crate::capability::EffectGate;
use crate::capability::files::Protected;
use crate::capability::git::backend::{OfBranch, OfWorkspace, Repositories};
use crate::capability::http::backend::Egress;
use crate::capability::lent::Providers;
use crate::capability::log::LogSink;
use crate::capability::nothing::Nothing;
use crate::capability::process::env::CommandEnv;
use crate::capability::provided::Asking;
use crate::capability::secrets::backend::SecretReader;
use crate::capability::tape::Tape;
use crate::capability::vectors::backend::Shelf;
use crate::command_log::{CommandLog, LogName};
use crate::git::Oid;
use crate::processes::{CallProcesses, Commands};
use crate::relay::Relay;
use crate::sandbox::Sandboxing;
use crate::watch::Pieces;
use crate::worktrees::Seat;

/// When auditors are called, besides at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audit {
    Completion,
    Every(u32),
    #[default]
    End,
}

impl std::fmt::Display for Audit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Completion => out.write_str("every-completion"),
            Self::Every(count) => write!(out, "every-{count}"),
            Self::End => out.write_str("end"),
        }
    }
}

/// How durable what is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    Process,
    Power,
    /// Effects at `power`, the rest at `process`.
    #[default]
    Mixed,
}

impl Durability {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Power => "power",
            Self::Mixed => "mixed",
        }
    }

    /// Of intents.
    pub fn effects(self) -> Level {
        match self {
            Self::Process => Level::Process,
            Self::Power | Self::Mixed => Level::Power,
        }
    }

    /// Of everything else that somebody outside may see.
    pub fn answers(self) -> Level {
        match self {
            Self::Process | Self::Mixed => Level::Process,
            Self::Power => Level::Power,
        }
    }
}

/// What a person asked of a running host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    #[default]
    GoOn,
    /// Start nothing more, let what runs end.
    Stop,
    /// End what runs.
    Abort,
}

/// Channels that hear of a run's end, by how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    pub failed: Vec<String>,
    pub waiting: Vec<String>,
    pub done: Vec<String>,
}

impl Notices {
    /// Each word of `config.yaml` with its channels.
    pub fn all(&self) -> [(&'static str, &[String]); 3] {
        [("failed", &self.failed), ("waiting", &self.waiting), ("done", &self.done)]
    }
}

/// Rules of this run that a workspace may set.
#[derive(Clone, Debug, Default)]
pub struct RunRules {
    pub jobs: u32,
    pub audit: Audit,
    pub durability: Durability,
    /// Of a new run; 0 is unlimited.
    pub budget: u64,
    /// Part of the budget after which the run warns once, 0.0..=1.0.
    pub budget_warn_at: f64,
    /// More unresolved major findings abort the run.
    pub major_max: u32,
    /// More unresolved medium findings give a warning.
    pub medium_max: u32,
    /// More of them are too many, and not only a warning.
    pub medium_fails: bool,
    pub backoff: Backoff,
    /// From the request to end to SIGKILL, for what commands started.
    pub kill_after: Duration,
    /// Where a run's edits go.
    pub beginning: Beginning,
    /// Of one log file.
    pub log_bytes_max: u64,
    pub notices: Notices,
    /// Plugins that may add tasks of a kind whose executor has effects, without approval.
    pub tasks_auto: Vec<(String, String)>,
    /// What tasks are held to that plugins ask for, by kind.
    pub asked: BTreeMap<String, HeldTo>,
}

/// What people say of tasks that a plugin asks for, which cannot say it itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeldTo {
    /// Verifiers that look at what each did.
    pub verify: Vec<Look>,
    pub retries: u32,
    /// In seconds; none: as of every task.
    pub timeout: Option<NonZeroU32>,
    /// What happens to an attempt of which nobody knows how it ended.
    pub on_doubt: OnDoubt,
}

impl HeldTo {
    /// The task, held to it.
    pub fn hold(&self, task: Task) -> Task {
        let timeout_ms = self.timeout.map_or(task.timeout_ms, |seconds| u64::from(seconds.get()) * 1000);
        let (verify, on_doubt) = (self.verify.clone(), self.on_doubt);
        Task { verify, retries: self.retries, timeout_ms, on_doubt, ..task }
    }
}

impl RunRules {
    /// Why so many findings are too many.
    pub fn too_many(&self, major: u32, medium: u32) -> Option<String> {
        let (severity, found, at_most) = match () {
            () if major > self.major_max => ("major", major, self.major_max),
            () if self.medium_fails && medium > self.medium_max => ("medium", medium, self.medium_max),
            () => return None,
        };
        Some(format!("too many {severity} findings: {found}, at most {at_most}"))
    }

    /// S0's order: one task at a time, and every change of a status is saved before the next step.
    pub fn is_strict(&self) -> bool {
        self.jobs == 1 && self.audit == Audit::Completion
    }
}

/// What a run needs of its host.
pub struct Desk {
    /// Absolute, without links.
    pub workspace: Arc<PathBuf>,
    /// What no plugin reads or writes, relative to it.
    pub protected: Arc<Protected>,
    pub journal: Arc<Journal>,
    /// What services asked for.
    pub asked: Arc<AskedQueue>,
    /// What services asked of the host.
    pub acts: Arc<ActQueue>,
    pub own_files: OwnFiles,
    /// The runtime that guests run on.
    pub guests: tokio::runtime::Handle,
    pub commands: Commands,
    /// What is around them.
    pub sandboxing: Arc<Sandboxing>,
    /// The plugins that it calls.
    pub roles: Arc<Roles>,
    pub kv: Arc<KvOverlay>,
    /// Collections of passages, beside the store.
    pub vectors: Arc<Shelf>,
    /// Plugins that answer for others.
    pub providers: Providers,
    /// The way out for plugins.
    pub egress: Arc<dyn Egress>,
    /// The same for their commands.
    pub relay: Arc<Relay>,
    pub marks: Arc<Marks>,
    /// Of the workspace, opened when somebody asks.
    pub repository: Arc<OfWorkspace>,
    /// Where edits of attempts go; none: they are made in the workspace.
    pub branch: Option<Arc<Branch>>,
    /// Of all commands, as `config.yaml` says.
    pub env: Arc<Env>,
    pub log: Arc<dyn LogSink>,
    /// The operator's.
    pub secrets: Arc<dyn SecretReader>,
    /// As they stand; a host that serves may take others meanwhile.
    pub standing: Arc<Standing>,
    /// Looks whether the workspace says something else by now; none in a host that works for one run.
    pub watches: Option<Arc<dyn Watches>>,
    pub control: watch::Receiver<Control>,
    /// Whoever asks for an end says it here.
    pub say: watch::Sender<Control>,
    /// Where pieces of models' answers go while calls wait for them.
    pub pieces: Pieces,
    /// What becomes of what guests are told.
    pub tape: Tape,
}

impl Desk {
    /// What whatever begins now is held to.
    pub fn rules(&self) -> Arc<RunRules> {
        self.standing.now()
    }

    /// What one call is lent: its name for what it asks of providers, and the way of its effects. `log` gets the output of its commands.
    pub fn lend(
        &self,
        bound: &Bound,
        state: SharedState,
        (asking, effects): (Asking, Arc<dyn EffectGate>),
        log: Arc<CommandLog>,
        wall: Duration,
    ) -> Lent {
        Lent {
            protected: self.protected.clone(),
            workspace: self.workspace.clone(),
            is_kept: false,
            git: self.repository(&state),
            settings: bound.settings.clone(),
            tasks: Arc::new(StateReader::new(state)),
            kv: self.kv.clone(),
            vectors: self.vectors.clone(),
            effects,
            env: CommandEnv { workspace: self.env.clone(), ..CommandEnv::default() },
            processes: self.processes(&bound.id, log, None),
            // Services are no part of a run.
            controls: Arc::new(Nothing),
            log: self.log.clone(),
            secrets: self.secrets.clone(),
            egress: self.egress.clone(),
            providers: self.providers.clone(),
            deltas: self.pieces.of(&asking),
            asking,
            earlier: Arc::default(),
            spending: false,
            tape: self.tape.clone(),
            fixed_start: None,
            wall,
        }
    }

    /// What a plugin sees of the repository: at the newest commit of the run's branch, if there is one.
    fn repository(&self, state: &SharedState) -> Arc<dyn Repositories> {
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        let tip = state.edits.as_ref().and_then(|edits| Oid::parse(&edits.tip));
        match (&self.branch, tip) {
            (Some(branch), Some(tip)) => {
                Arc::new(OfBranch::new(branch.shared_repository(), branch.based().branch.clone(), tip))
            }
            _ => self.repository.clone(),
        }
    }

    /// The same in a work tree, that a call has to itself.
    pub fn move_into(&self, plugin: &str, lent: &mut Lent, seat: &Seat, log: Arc<CommandLog>) {
        lent.workspace = Arc::new(seat.tree.clone());
        lent.is_kept = true;
        lent.processes = self.processes(plugin, log, Some(seat.clone()));
    }

    /// Has a call stay in the workspace itself, though edits of the run go to a branch.
    pub fn stay_home(&self, lent: &mut Lent) {
        lent.git = self.repository.clone();
    }

    fn processes(&self, plugin: &str, log: Arc<CommandLog>, seat: Option<Seat>) -> Arc<CallProcesses> {
        let sandboxing = self.sandboxing.clone();
        let (commands, relay) = (&self.commands, self.relay.clone());
        Arc::new(CallProcesses::new(commands, log, self.rules().kill_after, sandboxing, relay, plugin, seat))
    }

    /// A log file for the commands of one call, made when the first command starts.
    pub fn command_log(&self, name: LogName) -> Arc<CommandLog> {
        Arc::new(CommandLog::new(self.workspace.join("logs"), name, self.rules().log_bytes_max))
    }

    pub fn control(&self) -> Control {
        *self.control.borrow()
    }
}
