//! Never comes back from `execute`. Ends as: limit-busy.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct LoopsForEver;

impl Executor for LoopsForEver {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let mut turns = 0u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
}

orch_sdk::export!(executor: LoopsForEver);
