//! How a run stands.
//!
//! Not here: how a task stands (`orch-task`'s `model.rs`), what leads from one to the other (`state.rs`).

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Planning,
    Executing,
    Waiting,
    Completed,
    Failed,
    Cancelled,
}

impl RunStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Executing => "executing",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// True when `run` goes on with it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Planning | Self::Executing | Self::Waiting)
    }
}
