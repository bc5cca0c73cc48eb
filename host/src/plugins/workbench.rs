//! Admitted plugins compiled, and put into the roles that the workspace binds them to.
//!
//! In -> out: admitted plugins -> [`Roles`] of the loop, or one plugin in one role.
//! Invariant: what fits the pool runs in the pool; what outgrows it runs all the same, in an engine without one.
//! Not here: finding and admitting them (`plugins.rs`), the calls (`role/`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use orch_task::Kind;
use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::facts::Facts;
use orch_trust::permission::Effect;

use super::PluginsError;
use crate::config::workspace::WorkspaceConfig;
use crate::drive::roles::{Bound, Pace, Roles};
use crate::engine::cache::NativeCache;
use crate::engine::withdrawal::Withdrawal;
use crate::engine::{CallError, Compiled, Engine, EngineError};
use crate::role::auditor::Auditor;
use crate::role::executor::Executor;
use crate::role::planner::Planner;
use crate::role::reflector::Reflector;
use crate::role::verifier::Verifier;

/// Admitted plugins, compiled once each, in the roles that the workspace binds them to.
pub struct Workbench<'a> {
    pool: &'a Engine,
    /// For what outgrows the pool; made when the first such plugin is bound.
    large: Option<Engine>,
    cache: &'a NativeCache,
    workspace: &'a WorkspaceConfig,
    admitted: &'a BTreeMap<String, Admitted>,
    compiled: BTreeMap<String, Compiled<Admitted>>,
}

impl<'a> Workbench<'a> {
    pub fn new(
        pool: &'a Engine,
        cache: &'a NativeCache,
        workspace: &'a WorkspaceConfig,
        admitted: &'a BTreeMap<String, Admitted>,
    ) -> Self {
        Self { pool, large: None, cache, workspace, admitted, compiled: BTreeMap::new() }
    }

    /// The plugins of the loop.
    pub fn roles(&mut self) -> Result<Roles, PluginsError> {
        let workspace = self.workspace;
        let planner = workspace.roles.planner.as_deref().ok_or(PluginsError::NoPlanner)?;
        let planner = self.bind(planner, Planner::link)?;
        let mut executors = HashMap::new();
        let mut linked: BTreeMap<&str, Arc<Bound<Executor<Admitted>>>> = BTreeMap::new();
        for (kind, id) in &workspace.roles.executors {
            let parsed = Kind::parse(kind)
                .map_err(|_| PluginsError::NotThatKind { id: id.clone(), kind: kind.clone() })?;
            let executor = match linked.get(id.as_str()) {
                Some(executor) => executor.clone(),
                None => Arc::new(self.bind(id, Executor::link)?),
            };
            linked.insert(id, executor.clone());
            executors.insert(parsed, executor);
        }
        let mut roles = Roles {
            planner,
            executors,
            reflectors: Vec::new(),
            auditors: Vec::new(),
            verifiers: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
        };
        for id in &workspace.roles.reflectors {
            roles.reflectors.push(Arc::new(self.bind(id, Reflector::link)?));
        }
        for id in &workspace.roles.auditors {
            roles.auditors.push(Arc::new(self.bind(id, Auditor::link)?));
        }
        for id in &workspace.roles.verifiers {
            roles.verifiers.insert(id.clone(), Arc::new(self.bind(id, Verifier::link)?));
        }
        roles.withdrawals = self.withdrawals();
        Ok(roles)
    }

    /// What takes each plugin that was compiled from service, by id.
    pub fn withdrawals(&self) -> BTreeMap<String, Arc<Withdrawal>> {
        self.compiled.iter().map(|(id, compiled)| (id.clone(), compiled.withdrawal().clone())).collect()
    }

    /// One plugin in one role.
    pub fn bind<T>(
        &mut self,
        id: &str,
        link: fn(&Engine, Compiled<Admitted>) -> Result<T, CallError>,
    ) -> Result<Bound<T>, PluginsError> {
        let admitted = self
            .admitted
            .get(id)
            .ok_or_else(|| PluginsError::NotFound { id: id.to_owned(), searched: Vec::new() })?;
        let engine = self.engine_for(admitted.facts())?;
        let compiled = match self.compiled.get(id) {
            Some(compiled) => compiled.clone(),
            None => engine.compile_cached(admitted.clone(), self.cache)?,
        };
        self.compiled.insert(id.to_owned(), compiled.clone());
        Ok(Bound {
            role: link(&engine, compiled)?,
            id: id.to_owned(),
            settings: self.workspace.settings_of(id).into(),
            wall: Duration::from_millis(admitted.manifest().limits.wall_ms.into()),
            effectful: admitted.grant().permissions().effect() != Effect::None,
            pace: Pace::default(),
        })
    }

    /// The engine that holds a component of these facts.
    fn engine_for(&mut self, facts: &Facts) -> Result<Engine, EngineError> {
        if self.pool.fits(facts) {
            return Ok(self.pool.clone());
        }
        let large = match self.large.take() {
            Some(large) => large,
            None => Engine::large()?,
        };
        Ok(self.large.insert(large).clone())
    }
}
