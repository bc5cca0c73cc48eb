//! An attempt that came back, as what looks at it, keeps it and records it hands it on.
//!
//! In -> out: what a call gave, or what was held for a person that allows it now -> [`Ended`].
//! Not here: what becomes of it (`attempt.rs`, `keep.rs`), who holds it up (`guards.rs`).

use std::sync::Arc;

use orch_journal::event::{HeldEdits, TaskIndex};

use super::marks::Watch;
use crate::call::CallReport;
use crate::command_log::CommandLog;
use crate::role::executor::Completion;
use crate::worktrees::Worktree;

/// An attempt that came back.
pub struct Ended {
    pub task: TaskIndex,
    pub attempt: u32,
    pub report: CallReport<Completion>,
    pub log: Arc<CommandLog>,
    /// Of the files that the task reads.
    pub watch: Option<Watch>,
    /// That it worked in, if edits go to a branch.
    pub tree: Option<Worktree>,
    /// It is what an earlier attempt made, which a person lets be kept.
    pub held: Option<Box<HeldEdits>>,
}

impl Ended {
    /// An attempt that did what was held, as if it had answered a moment ago; `tree`: where that is made.
    pub fn of_held(
        task: TaskIndex,
        attempt: u32,
        held: HeldEdits,
        log: Arc<CommandLog>,
        tree: Worktree,
    ) -> Self {
        let answer = Completion { summary: held.summary.clone(), mendable: false };
        let report = CallReport::of_before(answer, held.writes.clone(), held.asked.clone(), held.effect);
        Self { task, attempt, report, log, watch: None, tree: Some(tree), held: Some(Box::new(held)) }
    }
}
