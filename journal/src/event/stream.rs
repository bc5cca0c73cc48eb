//! Streams that are no run's.
//!
//! Not here: the operator's decisions (`operator.rs`), what a workspace's stream holds (`event.rs`).

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStarted {
    /// [`WORKSPACE_STREAM`] or [`OPERATOR_STREAM`](super::OPERATOR_STREAM).
    pub stream: String,
    /// As in [`RunStarted`](super::RunStarted).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    pub at: u64,
    /// HMAC-SHA-256 by the host's key, over the JSON of this event with `mac` empty.
    pub mac: String,
}

/// Another configuration of a workspace, taken while a host serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReloaded {
    /// Those that have other values, sorted: `findings.max_major`, `jobs`.
    pub keys: Vec<String>,
    /// SHA-256 of all keys but `env`, as JSON, before and after.
    pub before: String,
    pub after: String,
    pub at: u64,
}

/// What a host that serves did in a workspace beside its runs.
///
/// Its name goes on with a hyphen and what tells it from other workspaces': heads of all of them lie in one folder.
pub const WORKSPACE_STREAM: &str = "workspace";

/// True for the name of a workspace's stream.
pub fn is_workspace_stream(name: &str) -> bool {
    name.strip_prefix(WORKSPACE_STREAM).is_some_and(|rest| rest.starts_with('-'))
}
