//! What stands behind `orch:tasks`, and what is asked for through it.

pub use orch_journal::event::AskedTask;
use orch_journal::event::TaskIndex;
use orch_task::render::RenderError;
use orch_task::{NewFileTask, Status, Task, check_entry};
use serde::Serialize;

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

/// How many tasks have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskCounts {
    pub pending: u32,
    pub in_progress: u32,
    pub waiting_approval: u32,
    pub done: u32,
    pub failed: u32,
    pub blocked: u32,
    pub in_doubt: u32,
    pub cancelled: u32,
}

impl FromIterator<Status> for TaskCounts {
    fn from_iter<I: IntoIterator<Item = Status>>(statuses: I) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            *match status {
                Status::Pending => &mut counts.pending,
                Status::InProgress => &mut counts.in_progress,
                Status::WaitingApproval => &mut counts.waiting_approval,
                Status::Done => &mut counts.done,
                Status::Failed => &mut counts.failed,
                Status::Blocked => &mut counts.blocked,
                Status::InDoubt => &mut counts.in_doubt,
                Status::Cancelled => &mut counts.cancelled,
            } += 1;
        }
        counts
    }
}

/// The run's tasks, as `orch:tasks` reads them.
pub trait TaskReader: Send + Sync {
    fn describe(&self, index: TaskIndex) -> Option<Task>;
    fn find(&self, id: &str) -> Option<TaskIndex>;
    /// At most 1000 from `start` on.
    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary>;
    /// All of one moment.
    fn count(&self) -> TaskCounts;
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
