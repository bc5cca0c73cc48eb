//! `embed`: vectors of texts, asked through another plugin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{AtMost, Entries, Rule, Star, fields, named, own_interface};
use super::text::{NAME, covers_any, is_name_or_any};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbedPermission {
    /// Names that the operator gave to models, 1..=64 of `[a-z0-9-]`; `*` is every model (not in manifests).
    pub models: Vec<String>,
    /// The most bytes that the texts of one question may have.
    #[schemars(range(max = u32::MAX))]
    pub bytes: u32,
}

const MODELS: Entries = named(NAME, is_name_or_any, Star::NotInManifests);

impl EmbedPermission {
    /// True if that model may be asked.
    pub fn allows(&self, model: &str) -> bool {
        self.models.iter().any(|granted| covers_any(granted, model))
    }
}

impl Domain for EmbedPermission {
    own_interface!("embed" provided);

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
        Err(PermissionExcess::entries("embed", &self.models))
    }

    fn lines(&self) -> Vec<String> {
        let (models, bytes) = (self.models.join(", "), self.bytes);
        vec![format!("embed: ask {models} for vectors, at most {bytes} bytes of text a question")]
    }

    fields! { models: "embed.models" => MODELS, bytes: "embed.bytes" => AtMost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_allowed_by_its_name_or_by_a_star() {
        let allows = |models: &[&str], model: &str| {
            let models = models.iter().map(|&one| one.to_owned()).collect();
            EmbedPermission { models, bytes: 1 }.allows(model)
        };
        assert!(allows(&["vectors"], "vectors") && allows(&["*"], "vectors"));
        for other in ["vector", "VECTORS", "*", ""] {
            assert!(!allows(&["vectors"], other), "{other}");
        }
        assert!(!allows(&[], "vectors"));
    }
}
