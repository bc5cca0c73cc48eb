//! One task: its fields, their limits and their words.
//!
//! In -> out: text -> [`TaskId`], [`Kind`], [`Status`]; a [`Task`] is plain data made of them.
//! Limits: the constants below, in bytes and entries.
//! Not here: reading `tasks.yml` (`file.rs`), the state of a run (`orch-journal`).

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub const TASK_ID_BYTES_MAX: usize = 128;
pub const KIND_BYTES_MAX: usize = 64;
pub const DESCRIPTION_BYTES_MAX: usize = 4096;
pub const SETTINGS_BYTES_MAX: usize = 64 * 1024;
pub const DEPENDENCIES_MAX: usize = 10_000;
/// Of a path or pattern of `inputs`, `outputs` and `when`.
pub const PATH_BYTES_MAX: usize = 4096;
/// For a task without `timeout`, in milliseconds: one hour.
pub const TIMEOUT_MS_DEFAULT: u64 = 3_600_000;

/// A text that is not a valid id or kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    #[error("task id is empty")]
    EmptyId,
    #[error("task id `{found}` has a character that is not one of `[A-Za-z0-9._-]`")]
    IdCharacter { found: String },
    #[error("task id is {found_bytes} bytes, limit is {TASK_ID_BYTES_MAX}")]
    IdTooLong { found_bytes: usize },
    #[error("kind `{found}` is not 1 to {KIND_BYTES_MAX} of `[a-z0-9-]`")]
    Kind { found: String },
}

/// Name of a task, compared as text: 1 to 128 of `[A-Za-z0-9._-]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

impl TaskId {
    /// The id, or why the text is none.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::EmptyId);
        }
        if text.len() > TASK_ID_BYTES_MAX {
            return Err(NameError::IdTooLong { found_bytes: text.len() });
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(NameError::IdCharacter { found: text.escape_default().to_string() });
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TaskId {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What sort of task it is; picks the executor. 1 to 64 of `[a-z0-9-]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(String);

impl Kind {
    /// The kind of a task that names none.
    pub fn shell() -> Self {
        Self("shell".to_owned())
    }

    /// The kind, or why the text is none.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fits = (1..=KIND_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError::Kind { found: text.escape_default().to_string() }),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Kind {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a task runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// Program and arguments; at least the program.
    Argv(Vec<String>),
    /// One line for `sh -c`.
    Shell(String),
}

/// When a task is worth starting: each part that is there holds. Paths are below the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Something lies there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<String>,
    /// Nothing lies there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// A variable that the task's command would have is there and not empty, or is `is`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

/// What happens to an attempt of which nobody knows how it ended. `Retry` is bounded: by the task's `retries` while the
/// host lives, and after ends of the host by that or a few more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDoubt {
    #[default]
    Ask,
    Retry,
    Fail,
    Done,
}

/// Where a task works, in a run whose edits go to a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tree {
    /// In one of its own, at the newest commit of the branch.
    #[default]
    Own,
    /// In the person's: what it changes stays, whatever comes of it.
    Mine,
}

/// Where a task stands. `ready` is derived and never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    InProgress,
    WaitingApproval,
    Done,
    Failed,
    Blocked,
    InDoubt,
    Cancelled,
}

impl Status {
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::InProgress,
        Self::WaitingApproval,
        Self::Done,
        Self::Failed,
        Self::Blocked,
        Self::InDoubt,
        Self::Cancelled,
    ];

    /// The word in `tasks.yml`, the store and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::WaitingApproval => "waiting_approval",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::InDoubt => "in_doubt",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// True when no run changes it any more without a person's word.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// One node of the graph, as its writer meant it. Statuses live beside it, never in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    /// At most [`DESCRIPTION_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// In the budget's unit.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub cost: u32,
    /// At most [`DEPENDENCIES_MAX`], each known, without a cycle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<TaskId>,
    /// For one attempt.
    #[serde(default = "timeout_default", skip_serializing_if = "is_timeout_default")]
    pub timeout_ms: u64,
    /// Attempts after the first that an answered, retriable failure may have.
    #[serde(default, skip_serializing_if = "is_none")]
    pub retries: u32,
    /// Verifiers that look after this task, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Look>,
    #[serde(default, skip_serializing_if = "is_ask")]
    pub on_doubt: OnDoubt,
    /// Doing it twice is the same as once, so doubt means retry.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotent: bool,
    /// Words that people choose tasks by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its failure keeps nothing from starting, and no run from its goal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_failure: bool,
    /// Starts once what it depends on is over, however it ended.
    #[serde(default, skip_serializing_if = "is_false")]
    pub always: bool,
    /// If it does not hold once the task could start, the task is done without an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Files, folders and patterns below the workspace that it reads and makes. With any of them the task is done without an
    /// attempt while nothing changed since it was done last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Where it works.
    #[serde(default, skip_serializing_if = "is_own_tree")]
    pub tree: Tree,
    /// Keys that the host does not know, for the executor; at most [`SETTINGS_BYTES_MAX`] bytes as JSON.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// A verifier that looks after a task, and which of its checks are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenLook", into = "WrittenLook")]
pub struct Look {
    /// Plugin id.
    pub verifier: String,
    /// Names, each once; empty: all that there are.
    pub checks: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenLook {
    Whole(String),
    Part { verifier: String, checks: Vec<String> },
}

impl Look {
    /// All checks of that verifier.
    pub fn whole(verifier: impl Into<String>) -> Self {
        Self { verifier: verifier.into(), checks: Vec::new() }
    }

    /// Takes one more into a list: who is named twice looks once, at all that is meant.
    pub fn join(mut self, looks: &mut Vec<Self>) {
        let mut seen = HashSet::new();
        self.checks.retain(|check| seen.insert(check.clone()));
        match looks.iter_mut().find(|look| look.verifier == self.verifier) {
            None => looks.push(self),
            Some(look) if look.checks.is_empty() || self.checks.is_empty() => look.checks.clear(),
            Some(look) => {
                self.checks.retain(|check| !look.checks.contains(check));
                look.checks.append(&mut self.checks);
            }
        }
    }
}

impl From<WrittenLook> for Look {
    fn from(written: WrittenLook) -> Self {
        match written {
            WrittenLook::Whole(verifier) => Self::whole(verifier),
            WrittenLook::Part { verifier, checks } => Self { verifier, checks },
        }
    }
}

impl From<Look> for WrittenLook {
    fn from(look: Look) -> Self {
        match look {
            Look { verifier, checks } if checks.is_empty() => Self::Whole(verifier),
            Look { verifier, checks } => Self::Part { verifier, checks },
        }
    }
}

impl Task {
    /// A task with everything at its default.
    pub fn new(id: TaskId, kind: Kind) -> Self {
        Self {
            id,
            description: String::new(),
            kind,
            command: None,
            priority: 0,
            cost: 1,
            dependencies: Vec::new(),
            timeout_ms: TIMEOUT_MS_DEFAULT,
            retries: 0,
            verify: Vec::new(),
            on_doubt: OnDoubt::Ask,
            idempotent: false,
            tags: Vec::new(),
            allow_failure: false,
            always: false,
            when: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            tree: Tree::Own,
            settings: serde_json::Map::new(),
        }
    }

    /// True for a task that says what it reads or makes.
    pub fn names_files(&self) -> bool {
        !self.inputs.is_empty() || !self.outputs.is_empty()
    }

    /// What doubt means for this task: `on_doubt` if set, else retry when idempotent.
    pub fn doubt_rule(&self) -> OnDoubt {
        match (self.on_doubt, self.idempotent) {
            (OnDoubt::Ask, true) => OnDoubt::Retry,
            (rule, _) => rule,
        }
    }
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

fn is_none(value: &u32) -> bool {
    *value == 0
}

fn one() -> u32 {
    1
}

fn is_one(value: &u32) -> bool {
    *value == 1
}

fn timeout_default() -> u64 {
    TIMEOUT_MS_DEFAULT
}

fn is_timeout_default(value: &u64) -> bool {
    *value == TIMEOUT_MS_DEFAULT
}

fn is_own_tree(value: &Tree) -> bool {
    *value == Tree::Own
}

fn is_ask(value: &OnDoubt) -> bool {
    *value == OnDoubt::Ask
}

fn is_false(value: &bool) -> bool {
    !*value
}
