//! `tasks`: the run's tasks; also bounds what a reflector or auditor returns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{AtMost, Entries, Flag, Rule, Star, fields, named, own_interface};
use super::text::{NAME, is_name_or_any};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TasksPermission {
    /// May read the run's tasks.
    #[serde(default)]
    pub read: bool,
    /// How many tasks one call may ask for.
    #[schemars(range(max = u32::MAX))]
    #[serde(default)]
    pub add: u32,
    /// Of which kinds; `*` is every kind (not in manifests).
    #[serde(default)]
    pub kinds: Vec<String>,
}

const KINDS: Entries = named(NAME, is_name_or_any, Star::NotInManifests);

impl Domain for TasksPermission {
    own_interface!("tasks");

    /// A provider answers for others, whose run it is not.
    fn is_for(role: Role) -> bool {
        role != Role::Provider
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        self.add > 0
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("tasks", &self.kinds))
    }

    fn lines(&self) -> Vec<String> {
        let read = self.read.then(|| "tasks: read the run's tasks".to_owned());
        let kinds = self.kinds.join(", ");
        let add = || format!("tasks: ask for up to {} tasks a call of kind {kinds}", self.add);
        read.into_iter().chain((self.add > 0).then(add)).collect()
    }

    fields! { read: "tasks.read" => Flag, add: "tasks.add" => AtMost, kinds: "tasks.kinds" => KINDS }
}
