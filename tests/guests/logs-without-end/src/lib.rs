//! Writes 100,000 lines to the log and is done: the run goes on without most of them. Ends as: done, log cut.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct LogsWithoutEnd;

impl Executor for LogsWithoutEnd {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        for line in 0..100_000 {
            orch_sdk::log::info(format_args!("line {line} of a hundred thousand"));
        }
        Ok(Completion::new("said it all"))
    }
}

orch_sdk::export!(executor: LogsWithoutEnd);
