//! Reflectors: tasks asked for before the loop.
//!
//! In -> out: the run -> tasks inside the grant.
//! Invariant: one question, whichever version of the interface the plugin exports; one that exports several is asked by the newest.

use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::manifest::Role;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::{Ask, Export, Exported, Form, check_tasks};
use crate::bindings::reflector::exports::orch::reflector0_2_0::reflector::Cycle;
use crate::bindings::reflector_0_1::exports::orch::reflector0_1_0::reflector::Cycle as Cycle01;
use crate::bindings::types::types::{Failure, NewTask};
use crate::bindings::{reflector, reflector_0_1};
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::store::CallState;

/// The role's export.
pub struct ReflectorExport;

/// The version of the interface that a plugin exports.
pub enum ReflectorPre {
    V02(reflector::ReflectorPre<CallState>),
    V01(reflector_0_1::ReflectorPre<CallState>),
}

impl Export for ReflectorExport {
    const ROLE: Role = Role::Reflector;
    const FORM: Form = Form::List("reflectors");
    type Pre = ReflectorPre;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        match reflector::ReflectorPre::new(pre.clone()) {
            Ok(pre) => Ok(ReflectorPre::V02(pre)),
            // What lacks both lacks the one that is asked for today.
            Err(error) => reflector_0_1::ReflectorPre::new(pre).map(ReflectorPre::V01).map_err(|_| error),
        }
    }
}

/// A linked reflector.
pub type Reflector<E> = Exported<ReflectorExport, E>;

/// Which tasks does a run of that id with so many tasks need besides?
#[derive(Clone, Debug)]
pub struct Reflect {
    pub run: String,
    pub tasks: u32,
    /// How many of them have not ended; at most `tasks`.
    pub left: u32,
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
        pre: &ReflectorPre,
        store: &mut Store<CallState>,
        _wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let (run, tasks) = (self.run.clone(), self.tasks);
        match pre {
            ReflectorPre::V02(pre) => {
                let goal = (!self.goal.is_empty()).then(|| self.goal.clone());
                let cycle = Cycle { run, tasks, left: self.left, goal };
                let instance = pre.instantiate_async(&mut *store).await?;
                instance.orch_reflector0_2_0_reflector().call_reflect(store, &cycle).await
            }
            ReflectorPre::V01(pre) => {
                let cycle = Cycle01 { run, tasks, goal: self.goal.clone() };
                let instance = pre.instantiate_async(&mut *store).await?;
                instance.orch_reflector0_1_0_reflector().call_reflect(store, &cycle).await
            }
        }
    }

    fn check(&self, raw: Vec<NewTask>, state: &mut CallState) -> Result<Vec<AskedTask>, CallError> {
        check_tasks(raw, state)
    }

    fn keep(_answer: &Self::Answer, _writes: &mut Writes) {}

    fn asked(answer: &Vec<AskedTask>) -> Vec<AskedTask> {
        answer.clone()
    }
}
