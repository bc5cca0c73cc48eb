//! In which order tasks were done, over all runs of the store.
//!
//! In -> out: what the store knows, tasks that are done now -> whether something that a task depends on was done after it.
//! Units: positions in the order of all events; what is done now comes after all of them.
//! Invariant: a task that is done without an attempt keeps its turn.
//! Not here: what follows for the task (`fresh.rs`), where turns are kept (`orch-journal`).

use std::collections::HashMap;

use orch_journal::event::TaskIndex;
use orch_task::Status;

use super::Run;

/// By the places of tasks; 0 is never.
#[derive(Debug, Default)]
pub(super) struct Turns {
    done: Vec<u64>,
    /// Of the task and all that it depends on, the last.
    newest: Vec<u64>,
    now: u64,
}

impl Turns {
    fn done(&self, task: TaskIndex) -> u64 {
        self.done.get(task as usize).copied().unwrap_or(0)
    }

    fn newest(&self, task: TaskIndex) -> u64 {
        self.newest.get(task as usize).copied().unwrap_or(0)
    }
}

impl Run {
    /// Takes over what the store knows of these tasks.
    pub fn take_turns(&mut self, known: &HashMap<String, (u64, Option<u64>)>) {
        let now = known.values().map(|(done, _)| *done).max().unwrap_or(0) + 1;
        let done = {
            let state = self.state();
            let turn = |found: &orch_journal::state::TaskState| match known.get(found.task.id.as_str()) {
                Some((done, _)) => *done,
                // The file says so, and this run is the first to hear of it.
                None if found.status == Status::Done => now,
                None => 0,
            };
            state.tasks.iter().map(turn).collect::<Vec<_>>()
        };
        self.turns = Turns { newest: vec![0; done.len()], done, now };
        for task in self.in_order() {
            self.renew_turn(task);
        }
    }

    /// The tasks, each after what it depends on.
    fn in_order(&self) -> Vec<TaskIndex> {
        let state = self.state();
        let dependencies = |task: TaskIndex| {
            let found = state.tasks.get(task as usize).map_or(&[][..], |found| &found.task.dependencies);
            found.iter().filter_map(|id| state.by_id.get(id).copied())
        };
        let (mut seen, mut order) = (vec![false; state.tasks.len()], Vec::with_capacity(state.tasks.len()));
        for first in 0..state.tasks.len() as TaskIndex {
            let mut open = vec![(first, false)];
            while let Some((task, is_entered)) = open.pop() {
                if is_entered {
                    order.push(task);
                } else if let Some(mark) = seen.get_mut(task as usize)
                    && !std::mem::replace(mark, true)
                {
                    open.push((task, true));
                    open.extend(dependencies(task).map(|on| (on, false)));
                }
            }
        }
        order
    }

    /// What was done last before a task, of all that it depends on.
    fn newest_before(&self, task: TaskIndex) -> u64 {
        let state = self.state();
        let found = state.tasks.get(task as usize).map_or(&[][..], |found| &found.task.dependencies);
        let places = found.iter().filter_map(|id| state.by_id.get(id).copied());
        places.map(|on| self.turns.newest(on)).max().unwrap_or(0)
    }

    fn renew_turn(&mut self, task: TaskIndex) {
        let newest = self.newest_before(task).max(self.turns.done(task));
        self.turns.newest.resize(self.announced.len().max(self.turns.newest.len()), 0);
        if let Some(kept) = self.turns.newest.get_mut(task as usize) {
            *kept = newest;
        }
    }

    /// A task was worked at and is not done: whoever cleans up behind it does so again.
    pub(super) fn take_failed_turn(&mut self, task: TaskIndex) {
        self.renew_turn(task);
        self.turns.now += 1;
        let now = self.turns.now;
        if let Some(newest) = self.turns.newest.get_mut(task as usize) {
            *newest = now;
        }
    }

    /// A task is done now; `anew`: it has a turn of its own, also if it had one before.
    pub(super) fn take_turn(&mut self, task: TaskIndex, anew: bool) {
        if anew || self.turns.done(task) == 0 {
            self.turns.now += 1;
            let now = self.turns.now;
            self.turns.done.resize(self.announced.len().max(self.turns.done.len()), 0);
            if let Some(done) = self.turns.done.get_mut(task as usize) {
                *done = now;
            }
        }
        self.renew_turn(task);
    }

    /// True if something that a task depends on, directly or not, was done after it.
    pub fn is_behind(&self, task: TaskIndex) -> bool {
        let done = self.turns.done(task);
        done > 0 && self.newest_before(task) > done
    }
}
