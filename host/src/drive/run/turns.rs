//! In which order tasks were done, over all runs of the store.
//!
//! In -> out: what the store knows, tasks that are done now -> whether something that a task depends on was done after it.
//! Units: positions in the order of all events; what is done now comes after all of them.
//! Invariant: a task that is done without an attempt keeps its turn; one that is left out by its condition has none.
//! Not here: what follows for the task (`fresh.rs`), where turns are kept (`orch-journal`).

use std::collections::HashMap;

use orch_journal::event::TaskIndex;
use orch_journal::rows::Known;
use orch_task::Status;

use super::Run;

/// By the places of tasks; 0 is never.
#[derive(Debug, Default)]
pub(super) struct Turns {
    done: Vec<u64>,
    /// Of those that an attempt began at and that were not done since, when that was.
    begun: HashMap<TaskIndex, u64>,
    /// Of the task and all that it depends on, the last that was done, and the last that was done or begun.
    newest: Vec<(u64, u64)>,
    now: u64,
}

impl Turns {
    fn done(&self, task: TaskIndex) -> u64 {
        self.done.get(task as usize).copied().unwrap_or(0)
    }

    fn newest(&self, task: TaskIndex) -> (u64, u64) {
        self.newest.get(task as usize).copied().unwrap_or_default()
    }
}

fn later((done, begun): (u64, u64), (other_done, other_begun): (u64, u64)) -> (u64, u64) {
    (done.max(other_done), begun.max(other_begun))
}

impl Run {
    /// Takes over what the store knows of these tasks.
    pub fn take_known(&mut self, known: &HashMap<String, Known>) {
        let last = known.values().flat_map(|known| [known.done, known.begun]).flatten().max().unwrap_or(0);
        let now = last + 1;
        let mut turns = Turns { now, ..Turns::default() };
        let mut put_back = Vec::new();
        for (task, found) in (0..).zip(&self.state().tasks) {
            let known = known.get(found.task.id.as_str()).copied().unwrap_or_default();
            let is_done = found.status == Status::Done;
            // The file says so, and this store is the first to hear of it.
            turns.done.push(known.done.unwrap_or(if is_done { now } else { 0 }));
            turns.begun.extend(known.begun.filter(|_| !is_done).map(|begun| (task, begun)));
            let waits = matches!(found.status, Status::Pending | Status::Blocked);
            put_back.extend((waits && known.put_back).then_some(task));
        }
        turns.newest = vec![(0, 0); turns.done.len()];
        self.turns = turns;
        self.put_back.extend(put_back);
        for task in self.in_order() {
            self.renew_turn(task);
        }
    }

    /// True if an attempt at it began before this run, and it was not done since.
    pub fn is_unfinished(&self, task: TaskIndex) -> bool {
        self.turns.begun.contains_key(&task)
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

    /// What was done last before a task, of all that it depends on, and what was done or begun.
    fn newest_before(&self, task: TaskIndex) -> (u64, u64) {
        let state = self.state();
        let found = state.tasks.get(task as usize).map_or(&[][..], |found| &found.task.dependencies);
        let places = found.iter().filter_map(|id| state.by_id.get(id).copied());
        places.map(|on| self.turns.newest(on)).fold((0, 0), later)
    }

    pub(super) fn renew_turn(&mut self, task: TaskIndex) {
        let (done, begun) = (self.turns.done(task), self.turns.begun.get(&task).copied().unwrap_or(0));
        let newest = later(self.newest_before(task), (done, done.max(begun)));
        self.turns.newest.resize(self.announced.len().max(self.turns.newest.len()), (0, 0));
        if let Some(kept) = self.turns.newest.get_mut(task as usize) {
            *kept = newest;
        }
    }

    /// A task was worked at and is not done: whoever cleans up behind it does so again.
    pub(super) fn take_failed_turn(&mut self, task: TaskIndex) {
        self.turns.now += 1;
        self.turns.begun.insert(task, self.turns.now);
        self.renew_turn(task);
    }

    /// A task is done now.
    pub(super) fn take_turn(&mut self, task: TaskIndex) {
        self.turns.now += 1;
        let now = self.turns.now;
        self.turns.begun.remove(&task);
        self.turns.done.resize(self.announced.len().max(self.turns.done.len()), 0);
        if let Some(done) = self.turns.done.get_mut(task as usize) {
            *done = now;
        }
        self.renew_turn(task);
    }

    /// True if something that a task depends on, directly or not, was done after it; of one that cleans up, was done or begun.
    pub fn is_behind(&self, task: TaskIndex) -> bool {
        let done = self.turns.done(task);
        let (newest, newest_begun) = self.newest_before(task);
        done > 0 && (newest > done || (self.is_always(task) && newest_begun > done))
    }
}
