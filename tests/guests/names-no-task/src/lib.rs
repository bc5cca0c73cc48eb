//! Names a task that does not exist. Ends as: planner-answer.

use orch_sdk::{Change, Decision, Failure, Planner};

pub struct NamesNoTask;

impl Planner for NamesNoTask {
    fn open(_settings: String, _kinds: Vec<String>) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn observe(&mut self, _changes: Vec<Change>) -> Result<(), Failure> {
        Ok(())
    }

    fn next(&mut self, _slots: u32) -> Result<Decision, Failure> {
        Ok(Decision::Start(vec![4242]))
    }
}

orch_sdk::export!(planner: NamesNoTask);
