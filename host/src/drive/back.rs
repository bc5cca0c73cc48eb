//! What comes back to the loop from beside it.
//!
//! Not here: who begins it and who takes it back (`attempt.rs`, `consult.rs`, `fresh.rs`, `keep.rs`, `words.rs`).

use std::sync::Arc;

use orch_journal::StoreError;
use orch_journal::event::{Finding, Mark, TaskIndex};

use super::ended::Ended;
use super::keeping::Weighed;
use super::marks::Outcome;
use crate::call::CallReport;
use crate::command_log::CommandLog;

/// What comes back from the guests' threads.
pub enum Back {
    Attempt(Ended),
    Weighed(Box<Weighed>),
    Look(Looked),
    /// Or that what the store knows of them cannot be read.
    Checked(Result<Vec<Checked>, StoreError>),
    Made(Made),
    Seen(Seen),
}

/// A verifier's look at a task or at the whole run, that came back.
pub struct Looked {
    /// None: at the run.
    pub task: Option<TaskIndex>,
    pub(super) verifier: String,
    pub(super) rerun: bool,
    /// All of its checks.
    pub(super) is_whole: bool,
    pub(super) log: Arc<CommandLog>,
    pub(super) report: CallReport<Vec<Finding>>,
}

impl Looked {
    /// Who looked, if it answered.
    pub fn answered(&self) -> Option<&str> {
        self.report.result.is_ok().then_some(&self.verifier)
    }

    /// Who looked, if all of its checks answered.
    pub fn whole(&self) -> Option<&str> {
        (self.is_whole && self.report.result.is_ok()).then_some(&self.verifier)
    }
}

/// What came of a look at a task that could start.
#[derive(Debug)]
pub struct Checked {
    pub task: TaskIndex,
    pub(super) look: u64,
    pub(super) outcome: Outcome,
}

/// What a task made.
#[derive(Debug)]
pub struct Made {
    pub task: TaskIndex,
    pub(super) mark: Result<Box<Mark>, String>,
}

/// What was seen of a task as it was said to be done.
#[derive(Debug)]
pub struct Seen {
    pub(super) task: TaskIndex,
    pub(super) look: u64,
    pub(super) mark: Result<Mark, String>,
}
