//! Verifiers: findings about a run or one task.
//!
//! In -> out: a [`Subject`] -> findings.
//! Limits: 1000 findings an answer, besides those of `orch:findings`.

use orch_journal::event::Finding;
use orch_task::Task;
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;

use super::answered;
use crate::bindings::types::types::Finding as WitFinding;
use crate::bindings::verifier::VerifierPre;
use crate::bindings::verifier::exports::orch::verifier::verifier::Subject as WitSubject;
use crate::call::{CallContext, CallReport};
use crate::capability::findings::{FINDINGS_MAX, check_finding};
use crate::capability::tasks::task_to_wit;
use crate::engine::link::Linked;
use crate::engine::store::{self, CallState};
use crate::engine::{CallError, Compiled, Engine};

/// A linked verifier.
pub struct Verifier<E> {
    linked: Linked<E>,
    pre: VerifierPre<CallState>,
}

/// What a verifier looks at.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The run of that id, at its end.
    Run(String),
    /// One finished task.
    Task(Box<Task>),
}

impl<E: Compilable> Verifier<E> {
    /// # Errors
    /// `Link`: an import is not granted, or the export is missing.
    pub fn link(engine: &Engine, compiled: Compiled<E>) -> Result<Self, CallError> {
        let linked = Linked::new(engine, compiled, Role::Verifier)?;
        let pre = VerifierPre::new(linked.pre().clone()).map_err(|error| linked.lacks_export(&error))?;
        Ok(Self { linked, pre })
    }

    pub fn evidence(&self) -> &E {
        self.linked.evidence()
    }

    /// What the plugin sees; an empty list means that all is well.
    pub async fn verify(&self, context: CallContext, subject: &Subject) -> CallReport<Vec<Finding>> {
        let subject = match subject {
            Subject::Run(run) => WitSubject::Run(run.clone()),
            Subject::Task(task) => WitSubject::Task(task_to_wit(task)),
        };
        let mut store = self.linked.store(context);
        let wall = match store::arm(&mut store) {
            Ok(wall) => wall,
            Err(withdrawn) => return store::report(store, Err(withdrawn)),
        };
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            instance.orch_verifier_verifier().call_verify(&mut store, &subject).await
        };
        let outcome = store::within(wall, call).await;
        let result = store::settle(&mut store, outcome)
            .and_then(|answer| answered(self.linked.plugin(), answer))
            .and_then(|findings| self.check(findings));
        store::report(store, result)
    }

    fn check(&self, findings: Vec<WitFinding>) -> Result<Vec<Finding>, CallError> {
        let wrong = |message: String| CallError::answer(self.linked.plugin(), message);
        if findings.len() > FINDINGS_MAX {
            return Err(wrong(format!("{} findings, limit is {FINDINGS_MAX}", findings.len())));
        }
        let check =
            |finding| check_finding(finding).map_err(|message| wrong(format!("a finding: {message}")));
        findings.into_iter().map(check).collect()
    }
}
