//! The limit of calls: the engine alone, with the same `Config`, a limiter and epochs, and nothing of the host.
//!
//! In -> out: a component -> instances and calls of its exports.
//! Not here: grants, deadlines, counters, reports: what the host adds and what is measured against this.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use orch_host::bindings::executor::ExecutorPre;
use orch_host::bindings::executor::exports::orch::executor::executor::Attempt;
use orch_host::bindings::log::log::{Host as LogHost, Level};
use orch_host::bindings::planner::PlannerPre;
use orch_host::bindings::types::types::Task;
use orch_host::engine::EngineKind;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};

/// Between two ticks, as the host's.
const TICK: Duration = orch_host::engine::ticker::TICK;
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// What a bare store holds.
pub(crate) struct Bare {
    limits: StoreLimits,
    lines: u64,
}

impl LogHost for Bare {
    async fn write(&mut self, _level: Level, _text: String) -> wasmtime::Result<()> {
        self.lines += 1;
        Ok(())
    }
}

pub(crate) fn engine(slots: u32) -> anyhow::Result<Engine> {
    let engine = Engine::new(&EngineKind::Run { slots }.config()).map_err(wrong)?;
    let ticked = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = ticked.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    Ok(engine)
}

/// Native code that an engine of the same `Config` takes.
#[allow(clippy::disallowed_methods, reason = "what is measured here is the engine without the host's checks")]
pub(crate) fn precompile(engine: &Engine, component: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(component).with_context(|| format!("cannot read `{}`", component.display()))?;
    engine.precompile_component(&bytes).map_err(wrong)
}

/// A component from native code that this benchmark wrote.
#[allow(clippy::disallowed_methods, reason = "what is measured here is the engine without the host's checks")]
pub(crate) fn load(engine: &Engine, native: &Path) -> anyhow::Result<Component> {
    // SAFETY: the parent process wrote the file a moment ago, with `precompile`, into a folder of its own.
    unsafe { Component::deserialize_file(engine, native) }.map_err(wrong)
}

pub(crate) fn store(engine: &Engine) -> Store<Bare> {
    let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build();
    let mut store = Store::new(engine, Bare { limits, lines: 0 });
    store.limiter(|bare| &mut bare.limits);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
    store.set_epoch_deadline(1);
    store
}

fn linker(engine: &Engine, component: &Component) -> anyhow::Result<Linker<Bare>> {
    let mut linker = Linker::new(engine);
    orch_host::bindings::log::log::add_to_linker::<Bare, HasSelf<Bare>>(&mut linker, |bare| bare)
        .map_err(wrong)?;
    linker.define_unknown_imports_as_traps(component).map_err(wrong)?;
    Ok(linker)
}

pub(crate) fn executor(engine: &Engine, component: &Component) -> anyhow::Result<ExecutorPre<Bare>> {
    let pre = linker(engine, component)?.instantiate_pre(component).map_err(wrong)?;
    ExecutorPre::new(pre).map_err(wrong)
}

pub(crate) fn planner(engine: &Engine, component: &Component) -> anyhow::Result<PlannerPre<Bare>> {
    let pre = linker(engine, component)?.instantiate_pre(component).map_err(wrong)?;
    PlannerPre::new(pre).map_err(wrong)
}

/// One call on a fresh instance.
pub(crate) async fn execute(
    engine: &Engine,
    executor: &ExecutorPre<Bare>,
    task: &Task,
) -> anyhow::Result<String> {
    let mut store = store(engine);
    let instance = executor.instantiate_async(&mut store).await.map_err(wrong)?;
    let attempt = Attempt { number: 1, wall_ms: 10_000, goal: String::new(), earlier: None };
    let answer =
        instance.orch_executor_executor().call_execute(&mut store, task, &attempt).await.map_err(wrong)?;
    anyhow::ensure!(store.data().lines == 1, "the no-op wrote {} lines", store.data().lines);
    answer.map(|done| done.summary).map_err(|failure| anyhow::anyhow!(failure.message))
}

/// A task as the no-op gets it.
pub(crate) fn no_op() -> Task {
    Task {
        id: "t1".to_owned(),
        description: String::new(),
        kind: "note".to_owned(),
        command: None,
        priority: 0,
        cost: 1,
        settings: "{}".to_owned(),
        timeout_ms: 10_000,
    }
}

pub(crate) fn wrong(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
