//! Edits of attempts, on a run's branch.
//!
//! Units: names of objects as git writes them, 40 or 64 hex digits.
//! Not here: the branch itself (`orch-host`'s `drive/keep.rs`).

use serde::{Deserialize, Serialize};

use super::{AskedTask, AttemptFinished, TaskIndex, Who, is_false};

/// The branch that a run's edits go to, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBased {
    /// Whole name of the branch: `refs/heads/orch/RUN`.
    pub branch: String,
    /// The commit that it begins at.
    pub base: String,
    /// Whole name of the branch that the checkout stood on; absent if it was detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The base has changes that were not committed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dirty: bool,
    pub at: u64,
}

/// An attempt's edits are kept: durable before the branch moves. Its `attempt_finished` follows, as it stands here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EditsKept {
    /// Commits: where the branch was, and where it goes.
    pub old: String,
    pub new: String,
    /// The tree that verifiers looked at.
    pub tree: String,
    pub finished: Box<AttemptFinished>,
    /// Tasks that it asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AskedTask>,
}

/// A person took a run's branch into their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditsAccepted {
    /// Name of the ref that keeps where the person's checkout was before.
    pub before: String,
    /// Commits: of the run's branch, and the one that the checkout is at since.
    pub tip: String,
    pub commit: String,
    /// Whose edits those are; none: all that is on the branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskIndex>,
    /// Guards that had something against it, which the person read and let be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
    pub who: Who,
    pub at: u64,
}
