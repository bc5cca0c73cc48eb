//! Auditors: measured values, and tasks asked for as the run goes on.
//!
//! In -> out: paths -> metrics; finished tasks -> tasks inside the grant.
//! Limits: 1000 finished tasks a call.

use orch_journal::event::{Metric, TaskIndex};
use orch_task::Status;
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;

use super::{answered, check_tasks};
use crate::bindings::auditor::AuditorPre;
use crate::bindings::auditor::exports::orch::auditor::auditor::FinishedTask as WitFinishedTask;
use crate::bindings::types::types::Outcome;
use crate::call::{AskedTask, CallContext, CallReport};
use crate::capability::metrics::check_metric;
use crate::engine::link::Linked;
use crate::engine::store::{self, CallState};
use crate::engine::{CallError, Compiled, Engine};

/// A linked auditor.
pub struct Auditor<E> {
    linked: Linked<E>,
    pre: AuditorPre<CallState>,
}

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

impl<E: Compilable> Auditor<E> {
    /// # Errors
    /// `Link`: an import is not granted, or the export is missing.
    pub fn link(engine: &Engine, compiled: Compiled<E>) -> Result<Self, CallError> {
        let linked = Linked::new(engine, compiled, Role::Auditor)?;
        let pre = AuditorPre::new(linked.pre().clone()).map_err(|error| linked.lacks_export(&error))?;
        Ok(Self { linked, pre })
    }

    pub fn evidence(&self) -> &E {
        self.linked.evidence()
    }

    /// Values for the files of these paths; of none means of all.
    pub async fn analyze(&self, context: CallContext, paths: &[String]) -> CallReport<Vec<Metric>> {
        let mut store = self.linked.store(context);
        let wall = match store::arm(&mut store) {
            Ok(wall) => wall,
            Err(withdrawn) => return store::report(store, Err(withdrawn)),
        };
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            instance.orch_auditor_auditor().call_analyze(&mut store, paths).await
        };
        let outcome = store::within(wall, call).await;
        let wrong = |message| CallError::answer(self.linked.plugin(), format!("a metric: {message}"));
        let result = store::settle(&mut store, outcome)
            .and_then(|answer| answered(self.linked.plugin(), answer))
            .and_then(|metrics| {
                metrics.into_iter().map(|metric| check_metric(metric).map_err(wrong)).collect()
            });
        store::report(store, result)
    }

    /// The tasks that the plugin wants after these have finished.
    pub async fn audit(&self, context: CallContext, finished: &[FinishedTask]) -> CallReport<Vec<AskedTask>> {
        let to_wit = |task: &FinishedTask| WitFinishedTask {
            index: task.index,
            id: task.id.clone(),
            outcome: outcome_of(task.status),
        };
        let finished: Vec<WitFinishedTask> = finished.iter().map(to_wit).collect();
        let mut store = self.linked.store(context);
        let wall = match store::arm(&mut store) {
            Ok(wall) => wall,
            Err(withdrawn) => return store::report(store, Err(withdrawn)),
        };
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            instance.orch_auditor_auditor().call_audit(&mut store, &finished).await
        };
        let outcome = store::within(wall, call).await;
        let already = store.data().tasks_asked();
        let result = store::settle(&mut store, outcome)
            .and_then(|answer| answered(self.linked.plugin(), answer))
            .and_then(|tasks| check_tasks(self.linked.plugin(), tasks, self.linked.tasks_granted(), already));
        store::report(store, result)
    }
}
