//! The run's state, from its tasks' statuses.
//!
//! In -> out: how many tasks have each status -> [`State`], which is written as JSON.
//! Not here: counting them (the host).

use orch_sdk::tasks;
use serde::Serialize;

/// How many tasks are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub pending: u32,
    pub in_progress: u32,
    pub waiting_approval: u32,
    pub done: u32,
    pub failed: u32,
    pub blocked: u32,
    pub in_doubt: u32,
    pub cancelled: u32,
}

/// What `GET /status` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// A task is in progress now.
    pub running: bool,
    /// `empty`, `executing`, `pending`, `waiting`, `failed` or `completed`.
    pub run: &'static str,
    pub total: u32,
    pub tasks: Counts,
}

impl From<tasks::Counts> for Counts {
    fn from(counts: tasks::Counts) -> Self {
        let tasks::Counts {
            pending,
            in_progress,
            waiting_approval,
            done,
            failed,
            blocked,
            in_doubt,
            cancelled,
        } = counts;
        Self { pending, in_progress, waiting_approval, done, failed, blocked, in_doubt, cancelled }
    }
}

impl Counts {
    /// The state that these counts mean. What a person must decide comes before what only waits its turn.
    #[must_use]
    pub fn state(self) -> State {
        let total = [
            self.pending,
            self.in_progress,
            self.waiting_approval,
            self.done,
            self.failed,
            self.blocked,
            self.in_doubt,
            self.cancelled,
        ]
        .iter()
        .sum();
        let run = if total == 0 {
            "empty"
        } else if self.in_progress > 0 {
            "executing"
        } else if self.waiting_approval + self.in_doubt > 0 {
            "waiting"
        } else if self.pending > 0 {
            "pending"
        } else if self.failed + self.blocked > 0 {
            "failed"
        } else {
            "completed"
        };
        State { running: self.in_progress > 0, run, total, tasks: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counts: Counts, total: u32, running: bool, run: &str) {
        let state = counts.state();
        assert_eq!((state.running, state.run, state.total), (running, run, total), "{counts:?}");
    }

    #[test]
    fn the_state_follows_from_the_counts() {
        let none = Counts::default();
        check(none, 0, false, "empty");
        check(Counts { pending: 1, done: 1, ..none }, 2, false, "pending");
        let all = Counts { pending: 1, done: 1, in_progress: 1, in_doubt: 1, failed: 1, ..none };
        check(all, 5, true, "executing");
        check(Counts { pending: 1, waiting_approval: 2, ..none }, 3, false, "waiting");
        check(Counts { done: 1, in_doubt: 1, ..none }, 2, false, "waiting");
        check(Counts { done: 1, failed: 1, cancelled: 1, ..none }, 3, false, "failed");
        check(Counts { done: 1, blocked: 1, ..none }, 2, false, "failed");
        check(Counts { done: 1, cancelled: 1, ..none }, 2, false, "completed");
    }
}
