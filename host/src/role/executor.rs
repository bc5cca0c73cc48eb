//! Executors: one attempt at one task.
//!
//! In -> out: a task -> [`Completion`], or the plugin's failure.
//! Limits: the summary is cut at 4096 bytes.

use std::time::Duration;

use orch_journal::event::{Finding, Writes};
use orch_task::Task;
use orch_trust::manifest::Role;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::{Ask, Export, Exported, Form};
use crate::bindings::executor::ExecutorPre;
use crate::bindings::executor::exports::orch::executor::executor as wit;
use crate::bindings::types::types::Failure;
use crate::capability::findings::finding_to_wit;
use crate::capability::tasks::{AskedTask, task_to_wit};
use crate::cut::cut;
use crate::engine::CallError;
use crate::engine::store::CallState;

/// The role's export.
pub struct ExecutorExport;

impl Export for ExecutorExport {
    const ROLE: Role = Role::Executor;
    const FORM: Form = Form::Keyed { name: "executors", by: "kind", many: false };
    type Pre = ExecutorPre<CallState>;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        ExecutorPre::new(pre)
    }
}

/// A linked executor.
pub type Executor<E> = Exported<ExecutorExport, E>;

/// The result of a task that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// For people.
    pub summary: String,
    /// Another attempt may come to something else.
    pub mendable: bool,
}

/// What is told of the last attempt at a task that failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    pub message: String,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// A unified diff; empty if there is none.
    pub diff: String,
}

/// Carry out this task; the attempt's number counts from 1.
#[derive(Clone, Debug)]
pub struct Execute {
    pub task: Box<Task>,
    pub attempt: u32,
    /// What a person said that the run is for; empty if nobody did.
    pub goal: String,
    pub earlier: Option<Earlier>,
}

impl Execute {
    /// An attempt of a run without a goal, of which none failed before.
    pub fn of(task: Task, attempt: u32) -> Self {
        Self { task: Box::new(task), attempt, goal: String::new(), earlier: None }
    }
}

fn earlier_to_wit(earlier: &Earlier) -> wit::Earlier {
    let Earlier { message, findings, diff } = earlier;
    let findings = findings.iter().map(finding_to_wit).collect();
    wit::Earlier { message: message.clone(), findings, diff: diff.clone() }
}

impl Ask for Execute {
    const NAME: &'static str = "execute";
    type Of = ExecutorExport;
    type Raw = wit::Completion;
    type Answer = Completion;

    async fn ask(
        &self,
        pre: &ExecutorPre<CallState>,
        store: &mut Store<CallState>,
        wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let task = task_to_wit(&self.task);
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let earlier = self.earlier.as_ref().map(earlier_to_wit);
        let attempt = wit::Attempt { number: self.attempt, wall_ms, goal: self.goal.clone(), earlier };
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_executor_executor().call_execute(store, &task, &attempt).await
    }

    fn check(&self, raw: wit::Completion, _state: &mut CallState) -> Result<Completion, CallError> {
        Ok(Completion { summary: cut(&raw.summary), mendable: raw.mendable })
    }

    fn keep(_answer: &Self::Answer, _writes: &mut Writes) {}

    fn asked(_answer: &Self::Answer) -> Vec<AskedTask> {
        Vec::new()
    }
}
