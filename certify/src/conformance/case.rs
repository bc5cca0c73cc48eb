//! Cases: one call, its name, and what may come of it.
//!
//! Invariant: a name is lower case with hyphens and stays the same in every version that asks the same.
//! Not here: which cases there are (`conformance/ROLE.rs`, `behaviour/fuzz.rs`), making the call (`actor.rs`).

use bytes::Bytes;
use http::Request;
use orch_host::role::auditor::FinishedTask;
use orch_host::role::verifier::Subject;
use orch_task::Task;

use super::session::Session;
use super::tasks;
use crate::fake::Mood;

/// What a call may end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// An answer.
    Answer,
    /// An answer, or the plugin's own failure with a word on why.
    AnswerOrFailure,
}

/// One call of an export.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Plan(Session),
    Execute { task: Box<Task>, attempt: u32 },
    Reflect { run: String, tasks: u32 },
    Analyze(Vec<String>),
    Audit(Vec<FinishedTask>),
    Verify(Subject),
    Handle(Request<Bytes>),
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) call: Call,
    pub(crate) expected: Expected,
    pub(crate) mood: Mood,
}

impl Case {
    /// Must be answered.
    pub(crate) fn answered(name: &str, call: Call) -> Self {
        Self { name: name.to_owned(), call, expected: Expected::Answer, mood: Mood::Good }
    }

    /// May be answered with a failure.
    pub(crate) fn survived(name: &str, call: Call) -> Self {
        Self { expected: Expected::AnswerOrFailure, ..Self::answered(name, call) }
    }

    /// The same call while the fakes are in that mood.
    pub(crate) fn in_mood(name: &str, call: &Call, mood: Mood) -> Self {
        Self { mood, ..Self::survived(name, call.clone()) }
    }

    /// Ids of the tasks that the run has in this case.
    pub(crate) fn known_tasks(&self) -> Vec<&'static str> {
        match self.mood {
            Mood::Empty => Vec::new(),
            _ => tasks::IDS.to_vec(),
        }
    }
}

/// Names and moods for what goes wrong with commands.
pub(crate) const COMMANDS: [(&str, Mood); 7] = [
    ("command-fails", Mood::Failing),
    ("command-killed", Mood::Killed),
    ("command-out-of-time", Mood::TimedOut),
    ("command-says-no-text", Mood::Garbage),
    ("command-says-too-much", Mood::Huge),
    ("command-missing", Mood::Missing),
    ("command-not-started", Mood::Unavailable),
];

/// Names and moods for what goes wrong with what the host keeps.
pub(crate) const STORES: [(&str, Mood); 4] = [
    ("nothing-kept", Mood::Empty),
    ("much-kept", Mood::Huge),
    ("store-full", Mood::Full),
    ("store-unavailable", Mood::Unavailable),
];
