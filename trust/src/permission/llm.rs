//! `llm`: models, asked through another plugin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{AtMost, Entries, Rule, Star, fields, named, own_interface};
use super::text::{NAME, covers_any, is_name_or_any};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LlmPermission {
    /// Names that the operator gave to models, 1..=64 of `[a-z0-9-]`; `*` is every model (not in manifests).
    pub models: Vec<String>,
    /// The most tokens that one answer may have.
    #[schemars(range(max = u32::MAX))]
    pub tokens: u32,
}

const MODELS: Entries = named(NAME, is_name_or_any, Star::NotInManifests);

impl LlmPermission {
    /// True if that model may be asked.
    pub fn allows(&self, model: &str) -> bool {
        self.models.iter().any(|granted| covers_any(granted, model))
    }
}

impl Domain for LlmPermission {
    own_interface!("llm" provided);

    /// What sessions of planners read must be the same again.
    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    fn effect(&self) -> Effect {
        Effect::Spending
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("llm", &self.models))
    }

    fn lines(&self) -> Vec<String> {
        vec![format!("llm: ask {}, at most {} tokens an answer", self.models.join(", "), self.tokens)]
    }

    fields! { models: "llm.models" => MODELS, tokens: "llm.tokens" => AtMost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_allowed_by_its_name_or_by_a_star() {
        let allows = |models: &[&str], model: &str| {
            let models = models.iter().map(|&one| one.to_owned()).collect();
            LlmPermission { models, tokens: 1 }.allows(model)
        };
        assert!(allows(&["small"], "small") && allows(&["*"], "small"));
        for other in ["smal", "smalls", "SMALL", "*", ""] {
            assert!(!allows(&["small"], other), "{other}");
        }
        assert!(!allows(&[], "small"));
    }
}
