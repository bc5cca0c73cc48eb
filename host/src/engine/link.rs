//! Linking: which host functions a plugin gets.
//!
//! In -> out: [`Compiled`] -> [`Linked`], from which each call gets a fresh store.
//! Invariant: the linker holds the interfaces of the grant, `orch:types` and what opens nothing, nothing else; every import of the
//! component is one that a domain of the grammar knows, by its exact name.
//! Not here: the table (`orch-trust`'s `interfaces`), what the functions do (`capability/`).

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_trust::evidence::Compilable;
use orch_trust::interfaces::{Import, ImportRule, import_rule, provided_by};
use orch_trust::manifest::Role;
use orch_trust::permission::DomainName;
use orch_trust::versions::line_of;
use wasmtime::Store;
use wasmtime::component::{InstancePre, Linker};

use super::call_error::CallError;
use super::limits::CallLimits;
use super::store::{CallState, Plugin};
use super::{Compiled, Engine};
use crate::call::CallContext;
use crate::capability::{self, Granted};
use crate::cut::cut;

/// Equal for imports that one interface of the host answers.
fn one_of(import: Import<'_>) -> String {
    import.wasi().map_or_else(|| line_of(import.0), str::to_owned)
}

/// A plugin with its host functions, ready for calls.
pub struct Linked<E> {
    evidence: Arc<E>,
    engine: Engine,
    plugin: Arc<Plugin>,
    pre: InstancePre<CallState>,
}

impl<E: Compilable> Linked<E> {
    /// Links a plugin for one of its roles.
    ///
    /// # Errors
    /// `Link`: an import is not granted, not known, or not for this role.
    pub fn new(engine: &Engine, compiled: Compiled<E>, role: Role) -> Result<Self, CallError> {
        let evidence = compiled.evidence().clone();
        let id: Arc<str> = evidence.manifest().id.as_str().into();
        let refused = |message: String| CallError::Link { plugin: id.clone(), message };
        let failed = |error: wasmtime::Error| refused(cut(&format!("{error:#}")));
        let permissions = evidence.grant().permissions();
        let mut linker = Linker::new(engine.inner());
        let mut interfaces = BTreeSet::new();
        let exports = &evidence.facts().exports;
        let provides = |domain: DomainName| {
            role == Role::Provider && exports.iter().any(|export| provided_by(export) == Some(domain))
        };
        for name in &evidence.facts().imports {
            let import = Import(name);
            let need = match import_rule(name) {
                ImportRule::Free => continue,
                ImportRule::Needs(need) => need,
                ImportRule::Inert => {
                    if interfaces.insert(one_of(import)) {
                        capability::link(&mut linker, DomainName::Wasi, import).map_err(failed)?;
                    }
                    continue;
                }
                ImportRule::Providing(domain) if provides(domain) => {
                    capability::link(&mut linker, domain, import).map_err(failed)?;
                    continue;
                }
                ImportRule::Providing(domain) => {
                    let domain = domain.as_str();
                    return Err(refused(format!("`{name}` is for those who provide `{domain}`")));
                }
                ImportRule::Unknown => return Err(refused(format!("no host offers `{name}`"))),
            };
            if !need.domain.is_for(role) {
                return Err(refused(format!("`{name}` is not for {}s", role.as_str())));
            }
            if !permissions.open(import) {
                return Err(refused(format!("`{name}` needs `{}`, which is not granted", need.permission)));
            }
            // An interface may be imported in several versions that go together, and is one.
            if interfaces.insert(one_of(import)) {
                capability::link(&mut linker, need.domain, import).map_err(failed)?;
            }
        }
        let pre = linker.instantiate_pre(compiled.component()).map_err(failed)?;
        let limits = CallLimits::of(&evidence.manifest().limits);
        let granted = Granted::new(&permissions.in_role(role));
        let (logs, fixed) = (permissions.log.is_some(), engine.fixed);
        let withdrawal = compiled.withdrawal().clone();
        let plugin = Arc::new(Plugin { id, role, withdrawal, limits, granted, logs, fixed });
        Ok(Self { evidence, engine: engine.clone(), plugin, pre })
    }

    pub fn evidence(&self) -> &E {
        &self.evidence
    }

    pub(crate) fn plugin(&self) -> &Arc<str> {
        &self.plugin.id
    }

    pub(crate) fn pre(&self) -> &InstancePre<CallState> {
        &self.pre
    }

    /// The error of a component that lacks the role's export.
    pub(crate) fn lacks_export(&self, error: &wasmtime::Error) -> CallError {
        CallError::Link { plugin: self.plugin.id.clone(), message: cut(&format!("{error:#}")) }
    }

    /// A store for one call or one session.
    pub(crate) fn store(&self, context: CallContext<E>) -> Store<CallState> {
        let state = CallState::new(self.plugin.clone(), context.into_lent());
        super::store::open(self.engine.inner(), self.engine.fuel_max(), state)
    }
}
