//! Runs that were taken out of a store.
//!
//! Invariant: what is left says of each which event was its last, by this host's key; nothing else of it is left.
//! Not here: which runs go (`orch-host`'s `prune`), how (`prune.rs`).

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::who::Who;

/// Runs that a person took out, and what the tables that runs share had then: it follows from no event any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunsPruned {
    pub runs: Vec<PrunedRun>,
    /// All values of all plugins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kv: Vec<CarriedValue>,
    /// All that was known of tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<CarriedTask>,
    pub who: Who,
    pub at: u64,
}

/// The end of a run that was taken out, by this host's key: as a head says it, for this purpose alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunedRun {
    pub run: String,
    /// Of its last event.
    pub seq: u64,
    /// 64 hex digits.
    pub hash: String,
    /// 64 hex digits.
    pub mac: String,
}

/// One value of a plugin's `kv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedValue {
    pub plugin: String,
    pub label: String,
    pub key: String,
    pub value: Bytes,
}

/// What was known of one task of a task file; the columns of `known`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedTask {
    pub file: String,
    pub task: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<i64>,
    pub put_back: bool,
    /// As JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}
