//! Rows of the derived tables, as reports and commands read them.
//!
//! In -> out: columns -> plain data.
//! Units: times as ISO 8601 text in UTC; text from outside is as it came and is escaped by who shows it.
//! Not here: the queries (`reader.rs`), what fills the tables (`projection.rs`).

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Of runs that were begun before it was kept.
pub(crate) const TASK_FILE: &str = "tasks.yml";

/// A task file's name without `.yml` or `.yaml`: whoever says one of them means the one that is there.
pub(crate) fn plain_name(file: &str) -> &str {
    file.strip_suffix(".yml").or_else(|| file.strip_suffix(".yaml")).unwrap_or(file)
}

/// What a column has as JSON; what cannot be read is no empty value.
pub(crate) fn of_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, rusqlite::Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        let (place, text) = (row.as_ref().column_index(column).unwrap_or(0), rusqlite::types::Type::Text);
        rusqlite::Error::FromSqlConversionFailure(place, text, Box::new(error))
    })
}

/// What a store knows of a task, whatever run that is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Position of the event that says that it is done; 0 by its condition alone.
    pub done: Option<u64>,
    /// In milliseconds, if that was somebody's word.
    pub said_at: Option<u64>,
    /// Position of its last attempt's start or failure, if it was not done since.
    pub begun: Option<u64>,
    /// It was done, and waits only because what it depends on does.
    pub put_back: bool,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRow {
    pub id: String,
    pub task: String,
    pub status: String,
    pub created_at: String,
    pub started_at: Option<String>,
    pub completed_at: Option<String>,
    /// Plugins, jobs, durability, budget, unsigned; why it ended.
    pub metadata: serde_json::Value,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskRow {
    pub place: u32,
    pub id: String,
    pub description: String,
    pub kind: String,
    pub status: String,
    /// Ids.
    pub dependencies: Vec<String>,
    /// Failures that counted, of at most `max_retries` that are tried again.
    pub retries: u32,
    pub max_retries: u32,
    pub attempts: u32,
    pub added_by: Option<String>,
    pub created_at: String,
    /// Of the last attempt.
    pub started_at: Option<String>,
    pub completed_at: Option<String>,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    pub attempt: u32,
    /// `running`, `done`, `failed`, `broken`, `in_doubt`, `rerun` or `cancelled`.
    pub status: String,
    pub output: Option<String>,
    pub error: Option<String>,
    /// Relative to the workspace.
    pub log: Option<String>,
    pub started_at: String,
    pub completed_at: Option<String>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingRow {
    pub severity: String,
    pub category: String,
    pub message: String,
    pub location: Option<String>,
    pub resolved: bool,
    pub plugin: Option<String>,
    /// Id of the task that it is about; absent for the run.
    pub task: Option<String>,
}

/// Something that a person has to decide, or has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterventionRow {
    pub task: String,
    pub reason: String,
    /// `approve` or `resolve`.
    pub action_required: String,
    /// `open` or `resolved`.
    pub status: String,
    pub created_at: String,
    pub resolved_at: Option<String>,
}
