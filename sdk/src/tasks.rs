//! The run's tasks.
//!
//! Permission: `tasks`: `read` opens the reading functions, `add` and `kinds` bound what may be asked for.

pub use crate::bindings::capabilities::orch::tasks::tasks::{Counts, Status, Summary};
use crate::host::tasks;
use crate::{Command, Error, NewTask, Task};

/// Summaries that the host hands over at once.
const SUMMARIES_MAX: usize = 1000;

/// One task by its place.
///
/// # Errors
/// `Denied`: `tasks.read` is not granted. `NotFound`: no task has that place.
pub fn describe(index: u32) -> Result<Task, Error> {
    Ok(tasks::describe(index)?)
}

/// The place of an id.
///
/// # Errors
/// `Denied`: `tasks.read` is not granted. `NotFound`: no task has that id.
pub fn find(id: &str) -> Result<u32, Error> {
    Ok(tasks::find(id)?)
}

/// Summaries of all tasks, in file order, fetched as they are asked for.
pub fn all() -> impl Iterator<Item = Result<Summary, Error>> {
    let mut start = Some(0);
    let mut page = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if let Some(summary) = page.next() {
            return Some(Ok(summary));
        }
        let fetched = match tasks::scan(start?) {
            Ok(fetched) => fetched,
            Err(error) => {
                start = None;
                return Some(Err(error.into()));
            }
        };
        let last = fetched.last().map(|summary| summary.index.saturating_add(1));
        start = last.filter(|_| fetched.len() >= SUMMARIES_MAX);
        page = fetched.into_iter();
        page.next().map(Ok)
    })
}

/// How many tasks have each status, of one moment; cheaper than to list them.
///
/// # Errors
/// `Denied`: `tasks.read` is not granted.
pub fn count() -> Result<Counts, Error> {
    Ok(tasks::count()?)
}

/// Asks for a task; it is added when this call's result is accepted.
///
/// # Errors
/// `Denied`: the kind is not granted, or none may be added. `Invalid`: a field is over its limit. `Limit`: this call
/// asked for `tasks.add` tasks already.
pub fn add(task: &NewTask) -> Result<(), Error> {
    Ok(tasks::add(task)?)
}

impl NewTask {
    /// A task of that kind with priority 0, cost 1, no dependencies and an id that the host makes.
    pub fn new(kind: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            id: None,
            description: description.into(),
            kind: kind.into(),
            command: None,
            priority: 0,
            cost: 1,
            dependencies: Vec::new(),
            settings: String::new(),
        }
    }

    /// The same with an id of its own: 1..=128 of `[A-Za-z0-9._-]`.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// The same with a command.
    #[must_use]
    pub fn with_command(self, command: Command) -> Self {
        Self { command: Some(command), ..self }
    }

    /// The same with a priority; higher goes first.
    #[must_use]
    pub fn with_priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }
}
