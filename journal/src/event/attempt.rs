//! How attempts end.
//!
//! Not here: what follows for the task (`orch-host`'s `drive`).

use orch_task::Status;
use serde::{Deserialize, Serialize};

use super::{HeldEdits, TaskIndex, Writes};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Done {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        summary: String,
    },
    /// The plugin answered so.
    Failed { message: String, retriable: bool },
    /// No answer and no effect: nothing happened. `code` names the trap, limit or crash.
    Broken { code: String, message: String },
    /// No answer after an effect.
    InDoubt { code: String, message: String },
    /// No effect and no answer when the host went away; runs again under the next number.
    Rerun { code: String },
    /// Stopped by a person.
    Cancelled,
}

/// The `code` of an attempt that the host's own end cut off.
pub const HOST_GONE: &str = "host-gone";

/// The `code` of an attempt that a person cut off, by a second interrupt.
pub const ABORTED: &str = "aborted";

/// The `code` of an attempt whose edits wait for a person.
pub const EDITS_HELD: &str = "edits-held";

impl Ending {
    /// True for the endings that use up one of the task's `retries`: everything that went wrong while the host lived
    /// and nobody asked for.
    pub fn counts_against_retries(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Broken { .. } => true,
            Self::InDoubt { code, .. } => code != HOST_GONE && code != ABORTED,
            Self::Done { .. } | Self::Rerun { .. } | Self::Cancelled => false,
        }
    }

    /// True if the attempt itself says that the task is done.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }

    /// True when the host ended after the attempt's first effect and before its answer: perhaps because of it.
    pub fn is_host_crash(&self) -> bool {
        matches!(self, Self::InDoubt { code, .. } if code == HOST_GONE)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptFinished {
    pub task: TaskIndex,
    pub attempt: u32,
    pub ending: Ending,
    /// Where the task stands after it; `pending` when it is tried again.
    pub status: Status,
    /// The earliest time of the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    #[serde(default, skip_serializing_if = "Writes::is_empty")]
    pub writes: Writes,
    /// Log file relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Verifiers that the task names and that looked at what it did before this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looked: Vec<String>,
    /// Its edits, which nobody keeps and the next attempt is told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unkept: Option<Unkept>,
    /// What it made waits for a person; its ending has the code `edits-held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Box<HeldEdits>>,
    pub at: u64,
}

/// Edits that were looked at and are on no branch: commits, until git removes what nothing names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unkept {
    pub old: String,
    pub new: String,
}
