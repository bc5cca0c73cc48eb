//! Linking: which host functions a plugin gets.
//!
//! In -> out: [`Compiled`] -> [`Linked`], from which each call gets a fresh store.
//! Invariant: the linker holds the interfaces of the grant and `orch:types`, nothing else; every import of the
//! component is one that the table of permissions knows, by its exact name.
//! Not here: the table (`orch-trust`'s `interfaces`), what the functions do (`capability/`).

use std::sync::Arc;

use orch_trust::evidence::Compilable;
use orch_trust::interfaces::{ImportRule, Need, import_rule};
use orch_trust::manifest::Role;
use orch_trust::permission::TasksPermission;
use wasmtime::Store;
use wasmtime::component::{InstancePre, Linker};

use super::call_error::CallError;
use super::limits::CallLimits;
use super::store::CallState;
use super::withdrawal::Withdrawal;
use super::{Compiled, Engine};
use crate::call::CallContext;
use crate::capability::{self, Granted};
use crate::cut::cut;

/// What a planner may import: nothing that writes, since its session outlives every attempt.
const OF_PLANNERS: [Need; 6] =
    [Need::Log, Need::Settings, Need::Tasks, Need::WasiClocks, Need::WasiRandom, Need::WasiIo];

/// A plugin with its host functions, ready for calls.
pub struct Linked<E> {
    evidence: Arc<E>,
    engine: Engine,
    plugin: Arc<str>,
    pre: InstancePre<CallState>,
    limits: CallLimits,
    granted: Granted,
    withdrawal: Arc<Withdrawal>,
}

impl<E: Compilable> Linked<E> {
    /// Links a plugin for one of its roles.
    ///
    /// # Errors
    /// `Link`: an import is not granted, not known, or not for this role.
    pub fn new(engine: &Engine, compiled: Compiled<E>, role: Role) -> Result<Self, CallError> {
        let evidence = compiled.evidence().clone();
        let plugin: Arc<str> = evidence.manifest().id.as_str().into();
        let refused = |message: String| CallError::Link { plugin: plugin.clone(), message };
        let permissions = evidence.grant().permissions();
        let mut needs = Vec::new();
        for import in &evidence.facts().imports {
            match import_rule(import) {
                ImportRule::Free => {}
                ImportRule::Needs(need) if role == Role::Planner && !OF_PLANNERS.contains(&need) => {
                    return Err(refused(format!("`{import}` is not for planners")));
                }
                ImportRule::Needs(need) if need.is_in(permissions) => needs.push(need),
                ImportRule::Needs(need) => {
                    return Err(refused(format!(
                        "`{import}` needs `{}`, which is not granted",
                        need.as_str()
                    )));
                }
                ImportRule::Unknown => return Err(refused(format!("no host offers `{import}`"))),
            }
        }
        needs.sort_unstable();
        needs.dedup();
        let mut linker = Linker::new(engine.inner());
        let linked = needs.into_iter().try_for_each(|need| capability::add_to_linker(&mut linker, need));
        let failed = |error: wasmtime::Error| refused(cut(&format!("{error:#}")));
        linked.map_err(failed)?;
        let pre = linker.instantiate_pre(compiled.component()).map_err(failed)?;
        let limits = CallLimits::of(&evidence.manifest().limits);
        let granted = Granted::new(permissions, engine.fixed);
        let withdrawal = compiled.withdrawal().clone();
        Ok(Self { evidence, engine: engine.clone(), plugin, pre, limits, granted, withdrawal })
    }

    pub fn evidence(&self) -> &E {
        &self.evidence
    }

    pub(crate) fn plugin(&self) -> &Arc<str> {
        &self.plugin
    }

    pub(crate) fn pre(&self) -> &InstancePre<CallState> {
        &self.pre
    }

    /// The error of a component that lacks the role's export.
    pub(crate) fn lacks_export(&self, error: &wasmtime::Error) -> CallError {
        CallError::Link { plugin: self.plugin.clone(), message: cut(&format!("{error:#}")) }
    }

    pub(crate) fn tasks_granted(&self) -> &TasksPermission {
        &self.granted.tasks
    }

    /// A store for one call or one session.
    pub(crate) fn store(&self, context: CallContext) -> Store<CallState> {
        let (plugin, withdrawal) = (self.plugin.clone(), self.withdrawal.clone());
        let state = CallState::new(plugin, withdrawal, self.limits, &self.granted, context);
        super::store::open(self.engine.inner(), self.engine.fuel_max(), state)
    }
}
