//! Tells what was recorded under each name that its task says, `name` or `name@plugin`, and records one itself. Ends as: done, told
//! `denied` for names that are not granted.

use orch_sdk::metrics::{self, Query, Recorded};
use orch_sdk::{Attempt, Completion, Error, Executor, Failure, Metric, Task};

pub struct RecallsValues;

impl Executor for RecallsValues {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        metrics::record(&Metric::new("shared.recalls", 1.0, "1"))?;
        let told: Result<Vec<_>, _> = task.description.split_whitespace().map(recall).collect();
        Ok(Completion::new(told?.join("; ")))
    }
}

/// Page by page, so that a page's end is met.
fn recall(asked: &str) -> Result<String, Failure> {
    let query = match asked.split_once('@') {
        Some((name, plugin)) => Query::of(name).by(plugin),
        None => Query::of(asked),
    };
    let found: Result<Vec<Recorded>, Error> = metrics::all(query.at_most(2)).collect();
    let told = match found {
        Ok(found) => found.iter().map(tell).collect::<Vec<_>>().join(", "),
        Err(Error::Denied(_)) => "denied".to_owned(),
        Err(other) => return Err(other.into()),
    };
    Ok(format!("{asked}: {told}"))
}

fn tell(found: &Recorded) -> String {
    let run = if found.run.is_some() { "" } else { " of a service" };
    let task = found.task.as_deref().unwrap_or("no task");
    format!("{} {} {task}{run}", found.metric.value, found.plugin)
}

orch_sdk::export!(executor: RecallsValues);
