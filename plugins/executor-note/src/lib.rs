//! Says what a task is and does nothing: what becomes of suggestions that a person should read.
//!
//! In -> out: a task of kind `note` -> one line in the log, and the same line as its summary.
//! Invariant: no effect and no failure.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct NoteExecutor;

impl Executor for NoteExecutor {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let line = describe(&task);
        orch_sdk::log::info(&line);
        Ok(Completion::new(line))
    }
}

orch_sdk::export!(executor: NoteExecutor);

/// `id: description`, or the id alone.
fn describe(task: &Task) -> String {
    if task.description.is_empty() { task.id.clone() } else { format!("{}: {}", task.id, task.description) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(description: &str) -> Task {
        Task {
            id: "refactor-a.py-f".to_owned(),
            description: description.to_owned(),
            kind: "note".to_owned(),
            command: None,
            priority: 0,
            cost: 1,
            settings: "{}".to_owned(),
            timeout_ms: 0,
        }
    }

    #[test]
    fn the_line_names_the_task() {
        assert_eq!(describe(&task("split it")), "refactor-a.py-f: split it");
        assert_eq!(describe(&task("")), "refactor-a.py-f");
    }
}
