//! Cases of executors: one attempt at a task.

use orch_host::role::executor::{self, Completion};
use orch_task::Task;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::question::Question;
use super::script::Script;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execute {
    pub task: Box<Task>,
    #[serde(default = "first")]
    pub attempt: u32,
}

fn first() -> u32 {
    1
}

impl Question for Execute {
    type Ask = executor::Execute;

    fn ask(&self, _script: &Script) -> Result<executor::Execute, Ending> {
        Ok(executor::Execute { task: self.task.clone(), attempt: self.attempt })
    }

    fn show(answer: Completion) -> Value {
        json!({ "summary": answer.summary })
    }
}
