//! What tasks may ask of admitted plugins, as a workspace binds them.
//!
//! In -> out: manifests, bindings, `config.yaml` -> [`Offers`], whether edits of a run go to a branch.
//! Not here: tasks that ask for it (`drive/offers.rs`).

use orch_trust::evidence::Compilable;
use orch_trust::manifest::{Isolation, Role};

use super::AdmittedPlugins;
use crate::config::workspace::{self, WorkspaceConfig};
use crate::drive::offers::{ExecutorOffer, Offers, check_names};
use crate::role::Binding;

impl AdmittedPlugins {
    /// True if edits of a run go to a branch: as the workspace says, else if one of its executors would have it so.
    pub fn isolate(&self, workspace: &WorkspaceConfig) -> bool {
        let would = |binding: &Binding| {
            self.by_id
                .get(&binding.id)
                .is_some_and(|plugin| plugin.manifest().isolation == Isolation::Worktree)
        };
        match workspace.isolation {
            Some(said) => said == workspace::Isolation::Worktree,
            None => workspace.roles.of(Role::Executor).any(would),
        }
    }

    /// What tasks may ask of them, as the workspace binds them.
    pub fn offers(&self, workspace: &WorkspaceConfig) -> Offers {
        let executor = |binding: &Binding| {
            let manifest = self.by_id.get(&binding.id)?.manifest();
            let (task_keys, task_schema) = (manifest.task_keys.clone(), manifest.task_schema.clone());
            let (id, only_mine) = (binding.id.clone(), manifest.isolation == Isolation::None);
            Some((binding.key.clone(), ExecutorOffer { id, only_mine, task_keys, task_schema }))
        };
        Offers {
            isolated: self.isolate(workspace),
            executors: workspace.roles.of(Role::Executor).filter_map(executor).collect(),
            verifiers: workspace
                .roles
                .of(Role::Verifier)
                .filter_map(|bound| Some((bound.id.clone(), check_names(self.settings.get(&bound.id)?))))
                .collect(),
        }
    }
}
