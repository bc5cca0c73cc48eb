//! Executor: says what a task is about.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, log};

struct Plugin;

impl Executor for Plugin {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure> {
        log::info(format_args!("task `{}`, attempt {}", task.id, attempt.number));
        Ok(Completion::new(greet(&task.description)))
    }
}

orch_sdk::export!(executor: Plugin);

/// What the run's journal says of the task.
fn greet(description: &str) -> String {
    format!("hello, {description}")
}

#[cfg(test)]
mod tests {
    use orch_sdk::testing::{self, Host};

    use super::*;

    #[test]
    fn an_attempt_greets_and_is_logged() {
        let host = Host::new();
        let task = Task { description: "world".to_owned(), ..testing::task("t1", "{{name}}") };
        let completion = host.play(|| Plugin::execute(task, testing::attempt())).unwrap();
        assert_eq!(completion.summary, "hello, world");
        assert_eq!(host.log(), ["info: task `t1`, attempt 1"]);
    }

    #[test]
    fn greets_by_description() {
        assert_eq!(greet("world"), "hello, world");
    }
}
