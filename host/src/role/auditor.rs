//! Auditors: measured values, and tasks asked for as the run goes on.
//!
//! In -> out: paths -> metrics; finished tasks -> tasks inside the grant.
//! Limits: 1000 finished tasks a call.

use std::time::Duration;

use orch_journal::event::{Metric, TaskIndex, Writes};
use orch_task::Status;
use orch_trust::manifest::Role;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::{Ask, Export, Exported, Form, check_tasks};
use crate::bindings::auditor::AuditorPre;
use crate::bindings::auditor::exports::orch::auditor::auditor as wit;
use crate::bindings::types::types::{self, Failure, NewTask, Outcome};
use crate::capability::metrics::check_metric;
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::store::CallState;

/// The role's export.
pub struct AuditorExport;

impl Export for AuditorExport {
    const ROLE: Role = Role::Auditor;
    const FORM: Form = Form::List("auditors");
    type Pre = AuditorPre<CallState>;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        AuditorPre::new(pre)
    }
}

/// A linked auditor.
pub type Auditor<E> = Exported<AuditorExport, E>;

/// A task that came to its end since the last audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedTask {
    pub index: TaskIndex,
    pub id: String,
    pub status: Status,
}

/// How a task of that status ended, as plugins hear it.
pub(super) fn outcome_of(status: Status) -> Outcome {
    match status {
        Status::Done => Outcome::Done,
        Status::Cancelled => Outcome::Cancelled,
        Status::InDoubt => Outcome::InDoubt,
        // The others did not end well, or not at all.
        Status::Failed | Status::Blocked | Status::Pending | Status::InProgress | Status::WaitingApproval => {
            Outcome::Failed
        }
    }
}

/// What do the files of these paths measure? None means all.
#[derive(Clone, Debug)]
pub struct Analyze(pub Vec<String>);

impl Ask for Analyze {
    const NAME: &'static str = "analyze";
    type Of = AuditorExport;
    type Raw = Vec<types::Metric>;
    type Answer = Vec<Metric>;

    async fn ask(
        &self,
        pre: &AuditorPre<CallState>,
        store: &mut Store<CallState>,
        _wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_auditor_auditor().call_analyze(store, &self.0).await
    }

    fn check(&self, raw: Self::Raw, state: &mut CallState) -> Result<Vec<Metric>, CallError> {
        let wrong = |message| state.wrong_answer(format!("a metric: {message}"));
        raw.into_iter().map(|metric| check_metric(metric).map_err(wrong)).collect()
    }

    fn keep(answer: &Vec<Metric>, writes: &mut Writes) {
        writes.metrics.extend(answer.iter().cloned());
    }

    fn asked(_answer: &Self::Answer) -> Vec<AskedTask> {
        Vec::new()
    }
}

/// Which tasks are needed now that these have finished?
#[derive(Clone, Debug)]
pub struct Audit(pub Vec<FinishedTask>);

impl Ask for Audit {
    const NAME: &'static str = "audit";
    type Of = AuditorExport;
    type Raw = Vec<NewTask>;
    type Answer = Vec<AskedTask>;

    async fn ask(
        &self,
        pre: &AuditorPre<CallState>,
        store: &mut Store<CallState>,
        _wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let to_wit = |task: &FinishedTask| wit::FinishedTask {
            index: task.index,
            id: task.id.clone(),
            outcome: outcome_of(task.status),
        };
        let finished: Vec<_> = self.0.iter().map(to_wit).collect();
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_auditor_auditor().call_audit(store, &finished).await
    }

    fn check(&self, raw: Vec<NewTask>, state: &mut CallState) -> Result<Vec<AskedTask>, CallError> {
        check_tasks(raw, state)
    }

    fn keep(_answer: &Self::Answer, _writes: &mut Writes) {}

    fn asked(answer: &Vec<AskedTask>) -> Vec<AskedTask> {
        answer.clone()
    }
}
