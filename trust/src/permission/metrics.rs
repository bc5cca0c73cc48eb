//! `metrics`: measured values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::fields;
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::interfaces::Import;
use crate::manifest::Role;

/// There or not: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsPermission {}

impl Domain for MetricsPermission {
    const NAME: &'static str = "metrics";

    fn interface(import: Import<'_>) -> Option<&'static str> {
        import.is("orch:metrics/metrics@0.1.0").then_some("metrics")
    }

    fn opens(&self, import: Import<'_>) -> bool {
        Self::interface(import).is_some()
    }

    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::flag("metrics"))
    }

    fn lines(&self) -> Vec<String> {
        vec!["metrics: record measured values".to_owned()]
    }

    fields! {}
}
