//! `kv`: labelled byte stores of one plugin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{AtMost, Entries, Rule, Star, fields, own_interface};
use super::text::{NAME, covers_prefix, is_name_or_prefix};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvPermission {
    /// Names of buckets, 1..=64 of `[a-z0-9-]`; a trailing `*` covers every continuation (not in manifests).
    pub labels: Vec<String>,
    /// For all labels together: keys and values.
    pub bytes: u64,
}

const LABELS: Entries =
    Entries { expected: NAME, fits: is_name_or_prefix, covers: covers_prefix, star: Star::NotInManifests };

impl Domain for KvPermission {
    own_interface!("kv");

    /// A planner only reads: what its plugin's executor kept.
    fn is_for(_role: Role) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        true
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("kv", &self.labels))
    }

    fn lines(&self) -> Vec<String> {
        vec![format!("kv: keep up to {} bytes under {}", self.bytes, self.labels.join(", "))]
    }

    fields! { labels: "kv.labels" => LABELS, bytes: "kv.bytes" => AtMost }
}
