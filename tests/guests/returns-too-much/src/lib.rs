//! Answers with a summary far over its `outputKiB`. Ends as: limit-output.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct ReturnsTooMuch;

impl Executor for ReturnsTooMuch {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        Ok(Completion::new("x".repeat(4 << 20)))
    }
}

orch_sdk::export!(executor: ReturnsTooMuch);
