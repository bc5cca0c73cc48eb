//! Asks for a task whose settings its own name, as a reflector, an auditor and an executor. Ends as: plugin-answer for those
//! that no task file can have, nothing run; as an executor done, and told that it is invalid.

use std::collections::BTreeMap;

use orch_sdk::{
    Attempt, Auditor, Completion, Cycle, Executor, Failure, FinishedTask, Metric, NewTask, Reflector, Task,
    settings, tasks,
};

pub struct AsksUnkeepably;

fn asked() -> Result<NewTask, Failure> {
    let text = settings::parse::<BTreeMap<String, String>>()?.remove("text").unwrap_or_default();
    Ok(NewTask { settings: text, ..NewTask::new("note", "looks harmless") })
}

impl Reflector for AsksUnkeepably {
    fn reflect(_cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        Ok(vec![asked()?])
    }
}

impl Auditor for AsksUnkeepably {
    fn analyze(_paths: Vec<String>) -> Result<Vec<Metric>, Failure> {
        Ok(Vec::new())
    }

    fn audit(_finished: Vec<FinishedTask>) -> Result<Vec<NewTask>, Failure> {
        Ok(vec![asked()?])
    }
}

impl Executor for AsksUnkeepably {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        Ok(Completion::new(format!("{:?}", tasks::add(&asked()?))))
    }
}

orch_sdk::export!(reflector: AsksUnkeepably, auditor: AsksUnkeepably, executor: AsksUnkeepably);
