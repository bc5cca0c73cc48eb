//! The store of one call: its state, its deadline, and what is left of it afterwards.
//!
//! In -> out: [`CallState`] -> a store that gives way at every tick; the export's future -> `Result<T, CallError>`;
//! the state -> [`CallReport`].
//! Invariant: the deadline is armed again before each call; every host function is entered through
//! [`Holds::view`], which counts it; no effect follows a limit that is used up.
//! Not here: ceilings (`limits.rs`), which views a plugin's linker has (`link.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpCtxView;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;

use super::call_error::CallError;
use super::limits::{CallLimits, Exceeded, Meter, RESOURCES_MAX};
use super::wall::Wall;
use super::withdrawal::Withdrawal;
use crate::bindings::types::types::Failure;
use crate::call::{CallReport, Lent, Used};
use crate::capability::http::Http;
use crate::capability::kv::Kv;
use crate::capability::log::lines::Lines;
use crate::capability::metrics::Metrics;
use crate::capability::secrets::placeholders::Placeholders;
use crate::capability::tasks::Tasks;
use crate::capability::wasi::Wasi;
use crate::capability::{Granted, Holds, Kept, Ledger, Opened, Opening, Place, View};
use orch_trust::manifest::Role;

/// What is the same for all stores of a linked plugin.
pub(super) struct Plugin {
    pub(super) id: Arc<str>,
    /// That it is linked for.
    pub(super) role: Role,
    pub(super) withdrawal: Arc<Withdrawal>,
    pub(super) limits: CallLimits,
    pub(super) granted: Granted,
    /// It may write lines into the log.
    pub(super) logs: bool,
    /// Clocks and random numbers are the same in each call.
    pub(super) fixed: bool,
}

/// The data of one store: counters, what is lent to the call, and the capabilities that it has used.
pub struct CallState {
    pub(super) meter: Meter,
    /// For each call, where the engine counts what guest code runs.
    fuel_max: Option<u64>,
    table: ResourceTable,
    plugin: Arc<Plugin>,
    lent: Lent,
    ledger: Ledger,
    lines: Arc<Lines>,
    placeholders: Arc<Placeholders>,
    opened: Opened,
}

impl CallState {
    pub(super) fn new(plugin: Arc<Plugin>, lent: Lent) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let secrets = plugin.granted.secrets().clone();
        let lines = Lines::new(plugin.id.clone(), plugin.limits.log_bytes_max, lent.log.clone(), plugin.logs);
        Self {
            meter: Meter::new(plugin.limits),
            placeholders: Placeholders::new(secrets, lent.secrets.clone(), plugin.fixed),
            fuel_max: None,
            table,
            ledger: lent.ledger(&plugin.id),
            lines: Arc::new(lines),
            plugin,
            lent,
            opened: Opened::default(),
        }
    }

    /// Counts the call of a host function; over the limit no effect follows.
    fn enter(&mut self) {
        self.meter.enter_host();
        if self.meter.check().is_err() {
            self.ledger.close();
        }
    }

    /// For the host's own use.
    fn view_uncounted<C: Place>(&mut self) -> View<'_, C> {
        let Self { plugin, lent, opened, table, ledger, lines, meter, placeholders, .. } = self;
        let (state, granted) = C::of(opened, &plugin.granted);
        let opening = || Opening {
            plugin: &plugin.id,
            role: plugin.role,
            lines,
            lent,
            earlier: lent.earlier.get(&*plugin.id),
            placeholders,
            fixed: plugin.fixed,
        };
        let state = state.get_or_insert_with(|| C::open(granted, opening()));
        View::new(state, table, ledger, meter.wall().ends(Instant::now()))
    }

    /// To hand a request over, before the guest runs.
    pub(crate) fn http(&mut self) -> WasiHttpCtxView<'_> {
        Wasi::http(self.view_uncounted())
    }

    /// What the call wrote and asked for through `orch:tasks`.
    pub(crate) fn tasks(&mut self) -> &Tasks {
        self.view_uncounted::<Tasks>().state
    }

    /// Ends everything that still waits for the guest, which will not run again; true if a body was not ended.
    pub(crate) fn drop_resources(&mut self) -> bool {
        let mut table = std::mem::take(&mut self.table);
        table.iter_mut().any(|resource| resource.is::<HostOutgoingBody>())
    }

    /// The time that the call was given.
    pub(crate) fn wall(&self) -> Duration {
        self.lent.wall
    }

    pub(crate) fn output_bytes_max(&self) -> usize {
        usize::try_from(self.meter.limits().output_bytes_max).unwrap_or(usize::MAX)
    }

    /// The error of an answer that is outside of the rules.
    pub(crate) fn wrong_answer(&self, what: impl Into<String>) -> CallError {
        CallError::answer(&self.plugin.id, what)
    }

    /// The error of a limit that the host found used up.
    pub(crate) fn limit(&self, exceeded: Exceeded) -> CallError {
        CallError::limit(&self.plugin.id, exceeded, &self.meter)
    }
}

impl<C: Place> Holds<C> for CallState {
    fn view(&mut self) -> View<'_, C> {
        self.enter();
        self.view_uncounted()
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
pub(crate) fn arm(store: &mut Store<CallState>) -> Result<Wall, CallError> {
    let state = store.data_mut();
    if let Some(why) = state.plugin.withdrawal.withdrawn() {
        return Err(CallError::withdrawn(&state.plugin.id, why));
    }
    let wall = state.lent.wall;
    state.meter.arm(wall, Instant::now());
    store.set_epoch_deadline(1);
    if let Some(fuel_max) = store.data().fuel_max {
        // Fails only on an engine without fuel; a store without fuel then traps at once, which a test would see.
        store.set_fuel(fuel_max).unwrap_or_default();
    }
    Ok(store.data().meter.wall().clone())
}

/// What came of an export's call in this store; `None` if its time ran out.
pub(crate) fn outcome<T>(
    store: &mut Store<CallState>,
    outcome: Option<wasmtime::Result<T>>,
) -> Result<T, CallError> {
    let state = store.data_mut();
    match outcome {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => {
            let reason = state.ledger.reason();
            let panic = state.lines.panic();
            Err(CallError::from_engine(&state.plugin.id, &error, &state.meter, reason, panic.as_deref()))
        }
        None => {
            state.meter.exceed_wall();
            let exceeded = state.meter.exceeded().unwrap_or(Exceeded::Wall(state.lent.wall));
            Err(CallError::limit(&state.plugin.id, exceeded, &state.meter))
        }
    }
}

/// The plugin's own answer, or its failure.
pub(crate) fn answered<T>(store: &Store<CallState>, answer: Result<T, Failure>) -> Result<T, CallError> {
    let CallState { plugin, ledger, .. } = store.data();
    answer.map_err(|failure| {
        CallError::failure(&plugin.id, &failure.message, failure.retriable, ledger.reason())
    })
}

/// What this store's call used so far.
pub(crate) fn used(store: &Store<CallState>) -> Used {
    let state = store.data();
    let fuel = state.fuel_max.and_then(|most| Some(most.saturating_sub(store.get_fuel().ok()?)));
    Used {
        fuel,
        memory_bytes: state.meter.memory_bytes(),
        host_calls: state.meter.host_calls(),
        log_bytes: state.lines.asked_bytes(),
    }
}

/// Waits until nothing that the guest began outside goes on, before it is said what came of its call.
pub(crate) async fn settle(store: &mut Store<CallState>) {
    let CallState { opened, plugin, table, ledger, .. } = store.data_mut();
    if let Some(http) = Http::of(opened, &plugin.granted).0.as_mut() {
        // With its resources end the requests that it still waits for.
        drop(std::mem::take(table));
        http.settle(ledger).await;
    }
}

/// The report of a call: what it wrote only if its result is good.
pub(crate) fn report<T>(store: Store<CallState>, result: Result<T, CallError>) -> CallReport<T> {
    let used = used(&store);
    let mut state = store.into_data();
    if state.lent.earlier.contains_key(&*state.plugin.id) {
        // What it wrote before for the same call stays, also if it did not look at it now.
        state.view_uncounted::<Kv>();
        state.view_uncounted::<Metrics>();
    }
    let CallState { mut ledger, lines, opened, plugin, .. } = state;
    lines.end();
    let mut kept = Kept::default();
    if result.is_ok() {
        kept = opened.keep();
        kept.writes.plugin = plugin.id.to_string();
        kept.writes.provided = std::mem::take(&mut ledger.provided).into_values().collect();
    }
    let notes = std::mem::take(&mut ledger.notes);
    let (denied, effect) = ledger.into_parts();
    CallReport {
        result,
        used,
        writes: kept.writes,
        asked: kept.asked,
        denied,
        notes,
        effect,
        log_cut: lines.is_cut(),
    }
}
