//! Panics in `execute`; the panic's place is in the log. Ends as: plugin-trap.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct Traps;

impl Executor for Traps {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        panic!("task `{}` is too much for me", task.id)
    }
}

orch_sdk::export!(executor: Traps);
