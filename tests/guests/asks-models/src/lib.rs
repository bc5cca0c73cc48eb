//! Asks the model that its task's description begins with (`-`: the one that the workspace picks) the rest of it, and says what
//! came of it. Ends as: done; a task whose id begins with `traps` ends as `plugin-trap` after the answer.

use orch_sdk::llm::{self, Chat};
use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct AsksModels;

impl Executor for AsksModels {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let (model, text) = task.description.split_once(' ').unwrap_or(("-", &task.description));
        let mut chat = Chat::new().user(text);
        if model != "-" {
            chat = chat.model(model);
        }
        let answer = chat.send().map(|answer| answer.said.text);
        let names: Vec<String> = llm::models().into_iter().map(|model| model.name).collect();
        match task.id.starts_with("traps") {
            true => panic!("as the task says"),
            false => Ok(Completion::new(format!("{answer:?} of {}", names.join(", ")))),
        }
    }
}

orch_sdk::export!(executor: AsksModels);
