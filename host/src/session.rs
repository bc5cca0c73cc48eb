//! One run with everything that it needs: native code, threads, store, task file.
//!
//! In -> out: admitted plugins, a workspace, rules -> [`Session`] -> the run's [`Summary`].
//! Invariant: opened in this order: native code, store, task file; what fails leaves nothing begun.
//! Not here: admission (`plugins.rs`), the loop (`drive.rs`), what is shown (`watch.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_journal::event::{Event, PluginPin, RunStarted};
use orch_journal::{Journal, Reader, RunState, STORE_FILE, Store};
use orch_trust::lock::Lock;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch::Sender;

use crate::clock::now_ms;
use crate::config::operator::{Operator, OperatorError};
use crate::config::secret::KeyUse;
use crate::config::workspace::WorkspaceConfig;
use crate::control::{Listening, SocketPlace};
use crate::drive;
use crate::drive::desk::{Control, Desk, RunRules};
use crate::drive::error::DriveError;
use crate::drive::extend;
use crate::drive::finish::Summary;
use crate::drive::kv::KvOverlay;
use crate::drive::run::Run;
use crate::drive::store_file::StoreFile;
use crate::drive::task_file::Sheet;
use crate::engine::Engine;
use crate::engine::cache::NativeCache;
use crate::engine::withdrawal::Withdrawal;
use crate::exit::{Exit, Fault};
use crate::place::{self, Place};
use crate::plugins::{self, AdmittedPlugins, Workbench};
use crate::processes::Commands;
use crate::recheck::{Recheck, Watch, Watched};
use crate::run_log::RunLog;
use crate::watch::Observer;

/// What a session is opened with.
pub struct Setup<'a> {
    pub place: &'a Place,
    pub operator: &'a Operator,
    pub config: &'a WorkspaceConfig,
    pub admitted: &'a AdmittedPlugins,
    /// Relative to the workspace.
    pub task_file: &'a Path,
    pub sheet: Sheet,
    pub rules: RunRules,
    /// Program that supervises commands when it is called with the supervisor's verb: `orch-host` itself.
    pub supervisor: PathBuf,
    pub control: Sender<Control>,
}

/// A run that can be driven.
pub struct Session {
    run: Run,
    desk: Desk,
    sheet: Sheet,
    store: Store,
    guests: Runtime,
    pins: Vec<PluginPin>,
    goal: String,
    /// Where its store is, as runs say it.
    state_folder: String,
    budget: u64,
    /// Code and text of what the run began under; its report says it.
    notices: Vec<(&'static str, String)>,
    /// Looks as long as the session lives.
    _recheck: Watch,
    /// Answers as long as the session lives.
    _listening: Listening,
}

impl Session {
    /// Loads the plugins, opens the store, and finds the run that goes on.
    pub fn open(setup: Setup<'_>) -> Result<Self, Fault> {
        let Setup { place, operator, config, admitted, task_file, mut sheet, rules, supervisor, control } =
            setup;
        // 1. Native code, and the threads that guests run on.
        let engine =
            Engine::run(rules.jobs, 1).map_err(|error| Fault::new(Exit::HostError, "engine", None, error))?;
        let cache = native_cache(operator)?;
        let roles = Workbench::new(&engine, &cache, config, &admitted.by_id).roles()?;
        let recheck = recheck(operator, config, place.lock()?, admitted, roles.withdrawals())?;
        let guests = guest_runtime(rules.jobs)?;

        // 2. The store, the run in it, and the socket for whoever has something to say about it.
        let store = place.store(operator, rules.durability.answers())?;
        sheet.recover()?;
        let path = place.state.join(STORE_FILE);
        let store_file = StoreFile::of(path.clone()).map_err(|error| place::io(&path, "look at", error))?;
        let reader = store.reader()?;
        let (id, state) = open_run(&reader)?;
        if state.is_none() {
            sheet.check_new(&config.roles)?;
        }
        let journal = Arc::new(store.journal(&id)?);
        let run = Run::new(id.clone(), state.unwrap_or_default(), journal.clone());
        let socket = SocketPlace::of(&place.workspace, &operator.home)?;
        let holding = socket.hold()?;
        orch_supervisor::adopt().map_err(anyhow::Error::from)?;
        let listening = Listening::begin(socket, holding, id.clone(), run.say(), journal.clone())?;
        let desk = Desk {
            protected: place.protected(task_file),
            workspace: place.workspace.clone(),
            journal,
            store_file,
            guests: guests.handle().clone(),
            commands: Arc::new(Commands::new(supervisor, rules.jobs as usize + 2)),
            roles,
            kv: Arc::new(KvOverlay::over(reader)),
            log: Arc::new(RunLog::new(place.workspace.join("logs"), &id)),
            rules,
            control: control.subscribe(),
            say: control,
        };
        let name = place.workspace.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            run,
            desk,
            sheet,
            store,
            guests,
            pins: plugins::pins(&admitted.by_id),
            goal: name.unwrap_or_default(),
            state_folder: orch_journal::place::name_of(&place.state),
            budget: config.budget.limit,
            notices: plugins::notices(operator.signing_key, admitted),
            _recheck: recheck,
            _listening: listening,
        })
    }

    /// Name of the run.
    pub fn id(&self) -> &str {
        &self.run.id
    }

    pub fn journal(&self) -> Arc<Journal> {
        self.desk.journal.clone()
    }

    /// Tells an observer of every event from now on; it is dropped when the run is over.
    pub fn observed_by(mut self, observer: Box<dyn Observer>) -> Self {
        self.run = self.run.observed_by(observer);
        self
    }

    /// Drives the run to its end. What was recorded is durable and signed afterwards, also after a fault.
    pub fn drive(mut self) -> Result<Summary, Fault> {
        // The loop has this thread to itself: no guest, no writer, no timer of theirs runs on it.
        let main = Builder::new_current_thread()
            .enable_all()
            .event_interval(1)
            .build()
            .map_err(anyhow::Error::from)?;
        let driven: Result<Summary, Fault> = main.block_on(async {
            self.begin()?;
            self.sheet.merge(&mut self.run, &self.desk.roles)?;
            extend::hold_unapproved(&mut self.run, &self.desk)?;
            Ok(drive::drive(&mut self.run, &self.desk, &mut self.sheet).await?)
        });
        self.run.unobserved();
        let kept = self.desk.journal.wait_checkpoint();
        self.guests.shutdown_background();
        self.desk.commands.dismiss();
        // Also what killed its own supervisor and guardian: once the store is free, it could say anything.
        let alone = orch_supervisor::end_descendants();
        let summary = driven?;
        kept?;
        alone.map_err(anyhow::Error::from)?;
        self.store.close()?;
        Ok(summary)
    }

    /// Records the start of a new run, or that another host goes on with it.
    fn begin(&mut self) -> Result<(), Fault> {
        if self.run.state().started.is_none() {
            let started = RunStarted {
                run: self.run.id.clone(),
                goal: self.goal.clone(),
                plugins: self.pins.clone(),
                jobs: self.desk.rules.jobs,
                durability: self.desk.rules.durability.as_str().to_owned(),
                budget: self.budget,
                unsigned: false,
                store: Some(self.state_folder.clone()),
                at: now_ms(),
                mac: String::new(),
            };
            // As the journal stores it, so that what is shown and what the loop knows is what is stored.
            self.run.record(Event::RunStarted(self.desk.journal.seal(started)?))?;
            self.run.set_budget(self.budget);
        }
        let me = orch_supervisor::ProcessIdentity::of(std::process::id()).map_err(anyhow::Error::from)?;
        self.run.record(Event::HostAttached {
            plugins: std::mem::take(&mut self.pins),
            pid: me.pid,
            start_ticks: me.start_ticks,
            boot_id: me.boot_id,
            at: now_ms(),
        })?;
        for (code, text) in std::mem::take(&mut self.notices) {
            self.run.record(Event::Warned { code: code.to_owned(), text })?;
        }
        Ok(())
    }
}

/// Judges the plugins again while they run, by the lock that they were admitted with.
pub fn recheck(
    operator: &Operator,
    config: &WorkspaceConfig,
    lock: Lock,
    admitted: &AdmittedPlugins,
    withdrawals: &BTreeMap<String, Arc<Withdrawal>>,
) -> Result<Watch, Fault> {
    let watched = |(id, withdrawal): (&String, &Arc<Withdrawal>)| {
        let package = admitted.packages.get(id)?.clone();
        Some(Watched { id: id.clone(), package, withdrawal: withdrawal.clone() })
    };
    let plugins = withdrawals.iter().filter_map(watched).collect();
    let recheck = Recheck { home: operator.home.clone(), config: config.clone(), lock, plugins };
    Ok(recheck.begin().map_err(anyhow::Error::from)?)
}

/// This host's native code.
pub fn native_cache(operator: &Operator) -> Result<NativeCache, Fault> {
    let folder = operator.home.join("cache");
    NativeCache::open(&folder, operator.secret.key(KeyUse::NativeCode))
        .map_err(|error| place::io(&folder, "open", error))
}

/// Guests have threads of their own: a busy guest gives way to another guest, never to the loop.
pub fn guest_runtime(jobs: u32) -> Result<Runtime, Fault> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores.min(jobs as usize).max(1))
        .thread_name("orch-guest")
        .enable_all()
        .event_interval(1)
        .build();
    Ok(runtime.map_err(anyhow::Error::from)?)
}

/// The run that goes on, or the name of a new one.
fn open_run(reader: &Reader) -> Result<(String, Option<RunState>), Fault> {
    let Some(id) = reader.open_run()? else { return Ok((new_run_id()?, None)) };
    let mut state = RunState::default();
    for event in reader.events(&id) {
        let (_, event) = event?;
        state.apply(&event).map_err(DriveError::from)?;
    }
    Ok((id, Some(state)))
}

/// `20261121-121726-4f3a`: sorts by time, and two hosts do not collide.
fn new_run_id() -> Result<String, Fault> {
    let stamp = crate::processes::log_stamp(now_ms());
    let random = getrandom::u32().map_err(|_| OperatorError::NoRandom)?;
    Ok(format!("{}-{:04x}", stamp.get(..15).unwrap_or(&stamp), random & 0xffff))
}
