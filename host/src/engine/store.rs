//! The store of one call: its state, its deadline, and what is left of it afterwards.
//!
//! In -> out: [`CallState`] -> a store that gives way at every tick; the export's future -> `Result<T, CallError>`;
//! the state -> [`CallReport`].
//! Invariant: the deadline is armed again before each call; every host function is entered through one of the
//! views below, which counts it; no effect follows a limit that is used up.
//! Not here: ceilings (`limits.rs`), which views a plugin's linker has (`link.rs`).

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView};

use super::call_error::CallError;
use super::limits::{CallLimits, Exceeded, Meter, RESOURCES_MAX};
use super::withdrawal::Withdrawal;
use crate::call::{CallContext, CallReport, Used};
use crate::capability::clocks::{Clocks, ClocksView};
use crate::capability::files::{Files, FilesView};
use crate::capability::findings::{Findings, FindingsView};
use crate::capability::http::NoOutgoing;
use crate::capability::kv::{Kv, KvView};
use crate::capability::log::{Log, LogView};
use crate::capability::metrics::{Metrics, MetricsView};
use crate::capability::process::{Process, ProcessView};
use crate::capability::random::{Random, RandomView};
use crate::capability::settings::{Settings, SettingsView};
use crate::capability::tasks::{Tasks, TasksView};
use crate::capability::{Granted, Ledger};

/// The data of one store: counters, and a state for each capability.
pub struct CallState {
    pub(super) meter: Meter,
    /// For each call, where the engine counts what guest code runs.
    fuel_max: Option<u64>,
    table: ResourceTable,
    plugin: Arc<str>,
    withdrawal: Arc<Withdrawal>,
    wall: Duration,
    ledger: Ledger,
    log: Log,
    settings: Settings,
    kv: Kv,
    tasks: Tasks,
    files: Files,
    process: Process,
    findings: Findings,
    metrics: Metrics,
    clocks: Clocks,
    random: Random,
    http: WasiHttpCtx,
    no_outgoing: NoOutgoing,
}

impl CallState {
    pub(crate) fn new(
        plugin: Arc<str>,
        withdrawal: Arc<Withdrawal>,
        limits: CallLimits,
        granted: &Granted,
        context: CallContext,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self {
            meter: Meter::new(limits),
            fuel_max: None,
            table,
            wall: context.wall,
            ledger: Ledger::new(context.effects),
            log: Log::new(plugin.clone(), limits.log_bytes_max, context.log),
            settings: Settings::new(context.settings),
            kv: Kv::new(granted.kv.clone(), plugin.clone(), context.kv),
            tasks: Tasks::new(granted.tasks.clone(), context.tasks),
            files: Files::new(granted.files.clone(), context.workspace.clone(), context.protected.clone()),
            process: Process::new(granted.process.clone(), context.workspace, context.processes),
            findings: Findings::default(),
            metrics: Metrics::default(),
            clocks: Clocks::new(granted.fixed),
            random: Random::new(granted.fixed),
            http: WasiHttpCtx::new(),
            no_outgoing: NoOutgoing,
            plugin,
            withdrawal,
        }
    }

    /// Counts the call of a host function; over the limit no effect follows.
    fn enter(&mut self) {
        self.meter.enter_host();
        if self.meter.check().is_err() {
            self.ledger.close();
        }
    }

    pub(crate) fn log(&mut self) -> LogView<'_> {
        self.enter();
        LogView { log: &mut self.log }
    }

    pub(crate) fn settings(&mut self) -> SettingsView<'_> {
        self.enter();
        SettingsView { settings: &mut self.settings }
    }

    pub(crate) fn kv(&mut self) -> KvView<'_> {
        self.enter();
        KvView { kv: &mut self.kv, table: &mut self.table, ledger: &mut self.ledger }
    }

    pub(crate) fn tasks(&mut self) -> TasksView<'_> {
        self.enter();
        TasksView { tasks: &mut self.tasks, ledger: &mut self.ledger }
    }

    pub(crate) fn files(&mut self) -> FilesView<'_> {
        self.enter();
        FilesView { files: &mut self.files, ledger: &mut self.ledger }
    }

    pub(crate) fn process(&mut self) -> ProcessView<'_> {
        self.enter();
        let wall_left = self.meter.wall_left(Instant::now());
        ProcessView { process: &mut self.process, ledger: &mut self.ledger, wall_left }
    }

    pub(crate) fn findings(&mut self) -> FindingsView<'_> {
        self.enter();
        FindingsView { findings: &mut self.findings }
    }

    pub(crate) fn metrics(&mut self) -> MetricsView<'_> {
        self.enter();
        MetricsView { metrics: &mut self.metrics }
    }

    pub(crate) fn clocks(&mut self) -> ClocksView<'_> {
        self.enter();
        ClocksView { clocks: &mut self.clocks, table: &mut self.table }
    }

    pub(crate) fn random(&mut self) -> RandomView<'_> {
        self.enter();
        RandomView { random: &mut self.random }
    }

    pub(crate) fn io(&mut self) -> &mut ResourceTable {
        self.enter();
        &mut self.table
    }

    pub(crate) fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.enter();
        self.http_uncounted()
    }

    /// For the host's own use, before the guest runs.
    pub(crate) fn http_uncounted(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.no_outgoing, table: &mut self.table, ctx: &mut self.http }
    }

    /// Ends everything that still waits for the guest, which will not run again; true if a body was not ended.
    pub(crate) fn drop_resources(&mut self) -> bool {
        let mut table = std::mem::take(&mut self.table);
        table.iter_mut().any(|resource| resource.is::<HostOutgoingBody>())
    }

    pub(crate) fn output_bytes_max(&self) -> usize {
        usize::try_from(self.meter.limits().output_bytes_max).unwrap_or(usize::MAX)
    }

    /// The error of a limit that the host found used up.
    pub(crate) fn limit(&self, exceeded: Exceeded) -> CallError {
        CallError::limit(&self.plugin, exceeded, &self.meter)
    }

    pub(crate) fn tasks_asked(&self) -> usize {
        self.tasks.asked_count()
    }
}

/// A store with its limiter, its hooks and its deadline's rule; no call can be made before [`arm`].
pub(super) fn open(engine: &wasmtime::Engine, fuel_max: Option<u64>, state: CallState) -> Store<CallState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    store.call_hook(|mut context, hook| {
        let bytes_max = context.data_mut().meter.cross(hook, Instant::now())?;
        context.set_hostcall_fuel(usize::try_from(bytes_max).unwrap_or(usize::MAX));
        Ok(())
    });
    store.epoch_deadline_callback(|mut context: StoreContextMut<'_, CallState>| {
        Ok(match context.data_mut().meter.tick(Instant::now()) {
            true => UpdateDeadline::Yield(1),
            false => UpdateDeadline::Interrupt,
        })
    });
    store.data_mut().fuel_max = fuel_max;
    store
}

/// Begins a call in this store; gives the time that it has.
///
/// # Errors
/// `Withdrawn`: nothing begins.
pub(crate) fn arm(store: &mut Store<CallState>) -> Result<Duration, CallError> {
    let state = store.data_mut();
    if let Some(why) = state.withdrawal.withdrawn() {
        return Err(CallError::withdrawn(&state.plugin, why));
    }
    let wall = state.wall;
    state.meter.arm(wall, Instant::now());
    store.set_epoch_deadline(1);
    if let Some(fuel_max) = store.data().fuel_max {
        // Fails only on an engine without fuel; a store without fuel then traps at once, which a test would see.
        store.set_fuel(fuel_max).unwrap_or_default();
    }
    Ok(wall)
}

/// Waits for an export's answer, at most `wall`.
pub(crate) async fn within<T>(
    wall: Duration,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Option<wasmtime::Result<T>> {
    tokio::time::timeout(wall, call).await.ok()
}

/// What came of an export's call in this store; `None` if its time ran out.
pub(crate) fn settle<T>(
    store: &mut Store<CallState>,
    outcome: Option<wasmtime::Result<T>>,
) -> Result<T, CallError> {
    let state = store.data_mut();
    match outcome {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(CallError::from_engine(&state.plugin, &error, &state.meter)),
        None => {
            state.meter.exceed_wall();
            let exceeded = state.meter.exceeded().unwrap_or(Exceeded::Wall(state.wall));
            Err(CallError::limit(&state.plugin, exceeded, &state.meter))
        }
    }
}

/// What this store's call used so far.
pub(crate) fn used(store: &Store<CallState>) -> Used {
    let state = store.data();
    let fuel = state.fuel_max.and_then(|most| Some(most.saturating_sub(store.get_fuel().ok()?)));
    Used { fuel, memory_bytes: state.meter.memory_bytes(), host_calls: state.meter.host_calls() }
}

/// The report of a call: what it wrote only if its result is good.
pub(crate) fn report<T>(store: Store<CallState>, result: Result<T, CallError>) -> CallReport<T> {
    let used = used(&store);
    let CallState { ledger, kv, tasks, findings, metrics, log, plugin, .. } = store.into_data();
    let (mut writes, mut asked) = (orch_journal::event::Writes::default(), Vec::new());
    if result.is_ok() {
        writes.kv = kv.into_writes();
        writes.plugin = plugin.to_string();
        writes.findings = findings.into_reported();
        writes.metrics = metrics.into_recorded();
        asked = tasks.into_asked();
    }
    let (denied, effect) = ledger.into_parts();
    CallReport { result, used, writes, asked, denied, effect, log_cut: log.is_cut() }
}
