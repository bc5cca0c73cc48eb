//! Asks for memory until it is refused. Ends as: limit-memory.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct AllocatesWithoutEnd;

impl Executor for AllocatesWithoutEnd {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let mut hoard = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![1u8; 64 * 1024]));
        }
    }
}

orch_sdk::export!(executor: AllocatesWithoutEnd);
