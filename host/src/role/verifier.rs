//! Verifiers: findings about a run or one task.
//!
//! In -> out: a [`Subject`] -> findings.
//! Limits: 1000 findings an answer, besides those of `orch:findings`.

use std::time::Duration;

use orch_journal::event::{Finding, Writes};
use orch_task::Task;
use orch_trust::manifest::Role;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::{Ask, Export, Exported, Form};
use crate::bindings::types::types::{self, Failure};
use crate::bindings::verifier::VerifierPre;
use crate::bindings::verifier::exports::orch::verifier::verifier::Subject as WitSubject;
use crate::capability::findings::{FINDINGS_MAX, check_finding};
use crate::capability::tasks::{AskedTask, task_to_wit};
use crate::engine::CallError;
use crate::engine::store::CallState;

/// The role's export.
pub struct VerifierExport;

impl Export for VerifierExport {
    const ROLE: Role = Role::Verifier;
    const FORM: Form = Form::List("verifiers");
    type Pre = VerifierPre<CallState>;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        VerifierPre::new(pre)
    }
}

/// A linked verifier.
pub type Verifier<E> = Exported<VerifierExport, E>;

/// What a verifier looks at.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The run of that id, at its end.
    Run(String),
    /// One finished task.
    Task(Box<Task>),
}

/// What is there to find? An empty list means that all is well.
impl Ask for Subject {
    const NAME: &'static str = "verify";
    type Of = VerifierExport;
    type Raw = Vec<types::Finding>;
    type Answer = Vec<Finding>;

    async fn ask(
        &self,
        pre: &VerifierPre<CallState>,
        store: &mut Store<CallState>,
        _wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let subject = match self {
            Self::Run(run) => WitSubject::Run(run.clone()),
            Self::Task(task) => WitSubject::Task(task_to_wit(task)),
        };
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_verifier_verifier().call_verify(store, &subject).await
    }

    fn check(&self, raw: Self::Raw, state: &mut CallState) -> Result<Vec<Finding>, CallError> {
        if raw.len() > FINDINGS_MAX {
            return Err(state.wrong_answer(format!("{} findings, limit is {FINDINGS_MAX}", raw.len())));
        }
        let wrong = |message| state.wrong_answer(format!("a finding: {message}"));
        raw.into_iter().map(|finding| check_finding(finding).map_err(wrong)).collect()
    }

    fn keep(answer: &Vec<Finding>, writes: &mut Writes) {
        writes.findings.extend(answer.iter().cloned());
    }

    fn asked(_answer: &Self::Answer) -> Vec<AskedTask> {
        Vec::new()
    }
}
