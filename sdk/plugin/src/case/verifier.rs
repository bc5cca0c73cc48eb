//! Cases of verifiers: findings about a run or one task.

use orch_host::role::verifier::Subject;
use orch_journal::event::Finding;
use orch_task::Task;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::question::{Question, run_id};
use super::script::Script;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRun {
    #[serde(default = "run_id")]
    pub run: String,
}

impl Question for VerifyRun {
    type Ask = Subject;

    fn ask(&self, _script: &Script) -> Result<Subject, Ending> {
        Ok(Subject::Run(self.run.clone()))
    }

    fn show(answer: Vec<Finding>) -> Value {
        json!(answer)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyTask {
    pub task: Box<Task>,
}

impl Question for VerifyTask {
    type Ask = Subject;

    fn ask(&self, _script: &Script) -> Result<Subject, Ending> {
        Ok(Subject::Task(self.task.clone()))
    }

    fn show(answer: Vec<Finding>) -> Value {
        json!(answer)
    }
}
