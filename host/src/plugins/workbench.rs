//! Admitted plugins compiled, and put into the roles that the workspace binds them to.
//!
//! In -> out: admitted plugins -> [`Roles`] of the loop, or one plugin in one role.
//! Invariant: what fits the pool runs in the pool; what outgrows it runs all the same, in an engine without one.
//! Not here: finding and admitting them (`plugins.rs`), the calls (`role/`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::facts::Facts;
use orch_trust::manifest::Role;
use orch_trust::permission::{Effect, Permissions};
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::{AdmittedPlugins, PluginsError};
use crate::config::workspace::WorkspaceConfig;
use crate::drive::roles::{Bound, Pace, Roles};
use crate::engine::cache::NativeCache;
use crate::engine::withdrawal::Withdrawal;
use crate::engine::{Compiled, Engine, EngineError};
use crate::parallel;
use crate::role::AnyExported;
use crate::role::Binding;

/// Admitted plugins, compiled once each, in the roles that the workspace binds them to.
pub struct Workbench<'a> {
    pool: &'a Engine,
    /// For what outgrows the pool; made when the first such plugin is bound.
    large: Option<Engine>,
    cache: &'a NativeCache,
    workspace: &'a WorkspaceConfig,
    /// The workspace: absolute, without links.
    folder: &'a Path,
    admitted: &'a AdmittedPlugins,
    compiled: BTreeMap<String, Compiled<Admitted>>,
    /// Native code of the pool that was kept and is not taken yet.
    kept: BTreeMap<String, Component>,
}

impl<'a> Workbench<'a> {
    pub fn new(
        pool: &'a Engine,
        cache: &'a NativeCache,
        workspace: &'a WorkspaceConfig,
        folder: &'a Path,
        admitted: &'a AdmittedPlugins,
    ) -> Self {
        Self {
            pool,
            large: None,
            cache,
            workspace,
            folder,
            admitted,
            compiled: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    /// The plugins of the loop: everything that is bound but services.
    pub fn roles(&mut self) -> Result<Roles, PluginsError> {
        self.fetch();
        let mut bound: Vec<(Binding, Arc<Bound>)> = Vec::new();
        for binding in self.workspace.roles.all().iter().filter(|binding| binding.role != Role::Service) {
            let same = |(other, _): &&(Binding, _)| (other.role, &other.id) == (binding.role, &binding.id);
            let plugin = match bound.iter().find(same) {
                Some((_, plugin)) => plugin.clone(),
                None => Arc::new(self.bind(binding)?),
            };
            bound.push((binding.clone(), plugin));
        }
        Roles::new(bound, self.admitted.offers(self.workspace), self.withdrawals())
            .ok_or(PluginsError::NoPlanner)
    }

    /// Native code of all that fits the pool and was kept; what was not is compiled one by one, which needs much memory.
    fn fetch(&mut self) {
        let of_the_loop = self.workspace.roles.all().iter().filter(|binding| binding.role != Role::Service);
        let ids: BTreeSet<&String> = of_the_loop.map(|binding| &binding.id).collect();
        let plugins = ids.into_iter().filter_map(|id| Some((id, self.admitted.by_id.get(id)?)));
        let fitting: Vec<_> = plugins.filter(|(_, plugin)| self.pool.fits(plugin.facts())).collect();
        let kept = parallel::map(&fitting, |(_, plugin)| self.pool.cached(*plugin, self.cache));
        let named = fitting.into_iter().zip(kept).filter_map(|((id, _), kept)| Some((id.clone(), kept?)));
        self.kept = named.collect();
    }

    /// What takes each plugin that was compiled from service, by id.
    pub fn withdrawals(&self) -> BTreeMap<String, Arc<Withdrawal>> {
        self.compiled.iter().map(|(id, compiled)| (id.clone(), compiled.withdrawal().clone())).collect()
    }

    /// One plugin in one role.
    pub fn bind(&mut self, binding: &Binding) -> Result<Bound, PluginsError> {
        let id = &binding.id;
        let admitted = self
            .admitted
            .by_id
            .get(id)
            .ok_or_else(|| PluginsError::NotFound { id: id.clone(), searched: Vec::new() })?;
        let engine = self.engine_for(admitted.facts())?;
        let compiled = match self.compiled.get(id) {
            Some(compiled) => compiled.clone(),
            None => {
                let known = self.kept.remove(id).or_else(|| engine.cached(admitted, self.cache));
                engine.compile_known(admitted.clone(), known, self.cache)?
            }
        };
        self.compiled.insert(id.clone(), compiled.clone());
        let permissions = admitted.grant().permissions().in_role(binding.role);
        Ok(Bound {
            plugin: AnyExported::link(&engine, compiled, binding.role)?,
            id: id.clone(),
            settings: self.admitted.settings.get(id).cloned().unwrap_or_else(|| "{}".into()),
            wall: Duration::from_millis(admitted.manifest().limits.wall_ms.into()),
            effectful: permissions.effect() != Effect::None,
            changes: permissions.changes(),
            changes_more: changes_more(&permissions),
            looks_around: looks_around(&permissions),
            identity: identity(admitted, &self.workspace.settings_of(id)).into(),
            told: self.admitted.told(id, self.workspace, self.folder),
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

/// True if a grant changes something outside in another way than by programs.
fn changes_more(permissions: &Permissions) -> bool {
    Permissions { process: None, ..permissions.clone() }.effect() == Effect::Changing
}

/// True if a grant reaches files of the workspace.
fn looks_around(permissions: &Permissions) -> bool {
    permissions.files.is_some() || permissions.process.is_some() || permissions.artifacts.is_some()
}

/// SHA-256 of what decides how a plugin works: its component, its grant, its settings.
fn identity(admitted: &Admitted, settings: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(admitted.component_digest().to_string());
    // Permissions are JSON by their own form; what is none equals nothing.
    hasher.update(serde_json::to_vec(admitted.grant().permissions()).unwrap_or_default());
    hasher.update([0]);
    hasher.update(settings);
    hex::encode(hasher.finalize())
}
