//! `git`: the repository that the workspace is a checkout of, to be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::GLOBS;
use super::rule::{Rule, fields, own_interface};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitPermission {
    /// Globs of the paths whose contents and names may be seen, of every commit; as of `files`.
    #[serde(default)]
    pub read: Vec<String>,
}

impl Domain for GitPermission {
    own_interface!("git");

    /// What a session of a planner reads must be the same again; a provider is asked about no workspace, and a request is
    /// answered without waiting for programs.
    fn is_for(role: Role) -> bool {
        !matches!(role, Role::Planner | Role::Provider | Role::Service)
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("git", &self.read))
    }

    fn lines(&self) -> Vec<String> {
        let paths = match self.read.is_empty() {
            true => "of no path".to_owned(),
            false => format!("of {}", self.read.join(", ")),
        };
        vec![format!("git: see branches and every commit's message, and what was there {paths}")]
    }

    fields! { read: "git.read" => GLOBS }
}
