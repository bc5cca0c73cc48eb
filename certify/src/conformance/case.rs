//! Cases: one call, its name, and what may come of it.
//!
//! Invariant: a name is lower case with hyphens and stays the same in every version that asks the same.
//! Not here: which cases there are (`conformance/ROLE.rs`, `behaviour/seed.rs`), making the call (`call.rs`).

use std::sync::Arc;

use orch_host::capability::trial::Mood;

use super::call::Call;
use super::tasks;

/// What a call may end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// An answer.
    Answer,
    /// An answer, or the plugin's own failure with a word on why.
    AnswerOrFailure,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) call: Arc<dyn Call>,
    pub(crate) expected: Expected,
    pub(crate) mood: Mood,
}

impl Case {
    /// Must be answered.
    pub(crate) fn answered(name: &str, call: impl Call + 'static) -> Self {
        Self { name: name.to_owned(), call: Arc::new(call), expected: Expected::Answer, mood: Mood::Good }
    }

    /// May be answered with a failure.
    pub(crate) fn survived(name: &str, call: impl Call + 'static) -> Self {
        Self { expected: Expected::AnswerOrFailure, ..Self::answered(name, call) }
    }

    /// The same call while the fakes are in that mood.
    pub(crate) fn in_mood(name: &str, call: &(impl Call + Clone + 'static), mood: Mood) -> Self {
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

/// Names and moods for what goes wrong outside.
pub(crate) const OUTSIDE: [(&str, Mood); 4] = [
    ("outside-fails", Mood::Failing),
    ("outside-says-no-text", Mood::Garbage),
    ("outside-knows-nothing", Mood::Missing),
    ("outside-refuses", Mood::TimedOut),
];

/// Names and moods for what goes wrong with what the host keeps.
pub(crate) const STORES: [(&str, Mood); 4] = [
    ("nothing-kept", Mood::Empty),
    ("much-kept", Mood::Huge),
    ("store-full", Mood::Full),
    ("store-unavailable", Mood::Unavailable),
];
