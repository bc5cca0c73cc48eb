//! What a guest was told that it could not work out again, word for word: of a run that keeps texts.
//!
//! In -> out: a question, its answer -> an [`Artifact`] each, with the bytes in it.
//! Not here: which questions those are (`orch-host`'s `capability/tape.rs`), giving them again (`orch-host`'s `replay.rs`).

use serde::{Deserialize, Serialize};

use super::Actor;
use crate::artifacts::Artifact;

/// A question that was answered, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerKept {
    #[serde(flatten)]
    pub by: Actor,
    #[serde(flatten)]
    pub line: Line,
    /// Counted in the call, from 1.
    pub nth: u32,
    /// Who was asked: an interface (`llm`, `process`), or `readings` of clocks and random numbers.
    pub of: String,
    pub question: Artifact,
    pub answer: Artifact,
    /// Values of secrets stood in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    pub at: u64,
}

/// Whose calls ask one after the other: a plugin in a role, for a task or for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    pub plugin: String,
    pub role: String,
    /// Id of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

impl std::fmt::Display for Line {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { plugin, role, task } = self;
        write!(to, "`{}` as {role}", plugin.escape_debug())?;
        task.iter().try_for_each(|task| write!(to, " of task `{}`", task.escape_debug()))
    }
}
