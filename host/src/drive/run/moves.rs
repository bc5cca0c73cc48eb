//! How tasks move: an attempt begins and ends, or a status comes from elsewhere.
//!
//! In -> out: a task and where it stands now -> what the planner hears, tasks that are free to start.
//! Invariant: whoever changes a status has recorded it before.
//! Not here: what is announced, and when (`run.rs`).

use std::sync::PoisonError;

use orch_journal::event::{Change, TaskIndex};
use orch_task::Status;

use super::Run;

impl Run {
    /// Notes that an attempt of a ready task begins.
    pub fn begin(&mut self, task: TaskIndex) {
        self.take_announced(task);
        self.put_back.remove(&task);
        self.said_done.remove(&task);
        let cost = self.state().tasks.get(task as usize).map_or(0, |task| task.task.cost);
        self.running.insert(task, cost);
        if self.budget > 0 {
            self.changes.push(Change::Budget(self.budget_left()));
        }
    }

    /// Notes that a task which the planner chose does not start: for the planner its start is over, and costs nothing.
    pub fn held_up(&mut self, task: TaskIndex, status: Status, now: u64) {
        self.take_announced(task);
        self.changes.push(Change::Finished(task, status));
        if self.budget > 0 {
            self.changes.push(Change::Budget(self.budget_left()));
        }
        self.settled(task, status, now);
    }

    /// Notes that an attempt and what followed it is over; frees and announces what waited for the task, if it is verified.
    pub fn end(&mut self, task: TaskIndex, now: u64) {
        let Some(status) = self.state().tasks.get(task as usize).map(|found| found.status) else { return };
        self.running.remove(&task);
        self.checked.remove(&task);
        self.changes.push(Change::Finished(task, status));
        match status {
            Status::Done => self.take_turn(task),
            Status::Failed => self.take_failed_turn(task),
            _ => {}
        }
        self.settled(task, status, now);
    }

    /// Notes a status that no attempt gave.
    pub fn moved(&mut self, task: TaskIndex, status: Status, now: u64) {
        if status != Status::Pending {
            self.withdraw(task);
        }
        match status {
            Status::Done => self.take_turn(task),
            // One that never began left nothing to clean up.
            Status::Failed if self.state().tasks.get(task as usize).is_some_and(|found| found.unfinished) => {
                self.take_failed_turn(task);
            }
            _ => {}
        }
        self.settled(task, status, now);
    }

    /// Notes that a task is done without being done again.
    pub fn spared(&mut self, task: TaskIndex, now: u64) {
        self.withdraw(task);
        self.put_back.remove(&task);
        self.renew_turn(task);
        self.settled(task, Status::Done, now);
    }

    fn settled(&mut self, task: TaskIndex, status: Status, now: u64) {
        let state = self.shared();
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        let freed = self.graph.settle(&state, task);
        let fails = status == Status::Failed
            && state.tasks.get(task as usize).is_some_and(|found| !found.task.allow_failure);
        drop(state);
        if self.fail_fast && fails && !self.ends_early {
            self.end_early();
        }
        for free in freed {
            self.announce(free, now);
        }
        if status == Status::Pending {
            self.announce(task, now);
        }
    }
}
