//! A bench for capabilities: fakes with one task, and views without a store around them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_task::{Kind, Task, TaskId};
use orch_trust::evidence::Candidate;
use wasmtime::component::ResourceTable;

use super::effect::EffectRecord;
use super::ledger::Ledger;
use super::lent::CallContext;
use super::shape::View;
use crate::capability::log::{Lines, LogLevel};
use crate::capability::trial::{Fakes, Mood};

/// What a view's call has left.
pub(crate) const WALL: Duration = Duration::from_secs(5);

impl<'a, C> View<'a, C> {
    /// Of a capability without a store around it.
    pub(crate) fn of(state: &'a mut C, table: &'a mut ResourceTable, ledger: &'a mut Ledger) -> Self {
        Self::new(state, table, ledger, Instant::now() + WALL)
    }
}

pub(crate) struct Bench(pub(crate) Fakes);

impl Bench {
    pub(crate) fn new() -> Self {
        Self::in_mood(Mood::Good)
    }

    pub(crate) fn in_mood(mood: Mood) -> Self {
        Self(Fakes::new(vec![Task::new(TaskId::parse("first").unwrap(), Kind::shell())], mood))
    }

    pub(crate) fn context(&self, workspace: PathBuf, wall: Duration) -> CallContext<Candidate> {
        self.0.context(workspace, "{}", wall)
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(self.0.gate.clone())
    }

    pub(crate) fn lines(&self) -> Vec<(LogLevel, String)> {
        self.0.log.lines()
    }

    /// The log of one call, which may print.
    pub(crate) fn call_lines(&self) -> Arc<Lines> {
        Arc::new(Lines::new("demo/x".into(), 1 << 20, self.0.log.clone(), true))
    }

    pub(crate) fn effects(&self) -> Vec<EffectRecord> {
        self.0.gate.effects()
    }
}
