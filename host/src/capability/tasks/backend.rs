//! What stands behind `orch:tasks`, and what is asked for through it.

pub use orch_journal::event::AskedTask;
use orch_journal::event::TaskIndex;
use orch_task::{Status, Task};

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
