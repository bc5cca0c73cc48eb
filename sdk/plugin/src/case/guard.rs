//! Cases of guards: a judgement about one task.

use orch_host::role::guard::{Judgement, ProposedChange};
use orch_task::Task;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::question::Question;
use super::script::Script;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeTask {
    pub task: Box<Task>,
}

impl Question for JudgeTask {
    type Ask = ProposedChange;

    fn ask(&self, _script: &Script) -> Result<ProposedChange, Ending> {
        Ok(ProposedChange::Task(self.task.clone()))
    }

    fn show(answer: Judgement) -> Value {
        match answer {
            Judgement::Allow => json!("allow"),
            Judgement::Escalate { risk, reason } => {
                json!({ "escalate": { "risk": risk.as_str(), "reason": reason } })
            }
            Judgement::Refuse { reason } => json!({ "refuse": reason }),
        }
    }
}
