//! Reaches for values and hosts before and after it asks a provider that does the same. Ends as: done, with what each
//! of the three times reached.

use orch_sdk::{Attempt, Completion, Executor, Failure, Message, Task, notify};

#[path = "../../reaches-when-asked/src/reach.rs"]
mod reach;

pub struct ReachesAndAsks;

impl Executor for ReachesAndAsks {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let before = reach::reach();
        let provider = notify::send(&Message::new("ops", "what do you reach?"))?;
        Ok(Completion::new(format!("{before} {provider} {}", reach::reach())))
    }
}

orch_sdk::export!(executor: ReachesAndAsks);
