//! Cases of reflectors: tasks asked for before the loop.

use orch_host::capability::tasks::AskedTask;
use orch_host::role::reflector;
use serde::Deserialize;
use serde_json::Value;

use super::expectation::Ending;
use super::question::{Question, run_id, show_tasks};
use super::script::Script;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reflect {
    #[serde(default = "run_id")]
    pub run: String,
    #[serde(default)]
    pub goal: String,
}

impl Question for Reflect {
    type Ask = reflector::Reflect;

    fn ask(&self, script: &Script) -> Result<reflector::Reflect, Ending> {
        let tasks = u32::try_from(script.tasks.len()).unwrap_or(u32::MAX);
        Ok(reflector::Reflect { run: self.run.clone(), tasks, left: tasks, goal: self.goal.clone() })
    }

    fn show(answer: Vec<AskedTask>) -> Value {
        show_tasks(&answer)
    }
}
