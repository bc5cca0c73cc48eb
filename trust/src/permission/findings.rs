//! `findings`: findings besides those a verifier returns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{fields, own_interface};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

/// There or not: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingsPermission {}

impl Domain for FindingsPermission {
    own_interface!("findings");

    fn is_for(role: Role) -> bool {
        !matches!(role, Role::Planner | Role::Provider)
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        true
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::flag("findings"))
    }

    fn lines(&self) -> Vec<String> {
        vec!["findings: report findings".to_owned()]
    }

    fields! {}
}
