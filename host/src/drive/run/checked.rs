//! Tasks that are looked at before they start.
//!
//! In -> out: a task that could start -> it is looked at once, and may start or is done.
//! Invariant: a task is announced only after a look, if it needs one; a look counts for one start.
//! Not here: what is looked at (`fresh.rs`).

use orch_journal::event::TaskIndex;

use super::Run;
use crate::drive::marks::Begun;

impl Run {
    /// True if the task waits for a look now.
    pub(super) fn must_be_checked(&mut self, task: TaskIndex) -> bool {
        let needs = self
            .state()
            .tasks
            .get(task as usize)
            .is_some_and(|found| found.task.when.is_some() || found.task.names_files());
        if !needs || self.checked.contains_key(&task) {
            return false;
        }
        if !self.checking.contains(&task) {
            self.unchecked.insert(task);
        }
        true
    }

    /// The tasks that are to be looked at, in their order.
    pub fn take_unchecked(&mut self) -> Vec<TaskIndex> {
        let tasks: Vec<TaskIndex> = std::mem::take(&mut self.unchecked).into_iter().collect();
        self.checking.extend(&tasks);
        tasks
    }

    /// True if a task waits for a look that was not begun.
    pub fn has_unchecked(&self) -> bool {
        !self.unchecked.is_empty()
    }

    /// Lets a task start that was looked at, if it still can.
    pub fn let_start(&mut self, task: TaskIndex, begun: Option<Begun>, now: u64) {
        if self.checking.remove(&task) {
            self.checked.insert(task, begun);
            self.announce(task, now);
        }
    }

    /// What was seen of a task before it began.
    pub fn take_begun(&mut self, task: TaskIndex) -> Option<Begun> {
        self.checked.remove(&task).flatten()
    }

    /// These are done whatever is known of them.
    pub fn force(&mut self, tasks: impl IntoIterator<Item = TaskIndex>) {
        self.forced.extend(tasks);
    }

    pub fn is_forced(&self, task: TaskIndex) -> bool {
        self.forced.contains(&task)
            || self.state().tasks.get(task as usize).is_some_and(|found| found.asked_again)
    }
}
