//! Records the values that its task says, `name=value`, and fails if its id begins so. Ends as: done, or failed and nothing is kept.

use orch_sdk::{Attempt, Completion, Executor, Failure, Metric, Task, metrics};

pub struct Measures;

impl Executor for Measures {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let metric = |said: &str| {
            let (name, value) = said.split_once('=')?;
            Some(Metric::new(name, value.parse().ok()?, "1").with("path", "src/a.py"))
        };
        let all: Vec<Metric> = task.description.split_whitespace().filter_map(metric).collect();
        metrics::record_all(&all)?;
        match task.id.starts_with("fails") {
            true => Err(Failure::new("as its id says")),
            false => Ok(Completion::new(format!("{} values", all.len()))),
        }
    }
}

orch_sdk::export!(executor: Measures);
