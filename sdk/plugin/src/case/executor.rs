//! Cases of executors: one attempt at a task.

use orch_host::role::executor::{self, Completion};
use orch_journal::event::Finding;
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
    #[serde(default)]
    pub goal: String,
    pub earlier: Option<Before>,
}

/// The attempt before it that failed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    pub message: String,
    #[serde(default)]
    pub findings: Vec<Finding>,
    #[serde(default)]
    pub diff: String,
}

fn first() -> u32 {
    1
}

impl Question for Execute {
    type Ask = executor::Execute;

    fn ask(&self, _script: &Script) -> Result<executor::Execute, Ending> {
        let earlier = self.earlier.as_ref().map(|Before { message, findings, diff }| executor::Earlier {
            message: message.clone(),
            findings: findings.clone(),
            diff: diff.clone(),
        });
        Ok(executor::Execute {
            task: self.task.clone(),
            attempt: self.attempt,
            goal: self.goal.clone(),
            earlier,
        })
    }

    fn show(answer: Completion) -> Value {
        match answer.mendable {
            true => json!({ "summary": answer.summary, "mendable": true }),
            false => json!({ "summary": answer.summary }),
        }
    }
}
