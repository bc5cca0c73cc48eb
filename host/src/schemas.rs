//! JSON Schemas of the files that people write, for editors.
//!
//! In -> out: which file -> its schema, JSON Schema 2020-12.
//! Invariant: a schema has every key that the host's own reader has, and takes what that one takes of what a schema can say; tests
//! hold both (`tests/tests/operating.rs`).
//! Not here: the readers, which say more (cycles, names that are not bound) and have the last word; the manifest's (`orch-trust`).

use orch_trust::manifest;
use serde_json::{Map, Value};

/// A file with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Document {
    /// `tasks.yml` of a workspace
    Tasks,
    /// `config.yaml` of a workspace
    Config,
    /// `policy.toml` of an operator
    Policy,
    /// `plugin.json` and `manifest.json` of a plugin
    Manifest,
}

impl Document {
    pub const ALL: [Self; 4] = [Self::Tasks, Self::Config, Self::Policy, Self::Manifest];

    /// Its schema. What it says of permissions is the manifest's.
    #[must_use]
    pub fn schema(self) -> Value {
        let written = match self {
            Self::Tasks => include_str!("schemas/tasks.schema.json"),
            Self::Config => include_str!("schemas/config.schema.json"),
            Self::Policy => include_str!("schemas/policy.schema.json"),
            Self::Manifest => return manifest::schema(),
        };
        let Ok(Value::Object(mut schema)) = serde_json::from_str(written) else {
            unreachable!("it is JSON, a test says so")
        };
        if self != Self::Tasks {
            let mut all = defs(&manifest::schema());
            all.extend(
                schema.remove("$defs").as_ref().and_then(Value::as_object).cloned().unwrap_or_default(),
            );
            schema.insert("$defs".to_owned(), all.into());
        }
        schema.into()
    }
}

fn defs(schema: &Value) -> Map<String, Value> {
    schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_compiles_and_every_key_of_a_task_is_there() {
        for document in Document::ALL {
            assert!(jsonschema::draft202012::new(&document.schema()).is_ok(), "{document:?}");
        }
        let tasks = Document::Tasks.schema();
        let known = tasks["$defs"]["task"]["properties"].as_object().unwrap();
        let mut keys: Vec<&str> = orch_task::keys::KEYS.to_vec();
        keys.sort_unstable();
        let mut found: Vec<&str> = known.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, keys);
    }
}
