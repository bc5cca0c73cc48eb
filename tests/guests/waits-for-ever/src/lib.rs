//! Waits though tasks are ready and nothing runs. Ends as: planner-stalled.

use orch_sdk::{Change, Decision, Failure, Planner};

pub struct WaitsForEver;

impl Planner for WaitsForEver {
    fn open(_settings: String, _kinds: Vec<String>) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn observe(&mut self, _changes: Vec<Change>) -> Result<(), Failure> {
        Ok(())
    }

    fn next(&mut self, _slots: u32) -> Result<Decision, Failure> {
        Ok(Decision::Wait)
    }
}

orch_sdk::export!(planner: WaitsForEver);
