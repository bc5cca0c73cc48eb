//! What a call leaves in the host's own store.
//!
//! Invariant: kept with the call's result or not at all.
//! Not here: the tables that it becomes rows of (`projection.rs`).

use std::collections::BTreeMap;
use std::ops::AddAssign;

use orch_task::{Command, Kind, Task, TaskId};
use serde::{Deserialize, Serialize};

use super::act::ServiceAct;
use super::bytes::Bytes;
use crate::artifacts::Artifact;

/// A task that a plugin asked for, checked against its grant and the field limits; any task file can have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedTask {
    /// None: the host makes an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    pub priority: i32,
    pub cost: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<TaskId>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl AskedTask {
    /// The task, by that id.
    pub fn task(&self, id: TaskId) -> Task {
        Task {
            description: self.description.clone(),
            command: self.command.clone(),
            priority: self.priority,
            cost: self.cost,
            dependencies: self.dependencies.clone(),
            settings: self.settings.clone(),
            ..Task::new(id, self.kind.clone())
        }
    }
}

/// What a call left in the host's own store. Kept with the call's result or not at all.
/// Tasks that it asked for follow as `tasks_added`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Writes {
    /// By label, then key; `None` removes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kv: BTreeMap<String, BTreeMap<String, Option<Bytes>>>,
    /// The plugin that owns `kv`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// What was put into collections of vectors, by collection; the passages themselves lie in a cache beside the store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vectors: BTreeMap<String, VectorsPut>,
    /// What a service asks of the host that serves; it does it once this is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<ServiceAct>,
    /// What providers wrote that it asked, one each: `kv` and metrics, and nothing beneath them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provided: Vec<Writes>,
}

/// Bytes of findings, metrics and values as the journal has them: what is escaped there, or in base64, counts as that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    pub findings: u64,
    pub metrics: u64,
    /// Of keys and values, whether they are new or take the place of others.
    pub kv: u64,
}

impl AddAssign for Reported {
    fn add_assign(&mut self, other: Self) {
        self.findings += other.findings;
        self.metrics += other.metrics;
        self.kv += other.kv;
    }
}

fn bytes<T: Serialize>(list: &[T]) -> u64 {
    if list.is_empty() { 0 } else { written(list) }
}

fn written(what: &(impl Serialize + ?Sized)) -> u64 {
    // What cannot be written down is found when the event is.
    serde_json::to_vec(what).map_or(0, |json| json.len() as u64)
}

/// How much a call put into one collection of vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorsPut {
    /// Documents that took the place of those of their paths.
    pub documents: u64,
    /// Their passages.
    pub chunks: u64,
    /// Paths of which nothing is to be left.
    pub removed: u64,
    /// SHA-256 of all that the call put into any collection, in its order, as hex.
    pub digest: String,
}

impl Writes {
    /// What it says of `kv`.
    pub fn kv_only(&self) -> Self {
        let provided = self.provided.iter().map(Self::kv_only).collect();
        Self { kv: self.kv.clone(), plugin: self.plugin.clone(), provided, ..Self::default() }
    }

    /// Its own, and each provider's.
    pub fn of_each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.provided)
    }

    /// What its own findings, metrics and values take as the journal has them.
    pub fn reported(&self) -> Reported {
        let kv = if self.kv.is_empty() { 0 } else { written(&self.kv) };
        Reported { findings: bytes(&self.findings), metrics: bytes(&self.metrics), kv }
    }

    pub fn is_empty(&self) -> bool {
        let Self { plugin: _, kv, findings, metrics, artifacts, vectors, act, provided } = self;
        kv.is_empty()
            && findings.is_empty()
            && metrics.is_empty()
            && artifacts.is_empty()
            && vectors.is_empty()
            && act.is_none()
            && provided.iter().all(Self::is_empty)
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
