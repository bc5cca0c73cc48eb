//! Executor: measures each word of its task, all in one call of the host.

use orch_sdk::{Attempt, Completion, Error, Executor, Failure, Metric, Task, log, metrics};

struct Weigher;

impl Executor for Weigher {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure> {
        log::info(format_args!("task `{}`, attempt {}", task.id, attempt.number));
        let word = |word: &str| Metric::new("weigher.bytes", word.len() as f64, "By").with("word", word);
        let words: Vec<Metric> = task.description.split_whitespace().map(word).collect();
        metrics::record_all(&words).map_err(|error: Error| Failure::new(error.to_string()))?;
        Ok(Completion::new(format!("{} words", words.len())))
    }
}

orch_sdk::export!(executor: Weigher);
