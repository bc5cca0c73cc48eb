//! Cases of guards: a judgement about one task, about what an attempt changed, or about what a person takes in.

use orch_host::role::guard::{
    ChangedFile, Difference, Judgement, ProposedChange, ProposedEdits, ProposedMerge,
};
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
        show(answer)
    }
}

/// What an attempt changed, all of which is shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeEdits {
    pub task: Box<Task>,
    #[serde(default = "first")]
    pub attempt: u32,
    pub files: Vec<ChangedFile>,
    #[serde(default)]
    pub patch: String,
}

fn first() -> u32 {
    1
}

impl Question for JudgeEdits {
    type Ask = ProposedChange;

    fn ask(&self, _script: &Script) -> Result<ProposedChange, Ending> {
        Ok(ProposedChange::Edits(Box::new(ProposedEdits {
            task: (*self.task).clone(),
            attempt: self.attempt,
            difference: shown(&self.files, &self.patch),
        })))
    }

    fn show(answer: Judgement) -> Value {
        show(answer)
    }
}

/// What a person takes in, all of which is shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeMerge {
    pub run: String,
    pub tasks: Vec<String>,
    #[serde(default)]
    pub onto: Option<String>,
    pub files: Vec<ChangedFile>,
    #[serde(default)]
    pub patch: String,
}

impl Question for JudgeMerge {
    type Ask = ProposedChange;

    fn ask(&self, _script: &Script) -> Result<ProposedChange, Ending> {
        Ok(ProposedChange::Merge(Box::new(ProposedMerge {
            run: self.run.clone(),
            tasks: self.tasks.clone(),
            onto: self.onto.clone(),
            difference: shown(&self.files, &self.patch),
        })))
    }

    fn show(answer: Judgement) -> Value {
        show(answer)
    }
}

fn shown(files: &[ChangedFile], patch: &str) -> Difference {
    let sum = |of: fn(&ChangedFile) -> Option<u32>| files.iter().filter_map(of).map(u64::from).sum();
    Difference {
        files: files.to_vec(),
        files_count: u32::try_from(files.len()).unwrap_or(u32::MAX),
        added: sum(|file| file.added),
        removed: sum(|file| file.removed),
        patch: patch.to_owned(),
        patch_is_whole: true,
    }
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
