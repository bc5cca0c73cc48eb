//! `retrieve`: passages that say something to a question, asked through another plugin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, named, own_interface};
use super::text::{NAME, covers_any, is_name_or_any};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrievePermission {
    /// Names of collections, 1..=64 of `[a-z0-9-]`; `*` is every one (not in manifests).
    pub collections: Vec<String>,
}

const COLLECTIONS: Entries = named(NAME, is_name_or_any, Star::NotInManifests);

impl RetrievePermission {
    /// True if that collection may be searched.
    pub fn allows(&self, collection: &str) -> bool {
        self.collections.iter().any(|granted| covers_any(granted, collection))
    }
}

impl Domain for RetrievePermission {
    own_interface!("retrieve" provided);

    /// What sessions of planners read must be the same again.
    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    /// Whoever finds may ask for vectors.
    fn effect(&self) -> Effect {
        Effect::Spending
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("retrieve", &self.collections))
    }

    fn lines(&self) -> Vec<String> {
        vec![format!("retrieve: find passages in {}", self.collections.join(", "))]
    }

    fields! { collections: "retrieve.collections" => COLLECTIONS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_allowed_by_its_name_or_by_a_star() {
        let allows = |collections: &[&str], collection: &str| {
            let collections = collections.iter().map(|&one| one.to_owned()).collect();
            RetrievePermission { collections }.allows(collection)
        };
        assert!(allows(&["code"], "code") && allows(&["*"], "code"));
        assert!(!allows(&["code"], "cod") && !allows(&["code"], "*") && !allows(&[], "code"));
    }
}
