//! `metrics`: measured values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{fields, own_interface};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

/// There or not: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsPermission {}

impl Domain for MetricsPermission {
    own_interface!("metrics");

    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        true
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::flag("metrics"))
    }

    fn lines(&self) -> Vec<String> {
        vec!["metrics: record measured values".to_owned()]
    }

    fields! {}
}
