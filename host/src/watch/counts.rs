//! How many tasks of a run have which status, kept up event by event.
//!
//! In -> out: events with the state after them -> counts for a person.
//! Invariant: they equal what a count of all tasks would give; no event costs more than the tasks that it is about.

use std::collections::BTreeMap;

use orch_journal::RunState;
use orch_journal::event::{Event, TaskIndex};
use orch_task::Status;

use super::Seen;

/// The status of each task as it was counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    statuses: Vec<Status>,
    tasks: BTreeMap<Status, usize>,
}

impl Counts {
    /// All tasks of a run that goes on.
    pub(super) fn begin(&mut self, state: &RunState) {
        for found in state.tasks.get(self.statuses.len()..).unwrap_or_default() {
            self.statuses.push(found.status);
            *self.tasks.entry(found.status).or_insert(0) += 1;
        }
    }

    /// Takes an event into account that is in the state; true if it changed something.
    pub(super) fn take(&mut self, event: &Event, state: &RunState) -> bool {
        let known = self.statuses.len();
        self.begin(state);
        let moved = match event {
            Event::AttemptStarted { task, .. } | Event::TaskMoved { task, .. } => self.look(*task, state),
            Event::AttemptFinished(finished) => self.look(finished.task, state),
            Event::TasksFresh { tasks, .. } => {
                tasks.iter().filter(|task| self.look(**task, state)).count() > 0
            }
            _ => false,
        };
        moved || self.statuses.len() > known
    }

    fn look(&mut self, task: TaskIndex, state: &RunState) -> bool {
        let (Some(was), Some(now)) = (self.statuses.get_mut(task as usize), state.tasks.get(task as usize))
        else {
            return false;
        };
        let was = std::mem::replace(was, now.status);
        if let Some(count) = self.tasks.get_mut(&was) {
            *count -= 1;
        }
        *self.tasks.entry(now.status).or_insert(0) += 1;
        was != now.status
    }

    fn of(&self, status: Status) -> usize {
        self.tasks.get(&status).copied().unwrap_or(0)
    }

    /// What is shown of them: how many are done, how many nothing more happens to, and the others that people ask about.
    pub(super) fn seen(&self) -> Seen {
        let over = [Status::Done, Status::Failed, Status::Cancelled, Status::Blocked];
        let told = [
            (Status::Failed, "failed"),
            (Status::Blocked, "blocked"),
            (Status::InDoubt, "in doubt"),
            (Status::WaitingApproval, "ask approval"),
            (Status::Cancelled, "cancelled"),
        ];
        let told =
            told.map(|(status, word)| (self.of(status), word)).into_iter().filter(|(count, _)| *count > 0);
        Seen::Counts {
            done: self.of(Status::Done),
            over: over.into_iter().map(|status| self.of(status)).sum(),
            all: self.statuses.len(),
            said: told.map(|(count, word)| format!(", {count} {word}")).collect(),
        }
    }
}
