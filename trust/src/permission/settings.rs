//! `settings`: the plugin's settings from its binding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::fields;
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::interfaces::Import;
use crate::manifest::Role;

/// There or not: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsPermission {}

impl Domain for SettingsPermission {
    const NAME: &'static str = "settings";

    fn interface(import: Import<'_>) -> Option<&'static str> {
        import.is("orch:settings/settings@0.1.0").then_some("settings")
    }

    fn opens(&self, import: Import<'_>) -> bool {
        Self::interface(import).is_some()
    }

    fn is_for(_role: Role) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::flag("settings"))
    }

    fn lines(&self) -> Vec<String> {
        vec!["settings: read its settings".to_owned()]
    }

    fields! {}
}
