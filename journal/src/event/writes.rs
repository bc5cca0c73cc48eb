//! What a call leaves in the host's own store, as events hold it.
//!
//! Not here: when it is kept (the host's `drive`), the rows made of it (`projection.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifacts::Artifact;

/// What a call left in the host's own store. Kept with the call's result or not at all.
/// Tasks that it asked for follow as `tasks_added`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Writes {
    /// By label, then key; `None` removes. Values as base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kv: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// The plugin that owns `kv`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
}

impl Writes {
    pub fn is_empty(&self) -> bool {
        let Self { plugin: _, kv, findings, metrics, artifacts } = self;
        kv.is_empty() && findings.is_empty() && metrics.is_empty() && artifacts.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Major,
    Medium,
    Minor,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Medium => "medium",
            Self::Minor => "minor",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Build,
    Test,
    Lint,
    Security,
    Custom,
}

impl Category {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Lint => "lint",
            Self::Security => "security",
            Self::Custom => "custom",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    pub category: Category,
    pub message: String,
    /// `file:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    pub name: String,
    pub value: f64,
    pub unit: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
}
