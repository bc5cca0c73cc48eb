//! What a run needs of its host: the workspace, the plugins, the threads, the rules.
//!
//! In -> out: what `session.rs` prepared -> a [`Lent`] for each call.
//! Invariant: nothing in here changes during a run but the overlay of `kv`, the log, and the rules of a host that serves.
//! Not here: the run itself (`run.rs`), where rules come from (`config/`).

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use orch_journal::Journal;
use orch_task::Env;
use tokio::sync::watch;

use super::acts::ActQueue;
use super::asked::AskedQueue;
use super::branch::Branch;
use super::kv::KvOverlay;
use super::marks::Marks;
use super::measured::MeasuredFor;
use super::own_files::OwnFiles;
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

pub use super::rules::{Audit, Durability, HeldTo, Notices, RunRules};

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
    /// What plugins measured.
    pub metrics: Arc<MeasuredFor>,
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
            metrics: self.metrics.clone(),
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
