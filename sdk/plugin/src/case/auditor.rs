//! Cases of auditors: what files measure, and what is needed once tasks have finished.

use orch_host::capability::tasks::AskedTask;
use orch_host::role::auditor::{self, FinishedTask};
use orch_journal::event::Metric;
use orch_task::Status;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::question::{Question, show_tasks};
use super::script::Script;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analyze {
    #[serde(default)]
    pub paths: Vec<String>,
}

impl Question for Analyze {
    type Ask = auditor::Analyze;

    fn ask(&self, _script: &Script) -> Result<auditor::Analyze, Ending> {
        Ok(auditor::Analyze(self.paths.clone()))
    }

    fn show(answer: Vec<Metric>) -> Value {
        json!(answer)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    pub finished: Vec<Finished>,
}

/// A task that ended.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    pub index: u32,
    pub id: String,
    pub status: Status,
}

impl Question for Audit {
    type Ask = auditor::Audit;

    fn ask(&self, _script: &Script) -> Result<auditor::Audit, Ending> {
        let of_host =
            |task: &Finished| FinishedTask { index: task.index, id: task.id.clone(), status: task.status };
        Ok(auditor::Audit(self.finished.iter().map(of_host).collect()))
    }

    fn show(answer: Vec<AskedTask>) -> Value {
        show_tasks(&answer)
    }
}
