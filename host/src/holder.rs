//! What one process holds of a workspace for as long as it lives: native code, threads, the store, the socket.
//!
//! In -> out: admitted plugins, a workspace, rules -> [`Holder`], on which runs are driven one after the other.
//! Invariant: opened in this order: native code, store, socket; what fails leaves nothing begun.
//! Not here: admission (`plugins.rs`), one run (`session.rs`), what is answered over the socket (`control.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_journal::event::{Event, PluginPin, WORKSPACE_STREAM};
use orch_journal::{Journal, Reader, STORE_FILE, Store};
use orch_task::Env;
use orch_trust::evidence::Compilable;
use orch_trust::lock::Lock;
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use crate::caches;
use crate::capability::http::backend::Egress;
use crate::capability::lent::Providers;
use crate::capability::llm::catalogue::Catalogue;
use crate::capability::nothing::Nothing;
use crate::capability::secrets::backend::SecretReader;
use crate::capability::secrets::mask::TextMask;
use crate::capability::tape::{Player, Tape};
use crate::capability::vectors::backend::Shelf;
use crate::clock::now_ms;
use crate::config::models;
use crate::config::operator::{Operator, OperatorError, home_folder, state_home};
use crate::config::secret::KeyUse;
use crate::config::workspace::layers;
use crate::config::workspace::{Record, WorkspaceConfig};
use crate::control::api::RunOptions;
use crate::control::variables::{self, Seals};
use crate::control::{Api, HolderState, Listening, SocketPlace, Wish};
use crate::drive;
use crate::drive::acts::ActQueue;
use crate::drive::asked::AskedQueue;
use crate::drive::branch::NOT_HELD;
use crate::drive::choice::Wanted;
use crate::drive::desk::RunRules;
use crate::drive::env::EnvKey;
use crate::drive::kv::{KvOverlay, KvValues};
use crate::drive::marks::Marks;
use crate::drive::measured::Measured;
use crate::drive::own_files::OwnFiles;
use crate::drive::purse;
use crate::drive::roles::{Bound, Roles};
use crate::drive::standing::Standing;
use crate::egress::{Door, SystemNames};
use crate::engine::cache::NativeCache;
use crate::engine::withdrawal::Withdrawal;
use crate::engine::{Engine, EngineError};
use crate::exit::{Exit, Fault};
use crate::open_files;
use crate::parallel;
use crate::place::{self, Place};
use crate::plugins::{self, AdmittedPlugins, Workbench};
use crate::processes::Commands;
use crate::recheck::{Recheck, Watch, Watched};
use crate::relay::{self, Relay};
use crate::reload::{Found, Reload};
use crate::sandbox::Sandboxing;
use crate::secrets::SecretStore;
use crate::worktrees::StateFolder;

/// What a holder is opened with.
pub struct Setup<'a> {
    pub place: &'a Place,
    pub operator: &'a Operator,
    pub config: &'a WorkspaceConfig,
    pub admitted: &'a AdmittedPlugins,
    /// Folders of packages that were said.
    pub packages: &'a [PathBuf],
    /// Relative to the workspace.
    pub task_file: &'a Path,
    pub rules: RunRules,
    /// Path of `orch-host`: it is to stay there.
    pub program: PathBuf,
    /// What supervises commands when it is called with the supervisor's verb: the same program, whatever lies at its path by then.
    pub supervisor: PathBuf,
    /// Requests that services answer at once; 0 binds none.
    pub requests: u32,
    /// Where people's words go that no run at work can take.
    pub wishes: Option<mpsc::Sender<Wish>>,
}

/// The one process that changes a workspace.
pub struct Holder {
    pub place: Place,
    pub task_file: PathBuf,
    /// What runs are held to.
    pub standing: Arc<Standing>,
    /// Of a host that serves.
    pub reload: Option<Arc<Reload>>,
    /// What was there when this process began to hold the workspace.
    pub own_files: OwnFiles,
    pub supervisor: PathBuf,
    pub roles: Arc<Roles>,
    /// By the path that each is mounted at.
    pub services: Vec<(String, Bound)>,
    /// Plugins that answer for others.
    pub providers: Providers,
    /// The operator's.
    pub secrets: Arc<dyn SecretReader>,
    /// What becomes of what guests of a run are told.
    pub tape: Tape,
    pub egress: Arc<dyn Egress>,
    pub relay: Arc<Relay>,
    /// What is around commands.
    pub sandboxing: Arc<Sandboxing>,
    pub guests: Runtime,
    pub store: Store,
    pub kv: Arc<KvOverlay>,
    /// What plugins measured.
    pub measured: Arc<Measured>,
    pub vectors: Arc<Shelf>,
    pub marks: Arc<Marks>,
    marks_key: [u8; 32],
    /// Where trees of attempts are made.
    pub trees: StateFolder,
    pub pins: Vec<PluginPin>,
    /// Code and text of what a run begins under; its report says it.
    pub notices: Vec<(&'static str, String)>,
    /// What whoever asks is told of the run at work.
    pub state: Arc<HolderState>,
    pub api: Api,
    /// What services asked for and no run took in.
    pub asked: Arc<AskedQueue>,
    /// What services asked of the host and it did not do.
    pub acts: Arc<ActQueue>,
    /// The journal of what happens beside the runs.
    pub stream: Arc<Journal>,
    pub stream_name: String,
    /// Of all commands, as `config.yaml` says.
    pub env: Arc<Env>,
    pub env_key: EnvKey,
    /// Looks as long as the holder lives.
    _recheck: Watch,
    /// Answers as long as the holder lives.
    listening: Option<Listening>,
}

impl Holder {
    /// Loads the plugins, opens the store, and begins to answer.
    ///
    /// # Errors
    /// What keeps a plugin from running; `store-held`; whatever refuses the store.
    pub fn open(setup: Setup<'_>) -> Result<Self, Fault> {
        Self::playing(setup, None)
    }

    /// The same of a run whose guests are told what another one kept, over values that it found.
    ///
    /// # Errors
    /// As above.
    pub fn playing(setup: Setup<'_>, played: Option<(Arc<dyn Player>, KvValues)>) -> Result<Self, Fault> {
        let Setup {
            place,
            operator,
            config,
            admitted,
            packages,
            task_file,
            rules,
            program,
            supervisor,
            requests,
            wishes,
        } = setup;
        // Each call may hold one instance more for each provider beneath it; the loop's own calls count as one.
        let calls = (rules.jobs + requests + 1).saturating_mul(1 + admitted.provider_depth);
        let engine = Engine::run(calls, 1).map_err(no_engine)?;
        let cache = native_cache(operator)?;
        let mut bench = Workbench::new(&engine, &cache, config, &place.workspace, admitted);
        // The loop's first: it ends when one of its plugins is withdrawn, and not for a service.
        let roles = Arc::new(bench.roles()?);
        let mut services = Vec::new();
        for service in config.roles.of(Role::Service).filter(|_| requests > 0) {
            services.push((service.key.clone(), bench.bind(service)?));
        }
        let recheck = recheck(operator, config, place.lock()?, admitted, &bench.withdrawals())?;
        let guests = guest_runtime(rules.jobs)?;
        let picks = models::picks_of(&place.workspace, &operator.models)?;
        let models = Arc::new(Catalogue { picks, ..operator.models.clone() });

        let door = Door::new(&operator.policy.egress, &operator.home, Arc::new(SystemNames));
        let door = Arc::new(door.map_err(|error| Fault::new(Exit::HostError, "egress", None, error))?);
        // Who is told what was kept reaches nobody.
        let egress: Arc<dyn Egress> = match &played {
            Some(_) => Arc::new(Nothing),
            None => door.clone(),
        };

        let connections = open_files::connections_of_a_command(rules.jobs);
        let times = relay::Times::default();
        let relay = Arc::new(Relay::new(door, &operator.policy.sandbox, times, connections));

        let socket = SocketPlace::of(&place.workspace, &operator.home)?;
        let (policy, home) = (&operator.policy.sandbox, home_folder());
        let states = state_home().unwrap_or_else(|| operator.home.join("state"));
        let trees = StateFolder::of(&states, &place.workspace);
        let own = [operator.home.clone(), socket.folder().to_owned(), states.join("orch")];
        let protected = place.protected(task_file);
        let sandboxing = Sandboxing::of(policy, home.as_deref(), &place.workspace, protected, own);
        let mut sandboxing = sandboxing.keeping(policy, home.as_deref(), &operator.home.join(caches::FOLDER));
        let mut notices = plugins::notices(operator, admitted);
        if admitted.starts_programs() {
            let commands = Commands::new(supervisor.clone(), 1);
            let lacking = guests.block_on(sandboxing.try_out(&commands, &program, policy.mode))?;
            notices.extend(lacking.into_iter().map(|text| ("sandbox-lacking", text)));
        }

        if rules.beginning.isolated && !sandboxing.has_mounts() {
            notices.push(("edits-not-held", NOT_HELD.to_owned()));
        }

        let store = place.store(operator, rules.durability.answers())?;
        let own_files = OwnFiles::of(place.state.join(STORE_FILE), program)
            .map_err(|(path, error)| place::io(&path, "look at", error))?;
        let purse = Arc::new(purse::of(&models, &store.shared().read())?);
        let (spent, workspace) = ((models, purse), &place.workspace);
        let providers = drive::providers::of(&roles, &operator.policy, spent, workspace, guests.handle());
        let kv = Arc::new(KvOverlay::over(store.shared()));
        let measured = Arc::new(Measured::of(place.state.clone(), guests.handle().clone()));
        let (folder, marks_key) = (place.workspace.clone(), operator.secret.key(KeyUse::Marks));
        let marks = Marks::over(store.shared(), folder, marks_key, &place.state, task_file);
        let marks = Arc::new(marks);
        let known = store.shared().read().stream()?;
        let stream_name = match known {
            Some(known) => known,
            None => workspace_stream()?,
        };
        let stream = Arc::new(store.journal(&stream_name)?);
        let secrets: Arc<dyn SecretReader> = Arc::new(SecretStore::new(operator.secrets.clone()));
        let tape = match (played, config.record) {
            (Some((player, values)), _) => {
                kv.seed(values, &stream);
                Tape::Played(player)
            }
            (None, Record::Full) => Tape::Kept(Arc::new(TextMask::of(&secrets.all()))),
            (None, Record::Digests) => Tape::Off,
        };
        let asked = Arc::new(AskedQueue::open(&store.shared().read(), &stream_name, stream.clone())?);
        let acts = Arc::new(ActQueue::open(&store.shared().read(), &stream_name, stream.clone())?);
        let holding = socket.hold()?;
        let swept = sandboxing.caches().sweep();
        swept.map_err(|error| place::io(&operator.home.join(caches::FOLDER), "clear", error))?;
        orch_supervisor::adopt().map_err(anyhow::Error::from)?;
        let options = RunOptions {
            jobs: Some(rules.jobs),
            audit: Some(rules.audit.to_string()),
            durability: Some(rules.durability.as_str().to_owned()),
            tasks: Some(task_file.display().to_string()),
            memory: Some(place.state.display().to_string()),
            plugins: Some(place::absolute(packages)),
            variables: Some(granted_variables(operator, config, admitted)),
            wanted: Wanted::default(),
        };
        let serves = wishes.is_some();
        let standing = Arc::new(Standing::new(rules));
        let reload = serves.then(|| {
            let (workspace, policy) = (place.workspace.clone(), operator.policy.clone());
            Arc::new(Reload::new(workspace, policy, standing.clone(), config.clone()))
        });
        let state = Arc::new(HolderState::new(wishes));
        let api = Api::new(state.clone(), place.clone(), config.clone(), options, standing.clone());
        let listening = Listening::begin(socket, holding, api.clone())?;
        Ok(Self {
            place: place.clone(),
            task_file: task_file.to_owned(),
            standing,
            reload,
            own_files,
            supervisor,
            roles,
            services,
            providers,
            secrets,
            tape,
            egress,
            relay,
            guests,
            store,
            kv,
            measured,
            vectors: Arc::new(Shelf::beside(&place.state)),
            marks,
            marks_key,
            trees,
            pins: plugins::pins(&admitted.by_id),
            notices,
            sandboxing: Arc::new(sandboxing),
            state,
            api,
            asked,
            acts,
            stream,
            stream_name,
            env: Arc::new(config.env.clone()),
            env_key: EnvKey::new(operator.secret.key(KeyUse::TaskEnv)),
            _recheck: recheck,
            listening: Some(listening),
        })
    }

    /// What tasks read and made, of files below another folder than the workspace.
    pub fn marks_below(&self, folder: PathBuf) -> Marks {
        Marks::over(self.store.shared(), Arc::new(folder), self.marks_key, &self.place.state, &self.task_file)
    }

    /// What is committed.
    pub fn reader(&self) -> Result<Reader, Fault> {
        Ok(self.store.reader()?)
    }

    /// What whatever begins now is held to.
    pub fn rules(&self) -> Arc<RunRules> {
        self.standing.now()
    }

    /// Takes in what the workspace says by now, for a run that is about to begin.
    ///
    /// # Errors
    /// `config-changed`: it needs another start; whatever is wrong with it.
    pub fn look_at_config(&self) -> Result<Option<Found>, Fault> {
        match &self.reload {
            Some(reload) => Ok(reload.look_now()?),
            None => Ok(None),
        }
    }

    /// That this process works here from now on, and with which plugins.
    pub fn attached(&self) -> Result<Event, Fault> {
        let me = orch_supervisor::ProcessIdentity::of(std::process::id()).map_err(anyhow::Error::from)?;
        Ok(Event::HostAttached {
            plugins: self.pins.clone(),
            pid: me.pid,
            start_ticks: me.start_ticks,
            boot_id: me.boot_id,
            at: now_ms(),
        })
    }

    /// Lets go of the workspace; what was recorded is durable afterwards.
    pub fn close(mut self) -> Result<(), Fault> {
        self.guests.shutdown_background();
        self.store.close()?;
        drop(self.listening.take());
        Ok(())
    }
}

/// Judges the plugins again while they run, by the lock that they were admitted with.
fn recheck(
    operator: &Operator,
    config: &WorkspaceConfig,
    lock: Lock,
    admitted: &AdmittedPlugins,
    withdrawals: &BTreeMap<String, Arc<Withdrawal>>,
) -> Result<Watch, Fault> {
    let watched = |(id, withdrawal): (&String, &Arc<Withdrawal>)| {
        let package = admitted.packages.get(id)?.clone();
        let is_provider = config.roles.of(Role::Provider).any(|binding| binding.id == *id);
        let provides = PluginId::parse(id).ok().filter(|_| is_provider);
        let provides = provides.map(|id| operator.policy.provided(&id).0.clone());
        Some(Watched { id: id.clone(), package, provides, withdrawal: withdrawal.clone() })
    };
    let plugins = withdrawals.iter().filter_map(watched).collect();
    let recheck = Recheck { home: operator.home.clone(), config: config.clone(), lock, plugins };
    Ok(recheck.begin().map_err(anyhow::Error::from)?)
}

/// Variables that commands of some plugin get from this process, and not from `config.yaml`.
fn granted_variables(operator: &Operator, config: &WorkspaceConfig, admitted: &AdmittedPlugins) -> Seals {
    let permissions = admitted.by_id.values().map(|plugin| plugin.grant().permissions());
    let names =
        permissions.filter_map(|granted| granted.process.as_ref()).flat_map(|process| process.variables());
    let names = names.filter(|name| config.env.names().all(|own| own != *name));
    variables::seals(&operator.secret, names.chain(layers::variable_names()))
}

/// Guests lie in address space that is reserved before it is used.
fn no_engine(error: EngineError) -> Fault {
    let is_limited = error.to_string().contains("mmap");
    let hint = is_limited.then(|| {
        "`ulimit -v unlimited` in the shell that starts it: address space is reserved, not memory".to_owned()
    });
    Fault::new(Exit::HostError, "engine", hint, error)
}

/// This host's native code.
pub fn native_cache(operator: &Operator) -> Result<NativeCache, Fault> {
    let folder = operator.home.join("cache");
    NativeCache::open(&folder, operator.secret.key(KeyUse::NativeCode))
        .map_err(|error| place::io(&folder, "open", error))
}

/// What comes back is read where it comes back, a hundred levels deep at most; a debug build takes tens of kilobytes for each.
const GUEST_STACK_BYTES: usize = 8 << 20;

/// Guests have threads of their own: a busy guest gives way to another guest, never to the loop.
pub fn guest_runtime(jobs: u32) -> Result<Runtime, Fault> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(parallel::cores().min(jobs as usize).max(1))
        .thread_name("orch-guest")
        .thread_stack_size(GUEST_STACK_BYTES)
        .enable_all()
        .event_interval(1)
        .build();
    Ok(runtime.map_err(anyhow::Error::from)?)
}

/// A name for the stream of a workspace that has none.
pub fn workspace_stream() -> Result<String, OperatorError> {
    let random = getrandom::u64().map_err(|_| OperatorError::NoRandom)?;
    Ok(format!("{WORKSPACE_STREAM}-{random:016x}"))
}
