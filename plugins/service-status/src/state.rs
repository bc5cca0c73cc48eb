//! The run's state, from its tasks' statuses.
//!
//! In -> out: one status after the other -> [`State`], which is written as JSON.
//! Invariant: every task is counted once.
//! Not here: reading the tasks (`lib.rs`).

use orch_sdk::tasks::Status;
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

impl Counts {
    pub fn add(&mut self, status: Status) {
        *match status {
            Status::Pending => &mut self.pending,
            Status::InProgress => &mut self.in_progress,
            Status::WaitingApproval => &mut self.waiting_approval,
            Status::Done => &mut self.done,
            Status::Failed => &mut self.failed,
            Status::Blocked => &mut self.blocked,
            Status::InDoubt => &mut self.in_doubt,
            Status::Cancelled => &mut self.cancelled,
        } += 1;
    }

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
    fn check(statuses: &[Status], running: bool, run: &str) {
        let mut counts = Counts::default();
        statuses.iter().for_each(|status| counts.add(*status));
        let state = counts.state();
        assert_eq!((state.running, state.run), (running, run), "{statuses:?}");
        assert_eq!(state.total as usize, statuses.len());
    }

    #[test]
    fn the_state_follows_from_the_statuses() {
        use Status::{Blocked, Cancelled, Done, Failed, InDoubt, InProgress, Pending, WaitingApproval};
        check(&[], false, "empty");
        check(&[Pending, Done], false, "pending");
        check(&[Pending, Done, InProgress, InDoubt, Failed], true, "executing");
        check(&[Pending, WaitingApproval], false, "waiting");
        check(&[Done, InDoubt], false, "waiting");
        check(&[Done, Failed, Cancelled], false, "failed");
        check(&[Done, Blocked], false, "failed");
        check(&[Done, Cancelled], false, "completed");
    }
}
