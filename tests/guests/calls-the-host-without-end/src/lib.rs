//! Spins in a host function that costs the guest nothing. Ends as: limit-host-calls.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct CallsTheHostWithoutEnd;

impl Executor for CallsTheHostWithoutEnd {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        loop {
            std::hint::black_box(orch_sdk::settings::read());
        }
    }
}

orch_sdk::export!(executor: CallsTheHostWithoutEnd);
