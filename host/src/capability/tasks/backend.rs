//! What stands behind `orch:tasks`, and what is asked for through it.

pub use orch_journal::event::AskedTask;
use orch_journal::event::TaskIndex;
use orch_task::render::RenderError;
use orch_task::{NewFileTask, Status, Task, check_entry};

pub(crate) const SCAN_MAX: usize = 1000;

/// A task in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSummary {
    pub index: TaskIndex,
    pub id: String,
    pub kind: String,
    pub status: Status,
    pub priority: i32,
    pub cost: u32,
}

/// The run's tasks, as `orch:tasks` reads them.
pub trait TaskReader: Send + Sync {
    fn describe(&self, index: TaskIndex) -> Option<Task>;
    fn find(&self, id: &str) -> Option<TaskIndex>;
    /// At most 1000 from `start` on.
    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary>;
}

/// How many bytes a task of a plugin needs in a task file.
///
/// # Errors
/// See [`check_entry`]: no task file can have it.
pub(crate) fn bytes_in_file(task: Task, added_by: &str) -> Result<u64, RenderError> {
    // The longest word that may stand there.
    let status = Some(Status::WaitingApproval);
    check_entry(&NewFileTask { task, status, added_by: Some(added_by.to_owned()) })
}
