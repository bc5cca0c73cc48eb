//! Reflectors: tasks asked for before the loop.
//!
//! In -> out: the run -> tasks inside the grant.

use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::manifest::Role;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::{Ask, Export, Exported, Form, check_tasks};
use crate::bindings::reflector::ReflectorPre;
use crate::bindings::reflector::exports::orch::reflector::reflector::Cycle;
use crate::bindings::types::types::{Failure, NewTask};
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::store::CallState;

/// The role's export.
pub struct ReflectorExport;

impl Export for ReflectorExport {
    const ROLE: Role = Role::Reflector;
    const FORM: Form = Form::List("reflectors");
    type Pre = ReflectorPre<CallState>;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        ReflectorPre::new(pre)
    }
}

/// A linked reflector.
pub type Reflector<E> = Exported<ReflectorExport, E>;

/// Which tasks does a run of that id with so many tasks need besides?
#[derive(Clone, Debug)]
pub struct Reflect {
    pub run: String,
    pub tasks: u32,
    /// What a person said that the run is for; empty if nobody did.
    pub goal: String,
}

impl Ask for Reflect {
    const NAME: &'static str = "reflect";
    type Of = ReflectorExport;
    type Raw = Vec<NewTask>;
    type Answer = Vec<AskedTask>;

    async fn ask(
        &self,
        pre: &ReflectorPre<CallState>,
        store: &mut Store<CallState>,
        _wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let cycle = Cycle { run: self.run.clone(), tasks: self.tasks, goal: self.goal.clone() };
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_reflector_reflector().call_reflect(store, &cycle).await
    }

    fn check(&self, raw: Vec<NewTask>, state: &mut CallState) -> Result<Vec<AskedTask>, CallError> {
        check_tasks(raw, state)
    }

    fn keep(_answer: &Self::Answer, _writes: &mut Writes) {}

    fn asked(answer: &Vec<AskedTask>) -> Vec<AskedTask> {
        answer.clone()
    }
}
