//! `vectors`: passages with a vector each, in collections of the workspace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{AtMost, Entries, Rule, Star, fields, named, own_interface};
use super::text::{NAME, covers_any, is_name_or_any};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorsPermission {
    /// Names of collections that are read, 1..=64 of `[a-z0-9-]`; `*` is every one (not in manifests).
    #[serde(default)]
    pub read: Vec<String>,
    /// Names of collections that are written, likewise.
    #[serde(default)]
    pub write: Vec<String>,
    /// The most that one call may write: texts, and four bytes for each number of a vector.
    #[serde(default)]
    pub bytes: u64,
}

const COLLECTIONS: Entries = named(NAME, is_name_or_any, Star::NotInManifests);

impl VectorsPermission {
    /// True if that collection may be read; who writes it may.
    pub fn reads(&self, collection: &str) -> bool {
        self.read.iter().chain(&self.write).any(|granted| covers_any(granted, collection))
    }

    /// True if that collection may be written.
    pub fn writes(&self, collection: &str) -> bool {
        self.write.iter().any(|granted| covers_any(granted, collection))
    }
}

impl Domain for VectorsPermission {
    own_interface!("vectors");

    /// What sessions of planners read must be the same again.
    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    /// Nothing is changed but a cache of the host's own.
    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        true
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("vectors", self.read.iter().chain(&self.write)))
    }

    fn lines(&self) -> Vec<String> {
        let Self { read, write, bytes } = self;
        let read = (!read.is_empty()).then(|| format!("vectors: read {}", read.join(", ")));
        let write = (!write.is_empty())
            .then(|| format!("vectors: write {}, at most {bytes} bytes a call", write.join(", ")));
        match (read, write) {
            (None, None) => vec!["vectors: nothing".to_owned()],
            (read, write) => read.into_iter().chain(write).collect(),
        }
    }

    fields! { read: "vectors.read" => COLLECTIONS, write: "vectors.write" => COLLECTIONS, bytes: "vectors.bytes" => AtMost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_a_collection_reads_it_and_who_reads_one_does_not_write_it() {
        let granted =
            VectorsPermission { read: vec!["docs".to_owned()], write: vec!["code".to_owned()], bytes: 1 };
        assert!(granted.reads("docs") && granted.reads("code") && granted.writes("code"));
        assert!(!granted.writes("docs") && !granted.reads("cod") && !granted.reads("*"));
        let all = VectorsPermission { read: vec!["*".to_owned()], ..VectorsPermission::default() };
        assert!(all.reads("code") && !all.writes("code"));
    }
}
