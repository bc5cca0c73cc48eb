//! Why a `tasks.yml` cannot be used.
//!
//! In -> out: what reading met -> [`TaskFileError`] with its [`Place`], stable code and hint.
//! Invariant: every variant that is about a part of the text has a place.
//! Not here: what the YAML parser's errors become (`yaml_error.rs`), why a change was not written (`patch.rs`).

use std::fmt;

use crate::env::EnvError;
use crate::file::{FILE_BYTES_MAX, TASKS_MAX};
use crate::graph::cycle_text;
use crate::keys::KEYS;
use crate::model::{NameError, Status, TaskId};

/// A place in a text: line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}", self.line, self.column)
    }
}

/// Why a `tasks.yml` cannot be used. All are the operator's to mend; nothing was changed on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskFileError {
    #[error("`{file}` does not exist")]
    Missing { file: String },
    #[error("`{file}` is {found}, expected a regular file")]
    NotAFile { file: String, found: &'static str },
    #[error("`{file}` cannot be read")]
    Unreadable {
        file: String,
        #[source]
        source: std::io::Error,
    },
    #[error("task file is {found_bytes} bytes, limit is {FILE_BYTES_MAX}")]
    TooLarge { found_bytes: u64 },
    #[error("byte {byte} is not UTF-8, at {place}")]
    NotUtf8 { byte: u64, place: Place },
    #[error("{what}, at {place}")]
    Syntax { what: String, place: Place },
    #[error("a second YAML document, expected one, at {place}")]
    SecondDocument { place: Place },
    #[error("aliases expand to more than the limit, at {place}")]
    AliasBomb { place: Place },
    #[error("{what} is over the limit, at {place}")]
    TooComplex { what: &'static str, place: Place },
    #[error("key `{key}` is there twice, at {place}")]
    DuplicateKey { key: String, place: Place },
    #[error("file is {found}, expected a list of tasks or a mapping with `tasks`, at {place}")]
    NotTasks { found: &'static str, place: Place },
    #[error("task file names no tasks, expected a list, `[]` if there are none")]
    Empty,
    #[error("mapping has no key `tasks`, at {place}")]
    NoTasksKey { place: Place },
    #[error("more than {TASKS_MAX} tasks, the first too many is at {place}")]
    TooMany { place: Place },
    #[error("task is {found}, expected a mapping, at {place}")]
    NotATask { found: &'static str, place: Place },
    #[error("a task has no key `{key}`: {instead}, at {place}")]
    NotAKey { key: String, instead: String, place: Place },
    #[error("nothing reads `{key}` beside `tasks`: {instead}, at {place}")]
    NotARootKey { key: String, instead: String, place: Place },
    #[error("task without `id`, at {place}")]
    NoId { place: Place },
    #[error("{why}, at {place}")]
    Name { why: NameError, place: Place },
    #[error("`{key}` is {found}, expected {expected}, at {place}")]
    WrongType { key: String, found: String, expected: &'static str, place: Place },
    #[error("`env`: {why}, at {place}")]
    Env { why: EnvError, place: Place },
    #[error("task has `added_by` and `env`: a task that a plugin asked for has none, at {place}")]
    PluginEnv { place: Place },
    #[error("task works in your own tree and names paths, at {place}")]
    FilesOfMine { place: Place },
    #[error("a word of `{key}` has a NUL, at {place}")]
    Nul { key: String, place: Place },
    #[error("`{key}` is {found}, limit is {limit}, at {place}")]
    OverLimit { key: String, found: u64, limit: u64, place: Place },
    #[error("status is `{found}`, expected one of {}, at {place}", status_words())]
    UnknownStatus { found: String, place: Place },
    #[error("task id `{id}` at {place} is already used at {first}")]
    DuplicateId { id: TaskId, first: Place, place: Place },
    #[error("task `{task}` depends on `{dependency}`, which does not exist, at {place}")]
    UnknownDependency { task: TaskId, dependency: TaskId, place: Place },
    #[error("tasks depend on each other: {}, at {place}", cycle_text(tasks))]
    Cycle { tasks: Vec<TaskId>, place: Place },
}

impl TaskFileError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "task-file-missing",
            Self::NotAFile { .. } => "task-file-not-a-file",
            Self::Unreadable { .. } => "task-file-unreadable",
            Self::TooLarge { .. } => "task-file-too-large",
            Self::NotUtf8 { .. } => "task-file-not-utf8",
            Self::Syntax { .. } => "task-file-syntax",
            Self::SecondDocument { .. } => "task-file-second-document",
            Self::AliasBomb { .. } => "task-file-alias-bomb",
            Self::TooComplex { .. } => "task-file-too-complex",
            Self::DuplicateKey { .. } => "task-file-duplicate-key",
            Self::NotTasks { .. } => "task-file-not-tasks",
            Self::Empty => "task-file-empty",
            Self::NoTasksKey { .. } => "task-file-no-tasks-key",
            Self::TooMany { .. } => "task-file-too-many",
            Self::NotATask { .. } => "task-not-a-mapping",
            Self::NotAKey { .. } => "task-unknown-key",
            Self::NotARootKey { .. } => "task-file-unknown-key",
            Self::NoId { .. } => "task-without-id",
            Self::Name { why: NameError::Kind { .. }, .. } => "task-kind",
            Self::Name { .. } => "task-id",
            Self::WrongType { .. } => "task-wrong-type",
            Self::Env { .. } => "task-env",
            Self::PluginEnv { .. } => "task-env-of-plugin",
            Self::FilesOfMine { .. } => "task-files-of-mine",
            Self::Nul { .. } => "task-nul",
            Self::OverLimit { .. } => "task-over-limit",
            Self::UnknownStatus { .. } => "task-unknown-status",
            Self::DuplicateId { .. } => "task-duplicate-id",
            Self::UnknownDependency { .. } => "task-unknown-dependency",
            Self::Cycle { .. } => "task-cycle",
        }
    }

    /// Where in the file, if the error is about a part of it.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Missing { .. }
            | Self::NotAFile { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::Empty => None,
            Self::NotUtf8 { place, .. }
            | Self::Syntax { place, .. }
            | Self::SecondDocument { place }
            | Self::AliasBomb { place }
            | Self::TooComplex { place, .. }
            | Self::DuplicateKey { place, .. }
            | Self::NotTasks { place, .. }
            | Self::NoTasksKey { place }
            | Self::TooMany { place }
            | Self::NotATask { place, .. }
            | Self::NotAKey { place, .. }
            | Self::NotARootKey { place, .. }
            | Self::NoId { place }
            | Self::Name { place, .. }
            | Self::WrongType { place, .. }
            | Self::Env { place, .. }
            | Self::PluginEnv { place }
            | Self::FilesOfMine { place }
            | Self::Nul { place, .. }
            | Self::OverLimit { place, .. }
            | Self::UnknownStatus { place, .. }
            | Self::DuplicateId { place, .. }
            | Self::UnknownDependency { place, .. }
            | Self::Cycle { place, .. } => Some(*place),
        }
    }

    /// What the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } => "`orch-host init` writes a first one; `--tasks FILE` names another",
            Self::Empty => "put its tasks back, or write `tasks: []` if nothing is to do",
            Self::NotAFile { .. } => "put the file itself there: a link could lead outside the workspace",
            Self::TooLarge { .. } | Self::TooMany { .. } => {
                "split the work: each workspace has a task file of its own"
            }
            Self::Syntax { .. } => {
                "look at that place and the line before it: brackets and quotes closed, spaces and no tabs before a key"
            }
            Self::NotUtf8 { .. } => "save the file as UTF-8",
            Self::SecondDocument { .. } => "remove the line `---` and put all tasks into one list",
            Self::AliasBomb { .. } | Self::TooComplex { .. } => "write the values out, or split the file",
            Self::DuplicateKey { .. } => "remove one of the two",
            Self::NotTasks { .. } | Self::NoTasksKey { .. } | Self::NotATask { .. } => {
                "a task file looks like `- id: build`, one entry for each task"
            }
            Self::NotAKey { .. } => {
                return Some(format!("the keys of every task are `{}`", KEYS.join("`, `")));
            }
            Self::NotARootKey { .. } => "notes are comments; a key that nothing reads begins with `x-`",
            Self::NoId { .. } => "add `id: NAME` to the task",
            Self::Name { why: NameError::Kind { .. }, .. } => "`shell` is the kind of a task that names none",
            Self::Name { .. } => "an id is 1 to 128 of `A-Z a-z 0-9 . _ -`",
            Self::UnknownStatus { .. } => "remove the line; the host writes statuses",
            Self::DuplicateId { .. } => "rename one of the two; `7` and `\"7\"` are the same id",
            Self::UnknownDependency { .. } => "add the task, or remove the dependency",
            Self::Cycle { .. } => "remove one of these dependencies",
            Self::FilesOfMine { .. } => {
                "what a run knows of files is the branch's: take out `inputs`, `outputs` and the path of `when`, or `tree`"
            }
            Self::PluginEnv { .. } => "remove `env`, or write a task of your own without `added_by`",
            Self::WrongType { key, .. } if key.starts_with("env.") => {
                "each variable is a name and one word; `\"\"` is an empty one"
            }
            Self::OverLimit { key, .. } if key == "command" => {
                "put what is long into a file that the command reads"
            }
            Self::Unreadable { .. }
            | Self::WrongType { .. }
            | Self::OverLimit { .. }
            | Self::Env { .. }
            | Self::Nul { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }
}

fn status_words() -> String {
    Status::ALL.map(|status| format!("`{status}`")).join(", ")
}
