//! Breaks an epic into tasks with dependencies.
//!
//! In -> out: a task of kind `epic` -> one task for each of its steps, asked of the host.
//! Invariant: tasks are added all or none: what is wrong is found before the first is asked for, and the host keeps them with
//! the call's good result only.
//! Not here: what an epic says (`epic.rs`), what becomes of it (`breakdown.rs`).

pub mod breakdown;
pub mod epic;

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, log, tasks};

use crate::epic::Epic;

pub struct IntentExecutor;

impl Executor for IntentExecutor {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let epic = Epic::parse(&task.settings).map_err(Failure::new)?;
        for new in breakdown::break_down(&task, &epic).map_err(Failure::new)? {
            let id = new.id.clone().unwrap_or_default();
            tasks::add(&new)
                .map_err(|error| Failure::new(format!("cannot ask for the task `{id}`: {error}")))?;
        }
        let summary = breakdown::summary(&task, &epic);
        log::info(&summary);
        Ok(Completion::new(summary))
    }
}

orch_sdk::export!(executor: IntentExecutor);
