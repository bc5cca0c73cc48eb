//! The manifest as its schema describes it: which fields, of which types, within which bounds.
//!
//! In -> out: bytes of `manifest.json` -> [`Written`]; the schema itself.
//! Invariant: what is read here is what the schema takes; `tests/tests/manifests.rs` holds both against each other.
//! A number like `1.0`, an integer to JSON Schema, is refused before, by `strict_json.rs`.
//! Not here: what no schema can say (`manifest.rs`).

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Isolation;
use super::parts::{Integrity, Limits, MANIFEST_BYTES_MAX};
use crate::name::{PluginId, PluginIdText};
use crate::permission::Permissions;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::strict_json::{self, JsonError};

pub(super) const SCHEMA: &str = "urn:orch:plugin-manifest:v1";
const NAME_CHARS: RangeInclusive<usize> = 1..=100;
const DESCRIPTION_CHARS: RangeInclusive<usize> = 0..=1000;
const LICENSE_CHARS: RangeInclusive<usize> = 1..=200;
const ADDRESS_CHARS: RangeInclusive<usize> = 0..=500;
const KEYWORDS: RangeInclusive<usize> = 0..=16;
const ROLES: RangeInclusive<usize> = 1..=Role::ALL.len();
const KINDS: RangeInclusive<usize> = 0..=64;
const TASK_KEYS: RangeInclusive<usize> = 0..=64;
const FILES: RangeInclusive<usize> = 2..=32;

/// `manifest.json`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    #[schemars(with = "PluginId")]
    pub id: String,
    pub version: String,
    /// For people.
    #[schemars(length(min = *NAME_CHARS.start(), max = *NAME_CHARS.end()))]
    pub name: String,
    #[schemars(length(max = *DESCRIPTION_CHARS.end()))]
    pub description: String,
    /// SPDX expression.
    #[schemars(length(min = *LICENSE_CHARS.start(), max = *LICENSE_CHARS.end()))]
    pub license: String,
    /// Where its sources are, where people read about it, what changed: `https://` addresses.
    #[serde(default)]
    #[schemars(length(max = *ADDRESS_CHARS.end()))]
    pub repository: String,
    #[serde(default)]
    #[schemars(length(max = *ADDRESS_CHARS.end()))]
    pub homepage: String,
    #[serde(default)]
    #[schemars(length(max = *ADDRESS_CHARS.end()))]
    pub changelog: String,
    /// What people look for it by, each 1 to 64 of `[a-z0-9-]`.
    #[serde(default)]
    #[schemars(length(max = *KEYWORDS.end()))]
    pub keywords: Vec<String>,
    #[schemars(length(min = *ROLES.start(), max = *ROLES.end()))]
    pub roles: Vec<Role>,
    /// Kinds of task that it executes.
    #[serde(default)]
    #[schemars(length(max = *KINDS.end()))]
    pub kinds: Vec<String>,
    /// Where attempts of its kinds edit: `worktree` in a tree of their own, `none` in the person's, `any` as the run has it.
    #[serde(default)]
    pub isolation: Isolation,
    /// Keys of a task that it reads as an executor, besides the host's own; `command` if it reads that and starts no program.
    #[serde(default, rename = "taskKeys")]
    #[schemars(length(max = *TASK_KEYS.end()))]
    pub task_keys: Vec<String>,
    /// What these keys may say, a JSON Schema as `settingsSchema` is one; its defaults are not filled in.
    #[serde(default, rename = "taskSchema")]
    pub task_schema: serde_json::Map<String, serde_json::Value>,
    /// What its settings may say: a JSON Schema (2020-12) of `type: object`, without references, patterns and formats.
    #[serde(default, rename = "settingsSchema")]
    pub settings_schema: serde_json::Map<String, serde_json::Value>,
    pub host: HostRange,
    #[serde(default)]
    pub permissions: Permissions,
    pub limits: Limits,
    pub integrity: Integrity,
}

/// Which hosts the plugin was made for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HostRange {
    /// Versions of the interfaces: `>=0.1.0, <0.2.0`.
    pub api: String,
}

impl Written {
    /// # Errors
    /// `FileTooLarge`, `ManifestJson`, `ManifestDuplicateKey`, `ManifestSchema`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let found_bytes = bytes.len() as u64;
        if found_bytes > MANIFEST_BYTES_MAX {
            let (file, limit_bytes) = ("manifest.json".to_owned(), MANIFEST_BYTES_MAX);
            return Err(Refusal::FileTooLarge { file, found_bytes, limit_bytes });
        }
        let written: Self = strict_json::parse(bytes).map_err(|source| match source {
            JsonError::DuplicateKey { key } => Refusal::ManifestDuplicateKey { key },
            JsonError::OtherType { pointer, message, .. } => Refusal::ManifestSchema { pointer, message },
            source => Refusal::ManifestJson { source },
        })?;
        written.check_texts()?;
        written.check_lengths()?;
        written.check_limits()?;
        Ok(written)
    }

    fn check_texts(&self) -> Result<(), Refusal> {
        if self.schema != SCHEMA {
            return wrong("/schema", format!("it is not `{SCHEMA}`"));
        }
        match PluginId::parse(&self.id) {
            Err(form @ PluginIdText::Form { .. }) => wrong("/id", form.to_string()),
            Err(PluginIdText::Reserved { .. }) | Ok(_) => Ok(()),
        }
    }

    fn check_lengths(&self) -> Result<(), Refusal> {
        for (pointer, unit, found, allowed) in [
            ("/name", "characters", self.name.chars().count(), NAME_CHARS),
            ("/description", "characters", self.description.chars().count(), DESCRIPTION_CHARS),
            ("/license", "characters", self.license.chars().count(), LICENSE_CHARS),
            ("/repository", "characters", self.repository.chars().count(), ADDRESS_CHARS),
            ("/homepage", "characters", self.homepage.chars().count(), ADDRESS_CHARS),
            ("/changelog", "characters", self.changelog.chars().count(), ADDRESS_CHARS),
            ("/keywords", "entries", self.keywords.len(), KEYWORDS),
            ("/roles", "entries", self.roles.len(), ROLES),
            ("/kinds", "entries", self.kinds.len(), KINDS),
            ("/taskKeys", "entries", self.task_keys.len(), TASK_KEYS),
            ("/integrity/files", "entries", self.integrity.files.len(), FILES),
        ] {
            if !allowed.contains(&found) {
                let (least, most) = (allowed.start(), allowed.end());
                return wrong(pointer, format!("it has {found} {unit}, expected {least} to {most}"));
            }
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), Refusal> {
        let (said, most) = (&self.limits, Limits::CEILING);
        for (pointer, found, least, most) in [
            ("/limits/memoryMiB", said.memory_mib, 1, most.memory_mib),
            ("/limits/busyMs", said.busy_ms, 1, most.busy_ms),
            ("/limits/wallMs", said.wall_ms, 1, most.wall_ms),
            ("/limits/outputKiB", said.output_kib, 1, most.output_kib),
            ("/limits/hostCalls", said.host_calls, 1, most.host_calls),
            ("/limits/logKiB", said.log_kib, 0, most.log_kib),
        ] {
            if !(least..=most).contains(&found) {
                return wrong(pointer, format!("it is {found}, expected {least} to {most}"));
            }
        }
        Ok(())
    }
}

fn wrong(pointer: &str, message: String) -> Result<(), Refusal> {
    Err(Refusal::ManifestSchema { pointer: pointer.to_owned(), message })
}

/// The JSON Schema (2020-12) of `manifest.json`.
pub fn schema() -> serde_json::Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.root_schema_for::<Written>();
    schema.insert("$id".to_owned(), SCHEMA.into());
    schema.insert("title".to_owned(), "Manifest of an Orch plugin".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/manifest_schema.json");
        let expected = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        let differs =
            committed.lines().zip(expected.lines()).find(|(committed, generated)| committed != generated);
        assert!(committed == expected, "run with BLESS=1 to write it; first difference: {differs:?}");
    }
}
