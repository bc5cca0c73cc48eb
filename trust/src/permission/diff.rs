//! `diff`: differences of texts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{fields, own_interface};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

/// There or not: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiffPermission {}

impl Domain for DiffPermission {
    own_interface!("diff");

    fn is_for(_role: Role) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::flag("diff"))
    }

    fn lines(&self) -> Vec<String> {
        vec!["diff: compare texts".to_owned()]
    }

    fields! {}
}
