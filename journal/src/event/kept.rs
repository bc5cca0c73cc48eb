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
    /// Apart from `by`, which has a `task` as well.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn what_is_written_is_read_again_whoever_asked() {
        let text = Artifact {
            name: "n".to_owned(),
            kind: "application/json".to_owned(),
            path: None,
            size: Some(2),
            sha256: "00".repeat(32),
            content: None,
        }
        .with_bytes(b"{}");
        for by in [Actor::Attempt { task: 3, attempt: 1 }, Actor::Call { number: 7 }] {
            let line =
                Line { plugin: "demo/x".to_owned(), role: "executor".to_owned(), task: Some("a".to_owned()) };
            let of = "llm".to_owned();
            let (question, answer) = (text.clone(), text.clone());
            let kept = AnswerKept { by, line, nth: 1, of, question, answer, masked: false, at: 5 };
            let event = Event::AnswerKept(Box::new(kept));
            let written = serde_json::to_vec(&event).unwrap();
            assert_eq!(serde_json::from_slice::<Event>(&written).unwrap(), event);
        }
    }
}
