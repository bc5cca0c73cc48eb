//! What stands behind `orch:control`.

use std::collections::BTreeMap;

use orch_journal::event::ServiceAct;
use orch_task::Status;
use serde::Deserialize;

use crate::capability::effect::Boxed;

/// Runs that are listed.
pub const RUNS_MAX: usize = 10;
/// Tasks in progress that are named.
pub const CURRENT_MAX: usize = 100;

/// What the host does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    #[default]
    Idle,
    Starting,
    AtWork,
    Stopping,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSeen {
    pub id: String,
    pub status: String,
    /// ISO 8601 in UTC.
    pub created_at: String,
    pub completed_at: Option<String>,
}

/// How runs stand at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsSeen {
    pub standing: Standing,
    /// The run at work, or else the one that was last.
    pub run: Option<String>,
    /// Of that run.
    pub tasks: BTreeMap<Status, u32>,
    /// Ids of its tasks in progress, at most [`CURRENT_MAX`].
    pub current: Vec<String>,
    /// The newest first, at most [`RUNS_MAX`].
    pub runs: Vec<RunSeen>,
}

/// The store could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsUnreadable;

/// Why a run cannot be started with that choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoChoice {
    Invalid(String),
    /// The task file.
    Unreadable,
}

/// The host's runs, as a service sees them.
pub trait Controls: Send + Sync {
    fn standing(&self) -> Standing;
    fn runs(&self) -> Boxed<'_, Result<RunsSeen, RunsUnreadable>>;
    /// Succeeds if the task file has what is chosen.
    fn check<'a>(&'a self, act: &'a ServiceAct) -> Boxed<'a, Result<(), NoChoice>>;
}
