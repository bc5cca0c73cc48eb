//! Which tasks a run is asked for.
//!
//! Invariant: the default is every task.
//! Not here: which tasks that are (`orch-host`'s `drive/choice.rs`).

use serde::{Deserialize, Serialize};

/// What a person named, by id or tag; every task where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// These, with what they depend on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// These, with all that depends on them and what those depend on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// All that have one of these tags, with what they depend on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Ids or tags of what does not start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Nothing that they depend on: that is taken as it is.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub only: bool,
}

impl Choice {
    /// True for a choice of every task.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// True if tasks are named that are wanted, and not only some that are not.
    pub fn names_tasks(&self) -> bool {
        !(self.tasks.is_empty() && self.from.is_empty() && self.tags.is_empty())
    }
}
