//! Executors: one attempt at one task.
//!
//! In -> out: a task -> [`Completion`], or the plugin's failure.
//! Limits: the summary is cut at 4096 bytes.

use orch_task::Task;
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;

use super::answered;
use crate::bindings::executor::ExecutorPre;
use crate::bindings::executor::exports::orch::executor::executor::Attempt;
use crate::call::{CallContext, CallReport};
use crate::capability::tasks::task_to_wit;
use crate::cut::cut;
use crate::engine::link::Linked;
use crate::engine::store::{self, CallState};
use crate::engine::{CallError, Compiled, Engine};

/// A linked executor.
pub struct Executor<E> {
    linked: Linked<E>,
    pre: ExecutorPre<CallState>,
}

/// The result of a task that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// For people.
    pub summary: String,
}

impl<E: Compilable> Executor<E> {
    /// # Errors
    /// `Link`: an import is not granted, or the export is missing.
    pub fn link(engine: &Engine, compiled: Compiled<E>) -> Result<Self, CallError> {
        let linked = Linked::new(engine, compiled, Role::Executor)?;
        let pre = ExecutorPre::new(linked.pre().clone()).map_err(|error| linked.lacks_export(&error))?;
        Ok(Self { linked, pre })
    }

    pub fn evidence(&self) -> &E {
        self.linked.evidence()
    }

    /// Carries out the attempt of that number, from 1.
    pub async fn execute(&self, context: CallContext, task: &Task, attempt: u32) -> CallReport<Completion> {
        let task = task_to_wit(task);
        let mut store = self.linked.store(context);
        let wall = match store::arm(&mut store) {
            Ok(wall) => wall,
            Err(withdrawn) => return store::report(store, Err(withdrawn)),
        };
        let attempt =
            Attempt { number: attempt, wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) };
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            instance.orch_executor_executor().call_execute(&mut store, &task, attempt).await
        };
        let outcome = store::within(wall, call).await;
        let result = store::settle(&mut store, outcome)
            .and_then(|answer| answered(self.linked.plugin(), answer))
            .map(|completion| Completion { summary: cut(&completion.summary) });
        store::report(store, result)
    }
}
