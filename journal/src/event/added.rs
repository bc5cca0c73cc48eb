//! A task as events hold it.
//!
//! Invariant: of a task's `env` only the names, and a digest that nobody else could make.

use orch_task::{Status, Task};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TaskIndex;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddedTask {
    pub task: Task,
    pub status: Status,
    /// The plugin that asked for it; absent for people's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_by: Option<String>,
    /// The task whose attempt asked for it; absent for people's, and where no task was worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_for: Option<TaskIndex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<EnvSeal>,
}

/// What is kept of a task's `env`: its names, and a digest of names and values that only this host could make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvSeal {
    pub names: Vec<String>,
    pub seal: String,
}

/// SHA-256 of a task as events hold it, its fields and its `env`, and nothing of where it stands; 64 hex digits.
///
/// # Errors
/// A task that is no JSON, which no file and no plugin can give.
pub fn task_digest(task: &Task, env: Option<&EnvSeal>) -> Result<String, serde_json::Error> {
    let mut hasher = Sha256::new_with_prefix(serde_json::to_vec(task)?);
    // A task's JSON has a known end.
    if let Some(env) = env {
        hasher.update(serde_json::to_vec(env)?);
    }
    Ok(hex::encode(hasher.finalize()))
}
