//! Attempts that answered well and whose edits wait to be kept: one is weighed and looked at, the others come after it.
//!
//! Not here: how an edit is weighed and kept (`keep.rs`).

use std::collections::VecDeque;

use orch_journal::event::{self, TaskIndex};

use super::ended::Ended;
use crate::git::Oid;
use crate::worktrees::Unkept;

/// Attempts that answered well, of which one is looked at.
#[derive(Default)]
pub struct Keeping {
    pub(super) now: Option<Held>,
    pub(super) waiting: VecDeque<Ended>,
}

/// One that is looked at.
pub(super) struct Held {
    pub(super) task: TaskIndex,
    /// None while its tree is weighed.
    pub(super) weighed: Option<(Ended, Option<Weight>)>,
    /// Verifiers that look next, and those that have.
    pub(super) looks: VecDeque<String>,
    pub(super) looked: Vec<String>,
}

/// What would come onto the branch.
#[derive(Debug)]
pub struct Weight {
    pub(super) old: Oid,
    pub(super) new: Oid,
    pub(super) tree: Oid,
}

impl Weight {
    /// What the next attempt is told of, if it is not kept.
    pub(super) fn unkept(&self) -> event::Unkept {
        event::Unkept { old: self.old.to_string(), new: self.new.to_string() }
    }
}

/// An attempt whose tree was weighed; no weight: nothing was changed.
pub struct Weighed {
    pub(super) ended: Ended,
    pub(super) outcome: Result<Option<Weight>, Unkept>,
}

impl Keeping {
    /// Forgets all: a person ended what runs.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// True while that task's tree is looked at.
    pub fn holds(&self, task: TaskIndex) -> bool {
        self.now.as_ref().is_some_and(|held| held.task == task)
    }
}
