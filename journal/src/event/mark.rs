//! What a task read and made when it was done last.
//!
//! Units: sizes in bytes, times in nanoseconds since 1970 UTC but for `at`, digests as 64 hex digits.
//! Not here: how files are looked at (`orch-host`'s `drive/fresh`).

use serde::{Deserialize, Serialize};

/// The work of a task as it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub by: MarkedBy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<FileMark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<FileMark>,
    /// Milliseconds since 1970 UTC, before the first file was looked at.
    pub at: u64,
    /// It was not done: its condition did not hold.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub skipped: bool,
}

/// What did it, each as an HMAC by a key of this host and store: a mark from elsewhere equals none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedBy {
    /// Command, kind, settings, names of inputs and outputs.
    pub task: String,
    /// Variables of task and workspace.
    pub env: String,
    /// The executor's component, grant and settings.
    pub executor: String,
    /// The same of each verifier that the task names.
    pub verifiers: String,
}

/// One file as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// Below the workspace.
    pub path: String,
    pub size: u64,
    pub mtime: i64,
    pub ctime: i64,
    pub inode: u64,
    /// Of its bytes; of a link that leads to no file, of its target.
    pub sha256: String,
}
