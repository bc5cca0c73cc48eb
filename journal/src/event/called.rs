//! A call of a plugin beside the attempts, and what came of it.
//!
//! Units: `at` in milliseconds since 1970 UTC.
//! Not here: attempts at tasks (`attempt.rs`), what a call's answer may hold (`writes.rs`).

use serde::{Deserialize, Serialize};

use super::{AskedTask, TaskIndex, Writes};

/// One call, when its answer was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// `reflect`, `analyze`, `audit` or `verify`; `handle` of a service.
    pub call: String,
    pub plugin: String,
    /// The task that a verifier looked at; absent for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskIndex>,
    /// Called before a crash already.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub rerun: bool,
    /// Why there is no answer: stable code and message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Writes::is_empty")]
    pub writes: Writes,
    /// What a service asked for; the run at work takes them in, or the next one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AskedTask>,
    /// Name of the token that was shown to a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    pub at: u64,
}

/// Code of a call that the plugin itself refused.
pub const FAILURE: &str = "failure";

impl Called {
    /// True when a verifier answered: what it sees now stands for what it saw before on the same subject.
    pub fn replaces_findings(&self) -> bool {
        self.call == "verify" && self.fault.is_none()
    }
}
