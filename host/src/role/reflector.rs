//! Reflectors: tasks asked for before the loop.
//!
//! In -> out: the run -> tasks inside the grant.

use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;

use super::{answered, check_tasks};
use crate::bindings::reflector::ReflectorPre;
use crate::bindings::reflector::exports::orch::reflector::reflector::Cycle;
use crate::call::{AskedTask, CallContext, CallReport};
use crate::engine::link::Linked;
use crate::engine::store::{self, CallState};
use crate::engine::{CallError, Compiled, Engine};

/// A linked reflector.
pub struct Reflector<E> {
    linked: Linked<E>,
    pre: ReflectorPre<CallState>,
}

impl<E: Compilable> Reflector<E> {
    /// # Errors
    /// `Link`: an import is not granted, or the export is missing.
    pub fn link(engine: &Engine, compiled: Compiled<E>) -> Result<Self, CallError> {
        let linked = Linked::new(engine, compiled, Role::Reflector)?;
        let pre = ReflectorPre::new(linked.pre().clone()).map_err(|error| linked.lacks_export(&error))?;
        Ok(Self { linked, pre })
    }

    pub fn evidence(&self) -> &E {
        self.linked.evidence()
    }

    /// The tasks that the plugin returns for a run of that id with so many tasks.
    pub async fn reflect(&self, context: CallContext, run: &str, tasks: u32) -> CallReport<Vec<AskedTask>> {
        let cycle = Cycle { run: run.to_owned(), tasks };
        let mut store = self.linked.store(context);
        let wall = match store::arm(&mut store) {
            Ok(wall) => wall,
            Err(withdrawn) => return store::report(store, Err(withdrawn)),
        };
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            instance.orch_reflector_reflector().call_reflect(&mut store, &cycle).await
        };
        let outcome = store::within(wall, call).await;
        let already = store.data().tasks_asked();
        let result = store::settle(&mut store, outcome)
            .and_then(|answer| answered(self.linked.plugin(), answer))
            .and_then(|tasks| check_tasks(self.linked.plugin(), tasks, self.linked.tasks_granted(), already));
        store::report(store, result)
    }
}
